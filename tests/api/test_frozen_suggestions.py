"""What is frozen or recalled is offered to nobody, and the answer says who decided so and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from knowledge_base.snippet import SnippetContent
from suggest_api import flow
from suggest_api.storage import unit_of_work
from tests.api.conftest import Service, contents, publish_revision
from tests.conftest import NOW
from tests.starter_policy import starter_policy

OPENING = "when do you open"
RETURN = "how do i send this back"
HOLDING = (
    "gift_cards.balance"  # the starter set has nothing better that may be sent without a person
)


@pytest.fixture
def desk_service(service: Service) -> Service:
    """The opening hours have a topic of their own."""
    for content in contents():
        if content.key in ("stores.hours", "returns.how"):
            told: SnippetContent = replace(content, topic=content.key.split(".")[0])
            publish_revision(service.desk.engine, told, policy=starter_policy())
    return service


def freeze(service: Service, topic: str = "stores", **more: Any) -> int:
    told: dict[str, Any] = {"team": "press", "by": "Ines", "reason": "A flood.", **more}
    with unit_of_work.write(service.desk.engine) as session:
        report = flow.freeze(service.desk, session, topic=topic, now=NOW, **told)
    return report.freeze.id


def keys(answer: Any) -> list[str]:
    return [draft["snippet_key"] for draft in answer["suggestions"]]


def test_a_frozen_topic_is_withheld_with_who_and_why_and_the_others_are_not(
    desk_service: Service,
) -> None:
    assert keys(desk_service.suggest(OPENING))[0] == "stores.hours"
    number = freeze(desk_service)
    answer = desk_service.suggest(OPENING)
    assert (answer["abstained"], answer["reason"]) == (True, "topic_frozen")
    (told,) = answer["frozen"]
    assert (told["id"], told["by"], told["reason"], told["team"]) == (
        number, "Ines", "A flood.", "press"
    )  # fmt: skip
    other = desk_service.suggest(RETURN)
    assert keys(other)[0] == "returns.how"
    assert "stores.hours" not in keys(other)
    assert other["frozen"] == []
    with unit_of_work.write(desk_service.desk.engine) as session:
        flow.thaw(desk_service.desk, session, number, by="Ines", reason="Dry.", now=NOW)
    assert keys(desk_service.suggest(OPENING))[0] == "stores.hours"


@pytest.mark.parametrize("topic", ["stores", ""])
def test_an_agent_is_offered_the_holding_statement_and_the_assistant_nothing(
    desk_service: Service, topic: str
) -> None:
    freeze(desk_service, topic, holding_key=HOLDING)
    answer = desk_service.suggest(OPENING)
    assert keys(answer) == [HOLDING]
    assert answer["suggestions"][0]["confidence"] == 0
    proof = desk_service.get(f"/v1/drafts/{answer['suggestions'][0]['draft_id']}/proof")
    assert proof.json()["holds"] is True
    silent = desk_service.suggest(OPENING, key="assist", use="assistant")
    assert (silent["abstained"], silent["reason"]) == (True, "topic_frozen")
    everything = desk_service.suggest(RETURN)
    assert keys(everything) == ([HOLDING] if not topic else keys(everything))
    assert (keys(everything)[0] == "returns.how") is bool(topic)


def test_a_drill_is_shown_and_withholds_nothing(desk_service: Service) -> None:
    freeze(desk_service, drill=True)
    answer = desk_service.suggest(OPENING)
    assert keys(answer)[0] == "stores.hours"
    assert [told["drill"] for told in answer["frozen"]] == [True]
    text = desk_service.get("/metrics", key="metrics").text
    assert 'firstline_freezes{kind="drill"} 1.0' in text
    assert 'firstline_freezes{kind="freeze"} 0.0' in text


@pytest.mark.parametrize("what", ["recall", "freeze"])
def test_what_is_pulled_between_ranking_and_storing_is_not_offered(
    desk_service: Service, what: str
) -> None:
    """The transaction that stores the drafts asks again: there is no moment in which one slips through."""
    desk = desk_service.desk
    together = desk.together

    def late(work: Callable[[Session], None]) -> None:
        with unit_of_work.write(desk.engine) as session:
            if what == "recall":
                flow.recall(desk, session, "stores.hours", by="Ines", reason="Wrong.", now=NOW)
        if what == "freeze":
            freeze(desk_service)
        together(work)

    object.__setattr__(desk, "together", late)
    answer = desk_service.suggest(OPENING, limit=1)
    why = {"recall": "no_confident_match", "freeze": "topic_frozen"}  # as the second ranking finds
    assert (answer["abstained"], answer["reason"]) == (True, why[what])
    with unit_of_work.read(desk.engine) as session:
        report = flow.usage_report(session, "stores.hours")
    assert report.offered == 0


def test_what_is_frozen_is_asked_once_for_what_is_read_and_again_where_it_is_stored(
    desk_service: Service,
) -> None:
    keys(desk_service.suggest(OPENING))
    begun: list[list[str]] = []

    def note(_connection: Any, _cursor: Any, sql: str, *_rest: Any) -> None:
        asked = sql.replace('"', "").split()  # PostgreSQL quotes the name
        if asked[0] == "SELECT" and ("freeze" in asked or "live_set" in asked):
            begun[-1].append("freeze" if "freeze" in asked else "live_set")

    engine = desk_service.desk.engine
    event.listen(engine, "begin", lambda _connection: begun.append([]))
    event.listen(engine, "before_cursor_execute", note)
    assert keys(desk_service.suggest(OPENING))[0] == "stores.hours"
    # The key's transaction, the one that ranks, the one that stores.
    assert begun == [[], ["freeze", "live_set"], ["live_set", "freeze"]]
