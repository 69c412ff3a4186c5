"""Every story of training_data/stories, played with the served assistant: intents and actions as written."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from conftest import Assistant
from ruamel.yaml import YAML

STORIES = Path(__file__).parents[2] / "training_data" / "stories"
# Rasa's own steps, and the session's start, are no part of a story.
UNWRITTEN = {"action_listen", "action_session_start", "action_extract_slots", None}


def stories() -> list[Any]:
    found = []
    for path in sorted(STORIES.glob("*.yml")):
        for story in YAML(typ="safe").load(path.read_text(encoding="utf-8"))["stories"]:
            name = f"{path.stem}: {story['story']}"
            found.append(pytest.param(story["steps"], id=name))
    return found


@pytest.mark.parametrize("steps", stories())
def test_the_assistant_does_what_the_story_tells(
    assistant: Assistant, steps: list[dict[str, str]]
) -> None:
    talk = assistant.conversation()
    expected: list[tuple[str, str]] = []
    for step in steps:
        if "user" in step:
            assert talk.send(step["user"].strip()) != []
            expected.append(("intent", step["intent"]))
        else:
            expected.append(("action", step["action"]))
    assert _played(assistant, talk.sender) == expected


def _played(assistant: Assistant, sender: str) -> list[tuple[str, str]]:
    path = assistant.home / "bot" / "tracker.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        rows = database.execute(
            "SELECT data FROM events WHERE sender_id = ? ORDER BY id", (sender,)
        )
        events = [json.loads(data) for (data,) in rows]
    played = []
    for event in events:
        if event["event"] == "user":
            played.append(("intent", event["parse_data"]["intent"]["name"]))
        elif event["event"] == "action" and event["name"] not in UNWRITTEN:
            played.append(("action", event["name"]))
    return played
