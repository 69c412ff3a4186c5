"""The gate: what a candidate gains and loses against what is live, and whether it may replace it (pure)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Protocol

from knowledge_base.progress import Progress, silent
from knowledge_base.publish.limits import Limits
from knowledge_base.ranking.ranker import Eligible, Ranking
from knowledge_base.snippet import base_key


class Source(StrEnum):
    """Where a question comes from: the golden set, or a customer whose suggestion an agent sent."""

    GOLDEN = "golden"
    ACCEPTED = "accepted"


class Change(StrEnum):
    """What became of one question.

    `moved`: another first suggestion, right or wrong as before. `given_up`: it lost its answer because that
    snippet was retired or recalled on purpose. `still_wrong`: a must-pass question that was and is not
    answered as expected. Only a question for which nothing may be offered gains or loses silence.
    """

    GAINED = "gained"
    LOST = "lost"
    MOVED = "moved"
    SILENCE_GAINED = "silence_gained"
    SILENCE_LOST = "silence_lost"
    GIVEN_UP = "given_up"
    STILL_WRONG = "still_wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateQuestion:
    """What is asked; `expected_key` None means that nothing may be offered.

    `merged_into` is the snippet that the expected one was merged into: it answers as well, and stands for it.
    """

    text: str
    expected_key: str | None
    must_pass: bool = False
    source: Source = Source.GOLDEN
    merged_into: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What an agent would get: the first suggestion (None is silence), its confidence, and whether it is right.

    A suggestion is right as well when it says the same as the expected snippet (a variant), or when that one
    was merged into it.
    """

    key: str | None
    confidence: float | None
    right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One question that changed; `before` is None where there was nothing live to compare with."""

    question: GateQuestion
    before: Offer | None
    after: Offer
    change: Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Counts over the questions of one source, those given up left out. `right_before` is None at the first."""

    total: int
    right_before: int | None
    right_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReport:
    """The comparison of a candidate with what was live; `reasons` says why it is refused, empty when it passes.

    `base_build_id` None: there was nothing live to compare with, `note` says why. `changes` holds every
    question that changed, in the order asked.
    """

    base_build_id: str | None
    build_id: str
    golden: Tally
    must_pass: Tally
    accepted: Tally
    changes: tuple[Judged, ...]
    reasons: tuple[str, ...]
    limits: Limits
    note: str = ""

    @property
    def passes(self) -> bool:
        """Whether it may be published without an override."""
        return not self.reasons

    def of(self, *changes: Change) -> tuple[Judged, ...]:
        """The questions with one of these changes."""
        return tuple(judged for judged in self.changes if judged.change in changes)

    @property
    def lost(self) -> tuple[Judged, ...]:
        """Questions that are no longer answered as expected, silence lost included."""
        return self.of(Change.LOST, Change.SILENCE_LOST)

    @property
    def gained(self) -> tuple[Judged, ...]:
        """Questions that are answered as expected now, silence gained included."""
        return self.of(Change.GAINED, Change.SILENCE_GAINED)

    @property
    def moved(self) -> tuple[Judged, ...]:
        """Questions with another first suggestion that are as right or wrong as before."""
        return self.of(Change.MOVED)

    @property
    def given_up(self) -> tuple[Judged, ...]:
        """Questions of snippets that were retired or recalled on purpose."""
        return self.of(Change.GIVEN_UP)

    def to_json(self) -> dict[str, Any]:
        """For the column `publication.report` and for `--json`."""
        return {**asdict(self), "passes": self.passes}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> GateReport:
        """What `to_json` gave."""
        return cls(
            base_build_id=data["base_build_id"],
            build_id=data["build_id"],
            golden=Tally(**data["golden"]),
            must_pass=Tally(**data["must_pass"]),
            accepted=Tally(**data["accepted"]),
            changes=tuple(_judged(each) for each in data["changes"]),
            reasons=tuple(data["reasons"]),
            limits=Limits(**data["limits"]),
            note=data["note"],
        )


class Ranks(Protocol):
    """What the gate needs of a ranker."""

    @property
    def build_id(self) -> str:
        """Of its generation."""

    def rank(
        self, messages: Sequence[str], *, limit: int, eligible: Eligible | None = None
    ) -> Ranking:
        """See `Ranker.rank`."""

    def same_answer(self, one: str, other: str) -> bool:
        """Whether two snippets of the generation are variants of one answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two generations, with the snippets that may be offered from it."""

    ranker: Ranks
    eligible: Eligible | None = None


def compare(
    live: Side | None,
    candidate: Side,
    questions: Sequence[GateQuestion],
    *,
    limits: Limits,
    gone: Collection[str] = (),
    note: str = "",
    progress: Progress = silent,
) -> GateReport:
    """Put every question to both as an agent's single message, and judge the difference by the limits.

    `live` None: there is nothing to compare with; then only must-pass questions can refuse, and not even
    those at the first publication, where `note` is empty. `gone` are keys that were retired or recalled on
    purpose: their questions are given up, not lost.
    """
    judged: list[tuple[GateQuestion, Offer | None, Offer]] = []
    for done, question in enumerate(questions, start=1):
        before = None if live is None else _offer(live, question)
        judged.append((question, before, _offer(candidate, question)))
        progress("Comparing", done, len(questions))
    kept = [each for each in judged if not _given_up(each[0], each[2], gone)]
    changes = tuple(
        Judged(question=question, before=before, after=after, change=change)
        for question, before, after in judged
        if (change := _change(question, before, after, gone)) is not None
    )
    return GateReport(
        base_build_id=None if live is None else live.ranker.build_id,
        build_id=candidate.ranker.build_id,
        golden=_tally(kept, lambda q: q.source is Source.GOLDEN),
        must_pass=_tally(kept, lambda q: q.must_pass),
        accepted=_tally(kept, lambda q: q.source is Source.ACCEPTED),
        changes=changes,
        reasons=_reasons(kept, changes, limits, first=live is None and not note),
        limits=limits,
        note=note,
    )


def _offer(side: Side, question: GateQuestion) -> Offer:
    ranking = side.ranker.rank([question.text], limit=1, eligible=side.eligible)
    if ranking.abstained or not ranking.candidates:
        return Offer(key=None, confidence=None, right=question.expected_key is None)
    first = ranking.candidates[0]
    right = any(
        base_key(first.snippet_key) == base_key(expected)
        or side.ranker.same_answer(first.snippet_key, expected)
        for expected in (question.expected_key, question.merged_into)
        if expected is not None
    )
    return Offer(key=first.snippet_key, confidence=round(first.confidence, 4), right=right)


def _given_up(question: GateQuestion, after: Offer, gone: Collection[str]) -> bool:
    return (question.merged_into or question.expected_key) in gone and not after.right


def _change(
    question: GateQuestion, before: Offer | None, after: Offer, gone: Collection[str]
) -> Change | None:
    if _given_up(question, after, gone):
        return Change.GIVEN_UP
    if before is not None and before.right != after.right:
        if question.expected_key is None:
            return Change.SILENCE_GAINED if after.right else Change.SILENCE_LOST
        return Change.GAINED if after.right else Change.LOST
    if question.must_pass and not after.right:
        return Change.STILL_WRONG
    return Change.MOVED if before is not None and before.key != after.key else None


def _tally(
    judged: Iterable[tuple[GateQuestion, Offer | None, Offer]],
    wanted: Callable[[GateQuestion], bool],
) -> Tally:
    chosen = [(before, after) for question, before, after in judged if wanted(question)]
    before = [was.right for was, _ in chosen if was is not None]
    return Tally(
        total=len(chosen),
        right_before=sum(before) if before or not chosen else None,
        right_after=sum(after.right for _, after in chosen),
    )


def _reasons(
    kept: Sequence[tuple[GateQuestion, Offer | None, Offer]],
    changes: Sequence[Judged],
    limits: Limits,
    *,
    first: bool,
) -> tuple[str, ...]:
    """Why the candidate is refused, each with the questions it is about."""
    if first:
        return ()
    reasons: list[str] = []
    failed = [q for q, _, after in kept if q.must_pass and not after.right]
    if failed:
        reasons.append(f"{_count(failed, 'must-pass question')} not answered as expected")
    for source, name in ((Source.GOLDEN, "golden"), (Source.ACCEPTED, "accepted")):
        lost = _having(changes, source, Change.LOST, Change.SILENCE_LOST)
        gained = _having(changes, source, Change.GAINED, Change.SILENCE_GAINED)
        right = sum(1 for q, was, _ in kept if q.source is source and was and was.right)
        reason = _golden(lost, right, limits)
        if source is Source.ACCEPTED:
            reason = _accepted(lost, gained, right, limits)
        if reason:
            reasons.append(f"{_count(lost, f'{name} question')} lost: {reason}")
    return tuple(reasons)


def _golden(lost: Sequence[GateQuestion], right: int, limits: Limits) -> str | None:
    if len(lost) > limits.lost:
        return f"at most {limits.lost} may be, whatever is gained (FIRSTLINE_MAX_LOST)"
    if len(lost) > limits.lost_share * right:
        return (
            f"more than {limits.lost_share:.1%} of the {right:,} answered as expected before"
            " (FIRSTLINE_MAX_LOST_SHARE)"
        )
    return None


def _accepted(
    lost: Sequence[GateQuestion], gained: Sequence[GateQuestion], right: int, limits: Limits
) -> str | None:
    if len(lost) - len(gained) > limits.lost_accepted_share * right:
        return (
            f"less the {len(gained)} gained, more than {limits.lost_accepted_share:.1%} of the {right:,}"
            " answered as expected before (FIRSTLINE_MAX_LOST_ACCEPTED)"
        )
    return None


def _having(changes: Iterable[Judged], source: Source, *wanted: Change) -> list[GateQuestion]:
    return [
        each.question
        for each in changes
        if each.question.source is source and each.change in wanted
    ]


def _count(questions: Sequence[GateQuestion], name: str) -> str:
    return f"{len(questions):,} {name}{'' if len(questions) == 1 else 's'}"


def _judged(data: Mapping[str, Any]) -> Judged:
    question = data["question"]
    return Judged(
        question=GateQuestion(**{**question, "source": Source(question["source"])}),
        before=None if data["before"] is None else Offer(**data["before"]),
        after=Offer(**data["after"]),
        change=Change(data["change"]),
    )
