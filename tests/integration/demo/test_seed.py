"""Seeding on a real database: what is made, that it is made once, and that lost halves are mended."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from knowledge_base.errors import ConfigurationError
from knowledge_base.home import Home
from knowledge_base.snippet import SnippetContent
from knowledge_base.store import repository, review
from suggest_api.access import service as access
from suggest_api.access.model import CURATOR_ROLES, Scope
from suggest_api.demo import secrets_file, seed
from suggest_api.errors import NotAllowed, NotAuthenticated
from suggest_api.storage import unit_of_work
from tests.starter_policy import starter_policy

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


def test_everybody_can_sign_in_with_the_password_that_is_shown_once(
    empty_sqlite: Engine, home: Home
) -> None:
    seeded = seed.seed(empty_sqlite, home, now=NOW)
    assert set(seeded.passwords) == set(seed.PEOPLE)
    assert len(set(seeded.passwords.values())) == len(seed.PEOPLE)
    for name, password in seeded.passwords.items():
        with unit_of_work.write(empty_sqlite) as session:
            started = access.sign_in(session, name, password, now=NOW)
            who = access.resume(session, started.token, now=NOW)
        assert who is not None
        assert who.roles == seed.PEOPLE[name].roles
    curators = [name for name, work in seed.PEOPLE.items() if work.roles >= set(CURATOR_ROLES)]
    assert curators == ["maya", "tomas"]


def test_sensitive_topics_get_their_path_once_there_is_content(
    empty_sqlite: Engine, home: Home
) -> None:
    seed.seed(empty_sqlite, home, now=NOW)
    assert seed.set_review_paths(empty_sqlite, now=NOW) == []
    content = SnippetContent(key="a", text="Hello there.")
    with unit_of_work.write(empty_sqlite) as session:
        draft = repository.add_revision(session, content, author="maya", now=NOW)
        repository.submit(session, draft.id, by="maya", now=NOW)
        repository.approve(session, draft.id, by="tomas", now=NOW, policy=starter_policy())
    assert seed.set_review_paths(empty_sqlite, now=NOW) == ["complaints", "safety"]
    with unit_of_work.write(empty_sqlite) as session:
        review.set_path(session, "safety", ["legal"], by="ruth", now=NOW)
    assert seed.set_review_paths(empty_sqlite, now=LATER) == []
    with unit_of_work.read(empty_sqlite) as session:
        assert review.paths(session)["safety"] == ("legal",)
        teams = {team for path in review.paths(session).values() for team in path}
    held = {team for work in seed.PEOPLE.values() for team in work.teams}
    assert teams <= held


def test_a_second_start_changes_nothing_and_shows_nothing(
    empty_sqlite: Engine, home: Home
) -> None:
    first = seed.seed(empty_sqlite, home, now=NOW)
    second = seed.seed(empty_sqlite, home, now=LATER)
    assert second.passwords == {}
    assert second.secrets == first.secrets


def test_the_keys_may_do_what_their_program_needs_and_no_more(
    empty_sqlite: Engine, home: Home
) -> None:
    kept = seed.seed(empty_sqlite, home, now=NOW).secrets
    with unit_of_work.read(empty_sqlite) as session:
        access.authenticate_key(session, kept.desk_key, scope=Scope.ASSIST, now=NOW)
        access.authenticate_key(session, kept.script_key, scope=Scope.DRAFTS, now=NOW)
        with pytest.raises(NotAllowed):
            access.authenticate_key(session, kept.desk_key, scope=Scope.SUGGEST, now=NOW)
        with pytest.raises(NotAllowed):
            access.authenticate_key(session, kept.script_key, scope=Scope.METRICS, now=NOW)


def test_a_new_database_beside_old_secrets_gets_keys_that_work(
    sqlite_engine: Engine, home: Home
) -> None:
    """Somebody removed the database and kept the rest of the home."""
    old = secrets_file.with_keys(
        secrets_file.load_or_make(home),
        desk_key="fl_of-a-database-that-is-gone",
        script_key="fl_gone-as-well",
        script_password="kept-from-the-earlier-one",
    )
    secrets_file.save(home, old)
    kept = seed.seed(sqlite_engine, home, now=NOW).secrets
    assert kept.webhook == old.webhook
    assert kept.desk_key != old.desk_key
    with unit_of_work.write(sqlite_engine) as session:
        access.authenticate_key(session, kept.desk_key, scope=Scope.ASSIST, now=NOW)
        access.sign_in(session, seed.SCRIPT_AGENT, "kept-from-the-earlier-one", now=NOW)


def test_the_script_agents_password_is_not_anybody_elses(empty_sqlite: Engine, home: Home) -> None:
    seeded = seed.seed(empty_sqlite, home, now=NOW)
    with unit_of_work.write(empty_sqlite) as session, pytest.raises(NotAuthenticated):
        access.sign_in(session, "ana", seeded.secrets.script_password, now=NOW)


def test_the_secrets_are_readable_by_the_owner_only(home: Home) -> None:
    made = secrets_file.load_or_make(home)
    path = secrets_file.secrets_path(home)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secrets_file.load_or_make(home) == made
    assert made != secrets_file.DemoSecrets.fresh()
    assert made.webhook.startswith("whsec_")
    assert len(made.service) == 64


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"service": "x"}'])
def test_a_spoilt_file_of_secrets_is_named(home: Home, content: str) -> None:
    path = secrets_file.secrets_path(home)
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=r"secrets\.json cannot be read: remove it"):
        secrets_file.load_or_make(home)
