"""What a proposed policy would do to what is said today: snippets, golden questions, ordinary replies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from knowledge_base.governance.checks import same_judgement
from knowledge_base.policy import Finding, Judged, Outcome, Policy, Severity, judge
from knowledge_base.progress import Progress, silent
from knowledge_base.snippet import Revision
from knowledge_base.store.golden import GoldenQuestion

_ANY_CHANNEL = "generic"
_STEP = 200  # texts between two words about the progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """A text that is let through now and would be blocked, or warned about; `rules` say so.

    `key` is the snippet's, '' for an example of a rule. `questions` are golden questions that it answers.
    """

    key: str
    text: str
    channel: str
    rules: tuple[str, ...]
    reason: str
    by_assistant: bool = False
    questions: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A plain dict for JSON."""
        return {
            "key": self.key,
            "text": self.text,
            "channel": self.channel,
            "rules": list(self.rules),
            "reason": self.reason,
            "by_assistant": self.by_assistant,
            "questions": list(self.questions),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Live snippets that would newly be `blocked` or `warned` about, and keys of those judged milder, `freed`.

    `examples` are replies that other rules keep as ones that must pass and that would newly be blocked.
    """

    snippets: int = 0
    blocked: tuple[Stopped, ...] = ()
    warned: tuple[Stopped, ...] = ()
    freed: tuple[str, ...] = ()
    examples: tuple[Stopped, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """A plain dict for JSON."""
        return {
            "snippets": self.snippets,
            "blocked": [each.to_json() for each in self.blocked],
            "warned": [each.to_json() for each in self.warned],
            "freed": list(self.freed),
            "examples": [each.to_json() for each in self.examples],
        }


def preview(
    before: Policy,
    after: Policy,
    live: Iterable[Revision],
    golden: Iterable[GoldenQuestion] = (),
    *,
    progress: Progress = silent,
) -> Effect:
    """What changes for these revisions if `after` judges instead of `before`.

    A rule says the same of a text whatever other rules there are, so only rules that differ are asked; a text
    about which one of them has something to say is judged by both policies as a whole.
    """
    revisions = list(live)
    asked: dict[str, list[str]] = {}
    for question in golden:
        if question.expected_key is not None:
            asked.setdefault(question.expected_key, []).append(question.question)
    blocked: list[Stopped] = []
    warned: list[Stopped] = []
    freed: list[str] = []
    differing = _Differing(before, after)
    for number, revision in enumerate(revisions, start=1):
        found = _worst(differing, revision, tuple(asked.get(revision.key, ())))
        if found is not None:
            milder, outcome, stopped = found
            if milder:
                freed.append(revision.key)
            else:
                (blocked if outcome is Outcome.block else warned).append(stopped)
        if number % _STEP == 0 or number == len(revisions):
            progress("comparing", number, len(revisions))
    return Effect(
        snippets=len(revisions),
        blocked=tuple(blocked),
        warned=tuple(warned),
        freed=tuple(freed),
        examples=tuple(_examples(differing)),
    )


class _Differing:
    """The rules of two policies that do not say the same, on a channel and for a language."""

    def __init__(self, before: Policy, after: Policy) -> None:
        self.before, self.after = before, after
        self._known: dict[tuple[str, str], Callable[[Judged], bool]] = {}

    def speaks(self, judged: Judged, *, channel: str, locale: str) -> bool:
        """Whether one of them has something to say about this text."""
        at = (channel, locale)
        if at not in self._known:
            self._known[at] = _any_of(self.before, self.after, channel=channel, locale=locale)
        return self._known[at](judged)


def _any_of(
    before: Policy, after: Policy, *, channel: str, locale: str
) -> Callable[[Judged], bool]:
    old = {rule.id: rule for rule in before.rules_for(channel=channel, locale=locale)}
    new = {rule.id: rule for rule in after.rules_for(channel=channel, locale=locale)}
    differ = [
        rule
        for one, other in ((old, new), (new, old))
        for rule_id, rule in one.items()
        if rule_id not in other or not same_judgement(rule, other[rule_id])
    ]

    def speaks(judged: Judged) -> bool:
        for rule in differ:
            try:
                if any(rule.judge(judged)):
                    return True
            except Exception:  # the engine blocks then, so it speaks
                return True
        return False

    return speaks


_Change = tuple[
    bool, Outcome, tuple[Finding, ...]
]  # whether it is milder, what it would be, and why


def _worst(
    differing: _Differing, revision: Revision, questions: tuple[str, ...]
) -> tuple[bool, Outcome, Stopped] | None:
    """The worst that changes for a revision on any of its channels."""
    content = revision.content
    worst: tuple[bool, Outcome, Stopped] | None = None
    for channel in content.channels or (_ANY_CHANNEL,):
        change = _change(differing, content.text, channel, content.locale, template=True)
        if change is None:
            continue
        milder, outcome, findings = change
        stopped = Stopped(
            key=revision.key,
            text=content.text,
            channel=channel,
            rules=_rules(findings),
            reason=findings[0].reason if findings else "",
            by_assistant=content.auto_send,
            questions=questions,
        )
        if worst is None or (not milder, _RANK[outcome]) > (not worst[0], _RANK[worst[1]]):
            worst = milder, outcome, stopped
    return worst


_RANK: Mapping[Outcome, int] = {Outcome.pass_: 0, Outcome.warn: 1, Outcome.block: 2}


def _change(
    differing: _Differing, text: str, channel: str, locale: str, *, template: bool
) -> _Change | None:
    """What changes for a text; None where the outcome stays."""
    judged = Judged(text, channel, template, locale)
    if not differing.speaks(judged, channel=channel, locale=locale):
        return None
    old, new = (
        judge(policy, text, channel=channel, template=template, locale=locale)
        for policy in (differing.before, differing.after)
    )
    if old.outcome is new.outcome:
        return None
    severity = Severity.block if new.outcome is Outcome.block else Severity.warn
    findings = tuple(f for f in new.findings if f.severity is severity)
    return _RANK[new.outcome] < _RANK[old.outcome], new.outcome, findings


def _rules(findings: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(finding.rule_id for finding in findings))


def _examples(differing: _Differing) -> Iterator[Stopped]:
    """Replies that a rule keeps as ordinary ones, which another rule would block then."""
    texts = dict.fromkeys(
        text
        for rule in differing.before.rules
        if rule.examples_channel == _ANY_CHANNEL
        for text in rule.must_pass
    )
    for text in texts:
        change = _change(differing, text, _ANY_CHANNEL, "en", template=False)
        if change is not None and change[1] is Outcome.block:
            findings = change[2]
            yield Stopped(
                key="",
                text=text,
                channel=_ANY_CHANNEL,
                rules=_rules(findings),
                reason=findings[0].reason,
            )
