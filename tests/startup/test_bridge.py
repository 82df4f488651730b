"""lm_eval finds "hybrid" wherever the project is installed, and only then."""

import json
import shutil

import pytest

MISSING_PAIR = "llm is missing"  # said by HybridLM, before any model or task loads
LIST_MODULES = "import sys; print(*sorted(sys.modules))"
IMPORT_LM_EVAL = """
import lm_eval.models
from lm_eval.api.registry import model_registry
print("hf" in model_registry, "hybrid" in model_registry)
"""
NEXT_RELEASE = """
from importlib.metadata import entry_points
from lm_eval.api.registry import get_model, model_registry
for found in entry_points(group="lm_eval.models"):
    model_registry.register(found.name, target=found)
import lm_eval.models
print(get_model("hybrid").__module__, "hf" in model_registry)
"""
RESOLVE = """
import json, lm_eval
from lm_eval.api.registry import get_model
found = get_model("hybrid")
from hybrid_generator import HybridLM
try:
    given = {"strategy": "entropy"}
    lm_eval.simple_evaluate(model="hybrid", model_args=given, tasks=["none"])
except BaseException as error:
    said = str(error)
print(json.dumps([found.__module__, found.__name__, found is HybridLM, said]))
"""


@pytest.fixture
def pair_arguments(environment):
    """An evaluation of two demo documents with the embedded pair."""
    tasks = environment.site / "hybridcore" / "demo" / "tasks"
    model = "slm=demo-slm,llm=demo-llm,strategy=entropy,device=cpu,dtype=float32"
    arguments = ["--model", "hybrid", "--model_args", model, "--include_path", tasks]
    return [*arguments, "--tasks", "hybrid_demo_generation", "--limit", "2"]


def test_python_m_lm_eval_evaluates(environment, pair_arguments, checked, tmp_path):
    command = [environment.bin / "python", "-m", "lm_eval", "run", *pair_arguments]
    checked([*command, "--output_path", tmp_path / "out"], tmp_path)

    (file,) = tmp_path.glob("out/**/results_*.json")
    results = json.loads(file.read_text())
    assert results["n-samples"]["hybrid_demo_generation"]["effective"] == 2
    assert "exact_match,answer" in results["results"]["hybrid_demo_generation"]


@pytest.mark.parametrize(
    "launcher",
    [["lm_eval"], ["accelerate", "launch", "--cpu", "--num_processes=1", "-m"]],
    ids=["script", "accelerate"],
)
def test_launchers_find_hybrid(environment, launcher, attempted, tmp_path):
    name, *rest = launcher
    module = ["lm_eval"] if rest else []
    command = [environment.bin / name, *rest, *module, "--model", "hybrid"]
    command += ["--model_args", "strategy=entropy", "--tasks", "arc_easy"]
    done = attempted(command, tmp_path)

    assert done.returncode != 0
    assert MISSING_PAIR in done.stderr + done.stdout


def test_python_interfaces_find_hybrid(environment, tmp_path):
    printed = environment.python(RESOLVE, tmp_path).splitlines()[-1]
    module, name, same, said = json.loads(printed)

    assert (module, name) == ("hybridcore.harness.hybrid_lm", "HybridLM")
    assert same  # from hybrid_generator import HybridLM
    assert MISSING_PAIR in said


def test_entry_point_is_declared_once(environment):
    code = """
from importlib.metadata import entry_points
print([e.value for e in entry_points(group="lm_eval.models", name="hybrid")])
print(sorted(e.name for e in entry_points(group="hybridlm.strategies")))
"""
    models, strategies = environment.python(code).splitlines()
    assert models == "['hybridcore.harness.hybrid_lm:HybridLM']"
    assert strategies == "['entropy', 'llm-only', 'random', 'slm-only']"


@pytest.mark.parametrize("bridge", ["1", "0"])
def test_a_harness_that_reads_entry_points(environment, attempted, tmp_path, bridge):
    command = [environment.bin / "python", "-c", NEXT_RELEASE]
    done = attempted(command, tmp_path, HYBRIDLM_BRIDGE=bridge)

    assert done.stdout.split() == ["hybridcore.harness.hybrid_lm", "True"]
    assert "could not be registered" not in done.stderr


def test_pytest_of_others_sees_no_warning(environment, attempted, tmp_path):
    # what a pytest11 entry point does with every module of its distribution
    options = ["-W", "error", "-p", "_hybridlm_startup", "-p", "no:cacheprovider"]
    (tmp_path / "test_theirs.py").write_text("def test_nothing():\n    pass\n")
    done = attempted(
        [environment.bin / "python", "-m", "pytest", *options, tmp_path], tmp_path
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_switched_off(environment, attempted, tmp_path):
    code = "from lm_eval.api.registry import get_model; get_model('hybrid')"
    command = [environment.bin / "python", "-c", code]
    done = attempted(command, tmp_path, HYBRIDLM_BRIDGE="0")

    assert done.returncode != 0
    assert "no model for this name found" in done.stderr


def test_looking_for_the_module_does_not_use_the_bridge_up(environment, tmp_path):
    code = "import importlib.util as u; u.find_spec('lm_eval.models')"
    printed = environment.python(code + IMPORT_LM_EVAL, tmp_path)
    assert printed == "True True"


def test_failing_registration_stops_nothing(environment, attempted, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import _hybridlm_startup\n"
        "def fail():\n    raise RuntimeError('as planned')\n"
        "_hybridlm_startup._register = fail\n"
    )
    command = [environment.bin / "python", "-c", IMPORT_LM_EVAL]
    done = attempted(command, tmp_path, PYTHONPATH=str(tmp_path))

    assert done.stdout.strip() == "True False"
    assert "could not be registered with lm_eval: as planned" in done.stderr
    assert done.returncode == 0


def test_changed_registry_stops_nothing(environment, attempted, tmp_path):
    for package in ["lm_eval", "lm_eval/api", "lm_eval/models"]:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "lm_eval" / "api" / "registry.py").touch()  # no model_registry
    command = [environment.bin / "python", "-c", "import lm_eval.models; print('on')"]
    done = attempted(command, tmp_path, PYTHONPATH=str(tmp_path))

    assert done.stdout == "on\n"
    assert "could not be registered" in done.stderr


@pytest.fixture
def doctor(environment, tmp_path):
    """What ``hybridlm doctor`` says of the bridge: found, reason, problems."""
    code = """
from hybridcore.doctor.bridge import look
found = look()
print(found.facts["found"], found.summary, *found.problems, sep="\\n")
"""
    return lambda **variables: environment.python(code, tmp_path, **variables)


def test_the_doctor_misses_the_file(environment, doctor):
    assert doctor().startswith("True\nactive: hybridlm.pth registers the model")
    file = environment.site / "hybridlm.pth"
    text = file.read_text()
    file.unlink()
    try:
        found, summary, problem, remedy = doctor().splitlines()
    finally:
        file.write_text(text)
    assert found == "False"
    assert summary.startswith(f"not active: no hybridlm.pth in {environment.site}")
    assert summary in problem
    assert remedy.startswith("install hybridlm anew")


def test_the_doctor_knows_a_harness_that_reads_entry_points(doctor, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "from importlib.metadata import entry_points\n"
        "from lm_eval.api.registry import model_registry\n"
        "for found in entry_points(group='lm_eval.models'):\n"
        "    model_registry.register(found.name, target=found)\n"
    )
    for switch in ("1", "0"):
        said = doctor(PYTHONPATH=str(tmp_path), HYBRIDLM_BRIDGE=switch)
        assert said.startswith("True\n")
        assert said.endswith("reads the entry-point group lm_eval.models by itself")


def test_the_doctor_quotes_a_failing_registration(doctor, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import _hybridlm_startup\n"
        "def fail():\n    raise RuntimeError('as planned')\n"
        "_hybridlm_startup._register = fail\n"
    )
    found, summary, *problem = doctor(PYTHONPATH=str(tmp_path)).splitlines()
    assert (found, len(problem)) == ("False", 2)
    assert summary.startswith("active: it ran, and lm_eval")
    assert summary.endswith("could not be registered with lm_eval: as planned")


def test_broken_startup_module_stops_nothing(environment, tmp_path):
    (tmp_path / "_hybridlm_startup.py").write_text("raise RuntimeError")
    printed = environment.python("print('on')", tmp_path, PYTHONPATH=str(tmp_path))
    assert printed == "on"


def test_startup_imports_only_itself(environment, make_environment):
    loaded = set(environment.python(LIST_MODULES).split())
    without = set(make_environment("--help").python(LIST_MODULES).split())
    assert loaded - without == {"_hybridlm_startup"}


def test_uninstalling_leaves_nothing(make_environment, wheels):
    made = make_environment("--help")
    before = made.files()
    made.install(*wheels)
    assert {made.site / "hybridlm.pth", made.bin / "hybridlm"} <= made.files()
    made.python("import hybridcore, hybridlm_strategy_entropy")

    names = [wheel.name.split("-")[0] for wheel in wheels]
    made.pip("uninstall", "--yes", *names)
    assert made.files() == before


def test_editable(make_environment, copy_of_checkout, attempted, tmp_path):
    source = copy_of_checkout(tmp_path / "source")
    made = make_environment("--no-build-isolation", "--editable", source)
    code = "from lm_eval.api.registry import get_model as g; import inspect as i\n"
    printed = made.python(code + "print(i.getfile(g('hybrid')))", tmp_path)
    assert printed == str(source / "hybridcore" / "harness" / "hybrid_lm.py")

    shutil.rmtree(source)
    done = attempted([made.bin / "python", "-c", "print('on')"], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "on\n", "")
