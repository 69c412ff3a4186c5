"""Exports of other desks: told by their shape, to plain words and our slots, a reason for each that cannot."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.errors import UnreadableFile
from knowledge_base.exchange import reader
from knowledge_base.exchange.desks import placeholders, plain
from knowledge_base.exchange.model import MAX_ROWS, ParsedFile

CHATWOOT = [
    {
        "id": 1,
        "short_code": "refund-late",
        "content": "Hi {{contact.first_name}}, it is on its way.",
    },
    {"id": 2, "short_code": "hours", "content": "We are **open** from 9 to 6."},
]
ZENDESK = {
    "macros": [
        {
            "id": 360,
            "title": "Returns::How to return",
            "active": True,
            "description": None,
            "restriction": None,
            "actions": [
                {"field": "status", "value": "solved"},
                {
                    "field": "comment_value_html",
                    "value": "<p>Hi {{ticket.requester.first_name}},</p><p>see the <b>app</b>.</p>",
                },
            ],
        },
        {
            "id": 361,
            "title": "Close",
            "active": True,
            "actions": [{"field": "status", "value": "closed"}],
        },
        {
            "id": 362,
            "title": "Old",
            "active": False,
            "actions": [{"field": "comment_value", "value": "x"}],
        },
        {
            "id": 363,
            "title": "Note",
            "active": True,
            "actions": [
                {"field": "comment_value", "value": ["channel:all", "look at this"]},
                {"field": "comment_mode_is_public", "value": "false"},
            ],
        },
        {
            "id": 364,
            "title": "Chat hello",
            "active": True,
            "actions": [{"field": "comment_value", "value": ["channel:chat", "Hello\nthere"]}],
        },
    ],
    "next_page": None,
    "count": 5,
}
ZAMMAD = (
    "id,name,keywords,content,note,active,groups\n"
    '1,Refund,"money, back","<div>Hi #{ticket.customer.firstname},<br>it&nbsp;is on its way.</div>"'
    ",,true,Users~~~Sales\n"
    "2,Gone,,<p>x</p>,,false,\n"
    "3,Nothing,,  ,,true,\n"
)


def read(data: Any, *, name: str = "f.json", desk: str | None = None) -> ParsedFile:
    text = data if isinstance(data, str) else json.dumps(data, indent=1)
    return reader.read_bytes(text.encode(), name=name, desk=desk)


def cells(parsed: ParsedFile) -> list[dict[str, Any]]:
    return [{column: cell.value for column, cell in row.cells.items()} for row in parsed.rows]


class TestShapes:
    def test_chatwoot(self) -> None:
        parsed = read(CHATWOOT)
        assert parsed.problems == ()
        assert parsed.source is not None
        assert (parsed.source.kind, parsed.source.encoding) == ("chatwoot", "UTF-8")
        assert cells(parsed) == [
            {
                "key": "chatwoot.refund_late",
                "title": "refund late",
                "text": "Hi {first_name}, it is on its way.",
            },
            {"key": "chatwoot.hours", "title": "hours", "text": "We are open from 9 to 6."},
        ]
        assert [row.line for row in parsed.rows] == [2, 7]

    def test_chatwoot_wrapped_by_a_client(self) -> None:
        assert cells(read({"meta": {"n": 2}, "payload": CHATWOOT})) == cells(read(CHATWOOT))

    def test_zendesk(self) -> None:
        parsed = read(ZENDESK)
        assert parsed.problems == ()
        assert cells(parsed) == [
            {
                "key": "zendesk.returns_how_to_return",
                "title": "How to return",
                "topic": "returns",
                "text": "Hi {first_name}, see the app.",
            },
            {"key": "zendesk.chat_hello", "title": "Chat hello", "text": "Hello there"},
        ]
        assert dict(parsed.skipped) == {
            "an internal note": 1,
            "inactive": 1,
            "sets fields and says nothing": 1,
        }

    def test_zammad(self) -> None:
        parsed = read(ZAMMAD, name="text_modules.csv")
        assert parsed.problems == ()
        assert parsed.source is not None
        assert (parsed.source.kind, parsed.source.delimiter) == ("zammad", "comma")
        assert cells(parsed) == [
            {
                "key": "zammad.refund",
                "title": "Refund",
                "tags": ("money", "back"),
                "text": "Hi {first_name}, it is on its way.",
            }
        ]
        assert dict(parsed.skipped) == {"empty": 1, "inactive": 1}
        assert parsed.rows[0].line == 2

    @pytest.mark.parametrize("delimiter", [";", "\t"])
    def test_zammad_with_another_delimiter(self, delimiter: str) -> None:
        text = f"name{delimiter}content\nHello{delimiter}<p>Hi there</p>\n"
        assert cells(read(text, name="f.csv"))[0]["text"] == "Hi there"

    def test_our_own_csv_stays_ours(self) -> None:
        parsed = read("key,text\na.b,Hello\n", name="f.csv")
        assert parsed.source is not None
        assert parsed.source.kind == "csv"

    def test_names_that_stand_twice_get_their_ids(self) -> None:
        twice = [{"id": n, "short_code": "Hi!", "content": "Hello"} for n in (7, 8)]
        assert [c["key"] for c in cells(read(twice))] == ["chatwoot.hi_7", "chatwoot.hi_8"]
        assert [c["key"] for c in cells(read(twice[::-1]))] == ["chatwoot.hi_8", "chatwoot.hi_7"]

    def test_a_name_without_letters_of_ours_gets_its_id(self) -> None:
        other = [{"id": 9, "short_code": "\u9000\u6b3e", "content": "Hello"}]
        assert cells(read(other))[0]["key"] == "chatwoot.text_9"


class TestWhatCannotComeAlong:
    @pytest.mark.parametrize(
        ("written", "named"),
        [
            ("Ticket {{ticket.id}} of {{ticket.requester.first_name}}", "{{ticket.id}}"),
            ("{{dc.greeting}} there", "{{dc.greeting}}"),
            ("{% if ticket.id %}x{% endif %}", "{% if ticket.id %}, {% endif %}"),
            ("{{ contact.phone_number }}", "{{ contact.phone_number }}"),
        ],
    )
    def test_a_placeholder_without_a_slot(self, written: str, named: str) -> None:
        (problem,) = read([{"id": 1, "short_code": "a", "content": written}]).problems
        assert problem.reason.startswith(
            f"{named} cannot be filled here: rewrite it, or use one of"
        )
        assert "{first_name}" in problem.reason
        assert (problem.line, problem.key, problem.column) == (2, "chatwoot.a", "text")
        assert problem.value == written[:60]

    def test_zammads_placeholder_without_a_slot(self) -> None:
        (problem,) = read("name,content\na,No. #{ticket.number}\n", name="f.csv").problems
        assert "#{ticket.number} cannot be filled here" in problem.reason

    @pytest.mark.parametrize(
        ("record", "reason"),
        [
            (5, "is not a record in curly braces"),
            ({"id": 1, "short_code": None, "content": "x"}, "have to be texts"),
            ({"id": 1, "short_code": "a", "content": 3}, "have to be texts"),
            ({"id": 1, "short_code": "a", "content": "x" * 20_000}, "has 20,000 characters"),
        ],
    )
    def test_a_record_of_another_shape(self, record: Any, reason: str) -> None:
        parsed = read([CHATWOOT[0], record])
        assert len(parsed.rows) == 1
        assert reason in parsed.problems[0].reason

    def test_a_macro_of_another_shape(self) -> None:
        macros = [
            {"id": 1, "title": 3, "actions": []},
            {"id": 2, "title": "a", "actions": "x"},
            {
                "id": 3,
                "title": "b",
                "actions": [3, {"field": 4}, {"field": "comment_value", "value": 7}],
            },
        ]
        parsed = read({"macros": macros})
        assert len(parsed.problems) == 2
        assert dict(parsed.skipped) == {"sets fields and says nothing": 1}

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "has to be a list"),
            ("7", "has to be a list"),
            ("[]", "the list is empty"),
            ("{}", "there is no list of texts in it"),
            ('{"macros": {}}', "there is no list of texts in it"),
            ('[{"actions":[],"title":"a"}] x', "something follows the end of the list"),
            ('[{"actions":[],"title":"a"} 2]', "line 1: a comma or ] has to stand here"),
            ('[{"actions":[],"title":"a"},', "not JSON"),
            ('[{"a": 1,}]', "not JSON"),
            ('{"macros" [1]}', "a name in quotes and a colon"),
            ('[\n{"id": 1, "id": 2}]', "line 2: 'id' stands twice in one record"),
            ('[\n\n{"id": NaN}]', "line 3: NaN is no value of JSON"),
            ("[" * 100_000, "nested without end"),
            ("[" + "9" * 5000 + "]", "Exceeds the limit"),
            ('[{"name": "x"}]', "neither Chatwoot's list"),
            ("[1]", "neither Chatwoot's list"),
        ],
    )
    def test_what_is_no_list_of_texts(self, text: str, said: str) -> None:
        with pytest.raises(UnreadableFile, match=said.replace("(", r"\(")):
            read(text)

    def test_too_many_records(self) -> None:
        with pytest.raises(UnreadableFile, match="more than 50,000 texts: split the file"):
            read("[" + ",".join(["0"] * (MAX_ROWS + 2)) + "]", desk="chatwoot")

    @pytest.mark.parametrize(
        ("data", "name", "desk", "said"),
        [
            (CHATWOOT, "f.json", "zammad", "zammad exports CSV, and this is JSON"),
            ("name,content\n", "f.csv", "chatwoot", "this is not what chatwoot exports"),
            ("- key: a\n  text: b\n", "f.yaml", "zendesk", "this is not what zendesk exports"),
            ("name;note\n", "f.csv", "zammad", "the column content is missing"),
            (CHATWOOT, "f.json", "intercom", "'intercom' is not a desk whose files are known"),
        ],
    )
    def test_another_desk_than_was_named(self, data: Any, name: str, desk: str, said: str) -> None:
        with pytest.raises(UnreadableFile, match=said):
            read(data, name=name, desk=desk)


class TestPlaceholders:
    @pytest.mark.parametrize(
        ("written", "hashed", "ours"),
        [
            ("{{contact.name}}", False, "{first_name}"),
            ("{{ Contact.First_Name }}", False, "{first_name}"),
            ("{{agent.name}}", False, "{agent_name}"),
            ("{{ticket.requester.name}}", False, "{first_name}"),
            ("{{current_user.first_name}}", False, "{agent_name}"),
            ("{{ticket.assignee.name}}", False, "{agent_name}"),
            ("#{ticket.customer.firstname}", True, "{first_name}"),
            ("#{user.fullname}", True, "{agent_name}"),
            ("#{ticket.owner.firstname}", True, "{agent_name}"),
        ],
    )
    def test_what_has_a_slot(self, written: str, hashed: bool, ours: str) -> None:
        mapped = placeholders.to_slots(f"Hi {written}, hello", hashed=hashed)
        assert (mapped.text, mapped.unknown) == (f"Hi {ours}, hello", ())

    def test_what_changes_its_meaning_is_told(self) -> None:
        mapped = placeholders.to_slots("{{contact.name || 'there'}}", hashed=False)
        assert mapped.text == "{first_name}"
        assert "is the whole name there" in mapped.remarks[0]
        assert "not offered the snippet" in mapped.remarks[1]
        rows = [{"id": n, "short_code": f"a{n}", "content": "{{contact.name}}"} for n in range(3)]
        source = read(rows).source
        assert source is not None
        assert source.remarks[0].endswith("(rows: 3)")

    def test_the_other_kind_is_left_alone(self) -> None:
        assert placeholders.to_slots("#{user.x}", hashed=False).text == "#{user.x}"
        assert placeholders.to_slots("{{user.x}}", hashed=True).text == "{{user.x}}"


class TestPlainWords:
    @pytest.mark.parametrize(
        ("html", "words"),
        [
            ("<p>One</p><p>two</p>", "One two"),
            ("a<br>b<br/>c", "a b c"),
            ("&lt;b&gt; &amp; &eacute;&nbsp;x", "<b> & \u00e9 x"),
            ("<ul><li>a</li><li>b</li></ul>", "a b"),
            ("<script>alert(1)</script>x<style>y</style>", "x"),
            ("<img src=x onerror=alert(1)>Hi", "Hi"),
            ('<a href="https://a.example/x">here</a>', "here https://a.example/x"),
            ('<a href="https://a.example/x">a.example/x</a>', "a.example/x"),
            ('<a href="javascript:alert(1)">here</a>', "here"),
            ('<a href="https://a.example"><b>he</b>re</a>.', "here https://a.example."),
            ("<p>unclosed <b>bold", "unclosed bold"),
            ("2 < 3 and 4 > 3", "2 < 3 and 4 > 3"),
            ("I <3 it", "I <3 it"),
            ("a<!-- b <b>c</b> -->d<!-- e", "ad<!-- e"),
            ("", ""),
        ],
    )
    def test_html(self, html: str, words: str) -> None:
        assert plain.from_html(html) == words

    @pytest.mark.parametrize(
        ("written", "words"),
        [
            ("**Bold** and __strong__", "Bold and strong"),
            ("See [the app](https://a.example/x)", "See the app https://a.example/x"),
            ("[https://a.example](https://a.example)", "https://a.example"),
            ("a\\\nb", "a b"),
            ("1\\. first", "1. first"),
            ("snake_case__x and 2 * 3 * 4", "snake_case__x and 2 * 3 * 4"),
            ("[x](javascript:alert(1))", "[x](javascript:alert(1))"),
        ],
    )
    def test_markdown(self, written: str, words: str) -> None:
        assert plain.from_markdown(written) == words

    @given(st.text(max_size=200))
    def test_any_text_becomes_one_line(self, written: str) -> None:
        for words in (plain.from_html(written), plain.from_markdown(written)):
            assert "\n" not in words
            assert words == words.strip()

    @pytest.mark.parametrize(
        "piece",
        [
            "<",
            "<a",
            "<!--",
            "&",
            "[",
            "](",
            "**",
            "{{",
            "a.",
            "<![CDATA[",
            "\\",
            "__a",
            "<!---->",
            "<script>",
            "<a href='",
        ],
    )
    def test_hostile_markup_takes_no_longer_than_it_is_long(self, piece: str) -> None:
        long = (piece * 70_000)[: 16 * 1024]
        began = time.perf_counter()
        plain.from_html(long)
        plain.from_markdown(long)
        placeholders.to_slots(long, hashed=False)
        placeholders.to_slots(long, hashed=True)
        assert time.perf_counter() - began < 2  # some 20 ms on an idle machine


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(
                st.sampled_from(["id", "short_code", "content", "title", "actions", "field", "value", "macros"]),
                inner,
                max_size=5,
            ),
        ),
        max_leaves=12,
    )
)  # fmt: skip
def test_any_json_gives_rows_or_problems_or_is_unreadable(document: Any) -> None:
    try:
        parsed = read(document)
    except UnreadableFile:
        return
    for row in parsed.rows:
        assert {"key", "text"} <= set(row.cells)
    for problem in parsed.problems:
        assert problem.reason
