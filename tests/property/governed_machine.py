"""A content team at work for months, as a Hypothesis state machine over the real store, index and policy (SQLite).

The machine keeps its own books of what was approved by whom, published, pulled, frozen and valid when. After every
step customers ask, through the function that serves suggestions, and nothing may be offered that the books forbid.
"""

from __future__ import annotations

import shutil
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from knowledge_base import publish
from knowledge_base.curation import authoring, verification
from knowledge_base.errors import FirstlineError
from knowledge_base.home import Home
from knowledge_base.index.encoder import Encoder, load_current_encoder
from knowledge_base.policy import Policy
from knowledge_base.snippet import SnippetContent
from knowledge_base.store import audit, migrate, repository, review
from knowledge_base.store.engine import open_engine, read_session, write_session
from suggest_api import flow
from suggest_api.compliance.holder import FixedPolicy
from suggest_api.flow import Desk, freezing
from suggest_api.metrics import Metrics
from suggest_api.settings import Settings
from suggest_api.suggestions.service import GenerationHolder
from suggest_api.values import Author, Facts, Message, SuggestionRequest, Use
from tests.conftest import NOW
from tests.fixtures_generation import CONTENT
from tests.starter_policy import starter_policy
from tests.tiny_encoder import install

# Snippets that the team works on, with their topics; the others of the small shop stay as they are.
TOPICS = {"stores.hours": "stores", "returns.how": "returns", "gift_cards.balance": "gift cards"}
AUTO_SEND = "stores.hours"
PATHS = {"returns": ("legal", "press")}  # the others need one approver
ENDINGS = ("", " Thank you.", " Ask us anything.", " See you soon.")
AUTHORS = ("ana", "tomas")
TEAMS = {"tomas": ("*",), "lena": ("legal",), "pavel": ("press",), "noor": ("*",)}
KEYS = st.sampled_from(sorted(TOPICS))
PEOPLE = st.sampled_from(sorted({*AUTHORS, *TEAMS}))
COUNTS: Counter[str] = Counter()  # what all machines of this process did


@dataclass
class Book:
    """What the machine itself knows of one revision."""

    id: int
    content: SnippetContent
    author: str
    state: str = "draft"
    signed: list[str] = field(default_factory=list)

    def valid(self, now: datetime) -> bool:
        content = self.content
        return (content.valid_from is None or content.valid_from <= now) and (
            content.valid_until is None or now < content.valid_until
        )


class Clock:
    """Time, which moves when the machine says so."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at


@cache
def policy() -> Policy:
    return starter_policy()


@cache
def template() -> Path:
    """A small shop: everything approved and published, review paths set. Each machine gets a copy."""
    folder = Path(mkdtemp(prefix="firstline-governed-"))
    home = Home.at(folder)
    engine = open_engine(home.database_url)
    migrate.upgrade(engine)
    texts: list[str] = list(ENDINGS)
    with write_session(engine) as session:
        for key, (title, text, examples) in CONTENT.items():
            content = SnippetContent(
                key=key, title=title, text=text, examples=examples, topic=TOPICS.get(key, "other"),
                auto_send=key == AUTO_SEND,
            )  # fmt: skip
            texts += [title, text, *examples]
            draft = repository.add_revision(session, content, author="ana", now=NOW)
            repository.submit(session, draft.id, by="ana", now=NOW)
            repository.approve(session, draft.id, by="noor", now=NOW, policy=policy())
        for topic, teams in PATHS.items():
            review.set_path(session, topic, teams, by="ruth", now=NOW)
    publish.build(home, engine, now=NOW, encoder=install(home, texts))
    engine.dispose()
    return folder


class Governed(RuleBasedStateMachine):
    """See the module."""

    @initialize()
    def open_shop(self) -> None:
        self.folder = Path(mkdtemp(prefix="firstline-governed-copy-"))
        shutil.rmtree(self.folder)
        shutil.copytree(template(), self.folder)
        self.home = Home.at(self.folder)
        self.engine = open_engine(self.home.database_url)
        self.encoder: Encoder = load_current_encoder(self.home)
        self.clock = Clock()
        self.desk = Desk(
            settings=Settings(home=self.folder, demo=True),
            engine=self.engine,
            clock=self.clock,
            policies=FixedPolicy(policy()),
            generations=GenerationHolder(self.home),
            metrics=Metrics(),
            channels={},
        )
        self.books: dict[str, list[Book]] = {}
        with read_session(self.engine) as session:
            for key in TOPICS:
                first = repository.snippet(session, key).revisions[0]
                self.books[key] = [
                    Book(first.id, first.content, "ana", state="approved", signed=["noor"])
                ]
        self.live = dict.fromkeys(TOPICS, 1)
        self.frozen: dict[int, str] = {}
        self.turn, self.moved = 0, True
        self.desk.generations.refresh(force=True)
        self.builds = {str(self.desk.generations.build_id): dict(self.live)}

    def teardown(self) -> None:
        if hasattr(self, "engine"):
            with read_session(self.engine) as session:
                assert audit.verify(session).intact
            self.engine.dispose()
            shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def step(self, name: str) -> Any:
        """One transaction; what the product refuses changes nothing, and the books stay as they are."""
        COUNTS["steps"] += 1
        try:
            with write_session(self.engine) as session:
                yield session
        except FirstlineError as error:
            COUNTS[f"{name}: {type(error).__name__}"] += 1
        else:
            COUNTS[name] += 1

    # Writing and review

    @rule(
        key=KEYS,
        author=st.sampled_from(AUTHORS),
        ending=st.sampled_from(ENDINGS),
        window=st.sampled_from([(None, None)] * 4 + [(5, None), (None, 20), (-3, 3), (10, 30)]),
        stale=st.integers(0, 9),
    )
    def write(
        self, key: str, author: str, ending: str, window: tuple[int | None, int | None], stale: int
    ) -> None:
        start, end = (None if d is None else self.clock.at + timedelta(days=d) for d in window)
        text = CONTENT[key][1].rstrip() + ending
        content = replace(self.books[key][0].content, text=text, valid_from=start, valid_until=end)
        base = len(self.books[key]) - (stale == 0)  # now and then somebody saw an older one
        with self.step("write") as session:
            saved = authoring.save_draft(
                session, content, author=author, based_on=base, now=self.clock.at
            )
        if saved_new(self.engine, key, self.books[key]):
            assert stale, "an edit was saved over a revision that its author had not seen"
            last = self.books[key][-1]
            if last.state == "draft" and last.author == author:
                last.state = "retired"
            assert last.state != "in_review", "a submitted revision was not frozen"
            self.books[key].append(Book(saved.id, content, author))

    @rule(key=KEYS, by=PEOPLE)
    def submit(self, key: str, by: str) -> None:
        book = self.books[key][-1]
        with self.step("submit") as session:
            authoring.submit(session, book.id, by=by, now=self.clock.at, policy=policy())
            assert (book.state, book.author) == ("draft", by)
            book.state, book.signed = "in_review", []

    @rule(key=KEYS, by=PEOPLE)
    def sign_off(self, key: str, by: str) -> None:
        book = self.books[key][-1]
        teams = TEAMS.get(by, ())
        with self.step("sign_off") as session:
            repository.approve(
                session, book.id, by=by, now=self.clock.at, policy=policy(), teams=teams
            )
            path = PATHS.get(TOPICS[key], ("",))
            assert book.state == "in_review"
            assert by != book.author, "author and approver are one person"
            assert by not in book.signed, "one person took two steps"
            team = path[len(book.signed)]
            assert "*" in teams or not team or team in teams, "another team signed off"
            book.signed.append(by)
            if len(book.signed) == len(path):
                book.state = "approved"

    @rule(key=KEYS)
    def goes_on(self, key: str) -> None:
        """The right person takes the next step, as people mostly do."""
        book = self.books[key][-1]
        if book.state == "draft":
            self.submit(key, book.author)
        elif book.state == "in_review":
            others = [p for p in TEAMS if p != book.author and p not in book.signed]
            path = PATHS.get(TOPICS[key], ("",))
            team = path[len(book.signed)]
            fitting = [p for p in others if not team or team in TEAMS[p] or "*" in TEAMS[p]]
            self.sign_off(key, fitting[0])

    @rule(key=KEYS)
    def goes_on_again(self, key: str) -> None:
        """Twice as likely."""
        self.goes_on(key)

    @rule(key=KEYS, by=PEOPLE, withdraw=st.booleans())
    def take_back(self, key: str, by: str, withdraw: bool) -> None:
        book = self.books[key][-1]
        with self.step("withdraw" if withdraw else "return") as session:
            if withdraw:
                repository.withdraw(session, book.id, by=by, now=self.clock.at)
            else:
                repository.return_to_author(
                    session, book.id, by=by, reason="too long", now=self.clock.at
                )
            assert book.state == "in_review"
            assert (by == book.author) == withdraw
            book.state = "draft"

    # What is live

    @rule(noticed=st.booleans())
    def publish_all(self, noticed: bool) -> None:
        COUNTS["steps"] += 1
        wanted = {key: self._newest(key) for key in TOPICS}
        report = publish.build(self.home, self.engine, now=self.clock.at, encoder=self.encoder)
        self.moved = True
        COUNTS["publish, another build" if report.built else "publish"] += 1
        self.live = {key: number for key, number in wanted.items() if number is not None}
        self.builds[report.build_id] = dict(self.live)
        if noticed:  # else the server goes on with the index that it has: the database decides
            self.desk.generations.refresh(force=True)

    @rule(data=st.data(), noticed=st.booleans())
    def roll_back(self, data: st.DataObject, noticed: bool) -> None:
        COUNTS["steps"] += 1
        build_id = data.draw(st.sampled_from(sorted(self.builds)))
        publish.rollback(self.home, self.engine, build_id, now=self.clock.at)
        COUNTS["roll_back"] += 1
        self.moved = True
        before = self.builds[build_id]
        self.live = {k: n for k, n in before.items() if self.books[k][n - 1].state == "approved"}
        if noticed:
            self.desk.generations.refresh(force=True)

    @rule(key=KEYS, by=PEOPLE)
    def recall(self, key: str, by: str) -> None:
        with self.step("recall") as session:
            repository.recall(session, key, by=by, reason="wrong", now=self.clock.at)
            self._gone(key, self.live.pop(key))
            self.moved = True

    @rule(key=KEYS, by=PEOPLE, back=st.integers(1, 4))
    def retire(self, key: str, by: str, back: int) -> None:
        number = max(1, len(self.books[key]) - back + 1)
        book = self.books[key][number - 1]
        with self.step("retire") as session:
            repository.retire(session, book.id, by=by, now=self.clock.at)
            was = book.state
            book.state = "retired"
            if self.live.get(key) == number:
                self._gone(key, self.live.pop(key))
            elif was == "approved":
                self._gone(key, number, since=self.live.get(key, 0))

    @rule(key=KEYS, by=st.sampled_from(AUTHORS))
    def reopen(self, key: str, by: str) -> None:
        with self.step("reopen") as session:
            fresh = repository.reopen(session, key, by=by, now=self.clock.at)
            assert all(book.state == "retired" for book in self.books[key])
            self.books[key].append(Book(fresh.id, fresh.content, by))

    @rule(key=KEYS, by=PEOPLE)
    def read_again(self, key: str, by: str) -> None:
        number = self.live.get(key)
        if number is None:
            return
        book = self.books[key][number - 1]
        with self.step("reverify") as session:
            verification.reverify(
                session, book.id, by=by, now=self.clock.at, teams=TEAMS.get(by, ())
            )
            assert by != book.author
            assert by in TEAMS

    @rule(topic=st.sampled_from(["", *sorted(TOPICS.values())]), drill=st.booleans())
    def freeze(self, topic: str, drill: bool) -> None:
        with self.step("drill" if drill else "freeze") as session:
            begun = freezing.freeze(
                self.desk, session, topic=topic, team="press", drill=drill, by="ruth",
                reason="incident", now=self.clock.at,
            )  # fmt: skip
            self.moved = True
            if not drill:
                self.frozen[begun.freeze.id] = topic

    @rule(data=st.data())
    def thaw(self, data: st.DataObject) -> None:
        if self.frozen:
            number = data.draw(st.sampled_from(sorted(self.frozen)))
            with self.step("thaw") as session:
                freezing.thaw(
                    self.desk, session, number, by="ruth", reason="over", now=self.clock.at
                )
                del self.frozen[number]

    @rule(days=st.sampled_from([1, 2, 4, 11, 21]))
    def time_passes(self, days: int) -> None:
        COUNTS["steps"] += 1
        COUNTS["time_passes"] += 1
        self.moved = True
        self.clock.at += timedelta(days=days)

    # What must hold

    @invariant()
    def nothing_is_offered_that_the_books_forbid(self) -> None:
        if not hasattr(self, "books"):
            return
        # What moved everything is asked about everything; else one snippet after the other.
        self.turn += 1
        every = sorted(TOPICS)
        keys = every if self.moved else [every[self.turn % len(every)]]
        self.moved = False
        for key in keys:
            self._ask(key, Use.AGENT)
        if self.turn % len(every) == 0:
            self._ask(AUTO_SEND, Use.ASSISTANT)

    def _ask(self, key: str, use: Use) -> None:
        answer = flow.suggest(self.desk, _asks(CONTENT[key][2][0], use))
        COUNTS["questions"] += 1
        for offer in answer.suggestions:
            COUNTS[f"offers to {use.value}"] += 1
            self._check(offer.snippet_key, offer.revision, offer.text, now=self.clock.at)

    def _check(self, key: str, number: int, text: str, *, now: datetime) -> None:
        frozen = set(self.frozen.values())
        assert "" not in frozen, f"{key} was offered while everything is frozen"
        if key not in TOPICS:
            return
        assert TOPICS[key] not in frozen, f"{key} was offered while its topic is frozen"
        assert self.live.get(key) == number, f"revision {number} of {key} is not published"
        book = self.books[key][number - 1]
        assert book.state == "approved", f"revision {number} of {key} is {book.state}"
        assert book.valid(now), f"revision {number} of {key} is not valid at {now}"
        assert text == book.content.text, "words were offered that nobody approved"

    def _newest(self, key: str) -> int | None:
        """What a publication makes live: the newest approved whose time has come, or the live one."""
        live = self.live.get(key)
        approved = [n for n, b in enumerate(self.books[key], 1) if b.state == "approved"]
        if live is None:
            return approved[-1] if approved else None
        begun = [n for n in approved if n == live or self._begun(key, n)]
        return begun[-1] if begun else None

    def _begun(self, key: str, number: int) -> bool:
        start = self.books[key][number - 1].content.valid_from
        return start is None or start <= self.clock.at

    def _gone(self, key: str, number: int, *, since: int = 0) -> None:
        """A revision went for good, and with it the approved ones that it had replaced."""
        self.books[key][number - 1].state = "retired"
        for n, book in enumerate(self.books[key], 1):
            if since < n < number and book.state == "approved":
                book.state = "retired"


def saved_new(engine: Any, key: str, books: list[Book]) -> bool:
    """Whether the store has a revision more than the books."""
    with read_session(engine) as session:
        return len(repository.snippet(session, key).revisions) > len(books)


def _asks(text: str, use: Use) -> SuggestionRequest:
    return SuggestionRequest(
        request_id="governed",
        channel="generic",
        conversation_id=None,
        messages=(Message(author=Author.CUSTOMER, text=text),),
        facts=Facts(first_name="Ana", order_number="QH-1048213"),
        limit=3,
        use=use,
    )


def profile(*, examples: int, steps: int) -> settings:
    """Settings of a run; failures are shrunk and shown, nothing is kept between runs."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
