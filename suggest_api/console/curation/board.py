"""The board: every snippet by where it stands, with filters, search and paging, and what has to be read again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from knowledge_base.curation import board as boards
from knowledge_base.curation import verification
from knowledge_base.curation.board import BoardFilter, Card, Column
from knowledge_base.errors import ContentError, NotFound, WorkflowError
from knowledge_base.similarity import space
from knowledge_base.store.tables import SnippetRow
from suggest_api.access.model import Identity
from suggest_api.access.permissions import Action
from suggest_api.console.curation import frame
from suggest_api.console.curation.frame import Notice, told
from suggest_api.console.guards import OwnForm, desk_of, require
from suggest_api.console.render import see_other
from suggest_api.console.sections import KNOWLEDGE
from suggest_api.flow import Desk, usage
from suggest_api.problems import problem_of
from suggest_api.storage import unit_of_work

router = APIRouter(prefix=KNOWLEDGE)

Sees = Annotated[Identity, Depends(require(Action.VIEW_KNOWLEDGE))]
Text = Annotated[str, Query(max_length=200)]
BY_MEANING = 30  # snippets that a search by meaning gives; the ones after are unlike the question
TABS = {
    Column.ALL: "All",
    Column.LIVE: "Live",
    Column.DRAFT: "Drafts",
    Column.IN_REVIEW: "In review",
    Column.WAITING: "To publish",
    Column.DUE: "Read again",
    Column.RETIRED: "Out of use",
}
UNUSED = {"": "used or not", "offered": "not offered", "taken": "offered or not, not taken"}
PERIODS = {30: "a month", 90: "three months", 365: "a year"}  # days
AGES = {0: "any age", 30: "a month", 90: "three months", 365: "a year"}  # days


@router.get("")
def show(
    request: Request,
    who: Sees,
    tab: Column = Column.ALL,
    q: Text = "",
    by: Annotated[str, Query(pattern="^(words|meaning)$")] = "words",
    topic: Text = "",
    tag: Text = "",
    owner: Text = "",
    author: Text = "",
    channel: Text = "",
    locale: Text = "",
    use: Annotated[str, Query(pattern="^(|assistant|agents)$")] = "",
    older: Annotated[int, Query(ge=0, le=3650)] = 0,
    unused: Annotated[str, Query(pattern="^(|offered|taken)$")] = "",
    within: Annotated[int, Query(ge=1, le=3650)] = 90,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """The list that the filters ask for, with counts."""
    desk = desk_of(request)
    filters = BoardFilter(
        column=tab,
        topic=topic,
        tag=tag,
        owner=owner,
        author=author,
        channel=channel,
        locale=locale,
        auto_send=None if not use else use == "assistant",
        written_before=desk.clock() - timedelta(days=older) if older else None,
    )
    asked = {
        "tab": tab.value,
        "q": q.strip(),
        "by": by,
        "topic": topic,
        "tag": tag,
        "owner": owner,
        "author": author,
        "channel": channel,
        "locale": locale,
        "use": use,
        "older": older or "",
        "unused": unused,
        "within": within if unused else "",
    }
    with unit_of_work.read(desk.engine) as session:
        near = _near(desk, q.strip()) if by == "meaning" else None
        searched = replace(
            filters,
            keys=near if near is not None and q.strip() else None,
            words="" if near is not None else q,
            without=_used(desk, session, unused, days=within),
        )
        return _draw(desk, session, who, searched, asked, near=near or (), page=page)


@router.post("/verify-again")
def verify_again(
    request: Request,
    who: Annotated[Identity, Depends(OwnForm(Action.REVERIFY))],
    revision: Annotated[int, Form(ge=1, lt=2**63)],
) -> Response:
    """Stand by a live snippet for another quarter."""
    desk = desk_of(request)
    try:
        with unit_of_work.write(desk.engine) as session:
            verification.reverify(
                session, revision, by=who.name, now=desk.clock(), teams=who.teams
            )
    except (ContentError, WorkflowError, NotFound) as error:
        with unit_of_work.read(desk.engine) as session:
            return _draw(
                desk,
                session,
                who,
                BoardFilter(column=Column.DUE),
                _nothing_asked(Column.DUE),
                notice=told(str(error), kind="bad"),
                status=problem_of(error).status,
            )
    return see_other(f"{KNOWLEDGE}?tab={Column.DUE.value}")


def _nothing_asked(tab: Column) -> dict[str, Any]:
    names = (
        "q",
        "topic",
        "tag",
        "owner",
        "author",
        "channel",
        "locale",
        "use",
        "older",
        "unused",
        "within",
    )
    return {"tab": tab.value, "by": "words", **dict.fromkeys(names, "")}


def _used(desk: Desk, session: Session, unused: str, *, days: int) -> Collection[str]:
    """What a filter for unused snippets leaves out; nothing when it is not asked for."""
    if not unused:
        return ()
    since = desk.clock() - timedelta(days=days)
    return usage.used(session, since=since, taken=unused == "taken")


def _near(desk: Desk, question: str) -> tuple[str, ...] | None:
    """The keys nearest in meaning, nearest first; None while nothing is in service."""
    ranker = desk.generations.ranker
    if ranker is None or not question:
        return None
    vector = space.positions(ranker, [question])[0]
    return tuple(one.key for one in space.neighbours(ranker, vector, limit=BY_MEANING))


def _draw(
    desk: Desk,
    session: Session,
    who: Identity,
    filters: BoardFilter,
    asked: Mapping[str, Any],
    *,
    near: Sequence[str] = (),
    page: int = 1,
    notice: Notice | None = None,
    status: int = 200,
) -> Response:
    found = boards.board(session, filters, now=desk.clock(), page=page)
    values = {
        "cards": _ordered(found.cards, near),
        "tabs": [(name.value, words, found.counts[name]) for name, words in TABS.items()],
        "asked": asked,
        "choices": boards.choices(session),
        "ages": AGES,
        "unused": UNUSED,
        "periods": PERIODS,
        "page_number": found.page,
        "pages": found.pages,
        "nothing_yet": session.scalar(select(SnippetRow.key).limit(1)) is None,
        "address": lambda **more: _address({**asked, **more}),
    }
    return frame.draw(
        session, who, "board.html", section="board", values=values, notice=notice, status=status
    )


def _ordered(cards: Sequence[Card], near: Sequence[str]) -> list[Card]:
    """By key, or the nearest in meaning first."""
    places = {key: place for place, key in enumerate(near)}
    return sorted(cards, key=lambda card: places.get(card.key, len(places)))


def _address(query: Mapping[str, Any]) -> str:
    kept = {name: value for name, value in query.items() if value not in ("", None, "all")}
    if not kept.get("q"):
        kept.pop("by", None)
    return f"{KNOWLEDGE}?{urlencode(kept)}" if kept else KNOWLEDGE
