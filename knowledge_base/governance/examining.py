"""A proposal examined: whether it holds, what it weakens, and what it would do to what is said today."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from knowledge_base.errors import PolicyError
from knowledge_base.governance import checks, current, model, repository
from knowledge_base.governance.checks import Fault, Weakening
from knowledge_base.governance.current import Shipped
from knowledge_base.governance.effect import Effect, preview
from knowledge_base.policy import Policy
from knowledge_base.progress import Progress, silent
from knowledge_base.store import golden
from knowledge_base.store import repository as snippets


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """Everything that speaks for and against a proposal, and what that was found out about.

    `policy` is None when the files make none: `faults` then says why, and the rest is empty. `overtaken` names the
    files that another policy changed meanwhile; `both` those of them that the proposal changes as well.
    """

    content_hash: str
    counter: int
    live_set: int
    policy: Policy | None
    faults: tuple[Fault, ...] = ()
    weakenings: tuple[Weakening, ...] = ()
    effect: Effect = Effect()
    changed: tuple[str, ...] = ()
    overtaken: tuple[str, ...] = ()
    both: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A plain dict for JSON."""
        return {
            "content_hash": self.content_hash,
            "policy_version": None if self.policy is None else self.policy.version,
            "faults": [fault.to_json() for fault in self.faults],
            "weakenings": [weakening.to_json() for weakening in self.weakenings],
            "effect": self.effect.to_json(),
            "changed_files": list(self.changed),
            "overtaken_files": list(self.overtaken),
        }


def examine(
    session: Session,
    files: Mapping[str, str],
    *,
    base_hash: str | None = None,
    packs: Shipped | None = None,
    progress: Progress = silent,
) -> Examination:
    """Try files against the policy in force; nothing is stored. `base_hash` is what they were made from.

    Takes seconds for a large knowledge base, so it belongs before the transaction of the step that it is for.
    Raises PolicyRefused for names and sizes that cannot be.
    """
    # The counts first: whatever changes after them is noticed when the step is taken.
    counter, live_set = repository.counter(session), snippets.live_set_version(session)
    kept = model.canonical_files(files)
    before, unreadable = _judging(session, packs)
    ours, base = ({}, {}) if unreadable else _compared(session, base_hash, packs)
    same = base == ours
    content = model.content_hash(model.manifest(kept))
    policy, faults = current.read(content, kept)
    found = Examination(
        content_hash=content,
        counter=counter,
        live_set=live_set,
        policy=policy,
        faults=faults,
        changed=differ(base, kept),
        overtaken=() if same else differ(base, ours),
        both=() if same else both(base, kept, ours),
    )
    if policy is None:
        return found
    live, questions = snippets.all_live(session), golden.in_use(session)
    return replace(
        found,
        faults=tuple(checks.faults(policy, kept, progress)),
        weakenings=(*unreadable, *checks.weakenings(before, policy)),
        effect=preview(before, policy, live, questions, progress=progress),
    )


def _compared(
    session: Session, base_hash: str | None, packs: Shipped | None
) -> tuple[dict[str, str], dict[str, str]]:
    """The files in force, and those that the proposal was made from."""
    ours = current.files_in_force(session, packs=packs)
    return ours, ours if base_hash is None else repository.files_of(session, base_hash)


def _judging(session: Session, packs: Shipped | None) -> tuple[Policy, tuple[Weakening, ...]]:
    """What to compare with. A policy in force that cannot be read stops everything, so it has to be replaceable:
    the packs of the program then stand for it, and the approver has to confirm that.
    """
    try:
        return current.in_force(session, packs=packs).policy, ()
    except PolicyError as error:
        detail = (
            f"the policy in force cannot be read ({error}): compared with the packs of the program"
        )
        return (packs or current.shipped()).policy, (Weakening(name="unreadable", detail=detail),)


def examine_revision(
    session: Session, number: int, *, packs: Shipped | None = None, progress: Progress = silent
) -> Examination:
    """`examine` for a revision as it is stored. Raises NotFound."""
    revision = repository.get(session, number)
    files = repository.files_of(session, revision.content_hash)
    return examine(session, files, base_hash=revision.base_hash, packs=packs, progress=progress)


def differ(one: Mapping[str, str], other: Mapping[str, str]) -> tuple[str, ...]:
    """The files that are not the same in both."""
    return tuple(name for name in sorted({*one, *other}) if one.get(name) != other.get(name))


def both(
    base: Mapping[str, str], mine: Mapping[str, str], theirs: Mapping[str, str]
) -> tuple[str, ...]:
    """The files that both changed, and not to the same."""
    changed = set(differ(base, mine)) & set(differ(base, theirs))
    return tuple(name for name in sorted(changed) if mine.get(name) != theirs.get(name))
