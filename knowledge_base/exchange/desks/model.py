"""One canned text of another desk, before it becomes a row of ours (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A text as the other desk has it. `name` gives the key; `html` says how `text` is written.

    `skip` says why it is not meant to come along (inactive, an internal note); `fault` what is wrong with it as
    a whole. Either is empty otherwise.
    """

    line: int
    id: str
    name: str
    title: str = ""
    topic: str = ""
    tags: tuple[str, ...] = field(default=())
    text: str = ""
    html: bool = False
    skip: str = ""
    fault: str = ""
