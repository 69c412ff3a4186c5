"""Which texts of which snippet become vectors, and how a vector's row leads back to them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from knowledge_base.index.sealed import SealBroken, canonical
from knowledge_base.snippet import Revision

Kind = Literal["title", "text", "example"]
KINDS: tuple[Kind, ...] = ("title", "text", "example")
# A slot carries no meaning that a question could share, and any example value would draw the vector
# towards itself (every text with an order number towards that number), so slots are left out.
_SLOT = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True, slots=True)
class RowRef:
    """Where a row's text stands in its revision; `index` counts the examples from 0."""

    kind: Kind
    index: int


@dataclass(frozen=True, slots=True)
class IndexedSnippet:
    """A revision as the generation knows it; whether it may be offered is the database's to say.

    `slots` are the names of the facts that its text needs.
    """

    key: str
    revision_id: int
    revision: int
    content_hash: str
    topic: str = ""
    slots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RowTable:
    """The snippets in order of key and, for every vector, its snippet, kind and place (equal lengths)."""

    snippets: tuple[IndexedSnippet, ...]
    snippet: NDArray[np.int32]
    kind: NDArray[np.int8]
    place: NDArray[np.int32]

    def ref(self, row: int) -> RowRef:
        """What the row was made of."""
        return RowRef(KINDS[int(self.kind[row])], int(self.place[row]))

    @property
    def counts(self) -> NDArray[np.int64]:
        """Rows of each snippet."""
        return np.bincount(self.snippet, minlength=len(self.snippets)).astype(np.int64)

    def to_json(self) -> bytes:
        """The file `rows.json`."""
        return canonical(
            {
                "snippets": [
                    [s.key, s.revision_id, s.revision, s.content_hash, s.topic, list(s.slots)]
                    for s in self.snippets
                ],
                "snippet": self.snippet.tolist(),
                "kind": self.kind.tolist(),
                "place": self.place.tolist(),
            }
        )

    @classmethod
    def from_json(cls, raw: bytes) -> RowTable:
        """Read `rows.json`. Raises SealBroken when it does not describe rows."""
        try:
            data: dict[str, Any] = json.loads(raw)
            snippets = tuple(
                IndexedSnippet(
                    str(key),
                    int(rid),
                    int(number),
                    str(digest),
                    str(topic),
                    tuple(map(str, slots)),
                )
                for key, rid, number, digest, topic, slots in data["snippets"]
            )
            table = cls(
                snippets,
                np.asarray(data["snippet"], dtype=np.int32),
                np.asarray(data["kind"], dtype=np.int8),
                np.asarray(data["place"], dtype=np.int32),
            )
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise SealBroken(f"rows.json cannot be read: {error}") from None
        if not len(table.snippet) == len(table.kind) == len(table.place):
            raise SealBroken("rows.json has columns of different lengths")
        if len(table.snippet) and not 0 <= table.snippet.min() <= table.snippet.max() < len(
            snippets
        ):
            raise SealBroken("rows.json names a snippet that it does not list")
        return table


def collect(revisions: Sequence[Revision]) -> tuple[RowTable, list[str]]:
    """The rows of these revisions in order of key, and the text to encode for each row.

    The same words twice in one snippet make one row. Slots are left out before encoding.
    """
    ordered = sorted(revisions, key=lambda revision: revision.key)
    columns: list[tuple[int, int, int]] = []
    texts: list[str] = []
    for position, revision in enumerate(ordered):
        seen: set[str] = set()
        for kind, place, text in _texts(revision):
            plain = encodable(text)
            if plain and plain.casefold() not in seen:
                seen.add(plain.casefold())
                columns.append((position, kind, place))
                texts.append(plain)
    table = np.asarray(columns, dtype=np.int32).reshape(-1, 3)
    snippets = tuple(
        IndexedSnippet(
            r.key, r.id, r.number, r.content_hash, r.content.topic, _slots(r.content.text)
        )
        for r in ordered
    )
    return RowTable(
        snippets, table[:, 0].copy(), table[:, 1].astype(np.int8), table[:, 2].copy()
    ), texts


def encodable(text: str) -> str:
    """The text without its slots, spaces made single."""
    return " ".join(_SLOT.sub(" ", text).split())


def _slots(text: str) -> tuple[str, ...]:
    """Like `wording.slots_in`, for a text that was approved: nothing is checked again."""
    return tuple(dict.fromkeys(name[1:-1] for name in _SLOT.findall(text)))


def _texts(revision: Revision) -> list[tuple[int, int, str]]:
    content = revision.content
    rows = [(0, 0, content.title), (1, 0, content.text)]
    return rows + [(2, place, example) for place, example in enumerate(content.examples)]
