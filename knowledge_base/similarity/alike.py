"""How alike two snippets are: whether customers mean the same by their phrasings, and whether the texts agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from knowledge_base.index.encoder import Vectors
from knowledge_base.index.rows import KINDS, encodable
from knowledge_base.ranking import Ranker
from knowledge_base.similarity import space
from knowledge_base.similarity.contradictions import Clash, contradictions
from knowledge_base.snippet import Revision, SnippetContent, Status, base_key
from knowledge_base.store import repository

# Phrasings of two snippets mean the same when each finds its like among the other's: the mean best match, a
# cosine in the space of the index, is at least SAME, and nearly (SHARE) what it is among each snippet's own. So
# all the questions on gift cards, which lie close together, are not one. Of two halves of a category of Banking77
# or CLINC150 75 to 100 in 100 pass, of two categories at most 1 in 1,000 (docs/coverage.md).
SAME = 0.5
SHARE = 0.92
ALONE = 0.62  # where a snippet has one phrasing only, and so none to compare it with
RELATED = 0.35  # worth a look while writing
TEXT_ALIKE = 0.55  # cosine of two texts from which they say much the same
TEXT_TWIN = (
    0.85  # and nearly in the same words, so that it does not matter what they are an answer to
)
ROWS_EACH = 48  # nearest rows looked at for each text of what is being written
CANDIDATES = 32  # snippets that are compared whole
EXAMPLE, TEXT = KINDS.index("example"), KINDS.index("text")

Sort = Literal["contradiction", "duplicate", "same_question", "related"]
ORDER: tuple[Sort, ...] = ("contradiction", "duplicate", "same_question", "related")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alikeness:
    """Two snippets compared: how alike their phrasings are (`questions`) and their texts (`text`), as cosines.

    `same_question` says that customers mean the same by the phrasings; `clashes` are the words of the texts that
    contradict each other (first text first), looked for where customers could get either.
    """

    questions: float
    text: float
    same_question: bool
    clashes: tuple[Clash, ...] = ()

    @property
    def sort(self) -> Sort | None:
        """What that makes of them; None where they have little to do with each other."""
        if self.clashes:
            return "contradiction"
        if self.text >= TEXT_TWIN or (self.same_question and self.text >= TEXT_ALIKE):
            return "duplicate"
        if self.same_question:
            return "same_question"
        return "related" if max(self.questions, self.text) >= RELATED else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Similar:
    """A stored revision that is like what is being written; the clashes have the new text's words first."""

    revision: Revision
    alikeness: Alikeness

    @property
    def key(self) -> str:
        """The snippet's key."""
        return self.revision.key

    @property
    def sort(self) -> Sort:
        """Contradiction, duplicate, same question or related."""
        return self.alikeness.sort or "related"


@dataclass(frozen=True, slots=True)
class Rows:
    """A snippet's vectors in the space of the index: its phrasings ([n, d]) and its text ([d], zero without one).

    Without phrasings its title stands for them, and it is not `told` what customers ask. `within` is how near its
    phrasings are to each other, None with fewer than two.
    """

    asked: Vectors
    text: Vectors
    told: bool
    within: float | None


def find_similar(
    session: Session,
    ranker: Ranker,
    content: SnippetContent,
    *,
    beside: Sequence[Revision] = (),
    limit: int = 5,
) -> tuple[Similar, ...]:
    """What is like this content, while it is written and when it is submitted: contradictions first, then
    duplicates, then what answers the same question, then what is related.

    Compared are the live revisions that the generation knows, and those of `beside` (drafts and revisions in
    review). Its own snippet with its variants is left out, and so is what no customer could get in its place
    (another language, no common channel). tests/benchmarks/similarity times it.
    """
    mine = rows_of(ranker, content)
    found = [
        Similar(revision=revision, alikeness=compare(content, mine, revision.content, theirs))
        for revision, theirs in (
            *_indexed(session, ranker, mine),
            *((other, rows_of(ranker, other.content)) for other in beside),
        )
        if compete(content, revision.content)
    ]
    kept = {one.revision.id: one for one in found if one.alikeness.sort is not None}
    ordered = sorted(
        kept.values(),
        key=lambda s: (
            ORDER.index(s.sort),
            -max(s.alikeness.questions, s.alikeness.text),
            s.key,
        ),
    )
    return tuple(ordered[:limit])


def compete(one: SnippetContent, other: SnippetContent) -> bool:
    """Whether a customer could get either of them: not variants of one snippet, a common language and channel."""
    if base_key(one.key) == base_key(other.key):
        return False
    language, others = (c.locale.partition("-")[0].casefold() for c in (one, other))
    channels = not one.channels or not other.channels or set(one.channels) & set(other.channels)
    return language == others and bool(channels)


def compare(one: SnippetContent, mine: Rows, other: SnippetContent, theirs: Rows) -> Alikeness:
    """Compare two snippets with their rows."""
    questions = _overlap(mine.asked, theirs.asked)
    text = float(mine.text @ theirs.text)
    same = _same_question(questions, mine, theirs)
    clashing = same or text >= TEXT_TWIN
    return Alikeness(
        questions=round(questions, 4),
        text=round(text, 4),
        same_question=same,
        clashes=contradictions(one.text, other.text) if clashing else (),
    )


def rows_of(ranker: Ranker, content: SnippetContent) -> Rows:
    """Encode a content that the generation does not know."""
    told = [e for e in content.examples if encodable(e)]
    vectors = space.positions(ranker, [*(told or [content.title or content.text]), content.text])
    return _rows(vectors[:-1], vectors[-1], told=bool(told))


def indexed_rows(ranker: Ranker, position: int, edges: NDArray[np.int64]) -> Rows:
    """The rows of a snippet of the generation; `edges` are from `row_edges`."""
    generation = ranker.generation
    mine = np.arange(edges[position], edges[position + 1])
    kinds = generation.rows.kind[mine]
    vectors = np.asarray(generation.vectors[mine])
    asked = vectors[kinds == EXAMPLE]
    texts = vectors[kinds == TEXT]
    text = texts[0] if len(texts) else np.zeros(vectors.shape[1], np.float32)
    told = len(asked) > 0
    return _rows(asked if told else vectors[:1], text, told=told)


def row_edges(ranker: Ranker) -> NDArray[np.int64]:
    """Where each snippet's rows begin, and the end ([snippets + 1]): rows are stored snippet by snippet."""
    rows = ranker.generation.rows
    return np.searchsorted(rows.snippet, np.arange(len(rows.snippets) + 1)).astype(np.int64)


def _rows(asked: Vectors, text: Vectors, *, told: bool) -> Rows:
    within: float | None = None
    if told and len(asked) > 1:
        near = asked @ asked.T
        np.fill_diagonal(near, -1.0)
        within = float(near.max(axis=1).mean())
    return Rows(asked, text, told, within)


def _same_question(questions: float, mine: Rows, theirs: Rows) -> bool:
    if not (mine.told and theirs.told):
        return False
    known = [rows.within for rows in (mine, theirs) if rows.within is not None]
    if len(known) < 2:
        return questions >= max([ALONE, *(SHARE * within for within in known)])
    return questions >= max(SAME, SHARE * sum(known) / len(known))


def _overlap(mine: Vectors, theirs: Vectors) -> float:
    near = mine @ theirs.T
    return float((near.max(axis=1).mean() + near.max(axis=0).mean()) / 2)


def _indexed(session: Session, ranker: Ranker, mine: Rows) -> list[tuple[Revision, Rows]]:
    """The live revisions of the snippets with the nearest rows."""
    generation = ranker.generation
    weight = np.zeros(len(generation.rows.snippets))
    for vector in np.vstack([mine.asked, mine.text[None, :]]):
        hits = generation.index.search(vector, k=ROWS_EACH)
        best = np.zeros_like(weight)
        np.maximum.at(best, generation.rows.snippet[hits.rows], hits.similarities)
        weight += best
    positions = [int(p) for p in np.argsort(-weight, kind="stable")[:CANDIDATES] if weight[p] > 0]
    keys = {p: generation.rows.snippets[p].key for p in positions}
    live = repository.live_revisions(session, keys.values())
    edges = row_edges(ranker)
    return [(live[keys[p]], indexed_rows(ranker, p, edges)) for p in positions if keys[p] in live]


def open_revisions(session: Session, *, but: str, most: int = 50) -> list[Revision]:
    """The newest revisions that are in review or written on, of other snippets: what `beside` is for."""
    newest = [one.revisions[-1] for one in repository.snippets(session) if one.key != but]
    waiting = [r for r in newest if r.status in (Status.DRAFT, Status.IN_REVIEW)]
    return sorted(waiting, key=lambda r: r.created_at, reverse=True)[:most]
