"""Whatever happens between queueing and sending, nothing reaches a network without a fresh pass on those bytes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from knowledge_base.errors import PolicyUnavailable
from knowledge_base.policy import Finding, Judged, Outcome, Policy, Rule, Severity, judge
from knowledge_base.store import migrate
from knowledge_base.store.engine import open_engine
from knowledge_base.wording import normalise
from suggest_api import flow
from suggest_api.channels.generic import GenericChannel
from suggest_api.channels.port import OutgoingMessage, RetryLater, SendOutcome, Sent
from suggest_api.compliance.holder import FixedPolicy
from suggest_api.errors import ConversationError, Refused
from suggest_api.values import sha256
from tests.doubles.desk import Parts, build

# Each letter is a thing that some policy does not want said; the texts are rows of such letters.
LETTERS = "abcd"
TEXTS = st.text(alphabet="abcdxyz ", min_size=1, max_size=12).filter(lambda t: bool(t.strip()))
RULES = st.dictionaries(st.sampled_from(LETTERS), st.sampled_from(list(Severity)), max_size=3)


def policy_of(rules: dict[str, Severity]) -> Policy:
    """A policy that finds letters; its version tells its rules."""
    version = ",".join(f"{letter}:{rules[letter].value}" for letter in sorted(rules))
    every = (_rule("z-never", Severity.block), *(_rule(c, s) for c, s in rules.items()))
    return Policy(version=version or "none", rules=every)


def _rule(letter: str, severity: Severity) -> Rule:
    def find(judged: Judged) -> list[Finding]:
        at = judged.text.find(letter)
        found = Finding(letter, severity, (at, at + 1), "is there", "take it out", "test")
        return [found] if at >= 0 else []

    return Rule(letter, "test", severity, letter, "is there", "", "tests", (), (), find)


class Wire:
    """A network that writes down what it got, under which policy, and fails when it is told to."""

    def __init__(self) -> None:
        self.got: list[tuple[str, Policy | None]] = []
        self.busy = False
        self.policy: Callable[[], Policy | None] = lambda: None
        self._real = GenericChannel()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def send(self, message: OutgoingMessage, **_more: Any) -> SendOutcome:
        if self.busy:
            return RetryLater("busy")
        self.got.append((message.text, self.policy()))
        return Sent(f"p-{len(self.got)}")


class Office:
    """A conversation that a person answers, with a policy that changes and a hand in the database."""

    def __init__(self, template: Path) -> None:
        self.folder = Path(mkdtemp(prefix="firstline-gate-"))
        shutil.copy(template, self.folder / "firstline.db")
        engine = open_engine(f"sqlite:///{self.folder / 'firstline.db'}")
        self.parts: Parts = build(engine, self.folder, retry_seconds=(1.0,) * 50)
        self.wire = Wire()
        self.wire.policy = lambda: self.parts.desk.policy
        channels = MappingProxyType({"generic": self.wire})
        self.parts.desk = replace(
            self.parts.desk, channels=channels, policies=FixedPolicy(policy_of({}))
        )

    def close(self) -> None:
        self.parts.engine.dispose()
        shutil.rmtree(self.folder)

    def reply(self, words: str, reason: str | None) -> None:
        try:
            self.parts.reply(words, reason=reason)
        except (Refused, ConversationError, PolicyUnavailable):
            return

    def change_policy(self, rules: dict[str, Severity] | None) -> None:
        policy = None if rules is None else policy_of(rules)
        self.parts.desk = replace(self.parts.desk, policies=FixedPolicy(policy))

    def tamper(self, words: str, *, hashed: bool, blessed: bool) -> None:
        """Somebody changes what waits: the text alone, with its hashes, or with a verdict to match."""
        values: dict[str, Any] = {"t": words, "h": sha256(words), "v": _blessing(words)}
        columns = "text = :t"
        if hashed:
            columns += ", text_sha256 = :h, judged_sha256 = :h"
        if blessed:
            columns += ", verdict = :v, verdict_outcome = 'pass'"
        statement = f"UPDATE outbox SET {columns} WHERE state = 'ready'"  # noqa: S608 - from this file
        with self.parts.engine.begin() as connection:
            connection.execute(
                text(statement), {k: values[k] for k in "thv" if f":{k}" in columns}
            )

    def deliver(self) -> None:
        self.parts.clock.forward(60)
        for _ in range(20):
            if not flow.deliver(self.parts.desk):
                return


def _blessing(words: str) -> str:
    return (
        '{"findings":[],"judged_sha256":"'
        + sha256(words)
        + '","outcome":"pass","policy_version":"x"}'
    )


STEPS = st.one_of(
    st.tuples(st.just("reply"), TEXTS, st.sampled_from([None, "because"])),
    st.tuples(st.just("policy"), st.one_of(st.none(), RULES)),
    st.tuples(st.just("tamper"), TEXTS, st.booleans(), st.booleans()),
    st.tuples(st.just("deliver"), st.booleans()),
)


def run(office: Office, steps: list[tuple[Any, ...]]) -> None:
    for step in steps:
        match step:
            case ("reply", words, reason):
                office.reply(words, reason)
            case ("policy", rules):
                office.change_policy(rules)
            case ("tamper", words, hashed, blessed):
                office.tamper(words, hashed=hashed, blessed=blessed)
            case ("deliver", busy):
                office.wire.busy = busy
                office.deliver()
    office.wire.busy = False
    office.deliver()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database in which a customer waits for a person."""
    folder = tmp_path_factory.mktemp("gate")
    engine = open_engine(f"sqlite:///{folder / 'firstline.db'}")
    migrate.upgrade(engine)
    parts = build(engine, folder)
    parts.write("hello")
    parts.ingest()
    parts.claim()
    engine.dispose()
    return folder / "firstline.db"


@given(steps=st.lists(STEPS, min_size=2, max_size=12))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_nothing_leaves_without_a_fresh_pass_on_its_bytes(
    template: Path, steps: list[tuple[Any, ...]]
) -> None:
    office = Office(template)
    try:
        run(office, steps)
        for words, policy in office.wire.got:
            assert policy is not None, "something left while no policy was loaded"
            verdict = judge(policy, words, channel="generic")
            assert verdict.outcome is not Outcome.block, (words, policy.version)
            assert words == normalise(words)
        rows = office.parts.rows("SELECT text, state FROM outbox WHERE author = 'person'")
        sent = sorted(row.text for row in rows if row.state == "sent")
        assert sent == sorted(words for words, _ in office.wire.got)
    finally:
        office.close()


@given(words=TEXTS, rules=RULES, later=RULES, reason=st.sampled_from([None, "because"]))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_warning_leaves_only_with_a_reason_given_for_it(
    template: Path, words: str, rules: dict[str, Severity], later: dict[str, Severity], reason: str
) -> None:
    office = Office(template)
    try:
        office.change_policy(rules)
        office.reply(words, reason)
        office.change_policy(later)
        office.deliver()
        first, second = (
            {c: s for c, s in asked.items() if c in normalise(words)} for asked in (rules, later)
        )
        queued = Severity.block not in first.values() and bool(reason or not first)
        fits = Severity.block not in second.values() and set(second) <= set(first)
        assert len(office.wire.got) == (1 if queued and fits else 0)
    finally:
        office.close()


def test_the_hand_in_the_database_cannot_take_the_verdict_away(template: Path) -> None:
    office = Office(template)
    try:
        office.reply("xyz", None)
        for columns in ("verdict_outcome = 'block'", "judged_sha256 = 'other'"):
            with pytest.raises(IntegrityError), office.parts.engine.begin() as connection:
                connection.execute(text(f"UPDATE outbox SET {columns}"))  # noqa: S608 - from this file
    finally:
        office.close()
