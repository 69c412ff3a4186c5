"""Hold the generation that is in service, and swap it whole when a newer one is current."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from knowledge_base.curation.outlook import GoldenReadings
from knowledge_base.errors import FirstlineError
from knowledge_base.home import Home
from knowledge_base.index.encoder import Encoder
from knowledge_base.index.generation import current_build_id, load
from knowledge_base.ranking import Ranker
from knowledge_base.similarity.gaps import Readings
from suggest_api.logs import get_logger
from suggest_api.suggestions.live import LiveRevisions

# A content team that publishes waits at most this long; reading one small file a second costs nothing.
CHECK_SECONDS = 1.0
WATCH_SECONDS = 0.5  # between two looks of the thread that watches, where there is one
# A refused generation is tried again after this: its encoder may have been exported meanwhile. Verifying
# hashes some 100 MB, which no request should wait for more often.
RETRY_SECONDS = 60.0

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class InService:
    """One generation with the encoder that made it, ready to rank."""

    build_id: str
    encoder_fingerprint: str
    ranker: Ranker
    encoder: Encoder
    live: LiveRevisions = field(default_factory=LiveRevisions)
    readings: Readings = field(default_factory=Readings)
    golden: GoldenReadings = field(default_factory=GoldenReadings)


class GenerationHolder:
    """The generation in service. One that cannot be used is refused, and the last good one stays.

    Safe to share between threads: readers take one reference, a swap replaces it whole.
    """

    def __init__(self, home: Home, *, ticks: Callable[[], float] = time.monotonic) -> None:
        self._home = home
        self._ticks = ticks
        self._held: InService | None = None
        self._refused: str | None = None  # build id, so that it is told once
        self._failure: str | None = None
        self._checked_at = self._tried_at = float("-inf")
        self._lock = threading.Lock()
        self._watched = False

    @property
    def in_service(self) -> InService | None:
        """The newest usable generation; None until there is one."""
        if not self._watched:
            self.refresh()
        return self._held

    @property
    def held(self) -> InService | None:
        """The generation in service as it is now, without a look for a newer one."""
        return self._held

    @property
    def ranker(self) -> Ranker | None:
        """The ranker of the generation in service."""
        held = self.in_service
        return None if held is None else held.ranker

    @property
    def build_id(self) -> str | None:
        """The build id of the generation in service."""
        return None if self._held is None else self._held.build_id

    @property
    def failure(self) -> str | None:
        """Why the current generation is not in service, if it is not."""
        return self._failure

    def watch(self, stop: threading.Event) -> None:
        """Look at CURRENT until `stop` is set: no request then waits for a load, nor a swap for a request."""
        self._watched = True
        try:
            while not stop.wait(WATCH_SECONDS):
                with self._lock:
                    self._load_current(force=False)
        finally:
            self._watched = False

    def refresh(self, *, force: bool = False) -> None:
        """Look at CURRENT, at most once in CHECK_SECONDS, and load what it names if that is new."""
        if not force and self._ticks() - self._checked_at < CHECK_SECONDS:
            return
        # Whoever comes while another thread loads goes on with the generation in service.
        if not self._lock.acquire(blocking=force or self._held is None):
            return
        try:
            if force or self._ticks() - self._checked_at >= CHECK_SECONDS:
                self._load_current(force=force)
                self._checked_at = self._ticks()
        finally:
            self._lock.release()

    def _load_current(self, *, force: bool) -> None:
        build_id: str | None = None
        try:
            build_id = current_build_id(self._home)
            if build_id is None:
                self._failure = "nothing was built yet: run `firstline kb build`"
                return
            if build_id == self.build_id:
                self._failure = None
                return
            fresh = build_id != self._refused or self._ticks() - self._tried_at >= RETRY_SECONDS
            if not (fresh or force):
                return
            self._tried_at = self._ticks()
            loaded = self._load(build_id)
        except (FirstlineError, OSError) as error:
            self._refuse(build_id, error)
            return
        log.info("generation.loaded", build_id=build_id, before=self.build_id)
        self._held, self._refused, self._failure = loaded, None, None

    def _load(self, build_id: str) -> InService:
        generation = load(self._home, build_id)
        fingerprint = generation.encoder_fingerprint
        # The weights are the largest part of the process: one encoder serves all its generations.
        same = self._held is not None and self._held.encoder_fingerprint == fingerprint
        encoder = (
            self._held.encoder
            if same and self._held is not None
            else Encoder.load(self._home.encoders / fingerprint)
        )
        return InService(build_id, fingerprint, Ranker(generation, encoder), encoder)

    def _refuse(self, build_id: str | None, error: Exception) -> None:
        if build_id is None or build_id != self._refused:
            log.error(
                "generation.refused", build_id=build_id, reason=str(error), kept=self.build_id
            )
        self._refused, self._failure = build_id, str(error)
