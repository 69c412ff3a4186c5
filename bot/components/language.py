"""Builds the small spaCy pipeline that finds order numbers, products and dates by patterns."""

from __future__ import annotations

import hashlib
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

if TYPE_CHECKING:
    from spacy.language import Language

# spaCy is imported where it is used: it imports TensorFlow, and "nothing has changed" must not wait for that.

RECORD = "patterns.sha256"


class PatternsError(Exception):
    """The file of entity patterns cannot be used. The message says where and why."""


def read_patterns(path: Path) -> list[dict[str, Any]]:
    """Read spaCy entity patterns: per entity `tokens` (lists of token patterns) and `phrases` (plain words).

    Raises:
        PatternsError: the file is missing, not YAML or not of that shape.
    """
    try:
        content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        return [
            {"label": label, "pattern": pattern}
            for label, forms in content.items()
            for pattern in [*forms.get("tokens", []), *map(_phrase, forms.get("phrases", []))]
        ]
    except (
        Exception
    ) as error:  # the parser's own tree is wide; every cause is the same to the reader
        raise PatternsError(f"{path}: {error}") from error


def _phrase(words: str) -> list[dict[str, str]]:
    return [{"LOWER": word} for word in words.lower().split()]


def build_language(patterns: list[dict[str, Any]]) -> Language:
    """Return an English tokenizer with the patterns behind it; the longest match wins."""
    import spacy

    language = spacy.blank("en")
    ruler = language.add_pipe("entity_ruler", config={"validate": True})
    ruler.add_patterns(patterns)  # type: ignore[attr-defined]  # add_pipe is typed as a plain callable
    return language


def ensure_language(patterns_file: Path, *, folder: Path) -> bool:
    """Save the pipeline to `folder` unless it holds these patterns already; say whether it was written.

    Raises:
        PatternsError: see `read_patterns`.
    """
    patterns = read_patterns(patterns_file)
    content = patterns_file.read_bytes() + version("spacy").encode()
    digest = hashlib.sha256(content).hexdigest()
    record = folder / RECORD
    if record.is_file() and record.read_text(encoding="utf-8") == digest:
        return False
    building = folder.with_name(folder.name + ".new")
    shutil.rmtree(building, ignore_errors=True)
    build_language(patterns).to_disk(building)
    (building / RECORD).write_text(digest, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    building.rename(folder)
    return True
