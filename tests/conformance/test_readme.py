"""DOC-1 on READMEs: arguments are parsed, and no model that they name is loaded."""

import pytest

from hybridcore.conformance import evaluation
from hybridcore.conformance.check import Failure
from hybridcore.conformance.subject import Subject, parse
from hybridcore.conformance.suite import CHECKS

(DOC_1,) = (check for check in CHECKS if check.id == "DOC-1")
# one module for all: what is imported does not change
MODULE = "hybridlm_strategy_readme"


@pytest.fixture
def judge(installed, monkeypatch):
    """Return how the check fails on a strategy with such a line in its README."""

    def examine(label):
        return {"readme": evaluation.readme_lines(parse(label)[0])}

    # all that an evaluation finds, but for the run of the strategy
    monkeypatch.setattr(evaluation, "examine_here", examine)

    def judge(line):
        readme = f"# planted\n\n    lm_eval --model hybrid --model_args {line}\n"
        name = installed(module=MODULE, readme=readme)
        try:
            DOC_1.run(Subject(name, in_process=True))
        except Failure as failure:
            return failure
        return None

    return judge


@pytest.mark.parametrize(
    "line",
    [
        "...,strategy=planted ...",
        "slm=demo-slm,llm=demo-llm,strategy=planted,threshold=0.5,device=cpu",
        # nobody has these
        "slm=no/such-model,llm=/no/such/folder,strategy=planted,device=cpu",
    ],
)
def test_arguments_that_are_taken(judge, line):
    assert judge(line) is None


@pytest.mark.parametrize(
    ("line", "got"),
    [
        ("...,strategy=planted,thershold=0.5", "thershold"),
        ("...,strategy=planted,threshold=high", "threshold='high'"),
        ("...,strategy=planted,threshold=-3", "threshold=-3"),
        ("llm=demo-llm,strategy=planted,scoring=mine", "scoring='mine'"),
    ],
)
def test_arguments_that_are_refused(judge, line, got):
    failure = judge(line)
    assert got in failure.got
    assert failure.example == line


@pytest.mark.parametrize("line", ["llm=demo-llm", "...,strategy=planted-otherwise"])
def test_a_readme_that_does_not_name_the_strategy(judge, line):
    failure = judge(line)
    assert failure.expected.startswith("--model_args ...,strategy=planted in")
    assert failure.got == "none"
