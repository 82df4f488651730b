"""Uncertainty routing: ask the LLM where the SLM is not confident."""

from hybridcore import Route, Step, Strategy, hookimpl, option
from hybridcore.signals import least_confidence


class Uncertainty(Strategy):
    """Ask the LLM where ``1 - max q`` of the SLM exceeds a threshold."""

    threshold: float = option(
        0.5,
        minimum=-1.0,
        maximum=1.0,
        unit="probability",
        help="least confidence above which the LLM decides; below 0 always, 1 never",
    )

    @hookimpl
    def route_token(self, step: Step) -> Route:
        """ASK above the threshold, else KEEP."""
        return Route.ask_above(least_confidence(step.logits), self.threshold)
