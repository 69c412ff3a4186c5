"""How the policy changes: proposed, tried, submitted, and put in force by a second person."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from knowledge_base.errors import PolicyConflict, PolicyRefused, StaleRevision, WorkflowError
from knowledge_base.governance import current, model, repository
from knowledge_base.governance.current import Shipped
from knowledge_base.governance.examining import Examination, both
from knowledge_base.governance.model import PolicyRevision, State
from knowledge_base.policy import Policy
from knowledge_base.policy.loader import code_hash
from knowledge_base.store import repository as snippets
from knowledge_base.store.people import ensure_person
from knowledge_base.store.review import paths, words, words_hash

TOPIC = "policy"  # whose review path names the teams that may approve a policy
_SHOWN = 5  # snippets that a refusal names; the examination has all of them


def propose(
    session: Session,
    files: Mapping[str, str],
    *,
    by: str,
    note: str,
    now: datetime,
    packs: Shipped | None = None,
) -> PolicyRevision:
    """Begin a draft with these files, on the policy in force; audited. They need not be in order yet.

    Raises WorkflowError without a note that says why, PolicyRefused for names and sizes that cannot be.
    """
    kept = words(note)
    if not kept:
        raise WorkflowError("say why the policy should change: whoever approves it reads that")
    person = ensure_person(session, by, now=now)
    base = current.keep_in_force(session, packs=packs)
    content = repository.keep_set(session, model.canonical_files(files))
    made = repository.add(session, author=person, note=kept, content=content, base=base, now=now)
    detail = {"content_hash": content, "base_hash": base, "note": kept}
    repository.record(session, made.id, "policy.propose", by=person, detail=detail, now=now)
    return made


def save(
    session: Session,
    number: int,
    files: Mapping[str, str],
    *,
    by: str,
    seen: str,
    now: datetime,
) -> PolicyRevision:
    """Keep other files in one's own draft; audited. `seen` is the content hash that was edited.

    Raises PolicyConflict when it was saved from elsewhere meanwhile, WorkflowError, NotFound, PolicyRefused.
    """
    before = repository.get(session, number, lock=True)
    person = ensure_person(session, by, now=now)
    content = repository.keep_set(session, model.canonical_files(files))
    after = model.saved(before, by=person, content=content, at=now)
    if before.content_hash != seen:
        msg = f"policy {number} was saved in another window meanwhile: compare before you save over it"
        raise PolicyConflict(msg)
    if content == before.content_hash and before.state is State.DRAFT:
        return before
    return repository.move(session, before, after, action="policy.edit", by=person, now=now)


def take_up(
    session: Session,
    number: int,
    *,
    by: str,
    now: datetime,
    keep_mine: bool = False,
    packs: Shipped | None = None,
) -> PolicyRevision:
    """Take what came into force meanwhile into one's own draft, file by file; audited.

    A file that both changed stays as the draft has it only with `keep_mine`; without, raises PolicyConflict.
    """
    before = repository.get(session, number, lock=True)
    person = ensure_person(session, by, now=now)
    theirs = current.files_in_force(session, packs=packs)
    mine = repository.files_of(session, before.content_hash)
    base = repository.files_of(session, before.base_hash)
    clash = both(base, mine, theirs)
    if clash and not keep_mine:
        named = ", ".join(clash)
        msg = (
            f"policy {number} and the one in force both changed {named}: compare, then keep yours"
        )
        raise PolicyConflict(msg)
    merged = {name: theirs[name] for name in theirs if mine.get(name) == base.get(name)}
    merged |= {name: text for name, text in mine.items() if text != base.get(name)}
    after = model.saved(before, by=person, content=repository.keep_set(session, merged), at=now)
    after = replace(after, base_hash=repository.keep_set(session, theirs))
    return repository.move(session, before, after, action="policy.edit", by=person, now=now)


def submit(
    session: Session, number: int, *, by: str, examined: Examination, now: datetime
) -> PolicyRevision:
    """Hand a draft to somebody else; audited. From here on its files are frozen.

    Raises NotFound, WorkflowError, PolicyRefused with every fault, PolicyConflict when it was overtaken, and
    StaleRevision when it is not what was examined.
    """
    before = repository.get(session, number, lock=True)
    person = ensure_person(session, by, now=now)
    after = model.submitted(before, by=person, at=now)
    _refuse_faults(session, before, examined)
    return repository.move(session, before, after, action="policy.submit", by=person, now=now)


def withdraw(session: Session, number: int, *, by: str, now: datetime) -> PolicyRevision:
    """Give one's own proposal up; audited. Raises NotFound, WorkflowError."""
    before = repository.get(session, number, lock=True)
    person = ensure_person(session, by, now=now)
    after = model.withdrawn(before, by=person, at=now)
    return repository.move(session, before, after, action="policy.withdraw", by=person, now=now)


def return_to_author(
    session: Session, number: int, *, by: str, reason: str, now: datetime
) -> PolicyRevision:
    """Ask the author for changes; audited. Raises NotFound, WorkflowError, SamePerson."""
    before = repository.get(session, number, lock=True)
    person = ensure_person(session, by, now=now)
    after = model.returned(before, by=person, at=now, reason=words(reason))
    detail = {"reason_sha256": words_hash(reason)}
    return repository.move(
        session, before, after, action="policy.return", by=person, now=now, detail=detail
    )


def approve(
    session: Session,
    number: int,
    *,
    by: str,
    examined: Examination,
    confirmed: Collection[str] = (),
    reason: str = "",
    teams: Collection[str] = ("*",),
    now: datetime,
) -> PolicyRevision:
    """Put a submitted policy in force, everywhere, with this transaction; audited.

    `teams` are those that `by` approves for: where the topic `policy` has a review path, one of its teams does it.
    Raises NotFound, WorkflowError (also for a weakening that is not confirmed), SamePerson, PolicyRefused with
    every fault or every live snippet that it would block, PolicyConflict, and StaleRevision when it, the policy
    in force or what is live is not what was examined.
    """
    repository.counter(session, lock=True)  # two approvals go one after the other
    before = repository.get(session, number, lock=True)
    person = ensure_person(session, by, now=now)
    wanted = paths(session).get(TOPIC, ())
    model.may_approve(before, by=person, teams=teams, wanted=wanted)
    policy = _refuse_faults(session, before, examined)
    _refuse_blocked(before, examined)
    after = model.approved(
        before,
        by=person,
        at=now,
        version=policy.version,
        weakenings=[weakening.name for weakening in examined.weakenings],
        confirmed=confirmed,
        reason=words(reason),
    )
    repository.record_version(
        session, policy.version, content=before.content_hash, code=code_hash(), now=now
    )
    _supersede(session, by=person, now=now)
    detail = {
        "policy_version": policy.version,
        "base_hash": before.base_hash,
        "weakenings": list(after.weakenings),
        "reason_sha256": words_hash(reason),
    }
    return repository.move(
        session, before, after, action="policy.approve", by=person, now=now, detail=detail
    )


def _supersede(session: Session, *, by: str, now: datetime) -> None:
    gone = repository.live(session)
    if gone is not None:
        after = replace(gone, state=State.SUPERSEDED, ended_at=now)
        repository.move(session, gone, after, action="policy.supersede", by=by, now=now)


def _refuse_faults(session: Session, before: PolicyRevision, examined: Examination) -> Policy:
    stale = (
        examined.content_hash != before.content_hash
        or examined.counter != repository.counter(session)
        or examined.live_set != snippets.live_set_version(session)
    )
    if stale:
        msg = (
            f"policy {before.id}, the policy in force or what is live changed while this was examined:"
            " look again"
        )
        raise StaleRevision(msg)
    if examined.overtaken:
        msg = (
            f"another policy came into force while policy {before.id} was written (it changed"
            f" {', '.join(examined.overtaken)}): its author has to take that up first"
        )
        raise PolicyConflict(msg)
    if examined.policy is None or examined.faults:
        named = "; ".join(str(fault) for fault in examined.faults)
        raise PolicyRefused(f"policy {before.id} cannot be used: {named}", faults=examined.faults)
    return examined.policy


def _refuse_blocked(before: PolicyRevision, examined: Examination) -> None:
    blocked = examined.effect.blocked
    if blocked:
        named = ", ".join(f"{each.key} ({', '.join(each.rules)})" for each in blocked[:_SHOWN])
        more = f" and {len(blocked) - _SHOWN} more" if len(blocked) > _SHOWN else ""
        msg = (
            f"policy {before.id} would block {len(blocked)} live snippets: {named}{more}; change or recall them"
            " first, or narrow the rule"
        )
        raise PolicyRefused(msg, faults=blocked)
