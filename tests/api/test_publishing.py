"""From an approval to what is offered: a builder in a process of its own, and what is offered before the swap."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from knowledge_base import publish
from knowledge_base.home import Home
from knowledge_base.index.encoder import load_current_encoder
from knowledge_base.publish import State
from knowledge_base.snippet import SnippetContent
from knowledge_base.store import repository
from suggest_api.coverage import repository as coverage
from suggest_api.flow import Desk, drafting, withholding
from suggest_api.flow.publishing import accepted_questions, after_approval, put_back, start_builder
from suggest_api.settings import Settings
from suggest_api.storage import unit_of_work
from suggest_api.storage.tables import DraftRow
from suggest_api.suggestions import holder
from tests.api.conftest import Service, publish_revision
from tests.conftest import NOW
from tests.starter_policy import starter_policy

WAIT_SECONDS = 180.0  # for a builder on a machine that is busy
ASKED = "mondays"
NEW = SnippetContent(key="new.one", text="We now open on Mondays too.", examples=(ASKED,))


def approve(desk: Desk, content: SnippetContent) -> int:
    assert desk.policy is not None
    with unit_of_work.write(desk.engine) as session:
        draft = repository.add_revision(session, content, author="Ana", now=NOW)
        repository.submit(session, draft.id, by="Ana", now=NOW)
        repository.approve(session, draft.id, by="Noor", now=NOW, policy=desk.policy)
        return after_approval(session, by="Noor", now=NOW).id


def keys(found: Any) -> list[str]:
    return [each["snippet_key"] for each in found["suggestions"]]


@pytest.mark.parametrize("auto", [False, True])
def test_what_was_approved_is_built_by_itself_and_published_where_that_is_wanted(
    desk: Desk, home: Home, *, auto: bool
) -> None:
    url = desk.engine.url.render_as_string(hide_password=False)
    settings = Settings(home=home.root, database_url=url, demo=True, auto_publish=auto)
    desk = replace(desk, settings=settings)
    assert start_builder(desk) is None  # nothing is due
    number = approve(desk, NEW)
    assert approve(desk, replace(NEW, key="new.two", text="Mondays are long days.")) == number
    builder = start_builder(desk)
    assert builder is not None
    assert builder.wait(WAIT_SECONDS) == 0
    with unit_of_work.read(desk.engine) as session:
        found = publish.get(session, number)
        live = set(repository.live_revisions(session, ["new.one", "new.two"]))
    report = publish.report_of(found)
    assert report is not None
    assert report.passes
    assert found.state is (State.PUBLISHED if auto else State.READY)
    assert live == ({"new.one", "new.two"} if auto else set())
    assert start_builder(desk) is None
    assert put_back(desk) is None


def test_between_the_database_and_the_swap_only_live_words_are_offered(
    service: Service, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holder, "WATCH_SECONDS", 3600.0)
    generations = service.desk.generations
    monkeypatch.setattr(generations, "refresh", lambda **_: None)  # this process swaps late
    monkeypatch.setattr(generations, "_load_current", lambda **_: None)
    before = service.suggest("are you open on sunday")
    hours = before["suggestions"][0]
    with unit_of_work.read(service.desk.engine) as session:
        live = repository.live_revision(session, hours["snippet_key"])
    assert live is not None
    changed = live.content.text.replace("9 to 6", "8 to 8")
    assert changed != live.content.text
    approve(service.desk, replace(live.content, text=changed))
    approve(service.desk, NEW)
    with unit_of_work.write(service.desk.engine) as session:
        thanks = repository.live_revision(session, "praise.thanks")
        assert thanks is not None
        repository.retire(session, thanks.id, by="Noor", now=NOW)
    built = publish.build(
        home, service.desk.engine, now=NOW, encoder=load_current_encoder(home)
    ).build_id
    after = service.suggest("are you open on sunday")
    assert after["build_id"] == before["build_id"] != built  # the old index still
    assert after["suggestions"][0]["text"] == changed
    assert "praise.thanks" not in keys(service.suggest("you guys are amazing"))
    assert "new.one" not in keys(service.suggest(ASKED))  # the old index does not know it yet


@pytest.mark.parametrize("meanwhile", ["published", "recalled"])
def test_what_is_replaced_between_ranking_and_storing_is_ranked_again(
    service: Service, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    before = service.suggest("are you open on sunday")["suggestions"]
    with unit_of_work.read(service.desk.engine) as session:
        live = repository.live_revision(session, before[0]["snippet_key"])
    assert live is not None
    changed = replace(live.content, text=live.content.text.replace("9 to 6", "8 to 8"))
    rank, ranked = withholding.find, []

    def then(*asked: Any, **more: Any) -> Any:
        found = rank(*asked, **more)
        ranked.append(found)
        if len(ranked) == 1 and meanwhile == "published":
            publish_revision(service.desk.engine, changed, policy=starter_policy())
        elif len(ranked) == 1:
            with unit_of_work.write(service.desk.engine) as session:
                repository.retire(session, live.id, by="Noor", now=NOW)
        return found

    monkeypatch.setattr(withholding, "find", then)
    after = service.suggest("are you open on sunday")["suggestions"]
    assert len(ranked) == 2
    if meanwhile == "published":
        assert after[0]["text"] == changed.text
    else:
        assert live.key not in {one["snippet_key"] for one in after}
    with unit_of_work.read(service.desk.engine) as session:
        rows = session.scalar(sa.select(sa.func.count()).select_from(DraftRow))
    assert rows == len(before) + len(after)  # the first ranking stored nothing


def test_where_every_ranking_is_overtaken_nothing_is_offered(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = service.suggest("are you open on sunday")["suggestions"][0]["snippet_key"]
    with unit_of_work.read(service.desk.engine) as session:
        live = repository.live_revision(session, key)
    assert live is not None
    rank, rankings = withholding.find, 0

    def then(*asked: Any, **more: Any) -> Any:
        nonlocal rankings
        found, rankings = rank(*asked, **more), rankings + 1
        text = f"{live.content.text} {rankings}"
        publish_revision(
            service.desk.engine, replace(live.content, text=text), policy=starter_policy()
        )
        return found

    monkeypatch.setattr(withholding, "find", then)
    answer = service.suggest("are you open on sunday", limit=1)
    assert rankings == drafting.MOST_RANKINGS
    assert (answer["abstained"], answer["reason"]) == (True, "not_current")


def test_what_agents_sent_lately_is_put_to_the_gate(desk: Desk) -> None:
    with unit_of_work.write(desk.engine) as session:
        for number, text in enumerate(("when do you open", "opening times")):
            coverage.saw(
                session,
                snippet_key="stores.hours",
                phrasing=text,
                phrasing_key=f"{number:064x}",
                now=NOW,
            )
        found = accepted_questions(session)
    assert sorted(found) == [
        ("opening times", "stores.hours"),
        ("when do you open", "stores.hours"),
    ]
