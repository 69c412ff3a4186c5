"""The people who write, approve and answer: a name is enough, a sign-in is a separate thing."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from knowledge_base.errors import ContentError
from knowledge_base.store.tables import NAME, PersonRow


def ensure_person(session: Session, name: str, *, now: datetime) -> str:
    """Create the person unless there already is one of this name; returns the name as it is kept.

    White space around and inside is folded to single spaces. Raises ContentError for an empty name, one of
    more than 120 code points, or one with characters that cannot be seen.
    """
    kept = " ".join(name.split())
    if not kept:
        msg = "a person's name is empty: give a name, for example --author 'Ana Lima'"
        raise ContentError(msg)
    if len(kept) > NAME:
        msg = f"a person's name has {len(kept)} characters: the most is {NAME}"
        raise ContentError(msg)
    if not kept.isprintable():
        msg = f"a person's name has characters that cannot be seen: {ascii(kept)}"
        raise ContentError(msg)
    # Two imports at once may name the same new person: the second insert is no error.
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    session.execute(insert(PersonRow).values(name=kept, created_at=now).on_conflict_do_nothing())
    return kept
