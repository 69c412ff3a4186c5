"""The worker: works off stored events, lets the assistant answer, sends replies; any number may run at once."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable
from types import FrameType

from knowledge_base.errors import FirstlineError
from suggest_api.errors import StorageError
from suggest_api.flow import Desk
from suggest_api.flow.assigning import Assigner
from suggest_api.flow.assistant import converse
from suggest_api.flow.coverage import sweep_questions
from suggest_api.flow.delivery import deliver
from suggest_api.flow.operating import checkpoint, record_offers
from suggest_api.flow.publishing import prune, put_back, start_builder
from suggest_api.flow.reception import ingest
from suggest_api.logs import configure, get_logger
from suggest_api.storage import heartbeat, unit_of_work
from suggest_api.values import new_id

# Seconds between two looks at an empty queue: short enough that a customer does not notice it.
POLL_SECONDS = 0.15
# Seconds of rest after an error, so that a database that is gone is not asked a thousand times a second.
PAUSE_SECONDS = 1.0
# Seconds between two sweeps of what was kept long enough; an hour more or less does not matter.
SWEEP_SECONDS = 3600.0
# Seconds between two looks at whether a checkpoint of the audit chain is due, which is minutes at the least.
CHECKPOINT_LOOK_SECONDS = 20.0
# Seconds between two looks at whether a publication is due.
PUBLISH_LOOK_SECONDS = 0.5
# Seconds between two looks at who waits about something frozen: its team learns of it within 2 seconds.
ASSIGN_SECONDS = 1.0
# Seconds until the audit chain has what was offered; until then only the proof's own hash guards it.
RECORD_SECONDS = 5.0
# Seconds before another builder is started after one that did not come to its end.
BUILDER_PAUSE_SECONDS = 30.0
FINDING = 1  # exit code of a builder whose candidate was refused or could not be built
# Seconds that a worker has to finish what it is doing when it is asked to end.
DRAIN_SECONDS = 10.0

log = get_logger(__name__)


class Worker:
    """The threads of one worker process. What they do survives SIGKILL: the database knows all of it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._id = new_id()
        self._stop = threading.Event()
        settings = desk.settings
        self._threads = [
            self._thread("ingest", ingest),
            *(self._thread(f"converse-{n}", converse) for n in range(settings.bot_threads)),
            *(self._thread(f"deliver-{n}", deliver) for n in range(settings.send_threads)),
            threading.Thread(target=self._beat, name="heartbeat", daemon=True),
            threading.Thread(target=self._sweep, name="sweep", daemon=True),
            threading.Thread(target=self._publish, name="publish", daemon=True),
            self._every("assign", ASSIGN_SECONDS, Assigner(desk).step),
            self._every("record", RECORD_SECONDS, lambda: record_offers(desk)),
            threading.Thread(
                target=desk.policies.watch, args=(self._stop,), name="policy", daemon=True
            ),
        ]
        if settings.checkpoint_minutes:
            sign = threading.Thread(target=self._checkpoint, name="checkpoint", daemon=True)
            self._threads.append(sign)

    def start(self) -> None:
        """Start every thread."""
        log.info("worker.started", worker_id=self._id)
        self._desk.policies.start()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask every thread to end after what it is doing; returns at once."""
        self._stop.set()

    def wait(self) -> None:
        """Wait until `stop` is called; signal handlers run meanwhile."""
        # A wait without a limit would hold back signal handlers on some platforms.
        while not self._stop.wait(timeout=1.0):
            pass

    def join(self, *, seconds: float = DRAIN_SECONDS) -> bool:
        """Wait for the threads to end; False if some had not when the time was up.

        What is cut off then is done by the next worker, after its lease has run out.
        """
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(timeout=max(0.0, end - time.monotonic()))
        drained = not any(thread.is_alive() for thread in self._threads)
        log.info("worker.stopped", worker_id=self._id, drained=drained)
        return drained

    def _thread(self, name: str, step: Callable[[Desk], bool]) -> threading.Thread:
        # Daemons: a send that hangs beyond the drain must not keep the process.
        return threading.Thread(target=self._loop, args=(name, step), name=name, daemon=True)

    def _every(self, name: str, seconds: float, step: Callable[[], object]) -> threading.Thread:
        """A thread that takes a step now and then, whatever became of the one before."""

        def again() -> None:
            while not self._stop.wait(seconds):
                try:
                    step()
                except Exception as error:
                    log.error("worker.failed", loop=name, error_class=type(error).__name__)
                    self._stop.wait(PAUSE_SECONDS)

        return threading.Thread(target=again, name=name, daemon=True)

    def _loop(self, name: str, step: Callable[[Desk], bool]) -> None:
        while not self._stop.is_set():
            try:
                worked = step(self._desk)
            except StorageError as error:
                log.warning("worker.storage", loop=name, error_class=type(error).__name__)
                self._stop.wait(PAUSE_SECONDS)
            except Exception as error:
                # One bad row must not end the thread that serves all the others.
                log.error("worker.failed", loop=name, exc_info=error)
                self._stop.wait(PAUSE_SECONDS)
            else:
                if not worked:
                    self._stop.wait(POLL_SECONDS)

    def _beat(self) -> None:
        while True:
            self._say(heartbeat.beat)
            if self._stop.wait(heartbeat.BEAT_SECONDS):
                self._say(heartbeat.stop)
                return

    def _sweep(self) -> None:
        while not self._stop.is_set():
            try:
                swept = sweep_questions(self._desk)
                log.info("worker.swept", rows=swept, candidates=prune(self._desk))
            except Exception as error:
                log.warning("worker.sweep", error_class=type(error).__name__)
            self._stop.wait(SWEEP_SECONDS)

    def _publish(self) -> None:
        """Has what was requested built in a process of its own, one at a time."""
        builder: subprocess.Popen[bytes] | None = None
        pause = PUBLISH_LOOK_SECONDS
        while not self._stop.wait(pause):
            pause = PUBLISH_LOOK_SECONDS
            try:
                if builder is None:
                    put_back(self._desk)
                    builder = start_builder(self._desk)
                elif builder.poll() is not None:
                    if builder.returncode not in (0, FINDING):  # it could not even say why
                        log.error("publication.builder_died", code=builder.returncode)
                        pause = BUILDER_PAUSE_SECONDS
                    builder = None
            except Exception as error:
                log.error("worker.failed", loop="publish", error_class=type(error).__name__)
                pause = PAUSE_SECONDS
        if builder is not None:
            builder.terminate()  # another worker finds the publication and begins again
            builder.wait()

    def _checkpoint(self) -> None:
        """Signs the end of the audit chain now and then; what keeps it from that is told, and tried again."""
        pause = CHECKPOINT_LOOK_SECONDS
        while not self._stop.wait(pause):
            pause = CHECKPOINT_LOOK_SECONDS
            try:
                if checkpoint(self._desk):
                    log.info("audit.checkpoint")
            except FirstlineError as error:
                log.error("audit.no_checkpoint", error_class=type(error).__name__, why=str(error))
                # It needs a person: as often as a checkpoint would be made is often enough to say so.
                pause = self._desk.settings.checkpoint_minutes * 60.0
            except Exception as error:
                log.error("worker.failed", loop="checkpoint", exc_info=error)

    def _say(self, sign: Callable[..., None]) -> None:
        try:
            with unit_of_work.write(self._desk.engine) as session:
                sign(session, self._id, now=self._desk.clock())
        except Exception as error:
            log.warning("worker.heartbeat", error_class=type(error).__name__)


def run(desk: Desk) -> int:
    """Work until SIGTERM or SIGINT, then finish what is in flight within 10 s; 0 if all of it was.

    Call it from the main thread: signals are heard there only.
    """
    configure(level=desk.settings.log_level, form=desk.settings.log_format)
    worker = Worker(desk)

    def end(_number: int, _frame: FrameType | None) -> None:
        worker.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    worker.start()
    worker.wait()
    return 0 if worker.join() else 1
