"""From a customer's words to ranked snippets with a calibrated confidence, or to silence with a reason."""

from knowledge_base.ranking.confidence import Calibration, Use
from knowledge_base.ranking.context import Context
from knowledge_base.ranking.ranker import Candidate, Eligible, Ranker, Ranking, Timings
from knowledge_base.ranking.risk import Risk, Threshold

__all__ = [
    "Calibration",
    "Candidate",
    "Context",
    "Eligible",
    "Ranker",
    "Ranking",
    "Risk",
    "Threshold",
    "Timings",
    "Use",
]
