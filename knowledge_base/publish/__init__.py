"""From approved revisions to what is live: candidates, the gate, publication, rollback, status, evaluation.

What is approved is built into a candidate beside the live generation (`request`, `prepare_candidate`), compared
with it on golden, must-pass and accepted questions (`gate`), and made live when it passes or two people set the
refusal aside (`publish_ready`). `build` does all of it at once, `rollback` goes back.
"""

from knowledge_base.publish.candidates import (
    BuildReport,
    Candidate,
    Override,
    build,
    due,
    prepare_candidate,
    publish_ready,
    report_of,
)
from knowledge_base.publish.comparing import Accepted
from knowledge_base.publish.gate import (
    Change,
    GateQuestion,
    GateReport,
    Judged,
    Offer,
    Source,
    Tally,
    compare,
)
from knowledge_base.publish.generations import (
    Drift,
    StatusReport,
    approved,
    current_encoder,
    evaluate,
    open_ranker,
    prepare,
    status,
)
from knowledge_base.publish.limits import Limits
from knowledge_base.publish.pruning import Stale, prune, stale
from knowledge_base.publish.returning import NotBack, not_back
from knowledge_base.publish.switching import SYSTEM, adopt, recover, rollback
from knowledge_base.store.publications import (
    Publication,
    State,
    ask_override,
    confirm_override,
    get,
    open_ones,
    recent,
    request,
)

__all__ = [
    "SYSTEM",
    "Accepted",
    "BuildReport",
    "Candidate",
    "Change",
    "Drift",
    "GateQuestion",
    "GateReport",
    "Judged",
    "Limits",
    "NotBack",
    "Offer",
    "Override",
    "Publication",
    "Source",
    "Stale",
    "State",
    "StatusReport",
    "Tally",
    "adopt",
    "approved",
    "ask_override",
    "build",
    "compare",
    "confirm_override",
    "current_encoder",
    "due",
    "evaluate",
    "get",
    "not_back",
    "open_ones",
    "open_ranker",
    "prepare",
    "prepare_candidate",
    "prune",
    "publish_ready",
    "recent",
    "recover",
    "report_of",
    "request",
    "rollback",
    "stale",
    "status",
]
