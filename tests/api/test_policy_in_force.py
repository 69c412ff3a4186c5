"""An approved policy is in force in every process within two seconds; verdicts of the one before stay provable."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event, text

from knowledge_base.errors import PolicyError
from knowledge_base.governance import repository
from knowledge_base.policy import Policy, judge
from knowledge_base.store.engine import open_engine, read_session, write_session
from suggest_api.compliance import holder as held
from suggest_api.compliance.holder import FixedPolicy, PolicyHolder
from suggest_api.main import create_app
from tests.api.conftest import Service
from tests.policy_sets import FILES, SHIPPED, Office, pack, rule, with_files

GREEN = with_files(
    brand=pack("brand", rule("TEAL", "teal", severity="warn"), rule("GREEN", "green"))
)
ASKED = "Where is my order?"
SOON = 2.0  # seconds from an approval to the last process that has it in force


@pytest.fixture
def office(engine: Engine, now: datetime) -> Office:
    return Office(engine, now)


def holder(engine: Engine) -> PolicyHolder:
    return PolicyHolder(engine, packs=SHIPPED)


def outcome(policy: Policy | None, words: str) -> str:
    return judge(policy, words, channel="generic").outcome.value


@contextmanager
def watching(policies: PolicyHolder) -> Iterator[PolicyHolder]:
    ended = threading.Event()
    thread = threading.Thread(target=policies.watch, args=(ended,))
    policies.start()
    thread.start()
    try:
        yield policies
    finally:
        ended.set()
        thread.join()


def drop_guard(engine: Engine, name: str, table: str) -> None:
    on = f" ON {table}" if engine.dialect.name == "postgresql" else ""
    with engine.begin() as connection:
        connection.execute(text(f"DROP TRIGGER {name}{on}"))


def test_a_request_has_the_new_policy_at_once_and_a_watched_process_soon(office: Office) -> None:
    second = open_engine(office.engine.url.render_as_string(hide_password=False))
    asked = holder(office.engine)
    with watching(holder(second)) as watched:
        with read_session(office.engine) as session:
            assert asked.at(session) is SHIPPED.policy
        assert outcome(watched.current, "so green") == "pass"
        approved_at = time.monotonic()
        office.in_force(GREEN)
        with read_session(office.engine) as session:
            assert outcome(asked.at(session), "so green") == "block"
        while outcome(watched.current, "so green") == "pass":
            assert time.monotonic() - approved_at < SOON
            time.sleep(0.01)
        assert watched.failure is None
    second.dispose()


def test_while_nothing_changes_only_the_count_is_asked(office: Office) -> None:
    policies = holder(office.engine)
    policies.start()
    statements: list[str] = []
    with read_session(office.engine) as session:
        event.listen(
            office.engine,
            "before_cursor_execute",
            lambda _c, _cur, sql, *_r: statements.append(sql),
        )
        policies.at(session)
    assert [sql for sql in statements if "FROM" in sql] == [
        "SELECT policy_live.version \nFROM policy_live"
    ]


def test_a_reader_of_an_older_snapshot_gets_the_newer_policy(office: Office) -> None:
    policies = holder(office.engine)
    with read_session(office.engine) as old:
        policies.at(old)
        office.in_force(GREEN)
        with read_session(office.engine) as session:
            policies.at(session)
        assert outcome(policies.at(old), "so green") == "block"


def test_a_stored_policy_that_cannot_be_loaded_shuts_the_gate(office: Office) -> None:
    policies = holder(office.engine)
    policies.start()
    assert policies.current is not None
    office.in_force(GREEN)
    drop_guard(office.engine, "policy_file_not_changed", "policy_file")
    with office.engine.begin() as connection:
        connection.execute(text("UPDATE policy_file SET text = 'format: 1'"))
    fresh = holder(office.engine)
    fresh.start()
    assert fresh.current is None
    assert "was changed in the database" in (fresh.failure or "")
    with read_session(office.engine) as session:
        assert fresh.at(session) is None
        assert (
            outcome(policies.at(session), "so red") == "block"
        )  # from before: nothing to let out


def test_it_is_tried_again_after_a_while(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = [0.0]
    policies = PolicyHolder(office.engine, packs=SHIPPED, ticks=lambda: ticks[0])

    def broken(*_arguments: object, **_more: object) -> None:
        raise RecursionError("too deep")

    with monkeypatch.context() as patch:
        patch.setattr(held.governance, "in_force", broken)
        assert policies.current is None
    ticks[0] = held.RETRY_SECONDS - 1
    assert policies.current is None
    ticks[0] = held.RETRY_SECONDS + 1
    assert policies.current is SHIPPED.policy


def test_without_a_database_there_is_no_policy_at_first_and_the_last_one_later(
    office: Office, tmp_path: object
) -> None:
    nowhere = open_engine(f"sqlite:///{tmp_path}/none/x.db")
    policies = holder(nowhere)
    policies.start()
    assert (policies.current, "database" in (policies.failure or "")) == (None, True)
    nowhere.dispose()


def test_what_gave_a_verdict_is_found_by_its_version(office: Office) -> None:
    policies = holder(office.engine)
    policies.start()
    first = SHIPPED.policy.version
    office.in_force(GREEN)
    with write_session(office.engine) as session:
        named = SHIPPED.content_hash
        repository.record_version(session, "f" * 64, content=named, code="c" * 64, now=office.now)
        repository.record_version(
            session, "e" * 64, content=named, code=held.code_hash(), now=office.now
        )
        again = policies.judged_by(session, first)
        assert isinstance(again, Policy)
        assert (again.version, outcome(again, "so green")) == (first, "pass")
        other_code = policies.judged_by(session, "f" * 64)
        assert "the code of that release is not here" in str(other_code)
        assert "the policy is now" in str(policies.judged_by(session, "0" * 64))
        with pytest.raises(PolicyError, match="makes another one"):
            policies.judged_by(session, "e" * 64)


def test_a_fixed_policy_knows_itself_only(office: Office) -> None:
    fixed = FixedPolicy(SHIPPED.policy)
    with read_session(office.engine) as session:
        assert fixed.at(session) is SHIPPED.policy
        assert fixed.judged_by(session, SHIPPED.policy.version) is SHIPPED.policy
        assert "the policy is now" in str(fixed.judged_by(session, "x"))
        assert FixedPolicy(None).judged_by(session, "x") == "no policy is loaded"


def test_two_instances_and_a_draft_from_before(
    service: Service, engine: Engine, now: datetime
) -> None:
    """One instance approves; the other one blocks soon after, and still proves what it offered before."""
    office = Office(engine, now)
    desks = [replace(service.desk, policies=holder(engine)) for _ in range(2)]
    apps = [create_app(desk.settings, desk=desk) for desk in desks]
    with TestClient(apps[0]) as one, TestClient(apps[1]) as two:
        first, second = replace(service, client=one), replace(service, client=two)
        draft = second.suggest(ASKED)["suggestions"][0]
        before = draft["verdict"]["policy_version"]
        assert before == SHIPPED.policy.version
        ordinary = {"text": "so green", "channel": "generic"}
        assert (
            second.post("/v1/policy/check", ordinary, key="check").json()["verdict"]["outcome"]
            == "pass"
        )

        approved_at = time.monotonic()
        office.in_force(with_files(core=FILES["core.yaml"] + rule("GREEN", "green")))
        while (
            second.post("/v1/policy/check", ordinary, key="check").json()["verdict"]["outcome"]
            == "pass"
        ):
            assert time.monotonic() - approved_at < SOON
            time.sleep(0.02)

        now_given = first.suggest(ASKED)["suggestions"][0]["verdict"]["policy_version"]
        assert now_given != before
        report = second.get(f"/v1/drafts/{draft['draft_id']}/proof").json()
        checks = {check["part"]: check["holds"] for check in report["checks"]}
        assert (report["holds"], checks["verdict"]) == (True, True)
        ready = two.get("/readyz").json()
        assert now_given in str(ready)

        drop_guard(engine, "policy_file_not_changed", "policy_file")
        with engine.begin() as connection:
            connection.execute(text("UPDATE policy_file SET text = text || ' '"))
        report = second.get(f"/v1/drafts/{draft['draft_id']}/proof").json()
        (verdict,) = (check for check in report["checks"] if check["part"] == "verdict")
        assert (report["holds"], verdict["holds"]) == (False, False)
        assert "was changed in the database" in verdict["detail"]
