"""Every kind of bad file: a clear message that names the place, and nothing changed in the database."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine, text

from knowledge_base.exchange import Upload, plan_upload
from knowledge_base.store import audit
from knowledge_base.store.engine import read_session
from tests.integration.test_upload import POLICY, Page

HEAD = "key,text\n"


def zipped() -> bytes:
    """A workbook as somebody renames it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("xl/worksheets/sheet1.xml", "<x/>")
    return made.getvalue()


def alias_bomb() -> str:
    lines = ["- key: a.b", "  text: &a lol"]
    lines += [f"- key: b.{n}\n  examples: &e{n} [*a, *a]" for n in range(9)]
    return "\n".join(lines)


# name of the file, its bytes, and what is said
UNREADABLE: list[tuple[str, bytes, str]] = [
    ("book.csv", zipped(), "book.csv: this is a zip archive or an Excel workbook"),
    ("f.csv", b"\x1f\x8b\x08", "this is a gzip archive"),
    ("f.csv", b"\xff\xfe\x00\x00k\x00\x00\x00", "this is UTF-32"),
    ("f.csv", (HEAD + "a,x\n").encode("utf-16")[:-1], "broken UTF-16"),
    ("f.csv", b"key,text\na.b,\xed\xa0\x80\n", "line 2: broken UTF-8 (byte 0xED)"),
    ("f.csv", b"key,text\na.b,caf\xe9\na.c,caf\xc3\xa9\n", "line 2: broken UTF-8 (byte 0xE9)"),
    ("f.csv", b"key,text\na.b,\x81\x8d\n", "neither in UTF-8 nor in Windows-1252"),
    ("f.csv", b"key,text\na.b,\xe9\x00\n", "holds zero bytes"),
    ("f.csv", b"x" * (20 * 1024 * 1024 + 1), "larger than 20 MB: split it"),
    ("f.csv", HEAD.encode() + b"a.b,Hello\n" * 50_001, "more than 50,000 rows: split it"),
    ("f.exe", b"MZ", "the name has to end in .csv, .yaml or .yml"),
    ("f", b"key,text\n", "the name has to end in"),
    ("f.json", b"[" * 100_000, "nested without end"),
    ("f.json", b"[" + b"9" * 5_000 + b"]", "line 1: Exceeds the limit"),
    ("f.json", b'[{"short_code": "a", "content": NaN}]', "NaN is no value of JSON"),
    ("f.json", b'[{"content": "a", "content": "b", "short_code": "c"}]', "stands twice"),
    ("f.json", b'{"macros": []}', "the list is empty"),
]

# name, bytes, then line, column and reason of each problem
BAD_ROWS: list[tuple[str, bytes, list[tuple[int, str | None, str]]]] = [
    ("f.csv", b"", [(1, None, "the file is empty: the first line names the columns key")]),
    ("f.csv", b"\xef\xbb\xbf", [(1, None, "the file is empty")]),
    ("f.yaml", b"", [(1, None, "the file is empty: the file has to be a list of snippets")]),
    ("f.csv", b'key,text\na.b,"never\nclosed', [(2, None, "a quote is opened in this row and never")]),
    ("f.csv", b'key,text\na.b,"x" y\n', [(2, None, "text follows a closing quote")]),
    ("f.csv", b"key,text\r\na.b,x\ra.c\n", [(3, None, "has 1 cells where the first line names 2")]),
    ("f.csv", b"key,text" + b",x" * 999_998 + b"\n", [(1, None, "has 1,000,000 columns, at most 100")]),
    ("f.csv", b"key,text\n" + b"a," * 999_999 + b"\n", [(2, None, "has 1000000 cells")]),
    ("f.csv", HEAD.encode() + b"a.b," + b"x" * 19_000_000 + b"\n", [(2, "text", "is 19,000,000 bytes long")]),
    ("f.csv", b"kay,text\na.b,x\n", [(1, "kay", "is not a column"), (1, "key", "is missing")]),
    ("f.csv", b"key,key,text\na.b,a.c,x\n", [(1, "key", "stands twice in the first line")]),
    ("f.csv", b"key,text\na.b,one\na.b,two\n", [(3, "key", "stands already in f.csv, line 2")]),
    ("f.csv", b"key,text\n../../etc/passwd,x\n", [(2, "key", "is not a key: lower-case letters")]),
    ("f.csv", HEAD.encode() + b"a.b," + b"x" * 140 + b"\n", [(2, "text", "shorten it by 1 (at most 139")]),
    ("f.csv", HEAD.encode() + "a.b,\U0001f44d".encode() * 1 + "\U0001f44d".encode() * 69 + b"\n",
     [(2, "text", "can become 70 characters long (140 as X counts")]),
    ("f.csv", b"key,text\na.b,a\x00b\n", [(2, "text", "(U+0000) is a control character")]),
    ("f.csv", b"key,text\na.b,\x1b[31mred\n", [(2, "text", "(U+001B) is a control character")]),
    ("f.csv", HEAD.encode() + "a.b,x\u202ey\n".encode(), [(2, "text", "changes the direction of writing")]),
    ("f.csv", HEAD.encode() + "a.b,x\u200by\n".encode(), [(2, "text", "is a zero-width character")]),
    ("f.csv", HEAD.encode() + ("a.b,x" + "\u0301" * 500 + "\n").encode(),
     [(2, "text", "more than 8 combining marks")]),
    ("f.csv", b"key,text\na.b,Hi {{7*7}}\n", [(2, "text", "a { that is no slot")]),
    ("f.csv", b"key,text\na.b,Hi {nick}\n", [(2, "text", "there is no slot {nick}")]),
    ("f.csv", b"key,text\na.b,Tell us your password\n", [(2, "text", "asks for a password")]),
    ("f.csv", b"key,text,channels\na.b,x,javascript:alert(1)\n", [(2, "channels", "is not a channel")]),
    ("f.csv", b"key,text,valid_until\na.b,x,2026-02-30\n", [(2, "valid_until", "of the calendar")]),
    ("f.csv", b"key,text,valid_from\na.b,x,2026-01-01T10:00\n", [(2, "valid_from", "has no time zone")]),
    ("f.csv", b"key,text,locale\na.b,x,<img onerror=1>\n", [(2, "locale", "is not a language tag")]),
    ("f.yaml", alias_bomb().encode(), [(2, None, "an anchor (&a): write the value out")]),
    ("f.yaml", b"- key: a.b\n  text: !!python/object:os.system x\n", [(2, None, "a tag (tag:yaml.org")]),
    ("f.yaml", b"- key: a.b\n  text: x\n  text: y\n", [(3, "text", "stands twice in this snippet")]),
    ("f.yaml", b"- " * 5_000 + b"x\n", [(1, None, "has to be a list of snippets")]),
    ("f.yaml", b"- key: a.b\n  text: {x: 1}\n", [(2, None, "a mapping cannot stand here")]),
    ("f.yaml", b'- key: a.b\n  text: "x\n', [(3, None, "not YAML: found unexpected end of stream")]),
    ("f.yaml", b"- key: a.b\n  text: x\n---\n- key: a.c\n  text: y\n", [(3, None, "a second document")]),
    ("f.json", json.dumps([{"id": 1, "short_code": "a", "content": "\ud800"}]).encode(),
     [(1, "text", "half of a surrogate pair")]),
    ("f.json", b'[\n{"id": 1, "short_code": "a", "content": "{{ticket.id}}"}]',
     [(2, "text", "{{ticket.id}} cannot be filled here")]),
    ("f.json", b'[{"id": 1, "short_code": "a", "content": "' + b"word " * 40 + b'"}]',
     [(1, "text", "shorten it by 60")]),
]  # fmt: skip


class Clerk(Page):
    """Uploads a file and looks at what the database holds."""

    def refused(self, name: str, data: bytes) -> Upload:
        """The upload; the database is as it was, to the last audit entry."""
        before = self.state()
        with read_session(self.engine) as session:
            upload = plan_upload(
                data, filename=name, session=session, policy=POLICY, author="Ana", now=self.now
            )
        assert upload.prepared is None
        assert not upload.applicable
        assert self.state() == before
        return upload


@pytest.fixture
def clerk(engine: Engine, now: datetime) -> Clerk:
    """A database that holds something already."""
    made = Clerk(engine, now)
    made.apply(made.plan(b"key,text\nkept.one,Hello\n", approve_as="Bo"))
    return made


def test_files_that_cannot_be_read(clerk: Clerk) -> None:
    for name, data, said in UNREADABLE:
        told = clerk.refused(name, data).unreadable
        assert told is not None, said
        assert said in told
        assert len(told) < 400, told


def test_files_with_bad_rows(clerk: Clerk) -> None:
    for name, data, expected in BAD_ROWS:
        report = clerk.refused(name, data).report
        assert report is not None, expected
        found = [(p.line, p.column) for p in report.problems]
        assert found == [(line, column) for line, column, _ in expected], report.problems
        for problem, (_, _, reason) in zip(report.problems, expected, strict=True):
            assert reason in problem.reason
            assert len(problem.reason) < 400
            assert problem.value.isprintable()
            assert len(problem.value) < 400


@pytest.mark.parametrize(
    "words",
    ["=cmd|' /C calc'!A0", "@SUM(1)", "-1", "+44 20 7946 0000", "%s %d", "/restart", "<b>hi</b>"],
)
def test_what_only_looks_dangerous_is_text_and_stays_that(clerk: Clerk, words: str) -> None:
    quoted = '"' + words.replace('"', '""') + '"'
    upload = clerk.plan(f"key,text\na.b,{quoted}\n".encode(), approve_as="Bo")
    assert upload.report is not None
    assert [change.after for change in upload.report.changes] == [words]
    clerk.apply(upload)
    with read_session(clerk.engine) as session:
        stored = session.execute(
            text("SELECT text FROM revision WHERE snippet_key = 'a.b'")
        ).scalar_one()
        assert stored == words
        assert audit.verify(session).intact


def test_the_kinds_are_what_was_promised() -> None:
    """Nobody empties the lists unnoticed."""
    assert len(UNREADABLE) >= 17
    assert len(BAD_ROWS) >= 37
    kinds: dict[str, Any] = {name.rpartition(".")[2]: 1 for name, *_ in [*UNREADABLE, *BAD_ROWS]}
    assert {"csv", "yaml", "json", "exe"} <= set(kinds)
