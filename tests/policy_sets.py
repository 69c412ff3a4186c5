"""Small policies for tests of how the policy changes: reading our own packs takes longer than most tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from knowledge_base import governance
from knowledge_base.governance import Examination, PolicyRevision, Shipped
from knowledge_base.governance.model import canonical_files
from knowledge_base.policy.loader import read_policy
from knowledge_base.snippet import SnippetContent
from knowledge_base.store import repository as snippets
from knowledge_base.store.engine import read_session, write_session

RULE = """  - id: {id}
    severity: {severity}
    title: "No {word}"
    reason: "the text says {word}"
    mend: "leave it out"
    source: "house rule"
    detector: says
    settings:
      phrases: {phrases}
    must_flag: {flag}
    must_pass: {clean}
"""
CLEAN = ["Thank you.", "We are here.", "Please wait.", "It is late.", "Good day."]


def rule(
    rule_id: str,
    *words: str,
    severity: str = "block",
    flag: list[str] | None = None,
    clean: list[str] | None = None,
) -> str:
    """A rule that flags words; its examples hold unless told otherwise."""
    flagged = [f"{'so ' * n}{words[n % len(words)]}" for n in range(5)] if flag is None else flag
    return RULE.format(
        id=rule_id,
        severity=severity,
        word=words[0],
        phrases=list(words),
        flag=flagged,
        clean=CLEAN if clean is None else clean,
    )


def pack(name: str, *rules: str) -> str:
    """The text of a pack."""
    return f"# the pack {name}\nformat: 1\npack: {name}\nrules:\n" + "".join(rules)


def switches(**packs: bool) -> str:
    """The text of `packs.yaml`."""
    return "format: 1\nbrand: Quillhaven\npacks:\n" + "".join(
        f"  {name}: {str(on).lower()}\n" for name, on in packs.items()
    )


FILES: Mapping[str, str] = canonical_files(
    {
        "core.yaml": pack("core", rule("RED", "red", "scarlet"), rule("BLUE", "blue")),
        "brand.yaml": pack("brand", rule("TEAL", "teal", severity="warn")),
        "packs.yaml": switches(core=True, brand=True),
    }
)
SHIPPED = Shipped(files=FILES, policy=read_policy(FILES))


def with_files(**texts: str | None) -> dict[str, str]:
    """FILES with other texts, by name without `.yaml`; None takes a file away."""
    changed = {f"{name}.yaml": text for name, text in texts.items()}
    return {name: text for name, text in {**FILES, **changed}.items() if text is not None}


@dataclass(frozen=True, slots=True)
class Office:
    """Two people who change the policy in one database: Ana proposes, Bo approves."""

    engine: Engine
    now: datetime
    packs: Shipped = SHIPPED

    def propose(self, files: Mapping[str, str], *, by: str = "Ana") -> int:
        """A draft; returns its number."""
        with write_session(self.engine) as session:
            return governance.propose(
                session, files, by=by, note="because", now=self.now, packs=self.packs
            ).id

    def examine(self, number: int) -> Examination:
        """What speaks for and against it."""
        with read_session(self.engine) as session:
            return governance.examine_revision(session, number, packs=self.packs)

    def submit(self, number: int, *, by: str = "Ana") -> PolicyRevision:
        """Hand it in."""
        examined = self.examine(number)
        with write_session(self.engine) as session:
            return governance.submit(session, number, by=by, examined=examined, now=self.now)

    def approve(self, number: int, *, by: str = "Bo", **more: Any) -> PolicyRevision:
        """Put it in force."""
        examined = self.examine(number)
        with write_session(self.engine) as session:
            return governance.approve(
                session, number, by=by, examined=examined, now=self.now, **more
            )

    def in_force(self, files: Mapping[str, str], **more: Any) -> int:
        """Propose, submit and approve; returns the number."""
        number = self.propose(files)
        self.submit(number)
        self.approve(number, **more)
        return number

    def publish(self, key: str, text: str, **content: Any) -> None:
        """A live snippet."""
        with write_session(self.engine) as session:
            written = SnippetContent(key=key, text=text, **content)
            draft = snippets.add_revision(session, written, author="Ana", now=self.now)
            snippets.submit(session, draft.id, by="Ana", now=self.now)
            snippets.approve(session, draft.id, by="Bo", now=self.now, policy=self.packs.policy)
            snippets.go_live(session, {*snippets.live_ids(session), draft.id})
