"""All checks, in order: each family builds on those before it."""

from __future__ import annotations

from .check import Check
from .families.behaviour import DOC, PERF
from .families.draft import DRAFT
from .families.evaluation import EVAL
from .families.load import LOAD
from .families.route import ROUTE
from .families.score import SCORE
from .families.verify import VERIFY

FAMILIES = (LOAD, ROUTE, DRAFT, VERIFY, SCORE, EVAL, PERF, DOC)
CHECKS: tuple[Check, ...] = tuple(c for family in FAMILIES for c in family.checks)
