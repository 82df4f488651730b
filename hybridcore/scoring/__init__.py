"""Log-likelihoods, under the large model alone or under the hybrid's law."""

from .entry import score
from .request import Score, ScoreRequest, ScoringModel

__all__ = ["Score", "ScoreRequest", "ScoringModel", "score"]
