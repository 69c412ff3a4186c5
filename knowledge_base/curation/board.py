"""The board: where every snippet stands, filtered and counted by the database, one page at a time."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    or_,
    select,
    type_coerce,
)
from sqlalchemy import text as sql
from sqlalchemy.orm import Session

from knowledge_base.curation.verification import SOON, due_before, newest_verification
from knowledge_base.snippet import Revision, Status
from knowledge_base.store import review
from knowledge_base.store.columns import canonical_json
from knowledge_base.store.revisions import COLUMNS, LIVE, TABLE, to_revision
from knowledge_base.workflow import SignOff, due_for_verification

PAGE_SIZE = 50
MOST_WORDS = 8  # of a search; each is one more look at every text
_ESCAPE = "\\"


class Column(StrEnum):
    """Where a snippet stands. One may stand in two: live, and with a newer draft."""

    ALL = "all"  # each snippet once: what is live of it, or else its newest revision
    DRAFT = "draft"
    IN_REVIEW = "in_review"
    WAITING = "waiting"  # approved, not published
    LIVE = "live"
    DUE = "due"  # live, and to be read again within two weeks
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardFilter:
    """Which snippets to show; what is empty or None asks nothing, several filters all hold.

    `channel` also finds those that are meant for every channel. `words` are parts of words, all of which stand
    somewhere in key, title, text or phrasings. `keys` are the only snippets looked at, `without` those left out:
    for searches by meaning and by use.
    """

    column: Column = Column.ALL
    topic: str = ""
    tag: str = ""
    owner: str = ""
    channel: str = ""
    locale: str = ""
    author: str = ""
    auto_send: bool | None = None
    words: str = ""
    written_before: datetime | None = None
    keys: Collection[str] | None = None
    without: Collection[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One revision on the board.

    In review, `path` are the teams that sign off ('' is any approver), `signed` the steps taken and `waits_for`
    the team whose turn it is; None elsewhere. `due_at` is there for what is live.
    """

    revision: Revision
    column: Column
    path: tuple[str, ...] = ()
    signed: tuple[SignOff, ...] = ()
    waits_for: str | None = None
    due_at: datetime | None = None
    overdue: bool = False

    @property
    def key(self) -> str:
        """The snippet's key."""
        return self.revision.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One page of a column, and how many there are in every column under the same filters."""

    cards: tuple[Card, ...]
    counts: Mapping[Column, int]
    page: int  # from 1
    pages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What there is to filter by, each in order of the alphabet."""

    topics: tuple[str, ...] = field(default=())
    tags: tuple[str, ...] = field(default=())
    owners: tuple[str, ...] = field(default=())
    channels: tuple[str, ...] = field(default=())
    locales: tuple[str, ...] = field(default=())
    authors: tuple[str, ...] = field(default=())


def board(session: Session, filters: BoardFilter, *, now: datetime, page: int = 1) -> Board:
    """A page of 50 cards of the filters' column, by key; a page beyond the last one is the last one."""
    dialect = session.get_bind().dialect.name
    wanted = _conditions(filters, dialect=dialect)
    counts = _counts(session, wanted, now=now)
    pages = max(1, -(-counts[filters.column] // PAGE_SIZE))
    page = min(max(1, page), pages)
    statement = (
        _listed(select(*COLUMNS, _verified.c.due_at), filters.column, now=now)
        .where(*wanted)
        .order_by(TABLE.c.snippet_key, TABLE.c.number)
        .limit(PAGE_SIZE)
        .offset((page - 1) * PAGE_SIZE)
    )
    rows = session.execute(statement).all()
    cards = _cards(session, rows, filters.column, now=now)
    return Board(cards=cards, counts=counts, page=page, pages=pages)


def choices(session: Session) -> Choices:
    """Every topic, tag, owner, channel, locale and author that a snippet in use has."""
    used = TABLE.c.status != Status.RETIRED.value

    def plain(name: str) -> tuple[str, ...]:
        found = session.scalars(select(TABLE.c[name]).where(used).distinct())
        return tuple(sorted(value for value in found if value))

    def lists(name: str) -> tuple[str, ...]:
        found = session.scalars(select(TABLE.c[name]).where(used).distinct())
        return tuple(sorted({value for values in found for value in values}))

    return Choices(
        topics=plain("topic"),
        tags=lists("tags"),
        owners=plain("owner"),
        channels=lists("channels"),
        locales=plain("locale"),
        authors=plain("author"),
    )


_verified = newest_verification().subquery("verified")
_other = TABLE.alias("other")


def _listed(statement: Select[Any], column: Column, *, now: datetime) -> Select[Any]:
    """The revisions of a column, with the verification that stands."""
    joined = statement.select_from(
        TABLE.outerjoin(_verified, _verified.c.revision_id == TABLE.c.id)
    )
    return joined.where(_in(column, now=now))


def _counts(
    session: Session, wanted: Sequence[ColumnElement[bool]], *, now: datetime
) -> dict[Column, int]:
    """How many stand in each column; counted in one look at the table, which is what takes the time."""
    sums = [
        func.coalesce(func.sum(case((_in(column, now=now), 1), else_=0)), 0) for column in Column
    ]
    statement = select(*sums).select_from(
        TABLE.outerjoin(_verified, _verified.c.revision_id == TABLE.c.id)
    )
    found = session.execute(statement.where(*wanted)).one()
    return {column: int(count) for column, count in zip(Column, found, strict=True)}


def _in(column: Column, *, now: datetime) -> ColumnElement[bool]:
    """What makes a revision stand in this column."""
    status = TABLE.c.status
    newest = ~_exists(_other.c.number > TABLE.c.number)
    conditions: dict[Column, ColumnElement[bool]] = {
        Column.ALL: or_(_live(), and_(newest, ~_exists(sql("other.live")))),
        Column.DRAFT: and_(status == Status.DRAFT.value, newest),
        # The constant is written out, so that SQLite uses the index of what is in review.
        Column.IN_REVIEW: and_(sql("revision.status = 'in_review'")),
        Column.WAITING: and_(
            status == Status.APPROVED.value,
            TABLE.c.live.is_(False),
            ~_exists(_other.c.number > TABLE.c.number, _other.c.status == Status.APPROVED.value),
        ),
        Column.LIVE: _live(),
        Column.DUE: and_(_live(), due_before(now + SOON, _verified.c.due_at)),
        Column.RETIRED: and_(
            status == Status.RETIRED.value,
            newest,
            ~_exists(_other.c.status != Status.RETIRED.value),
        ),
    }
    return conditions[column]


def _live() -> ColumnElement[bool]:
    return and_(LIVE)


def _exists(*conditions: Any) -> ColumnElement[bool]:
    """Whether the same snippet has another revision like that."""
    return exists(
        select(_other.c.id).where(_other.c.snippet_key == TABLE.c.snippet_key, *conditions)
    )


def _conditions(filters: BoardFilter, *, dialect: str) -> list[ColumnElement[bool]]:
    """The filters as SQL; what people typed is bound, and its wildcards are escaped."""
    found: list[ColumnElement[bool]] = [
        TABLE.c[name] == value
        for name in ("topic", "owner", "locale", "author")
        if (value := getattr(filters, name))
    ]
    if filters.tag:
        found.append(_names(TABLE.c.tags, filters.tag))
    if filters.channel:
        everywhere = _text(TABLE.c.channels) == "[]"
        found.append(or_(everywhere, _names(TABLE.c.channels, filters.channel)))
    if filters.auto_send is not None:
        found.append(TABLE.c.auto_send.is_(filters.auto_send))
    if filters.written_before is not None:
        found.append(TABLE.c.created_at < filters.written_before)
    if filters.keys is not None:
        found.append(TABLE.c.snippet_key.in_(_each(filters.keys, dialect=dialect)))
    if filters.without:
        found.append(TABLE.c.snippet_key.not_in(_each(filters.without, dialect=dialect)))
    found += [_says(word, dialect=dialect) for word in filters.words.split()[:MOST_WORDS]]
    return found


def _each(keys: Collection[str], *, dialect: str) -> Select[Any]:
    """The keys as one bound value: databases take some ten thousand values at most, and there may be more keys."""
    split = func.json_each if dialect == "sqlite" else func.json_array_elements_text
    given = bindparam(None, json.dumps(sorted(keys)), type_=Text)
    rows = split(given if dialect == "sqlite" else cast(given, JSON))
    return select(rows.table_valued("value").c.value)


def _says(word: str, *, dialect: str) -> ColumnElement[bool]:
    """Whether the word stands anywhere in the revision, in whatever case.

    SQLite, and PostgreSQL in the C locale, fold the case of ASCII letters alone: other words are looked for in
    their usual spellings.
    """
    spellings = {word}
    if not word.isascii():
        spellings |= {word.lower(), word.upper(), word.capitalize()}
    places = []
    for spelling in sorted(spellings):
        plain, quoted = _like(spelling), _like(canonical_json(spelling)[1:-1])
        for column in (TABLE.c.snippet_key, TABLE.c.title, TABLE.c.text):
            places.append(_alike(column, plain, dialect=dialect))
        places.append(_alike(_text(TABLE.c.examples), quoted, dialect=dialect))
    return or_(*places)


def _alike(column: ColumnElement[str], pattern: str, *, dialect: str) -> ColumnElement[bool]:
    if dialect == "sqlite":
        return column.like(pattern, escape=_ESCAPE)
    return column.ilike(pattern, escape=_ESCAPE)


def _names(column: ColumnElement[Any], value: str) -> ColumnElement[bool]:
    """Whether a list kept as canonical JSON has this value."""
    return _text(column).like(_like(canonical_json(value)), escape=_ESCAPE)


def _like(words: str) -> str:
    """A pattern that finds exactly these words anywhere."""
    for special in (_ESCAPE, "%", "_"):
        words = words.replace(special, _ESCAPE + special)
    return f"%{words}%"


def _text(column: ColumnElement[Any]) -> ColumnElement[str]:
    """A list as the text that the database keeps."""
    return type_coerce(column, Text)


def _cards(
    session: Session, rows: Sequence[Row[Any]], column: Column, *, now: datetime
) -> tuple[Card, ...]:
    revisions = [to_revision(row) for row in rows]
    paths = review.paths(session)
    signed = review.all_sign_offs(session, revisions)
    cards = []
    for row, revision in zip(rows, revisions, strict=True):
        due = due_for_verification(revision, verified_until=row.due_at) if revision.live else None
        asked = revision.status is Status.IN_REVIEW
        path = review.path_of(paths, revision.content.topic) if asked else ()
        steps = signed.get(revision.id, ())
        cards.append(
            Card(
                revision=revision,
                column=column,
                path=path,
                signed=steps,
                waits_for=path[len(steps)] if len(steps) < len(path) else None,
                due_at=due,
                overdue=due is not None and due <= now,
            )
        )
    return tuple(cards)
