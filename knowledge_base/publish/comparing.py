"""What a candidate is compared with: the live ranker, what may be offered from either, and the questions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from knowledge_base.errors import EncoderError, GenerationError, NotFound
from knowledge_base.home import Home
from knowledge_base.index import generation as generations
from knowledge_base.progress import Progress
from knowledge_base.publish.gate import GateQuestion, GateReport, Side, Source, compare
from knowledge_base.publish.generations import encoder_of
from knowledge_base.publish.limits import Limits
from knowledge_base.ranking.ranker import Eligible, Ranker
from knowledge_base.snippet import Revision
from knowledge_base.store import golden, merges, repository
from knowledge_base.store.engine import read_session

# Real questions, masked, with the snippet that an agent accepted as their answer. The service knows them.
Accepted = Callable[[Session], Iterable[tuple[str, str]]]


def nothing_accepted(_session: Session) -> Iterable[tuple[str, str]]:
    """Where nobody knows which suggestions were accepted."""
    return ()


def compared(
    home: Home,
    engine: Engine,
    candidate: Ranker,
    revisions: Sequence[Revision],
    *,
    base: str | None,
    now: datetime,
    limits: Limits,
    accepted: Accepted,
    progress: Progress,
) -> tuple[GateReport, str]:
    """The comparison of a built candidate with what is live (`base`), and the hash of what is live."""
    live, note = _live_ranker(home, base, candidate)
    with read_session(engine) as session:
        now_live = repository.all_live(session)
        gone = repository.given_up_keys(session)
        went = merges.successors(session, revisions)
        questions = _questions(session, accepted, went)
    valid = _valid(revisions, now=now) - went.keys()  # what is merged away retires with the switch
    ended = {revision.key for revision in revisions} - valid - went.keys()
    report = compare(
        None if live is None else Side(ranker=live, eligible=_among(_valid(now_live, now=now))),
        Side(ranker=candidate, eligible=_among(valid)),
        questions,
        limits=limits,
        gone=gone | ended,
        note=note,
        progress=progress,
    )
    return report, live_set(revision.id for revision in now_live)


def live_set(ids: Iterable[int]) -> str:
    """A hash of what is live, to notice that it changed."""
    return hashlib.sha256(",".join(map(str, sorted(ids))).encode()).hexdigest()[:16]


def _questions(
    session: Session, accepted: Accepted, went: Mapping[str, str]
) -> list[GateQuestion]:
    """The golden questions, then the accepted ones that are not among them; `went` is who answers for whom."""
    questions = [
        GateQuestion(
            text=q.question,
            expected_key=q.expected_key,
            must_pass=q.must_pass,
            merged_into=went.get(q.expected_key or ""),
        )
        for q in golden.in_use(session)
    ]
    known = {golden.folded(question.text) for question in questions}
    for text, key in accepted(session):
        if golden.folded(text) not in known:
            known.add(golden.folded(text))
            questions.append(
                GateQuestion(
                    text=text,
                    expected_key=key,
                    source=Source.ACCEPTED,
                    merged_into=went.get(key),
                )
            )
    return questions


def _live_ranker(home: Home, build_id: str | None, candidate: Ranker) -> tuple[Ranker | None, str]:
    """The ranker of what is live, and why there is none although something was published."""
    if build_id is None:
        return None, ""
    try:
        loaded = generations.load(home, build_id)
        # The same object where it can be: it keeps the vectors of the questions.
        same = loaded.encoder_fingerprint == candidate.encoder_fingerprint
        encoder = candidate.encoder if same else encoder_of(home, loaded)
        return Ranker(loaded, encoder), ""
    except (GenerationError, EncoderError, NotFound) as error:
        return (
            None,
            f"what is live cannot be opened, so there was nothing to compare with: {error}",
        )


def _valid(revisions: Iterable[Revision], *, now: datetime) -> set[str]:
    """The keys of those whose time has come and is not over."""
    return {
        revision.key
        for revision in revisions
        if (revision.content.valid_from is None or revision.content.valid_from <= now)
        and (revision.content.valid_until is None or now < revision.content.valid_until)
    }


def _among(keys: Collection[str]) -> Eligible:
    return lambda asked: [key for key in asked if key in keys]
