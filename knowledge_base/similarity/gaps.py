"""What customers ask and no snippet answers: their questions in groups, with volume, trend and examples."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

import numpy as np

from knowledge_base.index.encoder import Vectors
from knowledge_base.progress import Progress, silent
from knowledge_base.ranking import Ranker
from knowledge_base.ranking.ranker import Eligible
from knowledge_base.similarity import space
from knowledge_base.similarity.clusters import cluster
from knowledge_base.similarity.space import Neighbour
from knowledge_base.snippet import folded

WEEK = timedelta(days=7)
EXAMPLES = 5  # questions shown of a group
MOST_PHRASINGS = (
    20  # offered for a new snippet; more hardly move its vectors, and nobody reads them
)
TWIN = 0.95  # cosine above which two phrasings are the same but for a word that carries nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question that got no suggestion, masked. `agent` says that an agent asked, not the assistant."""

    text: str
    at: datetime
    agent: bool = True
    channel: str = ""
    locale: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Questions that mean the same. `volume` counts them; `this_week` are the last seven days', `week_before`
    those of the seven before.

    `examples` are typical ones, the most typical first; `phrasings` (without marks, each different) are what a
    new snippet would begin with. `nearest` is the snippet nearest to their middle. `questions` are all of them,
    oldest first. `gap_id` stays while the oldest question stays.
    """

    gap_id: str
    volume: int
    this_week: int
    week_before: int
    first_seen: datetime
    last_seen: datetime
    by_agents: int
    examples: tuple[str, ...]
    phrasings: tuple[str, ...]
    nearest: Neighbour | None
    channels: tuple[str, ...]
    locale: str | None
    questions: tuple[Asked, ...] = field(repr=False)

    @property
    def trend(self) -> int:
        """Questions more (or fewer) than the week before."""
        return self.this_week - self.week_before


@dataclass(frozen=True, slots=True, kw_only=True)
class GapReport:
    """The gaps, largest first, as the generation `build_id` sees them.

    `questions` were read; `answered_now` of them would get a confident suggestion today and are in no gap.
    """

    build_id: str
    since: datetime
    until: datetime
    questions: int
    answered_now: int
    gaps: tuple[Gap, ...]

    def gap(self, gap_id: str) -> Gap | None:
        """The gap of this id."""
        return next((gap for gap in self.gaps if gap.gap_id == gap_id), None)


class Readings:
    """What was read of questions with one ranker, so that a page that is looked at again is quick.

    Safe to share between threads. Holds at most `most` questions (about 2 KB each), then begins again.
    """

    def __init__(self, *, most: int = 10_000) -> None:
        self._most = most
        self._read: dict[str, tuple[Vectors, str | None]] = {}
        self._lock = Lock()

    def read(self, ranker: Ranker, text: str) -> tuple[Vectors, str | None]:
        """The question's vector ([d]), and the key of what an agent would be offered first, if anything."""
        known = self._read.get(text)
        if known is None:
            words = space.words_of(text)
            ranking = ranker.rank([words], limit=1, use="agent")
            first = None if ranking.abstained else ranking.candidates[0].snippet_key
            known = (ranker.encoder.encode_one(words), first)
            with self._lock:
                if len(self._read) >= self._most:
                    self._read = {}
                self._read[text] = known
        return known


def find_gaps(
    ranker: Ranker,
    questions: Sequence[Asked],
    *,
    since: datetime,
    until: datetime,
    eligible: Eligible | None = None,
    readings: Readings | None = None,
    progress: Progress = silent,
) -> GapReport:
    """Group the questions that this generation does not answer for an agent either; largest groups first.

    `eligible` says which snippets may be offered (all of them unless told). The same questions and generation
    give the same groups.
    """
    read = readings or Readings()
    vectors: list[Vectors] = []
    open_: list[Asked] = []
    for done, asked in enumerate(questions, start=1):
        vector, answer = read.read(ranker, asked.text)
        if answer is None or (eligible is not None and answer not in eligible([answer])):
            open_.append(asked)
            vectors.append(vector)
        progress("Reading questions", done, len(questions))
    gaps = _gaps(ranker, open_, np.stack(vectors), until=until) if open_ else ()
    return GapReport(
        build_id=ranker.build_id,
        since=since,
        until=until,
        questions=len(questions),
        answered_now=len(questions) - len(open_),
        gaps=gaps,
    )


def choose_phrasings(
    texts: Sequence[str], vectors: Vectors, *, most: int = MOST_PHRASINGS
) -> tuple[int, ...]:
    """Places of texts that stand for all: the most typical one, then each time the one farthest from those chosen.

    `vectors` are unit vectors ([n, d]). Texts of the same words, and twins in meaning, are chosen once.
    """
    if not len(vectors):
        return ()
    first = int((vectors @ space.middle(vectors)).argmax())
    chosen = [first]
    words = {folded(texts[first])}
    nearest = vectors @ vectors[first]
    while len(chosen) < min(most, len(texts)):
        place = int(nearest.argmin())
        if nearest[place] >= TWIN:
            break
        nearest = np.maximum(nearest, vectors @ vectors[place])
        nearest[place] = 2.0  # looked at
        if folded(texts[place]) not in words:
            words.add(folded(texts[place]))
            chosen.append(place)
    return tuple(chosen)


def _gaps(
    ranker: Ranker, questions: Sequence[Asked], vectors: Vectors, *, until: datetime
) -> tuple[Gap, ...]:
    labels = cluster(vectors)
    order = np.argsort(labels, kind="stable")
    edges = np.searchsorted(labels[order], np.arange(labels.max() + 2))
    gaps = []
    for group in range(labels.max() + 1):
        members = order[edges[group] : edges[group + 1]]
        gaps.append(_gap(ranker, [questions[m] for m in members], vectors[members], until=until))
    return tuple(sorted(gaps, key=lambda g: (-g.volume, -g.last_seen.timestamp(), g.gap_id)))


def _gap(ranker: Ranker, asked: Sequence[Asked], vectors: Vectors, *, until: datetime) -> Gap:
    centre = space.middle(vectors)
    typical = np.argsort(-(vectors @ centre), kind="stable")
    plain = [space.words_of(one.text) for one in asked]
    phrasings = [plain[place] for place in choose_phrasings(plain, vectors)]
    examples = list(dict.fromkeys(asked[place].text for place in typical))[:EXAMPLES]
    times = [one.at for one in asked]
    locales = Counter(one.locale for one in asked if one.locale)
    return Gap(
        gap_id=hashlib.sha256(folded(asked[0].text).encode()).hexdigest()[:16],
        volume=len(asked),
        this_week=sum(at > until - WEEK for at in times),
        week_before=sum(until - 2 * WEEK < at <= until - WEEK for at in times),
        first_seen=min(times),
        last_seen=max(times),
        by_agents=sum(one.agent for one in asked),
        examples=tuple(examples),
        phrasings=tuple(phrasing for phrasing in phrasings if phrasing),
        nearest=next(iter(space.neighbours(ranker, ranker.head.project(centre), limit=1)), None),
        channels=tuple(sorted({one.channel for one in asked if one.channel})),
        locale=min(locales, key=lambda name: (-locales[name], name)) if locales else None,
        questions=tuple(asked),
    )
