"""Which policy judges now: the packs of the program, or those that two people put in force."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from threading import Lock

from sqlalchemy import make_url
from sqlalchemy.orm import Session

from knowledge_base.governance import checks, model, repository
from knowledge_base.governance.checks import Fault
from knowledge_base.governance.model import PolicyRevision
from knowledge_base.home import Home
from knowledge_base.policy import Policy
from knowledge_base.policy.loader import code_hash, read_policy
from knowledge_base.policy.packs import shipped_files
from knowledge_base.store import schema
from knowledge_base.store.engine import open_engine, read_session

SHIPPED = 0  # the number by which people name the packs that come with the program
_PARSED = 4  # policies kept parsed, some 10 MB each


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """The packs that come with the program, and the policy they make."""

    files: Mapping[str, str]
    policy: Policy

    @property
    def content_hash(self) -> str:
        """The hash of this set."""
        return model.content_hash(model.manifest(self.files))


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """What judges: `revision` None means the packs of the program. `counter` tells when it is overtaken."""

    counter: int
    revision: PolicyRevision | None
    content_hash: str
    policy: Policy


@cache
def shipped() -> Shipped:
    """The packs of this program, read once. Raises PolicyError."""
    files = model.canonical_files(shipped_files())
    return Shipped(files=files, policy=read_policy(files))


def in_force(session: Session, *, packs: Shipped | None = None) -> InForce:
    """The policy that judges now. Raises PolicyError when what is stored was changed or cannot be loaded."""
    counter = repository.counter(session)
    revision = repository.live(session)
    if revision is None:
        found = packs or shipped()
        return InForce(
            counter=counter,
            revision=None,
            content_hash=found.content_hash,
            policy=found.policy,
        )
    policy = policy_of(session, revision.content_hash)
    return InForce(
        counter=counter, revision=revision, content_hash=revision.content_hash, policy=policy
    )


def policy_of(session: Session, content_hash: str) -> Policy:
    """The policy that a stored set of files makes with the code of this program. Raises NotFound, PolicyError."""
    return parsed.get(content_hash, repository.files_of(session, content_hash))


def readable(
    session: Session, content_hash: str, *, examples: bool = False
) -> tuple[Policy | None, tuple[Fault, ...]]:
    """The policy of a stored set that may be a mere draft, or why it is none; with what its `examples` show.

    Raises NotFound, and PolicyError when what is stored was changed.
    """
    files = repository.files_of(session, content_hash)
    policy, faults = read(content_hash, files)
    if policy is None or not examples:
        return policy, faults
    return policy, tuple(checks.faults(policy, files))


def read(content_hash: str, files: Mapping[str, str]) -> tuple[Policy | None, tuple[Fault, ...]]:
    """The policy of the set of this hash, read now unless it was lately; or why it is none."""
    known = parsed.known(content_hash)
    if known is not None:
        return known, ()
    policy, faults = checks.loaded(files)
    if policy is not None:
        parsed.keep(content_hash, policy)
    return policy, faults


def policy_here(home: Home) -> Policy:
    """The policy in force in an installation; the packs of the program where nothing is installed yet.

    Nothing is created by asking. Raises PolicyError.
    """
    file = make_url(home.database_url).database
    if home.database_url.startswith("sqlite") and not (file and Path(file).is_file()):
        return shipped().policy
    engine = open_engine(home.database_url)
    try:
        if schema.current(engine) != schema.head():
            return shipped().policy
        with read_session(engine) as session:
            return in_force(session).policy
    finally:
        engine.dispose()


def remember(
    session: Session, current: InForce, *, packs: Shipped | None = None, now: datetime
) -> None:
    """Record which files and which code the version in force stands for, so that its verdicts can be checked."""
    if repository.recorded(session, current.policy.version) is not None:
        return
    if current.revision is None:
        repository.keep_set(session, (packs or shipped()).files)
    repository.record_version(
        session,
        current.policy.version,
        content=current.content_hash,
        code=code_hash(),
        now=now,
    )


def files_of(session: Session, number: int, *, packs: Shipped | None = None) -> dict[str, str]:
    """The files of a revision by its number; 0 is the packs of the program. Raises NotFound, PolicyError."""
    if number == SHIPPED:
        return dict((packs or shipped()).files)
    return repository.files_of(session, repository.get(session, number).content_hash)


def files_in_force(session: Session, *, packs: Shipped | None = None) -> dict[str, str]:
    """The files of the policy in force. Raises PolicyError."""
    revision = repository.live(session)
    return files_of(session, SHIPPED if revision is None else revision.id, packs=packs)


def hash_in_force(session: Session, *, packs: Shipped | None = None) -> str:
    """The hash of the files in force. They need not be readable."""
    revision = repository.live(session)
    return (packs or shipped()).content_hash if revision is None else revision.content_hash


def keep_in_force(session: Session, *, packs: Shipped | None = None) -> str:
    """The hash of the files in force, which are stored from then on. They need not be readable."""
    revision = repository.live(session)
    if revision is not None:
        return revision.content_hash
    return repository.keep_set(session, (packs or shipped()).files)


class ParsedPolicies:
    """The last policies that were read, by the hash of their files: reading takes half a second."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Policy] = OrderedDict()
        self._lock = Lock()

    def get(self, name: str, files: Mapping[str, str]) -> Policy:
        """The policy of the set of this hash, read now if it has to be. Raises PolicyError."""
        known = self.known(name)
        if known is None:
            known = read_policy(files)
            self.keep(name, known)
        return known

    def known(self, name: str) -> Policy | None:
        """The policy of a set, if it was read lately."""
        with self._lock:
            return self._kept.get(name)

    def keep(self, name: str, policy: Policy) -> None:
        """Keep one that was read already."""
        with self._lock:
            self._kept[name] = policy
            self._kept.move_to_end(name)
            while len(self._kept) > _PARSED:
                self._kept.popitem(last=False)


parsed = ParsedPolicies()
