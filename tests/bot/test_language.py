"""The entity patterns: order numbers, products and dates are found where they stand, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.components.language import PatternsError, build_language, ensure_language, read_patterns

PATTERNS = Path(__file__).parents[2] / "bot" / "entities.yml"


@pytest.fixture(scope="module")
def language() -> Any:
    return build_language(read_patterns(PATTERNS))


def found(language: Any, text: str) -> list[tuple[str, str]]:
    return [(entity.label_, entity.text) for entity in language(text).ents]


@pytest.mark.parametrize(
    "text",
    ["QH-1048213", "qh1048213", "#1048213", "1048213", "QH 1048213", "qh-1048213", "#qh1048213"],
)
@pytest.mark.parametrize("around", ["{}", "order {} please", "its {}!!", "({})"])
def test_order_numbers(language: Any, text: str, around: str) -> None:
    [(label, words)] = found(language, around.format(text))
    assert label == "order_number"
    assert "1048213" in words


@pytest.mark.parametrize(
    "text",
    [
        "today",
        "last monday",
        "3 days ago",
        "12 march",
        "3rd dec",
        "12/03",
        "12/03/2026",
        "the 2nd",
    ],
)
def test_dates(language: Any, text: str) -> None:
    assert found(language, f"i ordered it {text} ok") == [("date", text)]


@pytest.mark.parametrize("text", ["wool coat", "mug", "Floor Lamp", "duvet cover", "striped mugs"])
def test_products(language: Any, text: str) -> None:
    assert found(language, f"the {text} broke") == [("product", text)]


@pytest.mark.parametrize(
    "text", ["hello", "104821", "10482134", "4111111111111111", "it may come", "call 07700900123"]
)
def test_nothing_is_made_up(language: Any, text: str) -> None:
    assert found(language, text) == []


def test_the_pipeline_is_saved_once_and_again_when_the_patterns_change(tmp_path: Path) -> None:
    patterns = tmp_path / "entities.yml"
    patterns.write_text("product: {phrases: [mug]}", encoding="utf-8")
    assert ensure_language(patterns, folder=tmp_path / "language")
    assert not ensure_language(patterns, folder=tmp_path / "language")
    patterns.write_text("product: {phrases: [mug, tea cup]}", encoding="utf-8")
    assert ensure_language(patterns, folder=tmp_path / "language")
    import spacy

    assert found(spacy.load(tmp_path / "language"), "a tea cup") == [("product", "tea cup")]


@pytest.mark.parametrize("content", ["- just a list", "product: [", "product: 7", None])
def test_a_broken_file_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "entities.yml"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(PatternsError, match=r"entities\.yml"):
        read_patterns(path)
