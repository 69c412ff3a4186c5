"""The crisis switch: nothing on the topic goes out but the holding statement, everybody lands with the team."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.orm import Session

from knowledge_base.errors import NotFound
from knowledge_base.snippet import SnippetContent
from knowledge_base.store import audit
from suggest_api import flow
from suggest_api.bot_client import BotClient
from suggest_api.conversations import service as conversations
from suggest_api.errors import FreezeError, Refused, Unprocessable
from suggest_api.flow import freezing
from suggest_api.flow.freezing import FreezeReport
from suggest_api.freezes import service as freezes
from suggest_api.storage import unit_of_work
from suggest_api.values import Owner
from tests.doubles.desk import Parts, approve_snippets
from tests.doubles.network import Network
from tests.doubles.rasa import Rasa, hand_over, say
from tests.flow.test_recall import KEY, TIMES, offer

HOLDING = SnippetContent(
    key="delivery.holding",
    text="We know about the delays and will write here as soon as we can tell more.",
    topic="delivery",
    auto_send=True,
)
RETURNS = SnippetContent(
    key="returns.days", text="You can return anything within 30 days.", topic="returns"
)
PASSED_ON = "I am passing you to a colleague"
WHY = "The warehouse is on fire."


@pytest.fixture
def desk(parts: Parts, rasa: Rasa) -> Parts:
    """A desk with an answer on delivery, one on returns and a holding statement; its assistant may be slow."""
    parts.desk = replace(parts.desk, bot=BotClient(rasa.url))
    approve_snippets(parts, TIMES, HOLDING, RETURNS)
    return parts


def freeze(parts: Parts, topic: str = "delivery", **more: Any) -> FreezeReport:
    told = {"holding_key": HOLDING.key, "team": "press", "by": "Ines", "reason": WHY, **more}
    with unit_of_work.write(parts.engine) as session:
        return flow.freeze(parts.desk, session, topic=topic, now=parts.clock(), **told)


def thaw(parts: Parts, number: int) -> FreezeReport:
    with unit_of_work.write(parts.engine) as session:
        now = parts.clock()
        return flow.thaw(parts.desk, session, number, by="Ines", reason="Known.", now=now)


def test_one_of_each_is_under_way_and_nothing_of_it_goes_out_but_the_holding_statement(
    desk: Parts, rasa: Rasa, network: Network
) -> None:
    # An agent's draft is open, and another agent's reply waits in the outbox.
    rasa.reply = lambda m, e: [hand_over(topic="delivery")]
    for peer in ("peer-draft", "peer-outbox", "peer-freely"):
        desk.write("how long does it take", peer=peer)
    desk.drain()
    open_draft = offer(desk, peer="peer-draft")
    desk.reply(TIMES.text, draft_id=offer(desk, peer="peer-outbox"), peer="peer-outbox", by="Kim")
    # The assistant has answered one customer, and the answer waits in the outbox.
    rasa.reply = lambda m, e: [say(KEY)]
    desk.write("how long does it take", peer="peer-bot")
    desk.ingest()
    desk.converse()
    before = len(network.arrivals)
    reports: list[FreezeReport] = []

    def answer(message: str, earlier: list[str]) -> list[dict[str, Any]]:
        if not reports:  # the assistant is thinking when the topic is frozen
            reports.append(freeze(desk, channel="generic"))
        return [say(KEY)]

    rasa.reply = answer
    desk.write("how long does it take", peer="peer-turn")
    desk.ingest()
    desk.converse()
    (report,) = reports
    assert report.impact.replies == 2
    assert (report.impact.snippets, report.impact.bot_turns) == (1, 1)
    with pytest.raises(Refused, match="delivery is frozen by Ines .The warehouse is on fire"):
        desk.reply(TIMES.text, draft_id=open_draft, peer="peer-draft")
    with pytest.raises(Refused, match="frozen"):
        desk.reply("It will take a while, I am afraid.", peer="peer-freely")
    desk.write("and now?", peer="peer-freely")  # the one who writes while it is frozen
    desk.drain()
    sent = network.arrivals[before:]
    assert {arrival.text for arrival in sent} == {HOLDING.text}
    assert sorted(arrival.to for arrival in sent) == ["peer-bot", "peer-turn"]
    for peer in ("peer-draft", "peer-outbox", "peer-freely", "peer-bot", "peer-turn"):
        conversation = desk.conversation(peer)
        assert (conversation.owner, conversation.team) == (Owner.PERSON, "press"), peer
        assert conversation.waiting_since is not None
    # The agent may say the holding statement, word for word; thawed, everything is as it was.
    thaw(desk, report.freeze.id)
    assert desk.conversation("peer-turn").team == ""
    desk.reply(TIMES.text, draft_id=open_draft, peer="peer-draft")
    desk.reply("It took longer, I am afraid.", peer="peer-freely")
    desk.deliver()
    assert network.texts("peer-draft")[-1] == TIMES.text
    with unit_of_work.read(desk.engine) as session:
        assert audit.verify(session).intact
        actions = [row.action for row in desk.rows("SELECT action FROM audit ORDER BY seq")]
    assert actions.count("freeze.begin") == actions.count("freeze.end") == 1
    assert actions.count("reply.stop") == 2


def test_the_holding_statement_is_said_once_and_word_for_word(
    desk: Parts, rasa: Rasa, network: Network
) -> None:
    freeze(desk)
    rasa.reply = lambda m, e: [hand_over(topic="delivery")]
    desk.write("where is it")
    desk.drain()
    desk.claim()
    desk.release(to=Owner.BOT)
    desk.write("where is it")
    desk.drain()
    assert network.texts("peer-7") == [HOLDING.text]
    draft_id = offer_of(desk, HOLDING)
    with pytest.raises(Refused, match="frozen"):
        desk.reply(f"{HOLDING.text} Promised.", draft_id=draft_id)
    desk.reply(HOLDING.text, draft_id=draft_id)
    desk.deliver()
    assert network.texts("peer-7") == [HOLDING.text, HOLDING.text]


def offer_of(parts: Parts, content: SnippetContent) -> str:
    return offer(parts, key=content.key)


def test_where_everything_is_frozen_nothing_but_the_holding_statement_and_a_switch_is_heard(
    desk: Parts, rasa: Rasa, network: Network
) -> None:
    report = freeze(desk, "")
    desk.write("hello")
    desk.write("STOP", peer="peer-8")
    desk.drain()
    assert network.texts("peer-7") == [HOLDING.text]
    (confirmed,) = network.texts("peer-8")
    assert "no more automated" in confirmed.lower() or "automated" in confirmed.lower()
    assert rasa.turns == []  # nobody asks the assistant what it may not say
    with pytest.raises(Refused, match="everything is frozen"):
        desk.reply(RETURNS.text, draft_id=offer_of(desk, RETURNS))
    thaw(desk, report.freeze.id)
    desk.reply(RETURNS.text, draft_id=offer_of(desk, RETURNS))


def test_another_topic_and_another_channel_go_on(
    desk: Parts, rasa: Rasa, network: Network
) -> None:
    freeze(desk)
    rasa.reply = lambda m, e: [hand_over(topic="returns")]
    desk.write("how do I return it")
    desk.drain()
    assert desk.conversation().team == ""
    assert network.texts("peer-7")[0].startswith(PASSED_ON)
    desk.reply(RETURNS.text, draft_id=offer_of(desk, RETURNS))
    desk.reply("With pleasure.")
    with pytest.raises(Refused, match="frozen"):
        desk.reply(TIMES.text, draft_id=offer(desk))


def test_without_a_holding_statement_the_customer_hears_who_takes_over(
    desk: Parts, rasa: Rasa, network: Network
) -> None:
    freeze(desk, holding_key=None)
    rasa.reply = lambda m, e: [hand_over("complaint", topic="delivery", asked="where is it")]
    desk.write("where is it")
    desk.drain()
    (told,) = network.texts("peer-7")
    assert told.startswith(PASSED_ON)
    (turn,) = [t for t in desk.thread() if t.kind.value == "hand_over"]
    assert (turn.detail["reason"], turn.detail["team"]) == ("complaint", "press")


def test_the_last_judgement_before_the_network_stops_it_and_gives_it_to_the_team(
    desk: Parts, rasa: Rasa, network: Network
) -> None:
    """A reply that was queued by somebody who had not seen the freeze yet."""
    rasa.reply = lambda m, e: [hand_over(topic="delivery")]
    desk.write("where is it")
    desk.drain()
    before = len(network.arrivals)
    desk.reply(TIMES.text, draft_id=offer(desk))
    with unit_of_work.write(desk.engine) as session:  # as if another process had begun it just now
        freezes_begin(session, desk)
    desk.deliver()
    assert len(network.arrivals) == before
    conversation = desk.conversation()
    assert (conversation.team, conversation.assignee) == ("press", "Sam")
    assert conversation.waiting_since is not None
    (note,) = [t for t in desk.thread() if t.kind.value == "note"]
    assert (note.detail["reason"], note.detail["why"]) == ("frozen", WHY)


def freezes_begin(session: Session, parts: Parts) -> None:
    freezes.begin(
        session,
        topic="delivery",
        channel="",
        holding_key=None,
        team="press",
        drill=False,
        by="Ines",
        reason=WHY,
        now=parts.clock(),
    )


def test_a_drill_counts_everything_and_withholds_nothing(
    desk: Parts, rasa: Rasa, network: Network
) -> None:
    rasa.reply = lambda m, e: [hand_over(topic="delivery")]
    desk.write("where is it")
    desk.drain()
    desk.reply(TIMES.text, draft_id=offer(desk))
    offer(desk)
    desk.clock.forward(60)
    report = freeze(desk, drill=True)
    found = report.impact
    assert (found.replies, found.drafts, found.snippets, len(found.conversations)) == (1, 1, 1, 1)
    desk.deliver()
    assert network.texts("peer-7")[-1] == TIMES.text
    desk.clock.forward(60)
    desk.write("and this one")
    desk.ingest()
    desk.reply(TIMES.text, draft_id=offer(desk))
    desk.deliver()
    assert desk.conversation().team == ""
    with unit_of_work.read(desk.engine) as session:
        state = freezing.in_force(session)
        assert [f.id for f in state.drills] == [report.freeze.id]
        assert state.on("delivery", channel="generic") is None
    ended = thaw(desk, report.freeze.id)
    assert (ended.impact.replies, ended.impact.drafts) == (1, 1)
    assert json.loads(json.dumps(ended.to_json()))["freeze"]["thawed_by"] == "Ines"


def test_freezes_overlap_and_the_most_particular_one_says_who_gets_it(
    desk: Parts, rasa: Rasa
) -> None:
    rasa.reply = lambda m, e: [hand_over(topic="delivery")]
    desk.write("where is it")
    desk.drain()
    everything = freeze(desk, "", team="crisis", holding_key=None)
    assert desk.conversation().team == "crisis"
    delivery = freeze(desk, team="press")
    assert desk.conversation().team == "press"
    with unit_of_work.read(desk.engine) as session:
        state = freezing.in_force(session)
    assert [f.id for f in state.freezes] == [delivery.freeze.id, everything.freeze.id]
    thaw(desk, delivery.freeze.id)
    assert desk.conversation().team == "crisis"
    with pytest.raises(Refused, match="everything is frozen"):
        desk.reply(TIMES.text, draft_id=offer(desk))
    thaw(desk, everything.freeze.id)
    assert desk.conversation().team == ""
    desk.reply(TIMES.text, draft_id=offer(desk))


def test_bad_freezes_are_refused_with_what_is_wrong_and_change_nothing(desk: Parts) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"topic": "delivry"}, "the topics are assistant, delivery, returns"),
        ({"channel": "x"}, "there is no channel 'x': the channels are generic"),
        ({"holding_key": "no.such"}, "no.such is not published"),
        ({"holding_key": RETURNS.key}, "not marked for automatic sending"),
        ({"holding_key": "assistant.checking_order"}, "has the slot order_number"),
        ({"team": " "}, "name the team"),
        ({"reason": " "}, "say why"),
    ]
    for more, expected in wrong:
        with pytest.raises(Unprocessable, match=expected):
            freeze(desk, **more)
    report = freeze(desk)
    with pytest.raises(FreezeError, match="frozen is delivery already, by Ines"):
        freeze(desk)
    freeze(desk, drill=True)
    thaw(desk, report.freeze.id)
    with pytest.raises(FreezeError, match="was thawed by Ines"):
        thaw(desk, report.freeze.id)
    with pytest.raises(NotFound, match="no freeze 99"):
        thaw(desk, 99)
    assert desk.value('SELECT count(*) FROM "freeze"') == 2


def test_the_inbox_shows_whose_it_is_with_theirs_first(desk: Parts, rasa: Rasa) -> None:
    rasa.reply = lambda m, e: [hand_over(topic="returns" if "return" in m else "delivery")]
    desk.write("how do I return it", peer="peer-7")
    desk.drain()
    desk.clock.forward(60)
    desk.write("where is it", peer="peer-8")
    desk.drain()
    freeze(desk)
    with unit_of_work.read(desk.engine) as session:
        mine = conversations.waiting(session, teams=["press"])
        everybodys = conversations.waiting(session)
        only = conversations.waiting(session, team="press")
        assert conversations.teams(session) == ("press",)
    assert [item.team for item in mine] == ["press", ""]
    assert [item.team for item in everybodys] == ["", "press"]
    assert [(item.team, item.topic) for item in only] == [("press", "delivery")]
