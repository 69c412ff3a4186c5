"""What tuning learns from: every approved text with its snippet, and the phrasings kept back to watch it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from knowledge_base.errors import NothingToTune
from knowledge_base.index.rows import KINDS, collect
from knowledge_base.index.sealed import canonical
from knowledge_base.snippet import Revision

EXAMPLE = KINDS.index("example")
HELD_OUT = 0.1  # share of the phrasings; all others are learnt from
MAX_HELD_OUT = 1000  # more tell no more, and each epoch encodes them
MIN_SNIPPETS = 2  # one snippet has nothing to be told apart from
MIN_PHRASINGS = 20  # with fewer, two or three held-out ones would decide, which is chance


@dataclass(frozen=True, slots=True)
class Material:
    """Texts with the positions of their snippets: `texts` to learn from, `held_texts` to watch with.

    `phrasings` counts customers' phrasings in both; `digest` is the SHA-256 of all of it.
    """

    texts: tuple[str, ...]
    owner: NDArray[np.int32]
    held_texts: tuple[str, ...]
    held_owner: NDArray[np.int32]
    snippets: int
    phrasings: int
    digest: str


def gather(revisions: Sequence[Revision], *, seed: int) -> Material:
    """Titles, texts and phrasings of these revisions, slots left out, one tenth of the phrasings kept back.

    No snippet gives its last two phrasings away. Raises NothingToTune where there is too little to learn from.
    """
    rows, texts = collect(revisions)
    examples = np.flatnonzero(rows.kind == EXAMPLE)
    with_phrasings = len(np.unique(rows.snippet[examples]))
    if with_phrasings < MIN_SNIPPETS or len(examples) < MIN_PHRASINGS:
        raise NothingToTune(
            f"there are {len(examples)} approved phrasings of {with_phrasings} snippets: tuning needs"
            f" at least {MIN_PHRASINGS} phrasings of {MIN_SNIPPETS} snippets. Add phrasings that customers use"
        )
    held = _held_out(rows.snippet, examples, seed=seed)
    kept = np.setdiff1d(np.arange(len(texts)), held)
    content = [[int(owner), text] for owner, text in zip(rows.snippet, texts, strict=True)]
    return Material(
        texts=tuple(texts[i] for i in kept),
        owner=rows.snippet[kept],
        held_texts=tuple(texts[i] for i in held),
        held_owner=rows.snippet[held],
        snippets=len(rows.snippets),
        phrasings=len(examples),
        digest=hashlib.sha256(canonical([content, held.tolist()])).hexdigest(),
    )


def _held_out(
    owner: NDArray[np.int32], examples: NDArray[np.int64], *, seed: int
) -> NDArray[np.int64]:
    """Rows of the phrasings kept back, spread over the snippets that have the most of them left."""
    rng = np.random.default_rng(seed)
    left = np.bincount(owner[examples], minlength=int(owner.max()) + 1)
    wanted = min(round(len(examples) * HELD_OUT), MAX_HELD_OUT)
    of: dict[int, list[int]] = {}
    for row in rng.permutation(examples):
        of.setdefault(int(owner[row]), []).append(int(row))
    chosen: list[int] = []
    # A snippet's turn comes with a chance that grows with its phrasings; two always stay.
    turns = rng.permutation(np.repeat(np.arange(len(left)), np.maximum(left - 2, 0)))
    for snippet in turns[:wanted]:
        chosen.append(of[int(snippet)].pop())
    return np.sort(np.asarray(chosen, dtype=np.int64))
