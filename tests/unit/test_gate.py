"""The gate's judgement: which questions count as gained, moved, lost or given up, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from knowledge_base.errors import ConfigurationError
from knowledge_base.publish.gate import (
    Change,
    GateQuestion,
    GateReport,
    Side,
    Source,
    compare,
)
from knowledge_base.publish.limits import Limits
from knowledge_base.ranking.ranker import Candidate, Eligible, Ranking, Timings
from suggest_api.settings import Settings


class Answers:
    """A ranker that answers from a table, best first; a question that is not in it gets silence."""

    def __init__(
        self,
        build_id: str,
        answers: Mapping[str, str | tuple[str, ...]],
        *,
        same: Sequence[frozenset[str]] = (),
    ) -> None:
        self.build_id = build_id
        self._answers = answers
        self._same = same

    def rank(
        self, messages: Sequence[str], *, limit: int, eligible: Eligible | None = None
    ) -> Ranking:
        found = self._answers.get(messages[-1], ())
        keys = (found,) if isinstance(found, str) else found
        allowed = [key for key in keys if eligible is None or key in eligible(keys)][:limit]
        candidates = tuple(Candidate(key, 1, 1, 1.0, 0.9, None) for key in allowed)
        return Ranking(
            candidates, not candidates, None, 0.5, self.build_id, Timings(0.0, 0.0, 0.0)
        )

    def same_answer(self, one: str, other: str) -> bool:
        return any({one, other} <= group for group in self._same)


def side(
    build_id: str,
    answers: Mapping[str, str | tuple[str, ...]],
    *,
    only: frozenset[str] | None = None,
    same: Sequence[frozenset[str]] = (),
) -> Side:
    eligible = None if only is None else lambda keys: [key for key in keys if key in only]
    return Side(ranker=Answers(build_id, answers, same=same), eligible=eligible)


def ask(
    text: str, expected: str | None, *, must: bool = False, real: bool = False
) -> GateQuestion:
    source = Source.ACCEPTED if real else Source.GOLDEN
    return GateQuestion(text=text, expected_key=expected, must_pass=must, source=source)


def judge(
    before: Mapping[str, str | tuple[str, ...]],
    after: Mapping[str, str | tuple[str, ...]],
    *questions: GateQuestion,
    limits: Limits | None = None,
    gone: frozenset[str] = frozenset(),
) -> GateReport:
    return compare(
        side("old", before), side("new", after), questions, limits=limits or Limits(), gone=gone
    )


def changes(report: GateReport) -> dict[str, Change]:
    return {judged.question.text: judged.change for judged in report.changes}


def test_every_kind_of_change_is_told() -> None:
    report = judge(
        {"a": "a", "b": "x", "c": "c", "d": "x", "e": "e", "h": "x"},
        {"a": "a", "b": "b", "c": "x", "d": "y", "e": "x", "g": "g"},
        ask("a", "a"),
        ask("b", "b"),
        ask("c", "c"),
        ask("d", "d"),
        ask("e", "e"),
        ask("g", None),
        ask("h", None),
        limits=Limits(lost=9, lost_share=1.0),
        gone=frozenset({"e"}),
    )
    assert changes(report) == {
        "b": Change.GAINED,
        "c": Change.LOST,
        "d": Change.MOVED,
        "e": Change.GIVEN_UP,
        "g": Change.SILENCE_LOST,
        "h": Change.SILENCE_GAINED,
    }
    assert [judged.question.text for judged in report.lost] == ["c", "g"]
    assert [judged.question.text for judged in report.gained] == ["b", "h"]
    assert [judged.question.text for judged in report.moved] == ["d"]
    assert [judged.question.text for judged in report.given_up] == ["e"]
    # What was given up counts on neither side.
    assert (report.golden.total, report.golden.right_before, report.golden.right_after) == (
        6,
        3,
        3,
    )
    assert report.passes


def test_one_question_lost_and_none_gained_is_refused_and_named() -> None:
    report = judge({"a": "a", "b": "b"}, {"a": "x", "b": "b"}, ask("a", "a"), ask("b", "b"))
    assert not report.passes
    assert report.reasons[0].startswith("1 golden question lost: at most 0 may be")
    [lost] = report.lost
    assert lost.before is not None
    assert (lost.question.text, lost.before.key, lost.after.key) == ("a", "a", "x")


def test_silence_where_an_answer_was_right_is_a_loss_and_so_is_an_answer_where_none_is() -> None:
    report = judge({"a": "a"}, {"z": "a"}, ask("a", "a"), ask("z", None))
    assert changes(report) == {"a": Change.LOST, "z": Change.SILENCE_LOST}
    assert not report.passes


def test_what_is_gained_makes_up_for_no_golden_question() -> None:
    questions = [ask(f"q{n}", f"k{n}") for n in range(40)]
    before = {f"q{n}": f"k{n}" for n in range(20)}
    after = {f"q{n}": f"k{n}" for n in range(1, 30)}
    report = judge(before, after, *questions)
    assert (len(report.lost), len(report.gained)) == (1, 10)
    assert not report.passes
    assert judge(before, after, *questions, limits=Limits(lost=1)).passes


def test_where_losses_are_allowed_they_are_bounded_by_a_share() -> None:
    questions = [ask(f"q{n}", f"k{n}") for n in range(20)]
    before = {f"q{n}": f"k{n}" for n in range(20)}
    for lost, passes in ((1, True), (2, False)):  # 5 % of 20 is one
        after = {f"q{n}": f"k{n}" for n in range(lost, 20)}
        report = judge(before, after, *questions, limits=Limits(lost=9))
        assert report.passes is passes, report.reasons
    assert "FIRSTLINE_MAX_LOST_SHARE" in report.reasons[0]
    assert judge(before, after, *questions, limits=Limits(lost=9, lost_share=0.1)).passes


def test_a_must_pass_question_refuses_whatever_else_is_gained() -> None:
    questions = (ask("a", "a", must=True), ask("b", "b"), ask("c", "c"))
    lost = judge({"a": "a"}, {"b": "b", "c": "c"}, *questions, limits=Limits(lost=1, lost_share=1))
    assert lost.reasons == ("1 must-pass question not answered as expected",)
    still = judge({}, {"b": "b"}, *questions)
    assert changes(still)["a"] is Change.STILL_WRONG
    assert not still.passes


def test_a_must_pass_question_of_a_snippet_that_was_pulled_is_given_up() -> None:
    report = judge({"a": "a"}, {"a": "x"}, ask("a", "a", must=True), gone=frozenset({"a"}))
    assert changes(report) == {"a": Change.GIVEN_UP}
    assert report.passes
    assert report.must_pass.total == 0


def test_a_question_that_another_snippet_answers_rightly_is_not_given_up() -> None:
    same = (frozenset({"a", "b"}),)
    report = compare(
        side("old", {"q": "a"}, same=same),
        side("new", {"q": "b"}, same=same),
        [ask("q", "a")],
        limits=Limits(),
        gone=frozenset({"a"}),
    )
    assert changes(report) == {"q": Change.MOVED}


def test_variants_of_the_expected_snippet_are_right() -> None:
    report = judge({"q": "late"}, {"q": "late~short"}, ask("q", "late"))
    assert changes(report) == {"q": Change.MOVED}
    assert report.passes


def test_accepted_questions_have_a_share_of_their_own() -> None:
    questions = [ask(f"q{n}", f"k{n}", real=True) for n in range(100)]
    before = {f"q{n}": f"k{n}" for n in range(100)}
    for lost, passes in ((2, True), (3, False)):
        after = {f"q{n}": f"k{n}" for n in range(lost, 100)}
        report = judge(before, after, *questions)
        assert report.passes is passes
    assert "FIRSTLINE_MAX_LOST_ACCEPTED" in report.reasons[0]
    assert report.golden.total == 0


def test_only_what_may_be_offered_counts() -> None:
    before = side("old", {"q": ("a", "b")}, only=frozenset({"b"}))
    after = side("new", {"q": ("a", "b")})
    report = compare(before, after, [ask("q", "a")], limits=Limits())
    assert changes(report) == {"q": Change.GAINED}


def test_the_first_publication_has_nothing_to_lose() -> None:
    report = compare(
        None, side("new", {}), [ask("a", "a", must=True), ask("z", None)], limits=Limits()
    )
    assert report.passes
    assert report.base_build_id is None
    assert report.golden.right_before is None
    assert report.golden.right_after == 1


def test_where_what_is_live_cannot_be_opened_must_pass_questions_still_refuse() -> None:
    questions = [ask("a", "a", must=True), ask("b", "b")]
    report = compare(None, side("new", {}), questions, limits=Limits(), note="cannot be opened")
    assert report.reasons == ("1 must-pass question not answered as expected",)


def test_without_questions_everything_passes() -> None:
    assert judge({"a": "a"}, {}).passes


def test_a_report_survives_being_stored() -> None:
    report = judge(
        {"a": "a", "b": "b"}, {"a": "x"}, ask("a", "a", must=True), ask("b", "b", real=True)
    )
    assert GateReport.from_json(report.to_json()) == report
    assert report.to_json()["passes"] is False


def test_the_limits_come_from_the_environment_and_the_settings_describe_them() -> None:
    assert Limits.from_environment({}) == Limits()
    found = Limits.from_environment(
        {
            "FIRSTLINE_MAX_LOST": "3",
            "FIRSTLINE_MAX_LOST_SHARE": "0.5",
            "FIRSTLINE_MAX_LOST_ACCEPTED": "1",
        }
    )
    assert found == Limits(lost=3, lost_share=0.5, lost_accepted_share=1.0)
    defaults = {name: Settings.model_fields[name].default for name in Settings.model_fields}
    assert Limits() == Limits(
        lost=defaults["max_lost"],
        lost_share=defaults["max_lost_share"],
        lost_accepted_share=defaults["max_lost_accepted"],
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FIRSTLINE_MAX_LOST", "-1"),
        ("FIRSTLINE_MAX_LOST", "few"),
        ("FIRSTLINE_MAX_LOST_SHARE", "1.5"),
        ("FIRSTLINE_MAX_LOST_ACCEPTED", "some"),
    ],
)
def test_a_limit_that_is_none_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Limits.from_environment({name: value})
