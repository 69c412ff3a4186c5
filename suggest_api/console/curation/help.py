"""Help while writing: both lengths at their worst, findings where they stand, how each network would show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from knowledge_base.errors import WordingError
from knowledge_base.policy import Finding, Policy, Severity
from knowledge_base.snippet import SnippetContent
from knowledge_base.store.approval import verdict_on
from knowledge_base.wording import (
    NETWORKS,
    SLOTS,
    Length,
    Slot,
    fill,
    measure,
    network_lengths,
    normalise,
    slots_in,
    worst_case,
)
from knowledge_base.wording.networks import NetworkLength
from suggest_api.console import views
from suggest_api.flow import Desk


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some words of the text; `severity` is that of the worst finding on them, or empty."""

    text: str
    severity: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The text as a customer of one network would get it, with example values in its slots."""

    channel: str
    text: str
    counts: tuple[NetworkLength, ...]


def help_with(desk: Desk, text: str, channels: tuple[str, ...]) -> dict[str, Any]:
    """Everything that can be said about the words themselves."""
    unusable, slots, worst = _measured(text)
    findings = () if unusable or desk.policy is None else _findings(desk.policy, text, channels)
    return {
        "text": text,
        "unusable": unusable,
        "plain": measure(text),
        "worst": worst,
        "slots": slots,
        "policy": desk.policy is not None,
        "findings": views.shown(findings, text),
        "blocked": any(finding.severity is Severity.block for finding in findings),
        "marked": tuple(_marked(text, findings)),
        "previews": () if unusable else previews(text, channels or tuple(desk.channels)),
    }


def previews(text: str, channels: tuple[str, ...]) -> tuple[Preview, ...]:
    """One for each network that counts in its own way among the channels, and a common one."""
    shown = fill(text, values=_examples(SLOTS)).text
    wanted = dict.fromkeys((*channels, *NETWORKS))
    return tuple(
        Preview(channel=channel, text=shown, counts=network_lengths(shown, channel))
        for channel in wanted
        if network_lengths(shown, channel) or channel in channels
    )


def _measured(text: str) -> tuple[str, tuple[Slot, ...], Length]:
    try:
        return "", tuple(SLOTS[name] for name in slots_in(text)), worst_case(text)
    except WordingError as error:
        return str(error), (), measure(text)


def _findings(policy: Policy, text: str, channels: tuple[str, ...]) -> tuple[Finding, ...]:
    if not text.strip():
        return ()
    content = SnippetContent(key="new", text=normalise(text), channels=channels)
    return tuple(verdict_on(policy, content).findings)


def _marked(text: str, findings: tuple[Finding, ...]) -> Iterator[Part]:
    """The text cut at the edges of the findings; where two overlap the worse one is shown."""
    spans = [(f.span, f.severity) for f in findings if f.span is not None]
    edges = sorted({0, len(text), *(min(at, len(text)) for span, _ in spans for at in span)})
    for start, end in zip(edges, edges[1:], strict=False):
        on = {severity for (left, right), severity in spans if left <= start and end <= right}
        worst = "block" if Severity.block in on else "warn" if on else ""
        yield Part(text=text[start:end], severity=worst)


def _examples(slots: Mapping[str, Slot]) -> dict[str, str]:
    return {name: slot.example for name, slot in slots.items()}
