"""What is sent without a person passes the gate word for word, and Rasa has no words of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from knowledge_base.policy import Outcome, judge
from knowledge_base.wording import fill
from tests.starter_policy import starter_policy

ROOT = Path(__file__).parents[2]
POLICY = starter_policy()
SNIPPETS: list[dict[str, Any]] = [
    entry
    for path in sorted((ROOT / "knowledge_base" / "content" / "snippets").glob("*.yaml"))
    for entry in yaml.safe_load(path.read_text())
]
SENT_ALONE = [s for s in SNIPPETS if s.get("auto_send") or str(s["key"]).startswith("assistant.")]
VALUES = {
    "first_name": "Ana",
    "order_number": "QH-1048213",
    "product": "linen shirt",
    "agent_name": "Sam",
}
KEYS = {snippet["key"] for snippet in SENT_ALONE}
DOMAIN = sorted((ROOT / "bot" / "domain").glob("*.yml"))


def test_there_is_something_to_check() -> None:
    assert len([s for s in SENT_ALONE if s["key"].startswith("assistant.")]) >= 14
    assert len(SENT_ALONE) > 30
    assert len(DOMAIN) > 5


@pytest.mark.parametrize("snippet", SENT_ALONE, ids=lambda s: s["key"])
def test_a_text_that_no_person_sees_before_it_is_sent_raises_no_finding(
    snippet: dict[str, Any],
) -> None:
    channels = tuple(filter(None, str(snippet.get("channels") or "").split(","))) or ("generic",)
    for channel in channels:
        template = judge(POLICY, snippet["text"], channel=channel, template=True)
        final = judge(POLICY, fill(snippet["text"], values=VALUES).text, channel=channel)
        assert [f.rule_id for f in (*template.findings, *final.findings)] == []
        assert final.outcome is Outcome.pass_


@pytest.mark.parametrize("path", DOMAIN, ids=lambda p: p.stem)
def test_the_assistant_has_no_wording_of_its_own(path: Path) -> None:
    domain = yaml.safe_load(path.read_text()) or {}
    for name, variants in (domain.get("responses") or {}).items():
        for variant in variants:
            # Nothing but the name of an approved snippet: no text, buttons, images or channel variants.
            assert set(variant) == {"custom"}, name
            assert set(variant["custom"]) == {"type", "snippet_key", "facts"}, name
            assert variant["custom"]["type"] == "say", name
            assert variant["custom"]["snippet_key"] in KEYS, name
