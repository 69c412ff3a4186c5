"""Help while somebody writes a snippet: lengths, findings, what is like it, what it would answer, how it looks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from knowledge_base.curation.outlook import Outlook, outlook
from knowledge_base.errors import WordingError
from knowledge_base.policy import Finding, Outcome, Policy, Verdict, judge
from knowledge_base.similarity.alike import Similar
from knowledge_base.snippet import SnippetContent
from knowledge_base.store import golden
from knowledge_base.wording import (
    NETWORKS,
    SLOTS,
    Length,
    NetworkLength,
    Slot,
    fill,
    measure,
    network_lengths,
    normalise,
    slots_in,
    worst_case,
)
from suggest_api.flow.desk import Desk
from suggest_api.flow.similar import find_similar

COMMON = "generic"  # what a snippet for every channel is judged for


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelHelp:
    """The snippet on one channel: what the policy says there, and how it looks with sample values in its slots."""

    channel: str
    findings: tuple[Finding, ...]
    blocked: bool
    preview: str
    lengths: tuple[NetworkLength, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WritingHelp:
    """Everything there is to say about a snippet while it is written.

    `unusable` says why the text cannot be measured ('' when it can); then `worst` is the text as it stands.
    `slots` are those of the text: each has the most code points that it may take. `similar` and `golden` are
    empty and None while nothing is in service; `golden` is an estimate. `blocked` says that it cannot be
    submitted like that.
    """

    text: str
    unusable: str
    plain: Length
    worst: Length
    slots: tuple[Slot, ...]
    channels: tuple[ChannelHelp, ...]
    similar: tuple[Similar, ...]
    golden: Outlook | None
    blocked: bool


def help_with(desk: Desk, content: SnippetContent, *, session: Session) -> WritingHelp:
    """What helps with this content; its text may be empty, too long or malformed. Nothing is stored.

    Without a policy nothing is judged, and the help says that it cannot be submitted.
    """
    text = " ".join(content.text.split())
    unusable, slots, worst = _measured(text)
    policy = desk.policy
    channels = tuple(_on_channels(policy, text, _channels(desk, content), bool(unusable)))
    blocked = (
        bool(unusable)
        or not text
        or not worst.fits
        or policy is None
        or any(each.blocked for each in channels)
    )
    similar: tuple[Similar, ...] = ()
    questions: Outlook | None = None
    held = desk.generations.in_service
    if held is not None and not unusable and _says_something(content):
        similar = find_similar(desk, session, content)
        asked = golden.in_use(session)
        questions = outlook(held.ranker, content, asked, readings=held.golden)
    return WritingHelp(
        text=text,
        unusable=unusable,
        plain=measure(text),
        worst=worst,
        slots=slots,
        channels=channels,
        similar=similar,
        golden=questions,
        blocked=blocked,
    )


def _measured(text: str) -> tuple[str, tuple[Slot, ...], Length]:
    try:
        normalise(text)
        return "", tuple(SLOTS[name] for name in slots_in(text)), worst_case(text)
    except WordingError as error:
        return str(error), (), measure(text)


def _channels(desk: Desk, content: SnippetContent) -> Sequence[str]:
    """The snippet's channels; for one that is for every channel, the common one, ours and the networks'."""
    return content.channels or tuple(dict.fromkeys((COMMON, *desk.channels, *NETWORKS)))


def _on_channels(
    policy: Policy | None, text: str, channels: Sequence[str], unusable: bool
) -> Iterator[ChannelHelp]:
    """Channels with the same rules get the same verdict, so the text is judged once for all of them."""
    known: dict[tuple[str, ...], Verdict] = {}
    preview = text
    if not unusable:
        preview = fill(text, values={name: slot.example for name, slot in SLOTS.items()}).text
    for channel in channels:
        lengths = network_lengths(preview, channel)
        verdict: Verdict | None = None
        if policy is not None and text and not unusable:
            rules = tuple(rule.id for rule in policy.rules_for(channel=channel))
            # Only the length is a matter of the network itself, and nearly every text is short enough for all.
            fits = all(length.fits for length in lengths)
            verdict = known.get(rules) if fits else None
            if verdict is None:
                verdict = judge(policy, normalise(text), channel=channel, template=True)
            if fits:
                known[rules] = verdict
        yield ChannelHelp(
            channel=channel,
            findings=() if verdict is None else tuple(verdict.findings),
            blocked=verdict is not None and verdict.outcome is Outcome.block,
            preview=preview,
            lengths=lengths,
        )


def _says_something(content: SnippetContent) -> bool:
    return any(part.strip() for part in (content.title, content.text, *content.examples))
