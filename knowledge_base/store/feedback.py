"""What agents took of what they were offered, counted from the drafts in the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from sqlalchemy import Engine, case, column, func, select, table

from knowledge_base.store.engine import read_session

# The service's table (suggest_api.storage), of which only these columns are read: the knowledge base does not
# know the service, and shares the database with it.
_DRAFT = table(
    "draft",
    column("request_id"),
    column("use"),
    column("rank"),
    column("snippet_key"),
    column("state"),
)
_TAKEN = ("edited", "accepted", "sent")


def choices(engine: Engine) -> Mapping[str, Mapping[int, tuple[int, int]]]:
    """For each snippet key and place: how often agents were offered it there, and how often they took it.

    Only requests of which a draft was decided count: where nobody looked, nothing was refused. What the
    assistant sends by itself is nobody's choice.
    """
    decided = select(_DRAFT.c.request_id).where(
        _DRAFT.c.use == "agent", _DRAFT.c.state != "proposed"
    )
    taken = func.sum(case((_DRAFT.c.state.in_(_TAKEN), 1), else_=0))
    statement = (
        select(_DRAFT.c.snippet_key, _DRAFT.c.rank, func.count(), taken)
        .where(_DRAFT.c.use == "agent", _DRAFT.c.request_id.in_(decided))
        .group_by(_DRAFT.c.snippet_key, _DRAFT.c.rank)
    )
    found: defaultdict[str, dict[int, tuple[int, int]]] = defaultdict(dict)
    with read_session(engine) as session:
        for key, place, offered, chosen in session.execute(statement):
            found[key][int(place)] = (int(offered), int(chosen))
    return dict(found)
