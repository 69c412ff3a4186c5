"""A home that can be tuned: a tiny encoder, six approved snippets with phrasings, and a live generation."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sqlalchemy import Engine

from knowledge_base import publish
from knowledge_base.home import Home
from knowledge_base.index import export
from knowledge_base.snippet import SnippetContent
from knowledge_base.store import migrate, repository
from knowledge_base.store.engine import open_engine, write_session
from tests import tiny_bert
from tests.small_policy import small_policy

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
# Words that a snippet's customers use, and words that everybody uses.
TOPICS = {
    "cards.balance": "balance voucher giftcard left amount",
    "delivery.late": "parcel late waiting courier arrived",
    "delivery.change": "parcel address change courier redirect",
    "returns.how": "return back label boots refund",
    "returns.late": "refund waiting money late card",
    "stores.hours": "open sunday shop close hours",
}
FILLER = ("hello", "please", "my", "the", "is", "what", "how", "can", "you", "a", "i", "to", "for")
PHRASINGS = 12


def contents() -> list[SnippetContent]:
    """Phrasings of six words: two or three of the snippet's own among filler."""
    rng = np.random.default_rng(11)
    made = []
    for key, words in TOPICS.items():
        own = words.split()
        examples = []
        for _ in range(PHRASINGS):
            chosen = [*rng.choice(own, size=3, replace=False), *rng.choice(FILLER, size=3)]
            examples.append(" ".join(str(word) for word in rng.permutation(chosen)))
        title = key.replace(".", " ")
        text = f"Here is what to know about {own[0]}."
        made.append(SnippetContent(key=key, title=title, text=text, examples=tuple(examples)))
    return made


def prepare(folder: Path) -> Home:
    """Make such a home in `folder`; its encoder is exported from a model beside it."""
    home = Home.at(folder / "home")
    words = [*FILLER, *TOPICS.values(), "here what to know about", *TOPICS]
    model = tiny_bert.make(folder, words)
    export.export(home, str(model))
    engine = opened(home)
    approve(engine, contents())
    publish.build(home, engine, now=NOW)
    engine.dispose()
    return home


def opened(home: Home) -> Engine:
    """Its database, with all tables."""
    home.root.mkdir(parents=True, exist_ok=True)
    engine = open_engine(home.database_url)
    migrate.upgrade(engine)
    return engine


def approve(engine: Engine, wanted: list[SnippetContent]) -> None:
    """Write, submit and approve, by two people."""
    policy = small_policy()
    with write_session(engine) as session:
        for content in wanted:
            added = repository.add_revision(session, content, author="ana", now=NOW)
            repository.submit(session, added.id, by="ana", now=NOW)
            repository.approve(session, added.id, by="ben", now=NOW, policy=policy)
