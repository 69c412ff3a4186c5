"""The space of a generation's index for other texts: where they lie in it, and which snippets are near."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from knowledge_base.index.encoder import Vectors
from knowledge_base.index.rows import encodable
from knowledge_base.masking import without_marks
from knowledge_base.ranking import Ranker
from knowledge_base.ranking.query import MAX_MESSAGE
from knowledge_base.ranking.scoring import unit

ROWS_LOOKED_AT = 64  # for the nearest few snippets: phrasings of one lie together


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A snippet of the generation, and the cosine similarity of its nearest row in the index's space (-1 to 1)."""

    key: str
    similarity: float


def positions(ranker: Ranker, texts: Sequence[str]) -> Vectors:
    """Unit vectors ([n, d]) of texts in the space of the index; marks and slots are left out before encoding."""
    if not texts:
        return np.zeros((0, ranker.encoder.dimension), dtype=np.float32)
    encoded = np.stack([ranker.encoder.encode_one(words_of(text)) for text in texts])
    return ranker.head.project(encoded)


def words_of(text: str) -> str:
    """What of a text is encoded."""
    return encodable(without_marks(text[:MAX_MESSAGE]))


def middle(vectors: Vectors) -> Vectors:
    """The unit vector in the middle of unit vectors ([n, d] to [d])."""
    return unit(vectors.sum(axis=0))


def neighbours(ranker: Ranker, vector: Vectors, *, limit: int = 3) -> tuple[Neighbour, ...]:
    """The nearest snippets of the generation, nearest first."""
    generation = ranker.generation
    hits = generation.index.search(vector, k=ROWS_LOOKED_AT)
    found: dict[str, float] = {}
    for row, similarity in zip(hits.rows.tolist(), hits.similarities.tolist(), strict=True):
        key = generation.rows.snippets[int(generation.rows.snippet[row])].key
        found.setdefault(key, round(similarity, 4))
    return tuple(Neighbour(key, near) for key, near in list(found.items())[:limit])
