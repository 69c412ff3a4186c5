"""The policy as governed content: two people, checks that fail closed, nothing rewritten; on both databases."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import Engine, text

from knowledge_base import governance
from knowledge_base.errors import (
    NotFound,
    PolicyConflict,
    PolicyError,
    PolicyRefused,
    SamePerson,
    StaleRevision,
    WorkflowError,
)
from knowledge_base.governance import State, repository
from knowledge_base.policy import Outcome, judge
from knowledge_base.policy.loader import code_hash, read_policy
from knowledge_base.store import audit
from knowledge_base.store import repository as snippets
from knowledge_base.store.engine import read_session, write_session
from knowledge_base.store.trail import entries_about
from tests.policy_sets import FILES, SHIPPED, Office, pack, rule, switches, with_files

GREEN = with_files(
    brand=pack("brand", rule("TEAL", "teal", severity="warn"), rule("GREEN", "green"))
)


@pytest.fixture
def office(engine: Engine, now: datetime) -> Office:
    return Office(engine, now)


def verdict(office: Office, words: str) -> Outcome:
    with read_session(office.engine) as session:
        policy = governance.in_force(session, packs=SHIPPED).policy
    return judge(policy, words, channel="generic").outcome


def state(office: Office, number: int) -> State:
    with read_session(office.engine) as session:
        return repository.get(session, number).state


def test_without_an_approval_the_packs_of_the_program_judge(office: Office) -> None:
    office.submit(office.propose(GREEN))
    assert verdict(office, "so green") is Outcome.pass_
    with read_session(office.engine) as session:
        current = governance.in_force(session, packs=SHIPPED)
    assert (current.counter, current.revision) == (0, None)
    assert current.content_hash == SHIPPED.content_hash


def test_two_people_put_a_policy_in_force(office: Office, now: datetime) -> None:
    number = office.in_force(GREEN)
    assert verdict(office, "so green") is Outcome.block
    with read_session(office.engine) as session:
        current = governance.in_force(session)
        assert current.revision is not None
        assert current.revision.id == number
        assert (current.revision.author, current.revision.approved_by) == ("Ana", "Bo")
        assert current.policy.version == read_policy(GREEN).version
        known = repository.recorded(session, current.policy.version)
        assert known is not None
        assert (known.content_hash, known.code_hash) == (current.content_hash, code_hash())
        entries = entries_about(session, [f"policy:{number}"])
        assert [(e.actor, e.action, e.fault) for e in entries] == [
            ("Ana", "policy.propose", ""),
            ("Ana", "policy.submit", ""),
            ("Bo", "policy.approve", ""),
        ]
        assert entries[-1].detail["content_hash"] == current.content_hash
        assert audit.verify(session).problems == ()


def test_the_author_cannot_approve(office: Office) -> None:
    number = office.propose(GREEN)
    office.submit(number)
    with pytest.raises(SamePerson, match="somebody else has to approve"):
        office.approve(number, by=" Ana ")
    with pytest.raises(SamePerson), write_session(office.engine) as session:
        governance.return_to_author(session, number, by="Ana", reason="no", now=office.now)
    assert state(office, number) is State.IN_REVIEW


def test_steps_out_of_order_are_refused(office: Office) -> None:
    number = office.propose(GREEN)
    with pytest.raises(WorkflowError, match="is draft: only what is in review can be approved"):
        office.approve(number)
    with pytest.raises(WorkflowError, match="Bo cannot submit"):
        office.submit(number, by="Bo")
    with pytest.raises(NotFound, match="there is no policy 99"):
        office.examine(99)
    with (
        pytest.raises(WorkflowError, match="say why the policy should change"),
        write_session(office.engine) as session,
    ):
        governance.propose(session, GREEN, by="Ana", note=" ", now=office.now, packs=SHIPPED)
    same = office.propose(FILES)
    with pytest.raises(WorkflowError, match="says what is in force already"):
        office.submit(same)


def test_a_returned_one_is_edited_and_submitted_again(office: Office) -> None:
    number = office.propose(GREEN)
    office.submit(number)
    with pytest.raises(WorkflowError, match="say why"), write_session(office.engine) as session:
        governance.return_to_author(session, number, by="Bo", reason=" ", now=office.now)
    with write_session(office.engine) as session:
        back = governance.return_to_author(
            session, number, by="Bo", reason="say it milder", now=office.now
        )
    assert (back.state, back.returned_by, back.return_reason) == (
        State.RETURNED,
        "Bo",
        "say it milder",
    )
    milder = with_files(brand=pack("brand", rule("GREEN", "green", severity="warn")))
    milder["brand.yaml"] += rule("TEAL", "teal", severity="warn")
    with write_session(office.engine) as session:
        saved = governance.save(
            session, number, milder, by="Ana", seen=back.content_hash, now=office.now
        )
    assert saved.state is State.DRAFT
    with (
        pytest.raises(PolicyConflict, match="another window"),
        write_session(office.engine) as session,
    ):
        governance.save(session, number, GREEN, by="Ana", seen=back.content_hash, now=office.now)
    office.submit(number)
    office.approve(number)
    assert verdict(office, "so green") is Outcome.warn


def test_a_withdrawn_one_stays_so(office: Office) -> None:
    number = office.propose(GREEN)
    with (
        pytest.raises(WorkflowError, match="Bo cannot withdraw"),
        write_session(office.engine) as session,
    ):
        governance.withdraw(session, number, by="Bo", now=office.now)
    with write_session(office.engine) as session:
        governance.withdraw(session, number, by="Ana", now=office.now)
    with pytest.raises(WorkflowError, match="is withdrawn"):
        office.submit(number)


def test_what_does_not_hold_is_named_and_changes_nothing(office: Office) -> None:
    number = office.propose(with_files(core=pack("core", rule("RED", "red", severity="no"))))
    examined = office.examine(number)
    assert [str(fault.where) for fault in examined.faults] == ["core.yaml: line 6"]
    with pytest.raises(PolicyRefused, match="cannot be used: core.yaml: line 6") as refused:
        office.submit(number)
    assert refused.value.faults == examined.faults
    assert state(office, number) is State.DRAFT
    assert verdict(office, "so red") is Outcome.block


def test_a_weakening_is_named_and_has_to_be_confirmed(office: Office) -> None:
    number = office.propose(with_files(packs=switches(core=True, brand=False)))
    office.submit(number)
    with pytest.raises(WorkflowError, match="weakens the policy: confirm off:brand"):
        office.approve(number, confirmed=["off:other"], reason="fine")
    with pytest.raises(WorkflowError, match="say why that is right"):
        office.approve(number, confirmed=["off:brand"])
    done = office.approve(number, confirmed=["off:brand"], reason="the law changed")
    assert (done.weakenings, done.reason) == (("off:brand",), "the law changed")


def test_live_snippets_that_it_would_block_are_listed_and_keep_it_out(office: Office) -> None:
    office.publish("shop.green", "We have green lamps.", topic="shop")
    office.publish("assistant.teal", "We greet you.", auto_send=True)
    number = office.propose(GREEN)
    office.submit(number)  # the author may hand it in while the snippets are changed
    effect = office.examine(number).effect
    assert [(each.key, each.rules) for each in effect.blocked] == [("shop.green", ("GREEN",))]
    assert (effect.snippets, effect.warned) == (2, ())
    with pytest.raises(PolicyRefused, match=r"would block 1 live snippets: shop\.green \(GREEN\)"):
        office.approve(number)
    with write_session(office.engine) as session:
        snippets.recall(session, "shop.green", by="Bo", reason="new policy", now=office.now)
    office.approve(number)
    assert verdict(office, "so green") is Outcome.block


def test_what_changed_since_the_examination_is_noticed(office: Office) -> None:
    number = office.propose(GREEN)
    office.submit(number)
    examined = office.examine(number)
    office.publish("shop.green", "We have green lamps.")
    with pytest.raises(StaleRevision, match="look again"), write_session(office.engine) as session:
        governance.approve(session, number, by="Bo", examined=examined, now=office.now)
    assert state(office, number) is State.IN_REVIEW


def test_one_that_was_overtaken_has_to_take_that_up(office: Office) -> None:
    first, second = (
        office.propose(GREEN),
        office.propose(with_files(core=FILES["core.yaml"] + rule("GOLD", "gold")), by="Cy"),
    )
    for number, by in ((first, "Ana"), (second, "Cy")):
        office.submit(number, by=by)
    office.approve(first)
    with pytest.raises(PolicyConflict, match=r"it changed brand\.yaml"):
        office.approve(second)
    with write_session(office.engine) as session:
        governance.return_to_author(session, second, by="Bo", reason="take it up", now=office.now)
        governance.take_up(session, second, by="Cy", now=office.now, packs=SHIPPED)
    office.submit(second, by="Cy")
    office.approve(second)
    assert {verdict(office, words) for words in ("so green", "so gold")} == {Outcome.block}
    assert state(office, first) is State.SUPERSEDED


def test_a_file_that_both_changed_is_not_merged_silently(office: Office) -> None:
    mine = with_files(brand=pack("brand", rule("TEAL", "teal", "cyan", severity="warn")))
    first, second = office.propose(GREEN), office.propose(mine, by="Cy")
    office.submit(first)
    office.approve(first)
    with (
        pytest.raises(PolicyConflict, match=r"both changed brand\.yaml"),
        write_session(office.engine) as session,
    ):
        governance.take_up(session, second, by="Cy", now=office.now, packs=SHIPPED)
    with write_session(office.engine) as session:
        governance.take_up(session, second, by="Cy", now=office.now, keep_mine=True, packs=SHIPPED)
    names = [weakening.name for weakening in office.examine(second).weakenings]
    assert names == ["removed:GREEN"]


def test_going_back_takes_two_people_as_well(office: Office) -> None:
    office.in_force(GREEN)
    with read_session(office.engine) as session:
        before = governance.files_of(session, governance.SHIPPED, packs=SHIPPED)
    back = office.propose(before)
    office.submit(back)
    with pytest.raises(SamePerson):
        office.approve(back, by="Ana", confirmed=["removed:GREEN"], reason="too wide")
    office.approve(back, confirmed=["removed:GREEN"], reason="too wide")
    assert verdict(office, "so green") is Outcome.pass_


FIXED = [
    ("UPDATE policy_revision SET content_hash = base_hash WHERE id = 1", "never changes"),
    ("UPDATE policy_revision SET approved_by = 'Cy' WHERE id = 1", "an approval never changes"),
    ("UPDATE policy_revision SET author = 'Cy' WHERE id = 1", "who proposed a policy"),
    ("UPDATE policy_revision SET note = 'x' WHERE id = 2", "never changes"),
    ("DELETE FROM policy_revision WHERE id = 1", "never deleted"),
    ("UPDATE policy_file SET text = 'x'", "never changed"),
    ("DELETE FROM policy_set", "never deleted"),
    ("UPDATE policy_version SET version = 'x'", "never changed"),
    ("UPDATE policy_revision SET state = 'live' WHERE id = 2", "ck_|CHECK|in_force_by_approval"),
    (
        (
            "UPDATE policy_revision SET state = 'live', approved_by = author, approved_at = created_at,"
            " approved_hash = content_hash, policy_version = (SELECT version FROM policy_version LIMIT 1)"
            " WHERE id = 2"
        ),
        "two_people",
    ),
    (
        (
            "UPDATE policy_revision SET state = 'live', approved_by = 'Bo', approved_at = created_at,"
            " approved_hash = content_hash, policy_version = (SELECT version FROM policy_version LIMIT 1)"
            " WHERE id = 2"
        ),
        "one_live|UNIQUE",
    ),
    (
        (
            "UPDATE policy_revision SET state = 'live', approved_by = 'Bo', approved_at = created_at,"
            " approved_hash = base_hash, policy_version = (SELECT version FROM policy_version LIMIT 1)"
            " WHERE id = 2"
        ),
        "approval_bound_to_content",
    ),
    (
        (
            "INSERT INTO policy_revision SELECT 9, 'live', author, note, content_hash, base_hash, created_at,"
            " changed_at, submitted_at, returned_by, returned_at, return_reason, approved_by, approved_at,"
            " approved_hash, policy_version, weakenings, reason, ended_at FROM policy_revision WHERE id = 1"
        ),
        "begins as a draft",
    ),
]


def test_the_database_refuses_what_the_code_would_not_do(office: Office) -> None:
    office.in_force(GREEN)
    waiting = office.propose(with_files(core=FILES["core.yaml"] + rule("GOLD", "gold")))
    office.submit(waiting)
    for statement, message in FIXED:
        with pytest.raises(Exception, match=message), office.engine.begin() as connection:
            connection.execute(text(statement))
    with read_session(office.engine) as session:
        assert repository.counter(session) == 1


def test_stored_packs_that_were_changed_are_not_loaded(office: Office) -> None:
    office.in_force(GREEN)
    drop = "DROP TRIGGER policy_file_not_changed"
    if office.engine.dialect.name == "postgresql":
        drop += " ON policy_file"
    with office.engine.begin() as connection:
        connection.execute(text(drop))
        connection.execute(text("UPDATE policy_file SET text = text || '# x'"))
    with (
        read_session(office.engine) as session,
        pytest.raises(PolicyError, match="was changed in the database"),
    ):
        governance.in_force(session)


def test_one_that_cannot_be_read_any_more_can_be_replaced(office: Office) -> None:
    """A release may drop a setting that a stored pack uses: then nothing is let through until it is mended."""
    office.in_force(GREEN)
    drop = "DROP TRIGGER policy_set_not_changed"
    if office.engine.dialect.name == "postgresql":
        drop += " ON policy_set"
    with office.engine.begin() as connection:
        connection.execute(text(drop))
        connection.execute(text("UPDATE policy_set SET files = '{}'"))
    mended = office.propose(with_files(core=FILES["core.yaml"] + rule("GOLD", "gold")))
    office.submit(mended)
    office.approve(mended, confirmed=["unreadable"], reason="read again")
    assert verdict(office, "so gold") is Outcome.block


def test_the_version_in_force_is_recorded_once(office: Office) -> None:
    with write_session(office.engine) as session:
        current = governance.in_force(session, packs=SHIPPED)
        for _ in range(2):
            governance.remember(session, current, packs=SHIPPED, now=office.now)
    with read_session(office.engine) as session:
        (only,) = repository.recorded_versions(session)
        assert only.version == SHIPPED.policy.version
        assert governance.policy_of(session, only.content_hash).version == only.version
