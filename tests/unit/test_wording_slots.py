"""Slots: which templates are accepted, what fills them, and how long they can become."""

from __future__ import annotations

import pytest

from knowledge_base.errors import WordingError
from knowledge_base.wording import (
    SLOTS,
    BadSlotValue,
    Length,
    MalformedSlot,
    MissingSlotValue,
    Span,
    UnknownSlot,
    UnusableText,
    fill,
    measure,
    slots_in,
    worst_case,
)

TEMPLATE = "Hi {first_name}, order {order_number} is with us. {agent_name}"
VALUES = {"first_name": "Ana", "order_number": "QH-1048213", "agent_name": "Sam"}


def test_the_slots_of_the_product() -> None:
    assert {name: (slot.source, slot.max_code_points) for name, slot in SLOTS.items()} == {
        "first_name": ("customer", 20),
        "order_number": ("conversation", 10),
        "product": ("conversation", 30),
        "agent_name": ("agent", 20),
    }
    for name, slot in SLOTS.items():
        assert fill("{" + name + "}", values={name: slot.example}).text == slot.example


def test_slots_are_listed_once_in_order() -> None:
    assert slots_in(TEMPLATE + " {first_name}") == ("first_name", "order_number", "agent_name")
    assert slots_in("No slots here.") == ()


@pytest.mark.parametrize(
    "text",
    [
        "{first_name}",
        "{first_name}'s order",
        "{first_name}’s order.",
        "({product})",
        "“{product}”, yes",
        "#{order_number}: found",
        "{first_name} {product}",
        "Wait, {first_name}...",
    ],
)
def test_plain_neighbours_are_accepted(text: str) -> None:
    assert slots_in(text)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("Hi {{first_name}}", 3),
        ("Hi {first_name}}", 15),
        ("Hi { first_name }", 3),
        ("Hi {first_name!r}", 3),
        ("Hi {first_name:>10}", 3),
        ("Hi {first_name.__class__}", 3),
        ("Hi {}", 3),
        ("Hi {", 3),
        ("Hi }", 3),
        ("Hi {First_name}", 3),
        ("Hi {first name}", 3),
        ("Hi {0}", 3),
        ("Hi{first_name}", 1),
        ("{first_name}.com", 13),
        ("www.{first_name}", 3),
        ("https://{product}", 7),
        ("https://a.com/{product}", 13),
        ("@{first_name}", 0),
        ("{first_name}{product}", 12),
        ("{first_name}-{product}", 12),
        ("{first_name}\u0301", 12),
        ("{product}1️⃣", 9),
        ("👨{product}", 0),
        ("日{first_name}", 0),
        ("{first_name}@example.com", 12),
        ("{first_name}'social", 14),
    ],
)
def test_malformed_slots_are_refused_with_their_place(text: str, position: int) -> None:
    with pytest.raises(MalformedSlot) as caught:
        slots_in(text)
    assert caught.value.position == position
    assert caught.value.mend in str(caught.value)
    for refused in (worst_case, lambda t: fill(t, values=VALUES)):
        with pytest.raises(MalformedSlot):
            refused(text)


def test_unknown_slot_names_the_known_ones() -> None:
    with pytest.raises(UnknownSlot, match=r"\{surname\}.*\{first_name\}") as caught:
        slots_in("Dear {surname}")
    assert caught.value.name == "surname"
    assert isinstance(caught.value, WordingError)


def test_unusable_templates_are_refused() -> None:
    with pytest.raises(UnusableText):
        slots_in("Hi \u202e{first_name}")


def test_spans_tell_approved_words_from_values() -> None:
    filled = fill(TEMPLATE, values=VALUES)
    assert filled.text == "Hi Ana, order QH-1048213 is with us. Sam"
    assert filled.spans == (
        Span(0, 3, "approved", None),
        Span(3, 6, "slot", "first_name"),
        Span(6, 14, "approved", None),
        Span(14, 24, "slot", "order_number"),
        Span(24, 37, "approved", None),
        Span(37, 40, "slot", "agent_name"),
    )


def test_a_text_without_slots_is_one_approved_span() -> None:
    filled = fill("Thank you.", values={"first_name": "Ana"})
    assert filled.spans == (Span(0, 10, "approved", None),)
    assert fill("", values={}).spans == ()


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(MissingSlotValue, match="agent_name") as caught:
        fill(TEMPLATE, values={"first_name": "Ana", "order_number": "QH-1048213"})
    assert caught.value.name == "agent_name"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("first_name", "  José ", "José"),
        ("first_name", "Jose\u0301", "José"),
        ("first_name", "Mary-Ann O'Neil", "Mary-Ann O'Neil"),
        ("first_name", "D’Arcy", "D’Arcy"),
        ("first_name", "明", "明"),
        ("first_name", "شهاب‌الدین", "شهاب‌الدین"),
        ("first_name", "a" * 20, "a" * 20),
        ("order_number", "QH-1048213", "QH-1048213"),
        ("order_number", "qh1048213", "QH-1048213"),
        ("order_number", "#1048213", "QH-1048213"),
        ("order_number", "1048213", "QH-1048213"),
        ("product", "M&S 2-seat sofa", "M&S 2-seat sofa"),
    ],
)
def test_values_take_the_form_of_their_slot(name: str, value: str, text: str) -> None:
    assert fill("{" + name + "}", values={name: value}).text == text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("first_name", ""),
        ("first_name", "   "),
        ("first_name", "a" * 21),
        ("first_name", "Ana1"),
        ("first_name", "ana.com"),
        ("first_name", "http://evil"),
        ("first_name", "{agent_name}"),
        ("first_name", "{0.__class__}"),
        ("first_name", "<b>Ana</b>"),
        ("first_name", "Ana😀"),
        ("first_name", "-Ana"),
        ("first_name", "A\nna"),
        ("first_name", "A\u200bna"),
        ("first_name", "A\u202ena"),
        ("first_name", "\ud800"),
        ("first_name", "\u0301na"),
        ("order_number", "QH-104821"),
        ("order_number", "QH-10482133"),
        ("order_number", "XX-1048213"),
        ("order_number", "QH-１０４８２１３"),
        ("order_number", "QH-1048213 or bit.ly/x"),
        ("product", "a.b"),
        ("product", "sofa/bed"),
        ("product", "x" * 31),
    ],
)
def test_bad_values_are_refused_without_being_repeated(name: str, value: str) -> None:
    with pytest.raises(BadSlotValue) as caught:
        fill("{" + name + "}", values={name: value})
    assert caught.value.name == name
    if value.strip():
        assert value not in str(caught.value)


def test_values_are_never_read_as_templates() -> None:
    filled = fill("{first_name} {product}", values={"first_name": "Ana", "product": "first name"})
    assert filled.text == "Ana first name"


@pytest.mark.parametrize(
    ("text", "code_points", "weighted"),
    [
        ("", 0, 0),
        ("Thanks.", 7, 7),
        ("{order_number}", 10, 10),
        ("{first_name}", 20, 40),
        ("Hi {first_name}, thanks.", 32, 52),
        ("{product} and {first_name}", 55, 105),
        ("{first_name} {first_name}", 41, 81),
        ("See https://quillhaven.example.com/a {first_name}", 57, 68),
    ],
)
def test_worst_case(text: str, code_points: int, weighted: int) -> None:
    assert worst_case(text) == Length(code_points=code_points, weighted=weighted)


def test_the_worst_case_is_reached() -> None:
    template = "Hi {first_name}, your {product} is here."
    filled = fill(template, values={"first_name": "明" * 20, "product": "明" * 30})
    assert measure(filled.text) == worst_case(template)
