"""``make dist``: what the five distributions hold, and that they run."""

import json
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

PLUGINS = ["baselines", "entropy", "speculative", "uncertainty"]
NAMES = ["hybridlm", *(f"hybridlm_strategy_{plugin}" for plugin in PLUGINS)]
CORE_MUST = [
    *("LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml"),
    *("hybrid_generator.py", "tests/conftest.py"),
    "hybridcore/startup/_hybridlm_startup.py",
    "hybridcore/startup/hybridlm.pth",
    "hybridcore/startup/hybridlm.start",
]
ROOT_FILES = [
    *("hybrid_generator.py", "_hybridlm_startup.py"),
    *("hybridlm.pth", "hybridlm.start"),
]
UNWANTED = {".git", ".venv", "__pycache__", "dist", "ready"}


def sdist_files(dist, name):
    """Paths inside the sdist, below its one folder."""
    (file,) = dist.glob(f"{name}-*.tar.gz")
    with tarfile.open(file) as archive:
        members = [member for member in archive.getmembers() if member.isfile()]
    return {member.name.split("/", 1)[1] for member in members}


def wheel_files(dist, name):
    """Paths inside the wheel, its metadata under the folder ``info``."""
    (file,) = dist.glob(f"{name}-*.whl")
    info = "-".join(file.name.split("-")[:2]) + ".dist-info"
    with zipfile.ZipFile(file) as archive:
        return {path.replace(info, "info") for path in archive.namelist()}


def package_files(dist):
    """The files of hybridcore in the copy of the checkout that was built."""
    checkout = dist.parent
    files = [file for file in checkout.glob("hybridcore/**/*") if file.is_file()]
    return {file.relative_to(checkout).as_posix() for file in files}


def test_two_files_for_each_distribution(dist):
    made = sorted(file.name.split("-")[0] for file in dist.iterdir())
    assert made == sorted(NAMES * 2)


def test_core_sdist(dist):
    files = sdist_files(dist, "hybridlm")
    assert set(CORE_MUST) | package_files(dist) <= files
    assert not [path for path in files if path.startswith("plugins")]


def test_core_wheel_is_the_package_and_the_root_files(dist):
    files = wheel_files(dist, "hybridlm")
    package = {path for path in package_files(dist) if "/startup/" not in path}
    assert {path for path in files if not path.startswith("info/")} == {
        *package,
        *ROOT_FILES,
    }
    assert {"info/licenses/LICENSE", "info/entry_points.txt"} <= files


def test_core_wheel_holds_what_the_demo_needs(dist):
    files = wheel_files(dist, "hybridlm")
    demo = "hybridcore/demo"
    for kind in ["generation", "choice", "perplexity"]:
        assert f"{demo}/tasks/hybrid_demo_{kind}.yaml" in files
        assert f"{demo}/data/{kind}.jsonl" in files
    for model in ["slm", "llm"]:
        assert f"{demo}/models/{model}/model.safetensors" in files
    assert "hybridcore/py.typed" in files


@pytest.mark.parametrize("plugin", PLUGINS)
def test_plugin_files(dist, plugin):
    name = f"hybridlm_strategy_{plugin}"
    sdist = sdist_files(dist, name)
    tests = {path for path in sdist if path.startswith("tests/")}
    assert {f"{name}.py", "LICENSE", "README.md", "pyproject.toml"} <= sdist
    assert sdist - tests <= {
        *(f"{name}.py", "LICENSE", "README.md", "pyproject.toml"),
        *("PKG-INFO", ".gitignore"),
    }
    here = dist.parent / "plugins" / plugin
    assert all((here / path).is_file() for path in tests)
    info = ["METADATA", "WHEEL", "entry_points.txt", "licenses/LICENSE", "RECORD"]
    assert wheel_files(dist, name) == {f"{name}.py", *(f"info/{f}" for f in info)}


@pytest.mark.parametrize("name", NAMES)
def test_metadata(dist, name):
    (file,) = dist.glob(f"{name}-*.whl")
    with zipfile.ZipFile(file) as archive:
        (path,) = (path for path in archive.namelist() if path.endswith("/METADATA"))
        metadata = archive.read(path).decode()
    stated = message_from_string(metadata)
    assert stated["License-Expression"] == "Apache-2.0"
    assert stated["License-File"] == "LICENSE"
    assert stated["Requires-Python"] == ">=3.10"
    assert stated.get_payload().startswith("# ")  # the README
    if name != "hybridlm":
        assert stated["Keywords"] == "hybridlm-strategy"
        assert stated.get_all("Requires-Dist") == ["hybridlm<0.2,>=0.1"]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_unwanted(dist, name):
    for path in sdist_files(dist, name) | wheel_files(dist, name):
        assert not UNWANTED & set(Path(path).parts)
        assert not path.endswith((".pyc", ".pt", ".egg-info"))


def test_wheels_run_a_strategy_without_the_checkout(environment, checked, tmp_path):
    tasks = environment.site / "hybridcore" / "demo" / "tasks"
    model = "slm=demo-slm,llm=demo-llm,strategy=speculative,device=cpu,dtype=float32"
    command = [environment.bin / "lm_eval", "--model", "hybrid", "--model_args", model]
    command += ["--include_path", tasks, "--tasks", "hybrid_demo_generation"]
    checked([*command, "--limit", "2", "--output_path", tmp_path / "out"], tmp_path)

    (file,) = tmp_path.glob("out/**/results_*.json")
    results = json.loads(file.read_text())
    assert results["n-samples"]["hybrid_demo_generation"]["effective"] == 2
    assert "speculative" in json.dumps(results["config"])


def test_installed_code_is_the_wheels(environment):
    code = "import hybridcore, hybridlm_strategy_speculative as s\n"
    printed = environment.python(code + "print(hybridcore.__file__, s.__file__)")
    assert printed.count(str(environment.site)) == 2


def test_sdists_install_the_same(environment, from_sdists):
    def installed(made):
        paths = {path.relative_to(made.folder) for path in made.files()}
        # where pip got it from is another file, but not ours
        return {path for path in paths if path.name != "direct_url.json"}

    assert installed(from_sdists) == installed(environment)
    listed = from_sdists.python("from hybridcore.cli import main; main(['strategies'])")
    for name in ["uncertainty", "entropy", "speculative", "slm-only", "random"]:
        assert name in listed


def test_console_script_in_a_path_with_a_space(environment, checked, tmp_path):
    assert " " in str(environment.bin)
    assert "llm-only" in checked([environment.bin / "hybridlm", "strategies"], tmp_path)


def test_requirements_are_met(environment, attempted, tmp_path):
    done = attempted([environment.bin / "python", "-m", "pip", "check"], tmp_path)
    # other distributions' quarrels are theirs
    ours = [line for line in done.stdout.splitlines() if line.startswith("hybridlm")]
    assert not ours
