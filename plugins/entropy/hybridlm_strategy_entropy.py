"""Entropy routing: ask the LLM where the SLM spreads its mass."""

from hybridcore import Route, Step, Strategy, hookimpl, option
from hybridcore.signals import entropy


class Entropy(Strategy):
    """Ask the LLM where the SLM's next-token entropy exceeds a threshold."""

    threshold: float = option(
        2.0,
        minimum=-1.0,
        unit="nats",
        help="entropy above which the LLM decides; below 0 always",
    )

    @hookimpl
    def route_token(self, step: Step) -> Route:
        """ASK above the threshold, else KEEP."""
        return Route.ask_above(entropy(step.logits), self.threshold)
