"""Speculative sampling: the SLM drafts, the LLM verifies, the law is the LLM's."""

from hybridcore import Block, Route, Step, Strategy, Verdict, hookimpl, option
from hybridcore.laws import speculative_sample


class Speculative(Strategy):
    """Draft a few tokens, then keep as many as rejection sampling allows.

    What is emitted follows the LLM's law exactly (Leviathan et al., arXiv
    2211.17192; Chen et al., arXiv 2302.01318).
    """

    lossless = True

    num_drafts: int = option(
        4, minimum=1, unit="tokens", help="tokens the SLM drafts before a verdict"
    )

    @hookimpl
    def route_token(self, step: Step) -> Route:
        """CHECK at the last draft of a block, else KEEP."""
        return Route.check_at(step, self.num_drafts)

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        """Accept by rejection sampling."""
        return speculative_sample(block)
