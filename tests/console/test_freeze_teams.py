"""A person had the conversation all along, so nobody named a topic: under a freeze the words tell whose it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from suggest_api import flow
from suggest_api.flow.assigning import Assigner
from suggest_api.storage import unit_of_work
from tests.api.conftest import contents, publish_revision
from tests.conftest import NOW
from tests.console.conftest import MakeOffice, Office
from tests.doubles.desk import Parts

BOOTS = "want to return my boots"


@pytest.fixture
def parts(make_office: MakeOffice) -> Parts:
    """Snippets with topics, and an assistant that is absent: everybody waits for a person."""
    office: Office = make_office()
    policy = office.parts.desk.policy
    assert policy is not None
    for content in contents():
        topic = content.key.partition(".")[0]
        publish_revision(office.parts.engine, replace(content, topic=topic), policy=policy)
    office.parts.desk.generations.refresh(force=True)
    return office.parts


def freeze(parts: Parts, topic: str = "stores", team: str = "press", **more: Any) -> int:
    told = {"team": team, "by": "Ines", "reason": "A flood.", **more}
    with unit_of_work.write(parts.engine) as session:
        return flow.freeze(parts.desk, session, topic=topic, now=NOW, **told).freeze.id


def thaw(parts: Parts, number: int) -> None:
    with unit_of_work.write(parts.engine) as session:
        flow.thaw(parts.desk, session, number, by="Ines", reason="It is over.", now=NOW)


def waiting(parts: Parts, **texts: str) -> None:
    for peer, words in texts.items():
        parts.write(words, peer=peer)
    parts.drain()


def teams(parts: Parts, *peers: str) -> list[str]:
    return [parts.conversation(peer).team for peer in peers]


def test_who_waits_and_who_writes_about_it_gets_the_team_and_the_others_do_not(
    parts: Parts,
) -> None:
    waiting(
        parts, late="what time does the shop close", boots=BOOTS, odd="purple monkey dishwasher"
    )
    assert parts.conversation("late").topic == ""
    assigner = Assigner(parts.desk)
    assert assigner.step() == 0
    number = freeze(parts)
    assert (assigner.step(), assigner.step()) == (1, 0)
    assert teams(parts, "late", "boots", "odd") == ["press", "", ""]
    waiting(parts, boots="and are you open on sunday")
    parts.claim(by="Kim", peer="odd")
    waiting(parts, odd="when do you open")
    assert assigner.step() >= 1
    assert teams(parts, "odd") == ["press"]
    assert parts.conversation("odd").assignee == "Kim"  # who has taken one keeps it
    parts.reply("One moment please.", by="Kim", peer="odd")  # a guess blocks nothing
    thaw(parts, number)
    assert teams(parts, "late") == [""]


def test_a_drill_gives_nobody_to_a_team_and_another_freeze_of_the_team_holds_them(
    parts: Parts,
) -> None:
    waiting(parts, late="what time does the shop close", boots=BOOTS)
    assigner = Assigner(parts.desk)
    freeze(parts, drill=True)
    assert assigner.step() == 0
    first, second = freeze(parts), freeze(parts, "returns")
    assert assigner.step() == 2
    thaw(parts, first)
    assert teams(parts, "late", "boots") == ["press", "press"]
    thaw(parts, second)
    assert teams(parts, "late", "boots") == ["", ""]
