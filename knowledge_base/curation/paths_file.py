"""Review paths as a YAML file: which teams sign off which topic, in their order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy.orm import Session

from knowledge_base import safe_yaml
from knowledge_base.errors import UnreadableFile
from knowledge_base.store import review
from knowledge_base.store.review import EVERY_TOPIC
from knowledge_base.store.tables import NAME

MAX_BYTES = 64 * 1024  # thousands of topics; a file that is larger is another file
FIELDS = {"topic", "teams"}
DEEPEST = 8  # collections within each other; a list of topics needs three, and deep ones take long to refuse
EVERY = "*"  # how a file names all topics that it does not list


def read_paths(file: Path) -> dict[str, tuple[str, ...]]:
    """The teams by topic; '' is for all topics that are not listed. Raises UnreadableFile, which says why."""
    try:
        raw = file.read_bytes()[: MAX_BYTES + 1]
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise UnreadableFile(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"{file}: not UTF-8 at byte {error.start}") from None
    if len(raw) > MAX_BYTES:
        raise UnreadableFile(f"{file}: larger than {MAX_BYTES // 1024} KB: is it the right file?")
    found: dict[str, tuple[str, ...]] = {}
    for number, entry in enumerate(_entries(text, file), start=1):
        topic, teams = _entry(entry, f"{file}, entry {number}")
        if topic in found:
            raise UnreadableFile(f"{file}, entry {number}: the topic {topic!r} stands there twice")
        found[topic] = teams
    return found


def apply_paths(
    session: Session, paths: Mapping[str, tuple[str, ...]], *, by: str, now: datetime
) -> list[str]:
    """Set the paths that differ from those kept; topics that are not named keep theirs. Returns what changed.

    Raises ContentError as `review.set_path` does.
    """
    kept = review.paths(session)
    changed = [topic for topic, teams in sorted(paths.items()) if kept.get(topic, ()) != teams]
    for topic in changed:
        review.set_path(session, topic, paths[topic], by=by, now=now)
    return changed


def render_paths(paths: Mapping[str, tuple[str, ...]]) -> str:
    """The file that `read_paths` reads back."""
    entries = [
        {"topic": topic or EVERY, "teams": list(teams)} for topic, teams in sorted(paths.items())
    ]
    text: str = yaml.safe_dump(entries, allow_unicode=True, sort_keys=False)
    return text


def _entries(text: str, file: Path) -> list[Any]:
    depth = 0
    try:
        # Nothing is expanded before it is known that nothing refers to anything else.
        for event in yaml.parse(text, safe_yaml.LOADER):
            if isinstance(event, yaml.AliasEvent):
                raise UnreadableFile(f"{file}: has a YAML alias (*): write the value out")
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise UnreadableFile(f"{file}: nested more than {DEEPEST} deep")
        found = safe_yaml.load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise UnreadableFile(f"{file}: not YAML: {str(error).splitlines()[0]}") from None
    if found is None:
        return []
    if not isinstance(found, list):
        raise UnreadableFile(f"{file}: has to be a list: each entry starts with '- topic: ...'")
    return found


def _entry(entry: Any, where: str) -> tuple[str, tuple[str, ...]]:
    if not isinstance(entry, dict) or set(entry) != FIELDS:
        raise UnreadableFile(f"{where}: has to have exactly a topic and its teams")
    topic, teams = entry["topic"], entry["teams"]
    if not isinstance(topic, str) or not 0 < len(topic) <= NAME:
        raise UnreadableFile(f"{where}: the topic has to be a word, or '*' for all others")
    if not isinstance(teams, list) or not all(isinstance(team, str) for team in teams):
        raise UnreadableFile(f"{where}: the teams have to be a list of names")
    return (EVERY_TOPIC if topic == EVERY else topic), tuple(
        " ".join(team.split()) for team in teams
    )
