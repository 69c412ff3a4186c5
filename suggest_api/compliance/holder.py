"""Hold the policy in force, swap it whole when another one was approved, and find the one that gave a verdict."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from knowledge_base import governance
from knowledge_base.errors import PolicyError
from knowledge_base.governance import InForce, Shipped, repository
from knowledge_base.policy import Policy
from knowledge_base.policy.loader import code_hash
from suggest_api.errors import StorageError
from suggest_api.logs import get_logger
from suggest_api.storage import unit_of_work

# Whoever approves a policy has it in force everywhere within two seconds: half a second until it is noticed, and
# the rest to read it. A request notices it at once, since it asks the database anyway.
CHECK_SECONDS = 0.5
# One that could not be loaded is tried again after this: the same program will hardly fare better sooner.
RETRY_SECONDS = 60.0

log = get_logger(__name__)


class PolicySource(Protocol):
    """Where the policy comes from. None means that there is none, and the gate is shut.

    `packs` are those of the program, None for those that are installed.
    """

    @property
    def packs(self) -> Shipped | None:
        """The packs of the program, where they are not the installed ones."""

    @property
    def current(self) -> Policy | None:
        """The policy in force, at most half a second late."""

    @property
    def failure(self) -> str | None:
        """Why there is none."""

    def at(self, session: Session) -> Policy | None:
        """The policy in force as this transaction sees it."""

    def judged_by(self, session: Session, version: str) -> Policy | str:
        """The policy that gives verdicts under a version; or why it cannot be had.

        Raises PolicyError when what is stored of it was changed.
        """

    def start(self) -> None:
        """Load it now, and record what its version stands for. Never raises."""

    def watch(self, stop: threading.Event) -> None:
        """Look for another one until `stop` is set."""


@dataclass(frozen=True, slots=True)
class FixedPolicy:
    """A policy that never changes: of a part that stands alone, and of tests."""

    current: Policy | None
    failure: str | None = None
    packs: Shipped | None = None

    def at(self, session: Session) -> Policy | None:
        """The same one, whatever the database says."""
        return self.current

    def judged_by(self, session: Session, version: str) -> Policy | str:
        """The same one, if it has this version."""
        return _if_it_is(self.current, version) or _now(self.current)

    def start(self) -> None:
        """There is nothing to load."""

    def watch(self, stop: threading.Event) -> None:
        """Nothing will come."""


class PolicyHolder:
    """The policy that the database says is in force. One that cannot be loaded leaves the gate shut.

    Which one that is has a count that the database itself raises (a trigger on `policy_revision`). While it
    stands, what was read stays true. Safe to share between threads: readers take one reference, a swap replaces it
    whole, and whoever sees the count moved waits until the new one is read.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        packs: Shipped | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine, self.packs = engine, packs
        self._clock, self._ticks = clock, ticks
        self._held: InForce | None = None
        self._failure: str | None = "the policy was not loaded yet"
        self._seen = -1  # the count that was read last, whether it could be loaded or not
        self._checked_at = self._tried_at = float("-inf")
        self._lock = threading.Lock()
        self._watched = False
        self._ahead: set[str] = set()  # hashes of sets that were read before their approval

    @property
    def current(self) -> Policy | None:
        """The policy in force; the database is asked where nobody watches it."""
        if not self._watched and self._ticks() - self._checked_at >= CHECK_SECONDS:
            self._refresh()
        held = self._held
        return None if held is None else held.policy

    @property
    def failure(self) -> str | None:
        """Why there is none, for whoever looks after the service."""
        return self._failure

    def at(self, session: Session) -> Policy | None:
        """The policy in force as this transaction sees it, or a newer one."""
        counter = repository.counter(session)
        if self._due(counter):
            with self._lock:
                if self._due(counter):
                    self._load(session)
        held = self._held
        return None if held is None else held.policy

    def judged_by(self, session: Session, version: str) -> Policy | str:
        """From what was recorded of the version: its packs, if the code that read them is still ours."""
        held = self.at(session)
        if held is not None and held.version == version:
            return held
        known = repository.recorded(session, version)
        if known is None:
            return _now(held)
        if known.code_hash != code_hash():
            return f"its packs are kept (set {known.content_hash[:12]}), but the code of that release is not here"
        found = governance.policy_of(session, known.content_hash)
        if found.version != version:
            raise PolicyError(f"what is recorded of policy {version[:12]} makes another one")
        return found

    def start(self) -> None:
        """Load the policy now, and record what its version stands for."""
        self._refresh()
        self._remember()

    def watch(self, stop: threading.Event) -> None:
        """Look at the count until `stop` is set: no request then waits for a policy to be read."""
        self._watched = True
        try:
            while not stop.wait(CHECK_SECONDS):
                before = self._held
                self._refresh()
                if self._held is not before:
                    self._remember()
                self._read_ahead()
        finally:
            self._watched = False

    def _refresh(self) -> None:
        self._checked_at = self._ticks()
        try:
            with unit_of_work.read(self._engine) as session:
                self.at(session)
        except (SQLAlchemyError, StorageError) as error:
            # What is held stays: nothing can be sent without the database anyway.
            if self._held is None:
                self._failure = f"the database cannot be asked for it: {error}"
            log.warning("policy.unknown", error_class=type(error).__name__)

    def _read_ahead(self) -> None:
        """Read what may be approved next: then an approval is in force without the second that reading takes."""
        try:
            with unit_of_work.read(self._engine) as session:
                for name in repository.in_review(session):
                    if name not in self._ahead:
                        self._ahead.add(name)
                        governance.readable(session, name)
        except (SQLAlchemyError, StorageError, PolicyError) as error:
            log.warning("policy.not_read_ahead", error_class=type(error).__name__)

    def _due(self, counter: int) -> bool:
        if self._held is None and self._seen == counter:
            return self._ticks() - self._tried_at >= RETRY_SECONDS
        return counter > self._seen

    def _load(self, session: Session) -> None:
        """Take what is in force, or shut the gate: the old one is not in force any more."""
        self._tried_at = self._ticks()
        counter = repository.counter(session)
        try:
            held = governance.in_force(session, packs=self.packs)
        except (SQLAlchemyError, StorageError):
            raise
        except (
            Exception
        ) as error:  # a stored pack may break the loader in ways that it does not foresee
            self._held, self._failure, self._seen = None, f"it cannot be loaded: {error}", counter
            log.error("policy.refused", reason=str(error), counter=counter)
            return
        self._held, self._failure, self._seen = held, None, held.counter
        number = governance.SHIPPED if held.revision is None else held.revision.id
        log.info("policy.in_force", number=number, version=held.policy.version)

    def _remember(self) -> None:
        held = self._held
        if held is None:
            return
        try:
            with unit_of_work.write(self._engine) as session:
                governance.remember(session, held, packs=self.packs, now=self._clock())
        except (SQLAlchemyError, StorageError) as error:
            log.warning("policy.not_recorded", error_class=type(error).__name__)


def _if_it_is(policy: Policy | None, version: str) -> Policy | None:
    return policy if policy is not None and policy.version == version else None


def _now(policy: Policy | None) -> str:
    return "no policy is loaded" if policy is None else f"the policy is now {policy.version[:12]}"
