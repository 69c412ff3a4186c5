"""The way out: in order, once where it can be proved, tried again with patience, shown when it is unclear."""

from __future__ import annotations

import threading
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from sqlalchemy import Engine, text

from suggest_api import flow
from suggest_api.channels.generic import GenericChannel
from suggest_api.compliance.holder import FixedPolicy
from suggest_api.delivery import service as delivery
from suggest_api.delivery.model import DeliveryState, Resolution
from suggest_api.errors import DeliveryError
from suggest_api.storage import unit_of_work
from tests.doubles.desk import Parts
from tests.doubles.network import Answer, Arrival, Network
from tests.doubles.rasa import Rasa, hand_over


@pytest.fixture
def desk(parts: Parts, rasa: Rasa) -> Parts:
    """Two customers who wait, with all that was said so far delivered."""
    rasa.reply = lambda m, e: [hand_over()]
    for peer in ("peer-7", "peer-8"):
        parts.write("hi", peer=peer)
    parts.drain()
    return parts


def not_idempotent(parts: Parts) -> None:
    """The same network, had it never promised to drop repeats."""
    channel = replace(GenericChannel(), idempotent_send=False)
    parts.desk = replace(parts.desk, channels=MappingProxyType({"generic": channel}))


def states(parts: Parts, peer: str = "peer-7") -> list[str]:
    return [d.state.value for d in parts.deliveries(peer) if d.author == "person"]


def attempts(parts: Parts) -> list[tuple[Any, ...]]:
    return [
        tuple(row)
        for row in parts.rows(
            "SELECT a.number, a.possible_repeat, a.outcome FROM delivery_attempt a"
            " JOIN outbox o ON o.id = a.outbox_id WHERE o.author = 'person' ORDER BY a.id"
        )
    ]


def fail_with(network: Network, *answers: Answer, only: str = "one") -> None:
    """Answer the first tries of the reply that holds these words so, and everything else well."""

    def plan(arrival: Arrival, nth: int) -> Answer:
        return answers[nth - 1] if only in arrival.text and nth <= len(answers) else Answer()

    network.plan = plan


def test_an_attempt_is_on_disk_before_the_network_hears_of_it(
    desk: Parts, network: Network
) -> None:
    seen: list[Any] = []

    def look(arrival: Any, nth: int) -> Answer:
        seen.append(attempts(desk))
        return Answer()

    network.plan = look
    desk.reply("one")
    desk.deliver()
    assert [(n, bool(r), o) for n, r, o in seen[0]] == [(1, False, None)]
    assert attempts(desk)[0][2] == "sent"


def test_replies_leave_in_order_with_several_senders(desk: Parts, network: Network) -> None:
    words = [f"line {number}" for number in range(6)]
    for line in words:
        desk.reply(line)
        desk.reply(line, peer="peer-8")
    threads = [threading.Thread(target=desk.deliver) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    desk.deliver()
    for peer in ("peer-7", "peer-8"):
        assert network.texts(peer)[1:] == words
    assert len(network.arrivals) == 2 + 2 * len(words)


def test_a_busy_network_is_tried_again_with_patience(desk: Parts, network: Network) -> None:
    fail_with(
        network, Answer(503, {}, keep=False), Answer(429, {}, {"retry-after": "90"}, keep=False)
    )
    desk.reply("one")
    desk.reply("two")
    desk.deliver()
    assert states(desk) == ["ready", "ready"]
    desk.clock.forward(6)  # the first wait is 5 s at most
    desk.deliver()
    desk.clock.forward(89)
    desk.deliver()
    assert len(network.arrivals) == 2 + 2
    desk.clock.forward(211)  # 300 s at most, 90 s at least
    desk.deliver()
    assert network.texts("peer-7")[1:] == ["one", "two"]
    assert [(n, bool(r), o) for n, r, o in attempts(desk)] == [
        (1, False, "retry"),
        (2, False, "retry"),
        (3, False, "sent"),
        (1, False, "sent"),
    ]


def test_a_no_for_good_is_failed_and_lets_the_next_one_go(desk: Parts, network: Network) -> None:
    network.plan = lambda a, n: Answer(403, {"error": "x"}) if a.text == "one" else Answer()
    desk.reply("one")
    desk.reply("two")
    desk.deliver()
    assert states(desk) == ["failed", "sent"]
    assert "403" in str(desk.deliveries()[-2].failure)


def test_after_the_last_try_it_is_dead_and_holds_back_the_others(
    desk: Parts, network: Network
) -> None:
    network.plan = lambda a, n: Answer(503, {}, keep=False) if a.text == "one" else Answer()
    desk.reply("one")
    desk.reply("two")
    for _ in range(20):
        desk.deliver()
        desk.clock.forward(36_001)
    assert states(desk) == ["dead", "ready"]
    with unit_of_work.read(desk.engine) as session:
        (shown,) = delivery.attention(session)
    assert shown.attempts == len(desk.desk.settings.retry_seconds) + 1
    assert "given up" in str(shown.failure)


@pytest.mark.parametrize(("action", "seen"), [("resend", ["one", "two"]), ("discard", ["two"])])
def test_a_person_resolves_what_is_dead(
    desk: Parts, network: Network, action: str, seen: list[str]
) -> None:
    desk.desk = replace(
        desk.desk, settings=desk.desk.settings.model_copy(update={"retry_seconds": ()})
    )
    fail_with(network, Answer(503, {}, keep=False))
    desk.reply("one")
    desk.deliver()
    network.plan = lambda a, n: Answer()
    desk.reply("two")
    desk.deliver()
    assert states(desk) == ["dead", "ready"]
    outbox_id = desk.deliveries()[-2].id
    with unit_of_work.write(desk.engine) as session:
        delivery.resolve_unknown(
            session, outbox_id, action=Resolution(action), by="Sam", now=desk.clock()
        )
    desk.deliver()
    assert network.texts("peer-7")[1:] == seen
    assert desk.value("SELECT count(*) FROM audit WHERE action = :a", a=f"delivery.{action}") == 1
    with unit_of_work.write(desk.engine) as session, pytest.raises(DeliveryError):
        delivery.resolve_unknown(
            session, outbox_id, action=Resolution(action), by="Sam", now=desk.clock()
        )


def test_an_unclear_send_is_repeated_under_the_same_id_and_marked(
    desk: Parts, network: Network
) -> None:
    fail_with(network, Answer(None))
    desk.reply("one")
    desk.deliver()
    desk.clock.forward(6)
    desk.deliver()
    assert len({a.reference for a in network.arrivals if a.text == "one"}) == 1
    assert network.texts("peer-7")[1:] == ["one"]  # the network dropped the repeat
    assert [(n, bool(r), o) for n, r, o in attempts(desk)] == [
        (1, False, "unclear"),
        (2, True, "sent"),
    ]
    assert desk.deliveries()[-1].possible_repeat


def test_without_that_promise_it_is_unknown_and_nothing_overtakes_it(
    desk: Parts, network: Network
) -> None:
    not_idempotent(desk)
    fail_with(network, Answer(None))
    desk.reply("one")
    desk.deliver()
    network.plan = lambda a, n: Answer()
    desk.reply("two")
    desk.clock.forward(90_000)
    desk.deliver()
    assert states(desk) == ["unknown", "ready"]
    assert len([a for a in network.arrivals if a.text == "one"]) == 1


@pytest.mark.parametrize("kind", ["message.echo", "message.delivered", "message.read"])
def test_a_receipt_settles_what_was_unknown(desk: Parts, network: Network, kind: str) -> None:
    not_idempotent(desk)
    fail_with(network, Answer(None))
    desk.reply("one")
    desk.deliver()
    network.plan = lambda a, n: Answer()
    desk.reply("two")
    desk.tell(kind, client_reference=desk.deliveries()[-2].id, message_id="p-9")
    desk.drain()
    assert states(desk) == ["sent", "sent"]
    assert desk.deliveries()[-2].platform_id == "p-9"
    assert len([a for a in network.arrivals if a.text == "one"]) == 1


@pytest.mark.parametrize("order", [("echo", "delivered", "read"), ("read", "delivered", "echo")])
def test_receipts_in_any_order_end_alike(desk: Parts, order: tuple[str, ...]) -> None:
    desk.reply("one")
    desk.deliver()
    number = desk.deliveries()[-1].id
    for kind in (*order, *order):
        desk.tell(f"message.{kind}", client_reference=number, message_id="p-other")
    desk.ingest()
    last = desk.deliveries()[-1]
    assert (last.state, last.shown) == (DeliveryState.SENT, "read")
    assert last.platform_id != "p-other"
    assert desk.value("SELECT count(*) FROM receipt") == 3


def test_a_receipt_before_our_own_answer_is_no_second_send(desk: Parts, network: Network) -> None:
    def echo_first(arrival: Any, nth: int) -> Answer:
        desk.tell("message.echo", client_reference=arrival.reference, message_id="p-1")
        desk.ingest()
        return Answer(503, {})  # and then the answer is lost on its way

    network.plan = echo_first
    desk.reply("one")
    desk.deliver()
    desk.clock.forward(90_000)
    desk.deliver()
    assert states(desk) == ["sent"]
    assert len([a for a in network.arrivals if a.text == "one"]) == 1


def test_a_receipt_for_no_reply_of_ours_is_ignored(desk: Parts) -> None:
    desk.tell("message.delivered", client_reference="f" * 32)
    desk.ingest()
    assert desk.rows("SELECT reason FROM inbox_event WHERE state = 'ignored'") == [
        ("a receipt for no reply of ours",)
    ]


def _die(*_args: Any, **_more: Any) -> Any:
    raise KeyboardInterrupt  # not an Exception: nothing tidies up, as after SIGKILL


@pytest.mark.parametrize("when", ["before the send", "after the send"])
@pytest.mark.parametrize("idempotent", [True, False])
def test_a_sender_that_dies_leaves_its_attempt_behind(
    desk: Parts, network: Network, monkeypatch: pytest.MonkeyPatch, when: str, idempotent: bool
) -> None:
    if not idempotent:
        not_idempotent(desk)
    desk.reply("one")
    name = "_attempt" if when == "before the send" else "delivery.settle"
    with monkeypatch.context() as patch:
        patch.setattr(f"suggest_api.flow.delivery.{name}", _die)
        with pytest.raises(KeyboardInterrupt):
            flow.deliver(desk.desk)
    desk.deliver()
    assert states(desk) == ["leased"]
    desk.clock.forward(desk.desk.settings.lease_seconds + 1)
    desk.deliver()
    if idempotent:
        assert states(desk) == ["sent"]
        assert network.texts("peer-7")[1:] == ["one"]
        assert [(n, bool(r), o) for n, r, o in attempts(desk)] == [
            (1, False, "interrupted"),
            (2, True, "sent"),
        ]
    else:
        assert states(desk) == ["unknown"]
        assert len(network.arrivals) == 2 + (when == "after the send")


def test_a_sender_that_comes_back_late_may_still_tell_that_it_was_sent(
    desk: Parts, network: Network
) -> None:
    not_idempotent(desk)
    desk.reply("one")
    answering = threading.Event()

    def slow(arrival: Any, nth: int) -> Answer:
        # Meanwhile another worker finds the lease run out.
        desk.clock.forward(desk.desk.settings.lease_seconds + 1)
        with unit_of_work.write(desk.engine) as session:
            delivery.recover(session, idempotent=(), now=desk.clock())
        answering.set()
        return Answer()

    network.plan = slow
    desk.deliver()
    assert answering.is_set()
    assert states(desk) == ["sent"]


def test_the_policy_of_today_holds_back_what_yesterdays_let_through(
    desk: Parts, network: Network
) -> None:
    desk.reply("one")
    policy = desk.desk.policy
    assert policy is not None

    def no(judged: Any, **_more: Any) -> Any:
        msg = "the rule itself is broken"
        raise RuntimeError(msg)

    (rule, *others) = policy.rules
    changes: dict[str, Any] = {
        name: no for name in rule.__dataclass_fields__ if callable(getattr(rule, name))
    }
    broken = replace(policy, version="v-next", rules=(replace(rule, **changes), *others))
    desk.desk = replace(desk.desk, policies=FixedPolicy(broken))
    desk.deliver()
    assert states(desk) == ["dead"]
    assert "blocked" in str(desk.deliveries()[-1].failure)
    assert "one" not in network.texts()


def test_without_a_policy_it_waits(desk: Parts, network: Network) -> None:
    desk.reply("one")
    with_policy = desk.desk
    desk.desk = replace(desk.desk, policies=FixedPolicy(None))
    desk.deliver()
    assert states(desk) == ["ready"]
    desk.desk = with_policy
    desk.clock.forward(6)
    desk.deliver()
    assert states(desk) == ["sent"]


def test_a_text_that_was_changed_in_the_database_is_not_sent(
    desk: Parts, network: Network, engine: Engine
) -> None:
    desk.reply("one")
    with engine.begin() as connection:
        connection.execute(text("UPDATE outbox SET text = 'two' WHERE text = 'one'"))
    desk.deliver()
    assert states(desk) == ["dead"]
    assert "two" not in network.texts()


def test_an_account_that_is_gone_is_tried_later(desk: Parts) -> None:
    desk.reply("one")
    desk.desk = replace(desk.desk, settings=desk.desk.settings.model_copy(update={"accounts": ()}))
    desk.deliver()
    assert states(desk) == ["ready"]
    assert "not configured" in str(desk.deliveries()[-1].failure)


def test_the_assistants_unclear_reply_does_not_speak_again_after_a_claim(
    parts: Parts, network: Network
) -> None:
    fail_with(network, Answer(None), only="automated")
    parts.write("hi")
    parts.drain()
    parts.claim()
    parts.reply("I have it now.")
    parts.clock.forward(90_000)
    parts.deliver()
    assert [d.state.value for d in parts.deliveries()] == ["cancelled", "sent"]
    assert len([a for a in network.arrivals if "automated" in a.text]) == 1
    assert "took over; before that: no answer" in str(parts.deliveries()[0].failure)
