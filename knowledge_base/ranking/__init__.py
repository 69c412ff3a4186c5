"""From a customer's words to ranked snippets with a calibrated confidence, or to silence with a reason."""

from knowledge_base.ranking.confidence import Calibration, Threshold, Use
from knowledge_base.ranking.ranker import Candidate, Eligible, Ranker, Ranking, Timings

__all__ = [
    "Calibration",
    "Candidate",
    "Eligible",
    "Ranker",
    "Ranking",
    "Threshold",
    "Timings",
    "Use",
]
