"""The whole story in order: the only place that knows which stage follows which.

Stages never call each other. Each function here takes the `Desk` and a `Session`, hands frozen values from
one stage to the next, and leaves the transaction to its caller. `receive`, `ingest`, `converse` and `deliver`
take no session: they decide themselves what is committed before a network or the assistant is spoken to.

    receive     a signed event is stored once                                   (reception)
    ingest      the event becomes a customer's turn                             (reception)
    converse    the assistant answers, or hands over                            (assistant)
    hand_over   a person owes the reply                                         (handing_over)
    suggest     approved snippets become drafts, each cleared by policy         (drafting)
    judge       the verdict on any text, by itself                              (drafting)
    judge_reply the verdict on a reply where it is written                      (conversation)
    claim       an agent takes a conversation; release gives it back            (conversation)
    reply       the final text is judged again and queued                       (conversation)
    deliver     the queue is sent, receipts come back as events                 (delivery)
    feedback    what became of a draft                                          (feedback)
    recall      a snippet is pulled, with its drafts and queued replies         (recalling)
    freeze      a topic, or everything, is not answered until it is thawed      (freezing)
    prove       the draft, rebuilt byte for byte from what is stored            (proving)

Beside the story: `needs_care` for whoever answers; `thread`, `stored_events` and `replay_event` for those who
look; `usage_report` for where a snippet went; `readiness`, `count_backlog` and `checkpoint` for whoever runs the
service (operating).
"""

from suggest_api.flow.assistant import converse
from suggest_api.flow.circumstances import needs_care
from suggest_api.flow.conversation import claim, judge_reply, release, reply, thread
from suggest_api.flow.delivery import deliver
from suggest_api.flow.desk import Desk
from suggest_api.flow.drafting import judge, suggest
from suggest_api.flow.feedback import feedback
from suggest_api.flow.freezing import freeze, thaw
from suggest_api.flow.handing_over import hand_over
from suggest_api.flow.operating import PartState, checkpoint, count_backlog, readiness
from suggest_api.flow.proving import prove
from suggest_api.flow.recalling import recall, usage_report
from suggest_api.flow.reception import ingest, receive, replay_event, stored_events

__all__ = [
    "Desk",
    "PartState",
    "checkpoint",
    "claim",
    "converse",
    "count_backlog",
    "deliver",
    "feedback",
    "freeze",
    "hand_over",
    "ingest",
    "judge",
    "judge_reply",
    "needs_care",
    "prove",
    "readiness",
    "recall",
    "receive",
    "release",
    "replay_event",
    "reply",
    "stored_events",
    "suggest",
    "thaw",
    "thread",
    "usage_report",
]
