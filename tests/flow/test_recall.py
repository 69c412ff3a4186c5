"""A recalled snippet is gone from the commit on: offered to nobody, said by nobody, and nobody is left alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from knowledge_base.errors import NotFound, WorkflowError
from knowledge_base.snippet import SnippetContent
from knowledge_base.store import audit
from knowledge_base.store.repository import live_revision
from knowledge_base.wording import fill, measure
from suggest_api import flow
from suggest_api.bot_client import BotClient
from suggest_api.compliance.service import check
from suggest_api.drafts import service as drafts
from suggest_api.drafts.model import Draft, DraftState, Offer
from suggest_api.errors import DraftDecided, Refused
from suggest_api.flow.recalling import RecallReport
from suggest_api.storage import unit_of_work
from suggest_api.values import ApprovedText, Owner, Use, new_id
from tests.doubles.desk import Parts, approve_snippets
from tests.doubles.network import Answer, Network
from tests.doubles.rasa import Rasa, hand_over, say

KEY = "delivery.times"
TIMES = SnippetContent(
    key=KEY, text="Delivery takes 3 to 5 working days.", topic="delivery", auto_send=True
)
WHY = "The carrier is on strike."


@pytest.fixture
def waiting(parts: Parts, rasa: Rasa) -> Parts:
    """Two customers who wait for a person, and a snippet that answers them."""
    parts.desk = replace(parts.desk, bot=BotClient(rasa.url))
    approve_snippets(parts, TIMES)
    rasa.reply = lambda m, e: [hand_over(topic="delivery")]
    for peer in ("peer-7", "peer-8"):
        parts.write("how long does it take", peer=peer)
    parts.drain()
    return parts


def offer(parts: Parts, *, peer: str = "peer-7", use: Use = Use.AGENT, key: str = KEY) -> str:
    """A draft of a snippet in this conversation, as `suggest` stores it; gives its id."""
    conversation = parts.conversation(peer)
    with unit_of_work.write(parts.engine) as session:
        live = live_revision(session, key)
        assert live is not None
        assert live.approved_by is not None
        assert live.approved_at is not None
        filled = fill(live.content.text, values={})
        made = Offer(
            draft_id=new_id(),
            request_id=new_id(),
            conversation_id=conversation.id,
            channel="generic",
            use=use,
            rank=1,
            approved=ApprovedText(
                text=filled.text,
                snippet_key=key,
                revision_id=live.id,
                revision=live.number,
                content_hash=live.content_hash,
                author=live.author,
                approved_by=live.approved_by,
                approved_at=live.approved_at,
                spans=filled.spans,
            ),
            checked=check(parts.desk.policy, filled.text, channel="generic"),
            length=measure(filled.text),
            build_id="b",
            encoder_fingerprint="e",
            score=0.9,
            confidence=0.9,
        )
        drafts.propose(session, [made], now=parts.clock())
    return made.draft_id


def draft(parts: Parts, draft_id: str) -> Draft:
    with unit_of_work.read(parts.engine) as session:
        return drafts.get(session, draft_id)


def recall(parts: Parts, key: str = KEY, reason: str = WHY) -> RecallReport:
    with unit_of_work.write(parts.engine) as session:
        return flow.recall(parts.desk, session, key, by="Ines", reason=reason, now=parts.clock())


def texts(network: Network) -> list[str]:
    return [arrival.text for arrival in network.arrivals if arrival.text == TIMES.text]


def proved(parts: Parts, draft_id: str) -> tuple[str, ...]:
    with unit_of_work.read(parts.engine) as session:
        assert audit.verify(session).intact
        return flow.prove(parts.desk, session, draft_id).differing


def test_open_drafts_are_withdrawn_everywhere_and_say_by_whom_and_why(waiting: Parts) -> None:
    ids = [offer(waiting), offer(waiting, peer="peer-8"), offer(waiting)]
    report = recall(waiting)
    assert (report.drafts_withdrawn, report.replies_stopped) == (3, 0)
    assert report.conversations == ()
    for draft_id in ids:
        found = draft(waiting, draft_id)
        assert (found.state, found.decided_by, found.reason) == (DraftState.DISMISSED, "Ines", WHY)
        assert found.recall_id == report.recall.id
        assert proved(waiting, draft_id) == ()
    with pytest.raises(Refused, match="recalled by Ines .* .The carrier is on strike") as told:
        waiting.reply(TIMES.text, draft_id=ids[0])
    assert [f.rule_id for f in told.value.findings] == ["META-NOT-LIVE"]
    with (
        unit_of_work.write(waiting.engine) as session,
        pytest.raises(DraftDecided, match="withdrawn by Ines, who recalled its snippet"),
    ):
        flow.feedback(
            waiting.desk,
            session,
            ids[1],
            action=DraftState.SENT,
            final_text=None,
            reason=None,
            by="key:other",
        )


def test_a_queued_reply_is_stopped_and_its_customer_waits_again(
    waiting: Parts, network: Network
) -> None:
    draft_id = offer(waiting)
    waiting.reply(TIMES.text, draft_id=draft_id)
    assert waiting.conversation().waiting_since is None
    report = recall(waiting)
    assert (report.drafts_withdrawn, report.replies_stopped) == (1, 1)
    conversation = waiting.conversation()
    assert report.conversations == (conversation.id,)
    assert conversation.waiting_since == waiting.clock()
    assert conversation.assignee == "Sam"
    waiting.deliver()
    assert texts(network) == []
    (stopped,) = [d for d in waiting.deliveries() if d.author == "person"]
    assert (stopped.state.value, stopped.failure) == ("cancelled", f"{KEY} was recalled by Ines")
    (note,) = [t for t in waiting.thread() if t.kind.value == "note"]
    assert note.detail["why"] == WHY
    assert note.detail["written_by"] == ["Sam"]
    assert draft(waiting, draft_id).state is DraftState.DISMISSED
    assert proved(waiting, draft_id) == ()
    (entry,) = waiting.rows("SELECT actor, detail FROM audit WHERE action = 'reply.stop'")
    assert (entry.actor, json.loads(entry.detail)["reason"]) == ("Ines", "recalled")


def test_the_assistants_queued_answer_is_stopped_and_a_person_has_the_customer(
    parts: Parts, rasa: Rasa, network: Network
) -> None:
    approve_snippets(parts, TIMES)
    rasa.reply = lambda m, e: [say(KEY)]
    parts.write("how long does it take")
    parts.ingest()
    parts.converse()
    assert parts.conversation().owner is Owner.BOT
    report = recall(parts)
    assert report.replies_stopped == 1
    conversation = parts.conversation()
    assert (conversation.owner, conversation.topic) == (Owner.PERSON, "delivery")
    (turn,) = [t for t in parts.thread() if t.kind.value == "hand_over"]
    assert (turn.detail["reason"], turn.detail["asked"]) == ("recalled", "how long does it take")
    parts.deliver()
    assert texts(network) == []
    assert len(network.arrivals) == 1  # that a colleague takes over
    assert recall_again(parts)


def recall_again(parts: Parts) -> bool:
    with pytest.raises(NotFound, match="nothing to recall"):
        recall(parts)
    return True


def test_a_reply_that_is_being_sent_is_judged_again_and_stays_here(
    waiting: Parts, network: Network
) -> None:
    """The recall comes after the lease and before the bytes: the judgement in between reads the database."""
    draft_id = offer(waiting)
    waiting.reply(TIMES.text, draft_id=draft_id)
    reports: list[RecallReport] = []

    waiting.desk = replace(
        waiting.desk, clock=Tripwire(waiting, lambda parts: reports.append(recall(parts)))
    )
    waiting.deliver()
    (report,) = reports
    assert (report.replies_stopped, report.replies_in_flight) == (0, 1)
    assert texts(network) == []
    (stopped,) = [d for d in waiting.deliveries() if d.author == "person"]
    assert stopped.state.value == "cancelled"
    assert "recalled by Ines" in str(stopped.failure)
    assert waiting.conversation().waiting_since is not None
    assert draft(waiting, draft_id).recall_id == report.recall.id
    assert proved(waiting, draft_id) == ()


class Tripwire:
    """The desk's clock, which does something the first time that it is read while a reply is leased."""

    def __init__(self, parts: Parts, do: Callable[[Parts], None]) -> None:
        self._parts, self._do, self._done = parts, do, False

    def __call__(self) -> Any:
        leased = "SELECT count(*) FROM outbox WHERE state = 'leased'"
        if not self._done and self._parts.value(leased):
            self._done = True
            self._do(self._parts)
        return self._parts.clock()


def test_the_assistant_never_says_it_again_though_it_was_offered_it(
    parts: Parts, rasa: Rasa, network: Network
) -> None:
    approve_snippets(parts, TIMES)
    offered: list[str] = []

    def answer(message: str, earlier: list[str]) -> list[dict[str, Any]]:
        offered.append(offer(parts, use=Use.ASSISTANT))
        recall(parts)
        item = {"type": "draft", "draft_id": offered[0]}
        return [{"recipient_id": "x", "custom": item}]

    rasa.reply = answer
    parts.write("how long does it take")
    parts.drain()
    assert texts(network) == []
    assert parts.conversation().owner is Owner.PERSON
    assert draft(parts, offered[0]).state is DraftState.DISMISSED


def test_what_the_network_has_counts_as_sent_whatever_was_recalled(
    waiting: Parts, network: Network
) -> None:
    network.plan = lambda a, n: Answer(None) if a.text == TIMES.text else Answer()
    draft_id = offer(waiting)
    waiting.reply(TIMES.text, draft_id=draft_id)
    waiting.deliver()
    reply = waiting.deliveries()[-1]
    recall(waiting)
    assert draft(waiting, draft_id).withdrawn
    waiting.tell("message.delivered", client_reference=reply.id, message_id="p-9")
    waiting.ingest()
    assert draft(waiting, draft_id).state is DraftState.SENT
    (use,) = usage(waiting).uses
    assert (use.state, use.text) == ("delivered", TIMES.text)


def usage(parts: Parts, which: str | int = KEY) -> Any:
    with unit_of_work.read(parts.engine) as session:
        return flow.usage_report(session, which)


def test_the_report_tells_where_it_went_by_whom_and_in_which_words(
    waiting: Parts, network: Network
) -> None:
    waiting.reply(TIMES.text, draft_id=offer(waiting))
    edited = "Delivery takes 3 to 5 working days. Thank you."
    waiting.reply(edited, draft_id=offer(waiting, peer="peer-8"), peer="peer-8", by="Kim")
    waiting.deliver()
    elsewhere = offer(waiting)
    with unit_of_work.write(waiting.engine) as session:
        flow.feedback(
            waiting.desk,
            session,
            elsewhere,
            action=DraftState.SENT,
            final_text=None,
            reason=None,
            by="key:other",
        )
    offer(waiting)
    recalled = recall(waiting)
    report = usage(waiting, recalled.recall.id)
    assert (report.offered, report.withdrawn, report.conversations) == (4, 1, 2)
    assert report.states == {"sent": 3}
    found = {(use.by, use.text, use.edited, use.outbox_id is None) for use in report.uses}
    assert found == {
        ("Sam", TIMES.text, False, False),
        ("Kim", edited, True, False),
        ("key:other", TIMES.text, False, True),
    }
    assert report.recalls == (recalled.recall,)
    assert json.loads(json.dumps(report.to_json()))["recalls"][0]["reason"] == WHY
    with pytest.raises(NotFound):
        usage(waiting, "no.such")
    with pytest.raises(NotFound):
        usage(waiting, 99)


def test_a_recall_without_a_reason_changes_nothing(waiting: Parts) -> None:
    draft_id = offer(waiting)
    with pytest.raises(WorkflowError, match="say why"):
        recall(waiting, reason=" ")
    assert draft(waiting, draft_id).state is DraftState.PROPOSED
    with unit_of_work.read(waiting.engine) as session:
        assert live_revision(session, KEY) is not None
