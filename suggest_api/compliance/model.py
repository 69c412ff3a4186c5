"""The layers of a verdict beside the text: the revision it was made from, and the conversation (pure).

Text rules read what a reply says (`knowledge_base.policy`). What is judged here is whether this text, however well
it is put, may be said now, here and by this one. Every function gives findings with a rule id that starts with
META- (the revision and how the text was made from it) or CTX- (the conversation); `merge` puts them beside the
findings on the text, into one verdict on the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from knowledge_base.policy import Finding, Outcome, Severity, Verdict
from knowledge_base.snippet import Status
from suggest_api.compliance.drift import Drift, DriftLimits
from suggest_api.values import CONTEXT_LAYER, METADATA_LAYER, FreezeState, Use

# FINRA rule 2210(a)(3) and (5): what reaches more than 25 retail investors within 30 calendar days is a retail
# communication, which a principal approves first, and no correspondence any more.
USE_LIMITS = {"finance": 25}
USE_WINDOW = timedelta(days=30)


REASON_SHOWN = 200  # characters of why something was recalled or frozen; its page has all of it


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallFacts:
    """Who pulled a revision, when and why."""

    by: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionFacts:
    """What the database says about the revision that a text was made from, at the moment of the question.

    `uses` counts the replies made from it within USE_WINDOW; `use_limit` None means that no pack limits them.
    `recall` is there where it was pulled.
    """

    key: str
    number: int
    status: Status
    live: bool
    author: str
    approved_by: str | None
    locale: str
    channels: tuple[str, ...] = ()
    topic: str = ""
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    uses: int = 0
    use_limit: int | None = None
    recall: RecallFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationFacts:
    """What is known of the conversation that a text goes into.

    `opted_out_at` is when automated replies were switched off, `written_since` whether the customer wrote after
    that or still waits for an answer. `window` is how long after the customer's last message the network lets us
    answer, None where it sets no time. `care` names what in the customer's words needs a person.
    """

    opted_out_at: datetime | None = None
    written_since: bool = True
    window: timedelta | None = None
    last_customer_at: datetime | None = None
    topic: str = ""
    care: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """Everything beside the text that decides whether it may be said.

    `notice` marks what the service says itself when something happens (a hand-over, automated replies switched
    off): an opt-out and a need for care do not silence it. `revision` None is text that nobody made from a
    snippet; `begun_about` is then the topic of the snippet that it began as and does not resemble any more.
    `drift` is how far the final text is from the approved one, None where there is no approved one. `freezes` are
    those that withhold something on this channel.
    """

    use: Use
    channel: str
    locale: str | None
    now: datetime
    notice: bool = False
    revision: RevisionFacts | None = None
    conversation: ConversationFacts | None = None
    begun_about: str = ""
    word_for_word: bool = True  # whether it says what was approved and nothing else
    freezes: FreezeState = FreezeState()
    drift: Drift | None = None
    limits: DriftLimits = DriftLimits()


def findings(circumstances: Circumstances) -> tuple[Finding, ...]:
    """All that speaks against saying a text under these circumstances: metadata first, then context."""
    return tuple(found for rule in RULES for found in rule(circumstances))


def merge(verdict: Verdict, more: Iterable[Finding]) -> Verdict:
    """One verdict of all layers, on the same bytes and by the same policy version; the worst finding decides."""
    every = (*verdict.findings, *more)
    return replace(verdict, outcome=_worst(verdict.outcome, every), findings=every)


def _worst(outcome: Outcome, every: Iterable[Finding]) -> Outcome:
    severities = {finding.severity for finding in every}
    if outcome is Outcome.block or Severity.block in severities:
        return Outcome.block
    return Outcome.warn if outcome is Outcome.warn or Severity.warn in severities else outcome


def _approval(here: Circumstances) -> Iterator[Finding]:
    revision = here.revision
    if revision is None:
        return
    mend = "ask for drafts again, or have the text approved"
    recall = revision.recall
    if recall is not None:
        at = recall.at.isoformat(timespec="minutes")
        yield _metadata(
            "META-NOT-LIVE",
            f"{_name(revision)} was recalled by {recall.by} at {at} ({_brief(recall.reason)})",
            "do not say it in other words either: choose another answer, or ask who recalled it",
        )
    elif revision.status is not Status.APPROVED or revision.approved_by is None:
        state = revision.status.value.replace("_", " ")
        yield _metadata("META-NOT-APPROVED", f"{_name(revision)} is {state}, not approved", mend)
    elif not revision.live:
        yield _metadata("META-NOT-LIVE", f"{_name(revision)} is not the published one", mend)
    elif revision.approved_by == revision.author:
        yield _metadata(
            "META-SELF-APPROVED",
            f"{_name(revision)} was approved by its own author",
            "have somebody else approve it",
        )


def _validity(here: Circumstances) -> Iterator[Finding]:
    revision = here.revision
    if revision is None:
        return
    if revision.valid_from is not None and here.now < revision.valid_from:
        at = revision.valid_from.isoformat(timespec="minutes")
        yield _metadata(
            "META-NOT-YET-VALID",
            f"{_name(revision)} is not valid before {at}",
            "choose an answer that is valid now",
        )
    if revision.valid_until is not None and revision.valid_until <= here.now:
        at = revision.valid_until.isoformat(timespec="minutes")
        yield _metadata(
            "META-EXPIRED",
            f"{_name(revision)} expired at {at}",
            "choose an answer that is valid now, or have this one approved anew",
        )


def _scope(here: Circumstances) -> Iterator[Finding]:
    revision = here.revision
    if revision is None:
        return
    if revision.channels and here.channel not in revision.channels:
        yield _metadata(
            "META-CHANNEL",
            f"{_name(revision)} is for {', '.join(revision.channels)}, not for {here.channel}",
            "choose an answer that is approved for this channel",
        )
    if here.locale is not None and not _speaks(revision.locale, here.locale):
        yield _metadata(
            "META-LOCALE",
            f"{_name(revision)} is in {revision.locale}, the conversation in {here.locale}",
            "choose an answer in the customer's language",
        )


def _uses(here: Circumstances) -> Iterator[Finding]:
    revision = here.revision
    if revision is None or revision.use_limit is None or revision.uses < revision.use_limit:
        return
    yield _metadata(
        "META-OVERUSED",
        f"{_name(revision)} went out {revision.uses} times within {USE_WINDOW.days} days,"
        f" of {revision.use_limit} at most",
        "have a principal approve it as a communication to the public",
    )


def _drift(here: Circumstances) -> Iterator[Finding]:
    """How far from the approved text; above the second limit it no longer counts as made from it."""
    drift, limits = here.drift, here.limits
    if drift is None:
        return
    if drift.changed:
        what = " and ".join(drift.changed)
        yield _metadata(
            "META-DRIFT-FACT",
            f"{what} of the approved text changed, which changes what is promised",
            "put it back as it was approved, or say why it is right",
            severity=Severity.warn,
        )
    if drift.share > limits.block:
        yield _metadata(
            "META-REWRITTEN",
            f"{drift.percent} % differs from the approved text: it goes out as written freely",
            "keep to the approved text, or say why another one is needed",
            severity=Severity.warn,
        )
    elif drift.share > limits.warn:
        yield _metadata(
            "META-DRIFT",
            f"{drift.percent} % differs from the approved text",
            "keep closer to the approved text, or say why it had to change",
            severity=Severity.warn,
        )


def _opt_out(here: Circumstances) -> Iterator[Finding]:
    known = here.conversation
    if known is None or known.opted_out_at is None or here.notice:
        return
    if here.use is Use.ASSISTANT:
        yield _context(
            "CTX-OPTED-OUT",
            "the customer switched automated replies off",
            "leave the answer to a person",
        )
    elif not known.written_since:
        yield _context(
            "CTX-OPTED-OUT",
            "the customer asked for no more messages and has not written since",
            "wait until the customer writes",
        )


def _window(here: Circumstances) -> Iterator[Finding]:
    known = here.conversation
    if known is None or known.window is None:
        return
    if known.last_customer_at is None or here.now - known.last_customer_at >= known.window:
        hours = known.window.total_seconds() / timedelta(hours=1).total_seconds()
        yield _context(
            "CTX-WINDOW-CLOSED",
            f"{here.channel} lets us answer for {hours:g} hours after the customer's last message,"
            " and they are over",
            "wait until the customer writes again",
        )


def _frozen(here: Circumstances) -> Iterator[Finding]:
    """The holding statement goes out word for word; a snippet is judged by its own topic, and what somebody
    writes freely by the conversation's. Where everything is frozen, all else stays here.
    """
    revision, known, state = here.revision, here.conversation, here.freezes
    if not state.freezes:
        return
    holding = state.holding_keys(channel=here.channel)
    if revision is not None and revision.key in holding and here.word_for_word:
        return
    if revision is not None:
        topics = [revision.topic]
    else:
        topics = [here.begun_about, *([known.topic] if known is not None else [])]
    found = (state.on(topic, channel=here.channel) for topic in topics)
    freeze = next((f for f in found if f is not None), None)
    if freeze is not None:
        told = f"{freeze.subject} is frozen by {freeze.by} ({_brief(freeze.reason)})"
        wait = f"leave it to {freeze.team} until it is thawed"
        yield _context(
            "CTX-FROZEN-TOPIC" if freeze.topic else "CTX-FROZEN",
            told,
            f"send the holding statement as it is, or {wait}" if holding else wait,
        )


def _care(here: Circumstances) -> Iterator[Finding]:
    """A person answers, in words of their own; what was approved for everybody needs a second thought first."""
    known = here.conversation
    if known is None or not known.care or here.notice:
        return
    what = " and ".join(known.care)
    if here.use is Use.ASSISTANT:
        yield _context(
            "CTX-CARE", f"the customer's words need a person: {what}", "hand over to a person"
        )
    elif here.revision is not None:
        yield _context(
            "CTX-CARE",
            f"the customer's words need care ({what}), and this is an answer made for everybody",
            "answer in your own words, or say why this one is right",
            severity=Severity.warn,
        )


# In this order: what is wrong with the text for everybody, then what is wrong with it here.
RULES: tuple[Callable[[Circumstances], Iterator[Finding]], ...] = (
    _approval,
    _validity,
    _scope,
    _uses,
    _drift,
    _opt_out,
    _window,
    _frozen,
    _care,
)


def _brief(reason: str) -> str:
    line = " ".join(reason.split())
    return line if len(line) <= REASON_SHOWN else line[: REASON_SHOWN - 3] + "..."


def _name(revision: RevisionFacts) -> str:
    return f"revision {revision.number} of {revision.key}"


def _speaks(content_locale: str, wanted: str) -> bool:
    """Content in `en` serves `en-GB`, as `Revision.in_scope` has it."""
    mine, theirs = content_locale.lower(), wanted.lower()
    return mine == theirs or theirs.startswith(mine + "-")


def _metadata(
    rule_id: str, reason: str, mend: str, *, severity: Severity = Severity.block
) -> Finding:
    return Finding(rule_id, severity, None, reason, mend, METADATA_LAYER)


def _context(
    rule_id: str, reason: str, mend: str, *, severity: Severity = Severity.block
) -> Finding:
    return Finding(rule_id, severity, None, reason, mend, CONTEXT_LAYER)
