"""Help while writing, as the page shows it: findings marked where they stand, what is alike, and previews."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from knowledge_base.policy import Finding, Severity
from knowledge_base.snippet import SnippetContent
from suggest_api.console import views
from suggest_api.flow import Desk, writing
from suggest_api.flow.writing import ChannelHelp

SORTS = {
    "contradiction": "contradicts it",
    "duplicate": "says the same",
    "same_question": "answers the same question",
    "related": "is related",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some words of the text; `severity` is that of the worst finding on them, or empty."""

    text: str
    severity: str = ""


def help_with(desk: Desk, session: Session, content: SnippetContent) -> dict[str, Any]:
    """Everything that can be said about a snippet while it is written; nothing is stored."""
    told = writing.help_with(desk, content, session=session)
    findings = _findings(told.channels)
    return {
        "text": told.text,
        "unusable": told.unusable,
        "plain": told.plain,
        "worst": told.worst,
        "slots": told.slots,
        "policy": desk.policy is not None,
        "findings": views.shown(findings, told.text),
        "blocked": told.blocked,
        "marked": tuple(_marked(told.text, findings)),
        "previews": () if told.unusable else told.channels,
        "similar": told.similar,
        "sorts": SORTS,
        "golden": told.golden,
    }


def _findings(channels: Sequence[ChannelHelp]) -> tuple[Finding, ...]:
    """Those of every channel, each once."""
    return tuple(dict.fromkeys(finding for each in channels for finding in each.findings))


def _marked(text: str, findings: tuple[Finding, ...]) -> Iterator[Part]:
    """The text cut at the edges of the findings; where two overlap the worse one is shown."""
    spans = [(f.span, f.severity) for f in findings if f.span is not None]
    edges = sorted({0, len(text), *(min(at, len(text)) for span, _ in spans for at in span)})
    for start, end in zip(edges, edges[1:], strict=False):
        on = {severity for (left, right), severity in spans if left <= start and end <= right}
        worst = "block" if Severity.block in on else "warn" if on else ""
        yield Part(text=text[start:end], severity=worst)
