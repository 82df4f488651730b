"""``from hybrid_generator import HybridLM``: the name under which the idea began."""

from hybridcore.harness.hybrid_lm import HybridLM

__all__ = ["HybridLM"]
