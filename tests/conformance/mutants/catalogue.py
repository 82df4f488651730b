"""All mutants in the order of the checks, and which checks kill each."""

import random

import torch

from hybridcore.conformance import check_strategy
from hybridcore.conformance.suite import CHECKS

from . import behaviour, draft, load, route, score, verify
from .distributions import INSTALLED_MUTANTS, InstalledMutant
from .registry import INSTALLED, MUTANTS, SLOW, Mutant

MODULES = (load, route, draft, verify, score, behaviour)
IDS = [check.id for check in CHECKS]
ALL: dict[str, Mutant | InstalledMutant] = dict(
    sorted(
        {**MUTANTS, **INSTALLED_MUTANTS}.items(),
        key=lambda item: IDS.index(item[1].aim),
    )
)


def kills(mutant: Mutant) -> list[str]:
    """The ids that fail; of the slow checks only the one that is aimed at."""
    random.seed(0)
    torch.manual_seed(0)
    left_out = (SLOW | INSTALLED) - {mutant.aim}
    ids = [id for id in IDS if id not in left_out]
    return failed(check_strategy(mutant.strategy, only=ids))


def failed(results) -> list[str]:
    """The ids that failed."""
    return [result.id for result in results if result.outcome == "failed"]
