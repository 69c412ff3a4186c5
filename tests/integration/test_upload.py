"""An upload from the browser: planned from bytes with every bad row named, applied later or not at all."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from knowledge_base import exchange
from knowledge_base.errors import ImportRefused, SamePerson, StaleRevision
from knowledge_base.exchange import Upload, plan_upload
from knowledge_base.snippet import Status
from knowledge_base.store import audit, repository
from knowledge_base.store.engine import read_session, write_session
from tests.small_policy import small_policy

POLICY = small_policy()
GOOD = b"key,text,topic\norders.track,You can follow it,orders\norders.cancel,Too late,orders\n"


class Page:
    """What the page does: plan in a snapshot, apply in a transaction."""

    def __init__(self, engine: Engine, now: datetime) -> None:
        self.engine = engine
        self.now = now

    def plan(
        self,
        data: bytes,
        *,
        name: str = "f.csv",
        author: str = "Ana",
        approve_as: str | None = None,
    ) -> Upload:
        with read_session(self.engine) as session:
            return plan_upload(
                data,
                filename=name,
                session=session,
                policy=POLICY,
                author=author,
                approve_as=approve_as,
                now=self.now,
            )

    def apply(self, upload: Upload) -> None:
        assert upload.prepared is not None
        with write_session(self.engine) as session:
            exchange.write(session, upload.prepared)

    def state(self) -> tuple[int, ...]:
        with read_session(self.engine) as session:
            counts = [
                session.execute(text("SELECT count(*) FROM " + table)).scalar_one()  # noqa: S608 - fixed names
                for table in ("person", "snippet", "revision", "audit")
            ]
            return (*counts, int(audit.verify(session).head, 16))


@pytest.fixture
def page(engine: Engine, now: datetime) -> Page:
    return Page(engine, now)


def test_planning_writes_nothing_and_applying_does_what_was_shown(page: Page) -> None:
    before = page.state()
    upload = page.plan(GOOD.decode().replace(",", ";").encode("utf-16"))
    assert page.state() == before
    report = upload.report
    assert report is not None
    assert upload.applicable
    assert upload.source is not None
    assert (upload.source.encoding, upload.source.delimiter) == ("UTF-16", "semicolon")
    assert report.added == report.waiting == ("orders.track", "orders.cancel")
    assert [(c.line, c.key, c.columns, c.before, c.after) for c in report.changes] == [
        (2, "orders.track", (), None, "You can follow it"),
        (3, "orders.cancel", (), None, "Too late"),
    ]
    page.apply(upload)
    with read_session(page.engine) as session:
        (revision,) = repository.snippet(session, "orders.track").revisions
    assert (revision.status, revision.author) == (Status.IN_REVIEW, "Ana")


def test_a_change_names_its_columns_and_both_texts(page: Page) -> None:
    page.apply(page.plan(GOOD, approve_as="Bo"))
    report = page.plan(GOOD.replace(b"Too late,orders", b"Not any more,cancelling")).report
    assert report is not None
    assert (report.changed, report.unchanged) == (("orders.cancel",), 1)
    (change,) = report.changes
    assert change.columns == ("text", "topic")
    assert (change.before, change.after) == ("Too late", "Not any more")


def test_what_changes_nothing_is_not_applicable(page: Page) -> None:
    page.apply(page.plan(GOOD, approve_as="Bo"))
    upload = page.plan(GOOD)
    assert upload.report is not None
    assert (upload.report.unchanged, upload.applicable) == (2, False)


def test_every_bad_row_is_named_beside_what_the_others_would_do(page: Page) -> None:
    before = page.state()
    upload = page.plan(
        b"key,text,auto_send\nok.one,Fine,\nBad Key,Hi {nick},maybe\nok.two,Tell us your password,\n"
        b"ok.three,One,\nok.three,Two,\n"
    )
    assert (upload.prepared, upload.applicable, upload.unreadable) == (None, False, None)
    report = upload.report
    assert report is not None
    assert [(p.line, p.column, p.value) for p in report.problems] == [
        (3, "key", "Bad Key"),
        (3, "text", "Hi {nick}"),
        (3, "auto_send", "maybe"),
        (4, "text", "Tell us your password"),
        (6, "key", "ok.three"),
    ]
    assert all(": " in problem.reason or " " in problem.reason for problem in report.problems)
    assert (report.rows, report.bad_rows, report.added) == (5, 3, ("ok.one",))
    assert page.state() == before


def test_a_plan_with_bad_rows_cannot_be_written(page: Page) -> None:
    before = page.state()
    with read_session(page.engine) as session:
        prepared = exchange.importer.prepare_rows(
            session,
            exchange.reader.read_bytes(b"key,text\nok,Fine\nBad,x\n", name="f.csv"),
            path="f.csv",
            policy=POLICY,
            author="Ana",
            approve_as=None,
            dry_run=False,
            now=page.now,
        )
    with (
        pytest.raises(ImportRefused, match="f.csv: nothing was imported: 1 problem in 1 row"),
        write_session(page.engine) as session,
    ):
        exchange.write(session, prepared)
    assert page.state() == before


def test_a_file_that_cannot_be_read_is_told_and_not_raised(page: Page) -> None:
    upload = page.plan(b"PK\x03\x04", name="book.csv")
    assert upload.unreadable is not None
    assert upload.unreadable.startswith("book.csv: this is a zip archive")
    assert (upload.report, upload.prepared, upload.source) == (None, None, None)
    assert not upload.applicable


def test_the_digest_is_of_the_bytes(page: Page) -> None:
    assert page.plan(GOOD).sha256 == page.plan(GOOD, name="other.csv").sha256
    assert page.plan(GOOD).sha256 != page.plan(GOOD + b" ").sha256


def test_somebody_else_in_between_is_noticed_when_it_is_applied(page: Page) -> None:
    first, second = page.plan(GOOD), page.plan(GOOD.replace(b"follow", b"track"))
    page.apply(first)
    before = page.state()
    with pytest.raises(StaleRevision, match="changed by somebody else"):
        page.apply(second)
    assert page.state() == before


def test_the_author_does_not_approve(page: Page) -> None:
    with pytest.raises(SamePerson):
        page.plan(GOOD, author="Ana", approve_as=" Ana ")


@pytest.mark.parametrize("suffix", [".csv", ".yaml", ".yml"])
def test_the_sample_comes_in_as_it_is(page: Page, suffix: str, tmp_path: Path) -> None:
    upload = page.plan(exchange.sample(suffix=suffix).encode(), name=f"s{suffix}", approve_as="Bo")
    assert upload.report is not None
    assert (upload.report.problems, upload.report.warnings) == ((), ())
    assert len(upload.report.approved) == 2
    page.apply(upload)
    with read_session(page.engine) as session:
        exchange.export_file(session, tmp_path / f"out{suffix}")
    again = page.plan((tmp_path / f"out{suffix}").read_bytes(), name=f"s{suffix}")
    assert again.report is not None
    assert again.report.unchanged == 2
