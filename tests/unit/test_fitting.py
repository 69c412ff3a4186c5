"""Learning from few, uneven and very many phrasings: what is asked, what it costs, and that it stays the same."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge_base.cli.generations import show_calibration
from knowledge_base.home import Home
from knowledge_base.index.encoder import Vectors
from knowledge_base.index.rows import RowTable, collect
from knowledge_base.ranking import Ranker, fitting, scoring
from knowledge_base.ranking import confidence as conf
from knowledge_base.ranking.calibrating import SEED
from knowledge_base.ranking.fitting import Fitted, fit, sampling
from tests.fixtures_generation import WordHashEncoder, build, revision, shop

DIMENSION = 16


@settings(max_examples=40)
@given(owner=st.lists(st.integers(0, 6), max_size=60), seed=st.integers(0, 99))
def test_sums_are_those_of_adding_one_by_one_to_the_last_bit(owner: list[int], seed: int) -> None:
    vectors = np.random.default_rng(seed).standard_normal((len(owner), 5)).astype(np.float32)
    one_by_one = np.zeros((7, 5))
    np.add.at(one_by_one, np.array(owner, dtype=np.int64), vectors)
    sums = scoring.sums_of(vectors, np.array(owner, dtype=np.int32), 7)
    assert sums.tobytes() == one_by_one.tobytes()


def test_projecting_in_blocks_gives_the_same_bits_as_at_once() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((scoring.BLOCK * 2 + 3, 24)).astype(np.float32)
    vectors[5] = 0.0
    centre = vectors.mean(axis=0)
    vectors[7] = centre  # its difference has no direction
    whole = scoring.unit(vectors - centre)
    assert scoring.project(vectors, centre).tobytes() == whole.tobytes()
    assert scoring.project(vectors[9], centre).tobytes() == whole[9].tobytes()
    assert scoring.project(vectors[:0], centre).shape == (0, 24)


def test_losses_are_those_of_each_temperature() -> None:
    total = np.random.default_rng(2).standard_normal(50) * 9
    none = np.zeros(50)
    scores = scoring.Scores(total, none, none, none.astype(np.int64), None, 0.0)
    right = np.zeros(50, dtype=bool)
    assert not fitting._losses(scores, right).any()
    right[[3, 20, 41]] = True
    losses = fitting._losses(scores, right)
    for loss, temperature in zip(losses, conf.TEMPERATURES, strict=True):
        chance = np.exp(total / temperature)
        assert loss == pytest.approx(-np.log(chance[right].sum() / chance.sum()))


def test_every_phrasing_of_a_small_knowledge_base_is_a_question() -> None:
    for rows, snippets, phrasings in ((0, 0, 0), (3, 1, 1), (100, 20, 60), (6_000, 77, 5_800)):
        planned = sampling(rows, snippets, phrasings)
        assert planned.report() is None
        assert planned.asked == planned.folds == 10
        assert planned.folds * planned.limit >= phrasings


@pytest.mark.parametrize("snippets", [2_000, 10_000, 100_000])
@pytest.mark.parametrize("each", [1, 3, 10])
def test_the_questions_of_a_large_one_are_bounded_and_counted(snippets: int, each: int) -> None:
    rows, phrasings = snippets * (each + 2), snippets * each
    planned = sampling(rows, snippets, phrasings)
    questions = planned.asked * planned.limit
    assert fitting.LEAST_QUESTIONS <= questions <= fitting.MAX_QUESTIONS
    if phrasings < questions:  # nothing to draw from: all folds are asked
        assert (planned.asked, planned.report()) == (planned.folds, None)
        return
    # The folds that are asked hold the questions, and no fold is asked without need.
    assert planned.asked * phrasings >= questions * planned.folds
    assert planned.asked <= max(
        fitting.FEW_FOLDS, 1 + fitting.MAX_QUESTIONS * planned.folds // phrasings
    )
    most = max(fitting.MAX_COMPARISONS, fitting.LEAST_QUESTIONS * rows)
    assert questions * rows <= most
    assert planned.report() == {
        "phrasings": phrasings,
        "folds": planned.folds,
        "folds_asked": planned.asked,
        "questions_per_fold": planned.limit,
        "seed": SEED,
    }


def test_a_draw_is_from_all_of_a_fold_and_the_same_every_time() -> None:
    rows = np.arange(1_000, dtype=np.int64) * 3
    assert fitting._some(rows, 1_000, 0) is rows
    drawn = fitting._some(rows, 100, 0)
    assert len(set(drawn.tolist())) == 100
    assert (np.diff(drawn) > 0).all()
    assert set(drawn.tolist()) <= set(rows.tolist())
    assert drawn.max() > 2_500  # the first hundred would end at 297
    assert drawn.tolist() == fitting._some(rows, 100, 0).tolist()
    assert drawn.tolist() != fitting._some(rows, 100, 1).tolist()


def _crowd(snippets: int, each: int = 2) -> tuple[RowTable, Vectors, list[str]]:
    """A title, a text and phrasings of each snippet, around a direction of its own."""
    made = [
        revision(
            f"s{number:05}",
            title=f"word{number} title",
            text=f"word{number} text",
            examples=[f"word{number} asked {n}" for n in range(each)],
        )
        for number in range(snippets)
    ]
    rows, texts = collect(made)
    rng = np.random.default_rng(3)
    centres = rng.standard_normal((snippets, DIMENSION))
    vectors = centres[rows.snippet] + 0.5 * rng.standard_normal((len(texts), DIMENSION))
    return rows, scoring.unit(vectors.astype(np.float32)), texts


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes at which a knowledge base counts as large, small enough to test; the rows of each fit."""
    monkeypatch.setattr(fitting, "SMALL_WORK", 1_000)
    monkeypatch.setattr(fitting, "FULL_WORK", 2_000)
    monkeypatch.setattr(fitting, "MAX_HEAD_WORK", 2_000)
    monkeypatch.setattr(fitting, "MAX_COMPARISONS", 1_000)
    monkeypatch.setattr(fitting, "LEAST_QUESTIONS", 40)
    fits: list[int] = []
    inner = fitting._fit_head

    def counted(vectors: Vectors, *rest: object) -> object:
        fits.append(len(vectors))
        return inner(vectors, *rest)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(fitting, "_fit_head", counted)
    return fits


def _peak(rows: RowTable, vectors: Vectors, texts: Sequence[str]) -> tuple[Fitted, int]:
    tracemalloc.start()
    try:
        fitted = fit(rows, vectors, texts)
        return fitted, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_build_grows_with_its_rows_and_not_with_their_square(large: list[int]) -> None:
    """Counts and bytes, not seconds: fits, rows that are learnt from, questions, and the largest memory."""
    fit(*_crowd(40))  # libraries are imported and their caches made
    large.clear()
    peaks: dict[int, int] = {}
    for size in (150, 600):
        rows, vectors, texts = _crowd(size)
        fitted, peaks[size] = _peak(rows, vectors, texts)
        # The whole, and two folds each of phrasings, of snippets and of their kinds.
        assert len(large) == 1 + 3 * fitting.FEW_FOLDS
        assert sum(large) <= len(large) * len(rows.snippet)
        assert fitted.calibration.report["answerable"] == 40
        assert fitted.calibration.report["questions"] <= 80
        assert not fitted.head.trained
        large.clear()
    assert peaks[600] < 6 * peaks[150]
    assert peaks[600] < (4 * 600) ** 2  # not even one byte for every pair of rows


def test_a_sampled_build_is_the_same_every_time_and_says_what_was_drawn(large: list[int]) -> None:
    material = _crowd(150)
    one, other = fit(*material), fit(*material)
    assert one.files() == other.files()
    assert one.vectors.tobytes() == other.vectors.tobytes()
    assert one.calibration.report["sample"]["phrasings"] == 300
    assert one.calibration.report["sample"]["seed"] == SEED
    assert large


def test_a_large_head_is_learnt_in_fewer_folds(
    large: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "MAX_HEAD_WORK", 100_000)
    fitted = fit(*_crowd(30, each=4))
    assert fitted.head.trained
    assert len(large) == 1 + 3 * fitting.FEW_FOLDS
    assert fitted.calibration.report["hit_at_1"] > 0.8


def _served(folder: Path, phrasings: Sequence[int]) -> Ranker:
    """A ranker of snippets with so many phrasings each."""
    made = [
        revision(
            f"s{number}",
            title=f"matter{number}",
            text=f"About matter{number} we know it all.",
            examples=[f"matter{number} question{n}" for n in range(count)],
        )
        for number, count in enumerate(phrasings)
    ]
    return Ranker(build(Home.at(folder), made, WordHashEncoder()), WordHashEncoder())


@pytest.mark.parametrize(
    "phrasings", [(0, 0, 0, 0), (0,), (1, 0), (40, 0, 1, 3), (0, 0, 0, 25), (1, 1, 1, 1)]
)
def test_any_mix_of_phrasings_is_served(tmp_path: Path, phrasings: tuple[int, ...]) -> None:
    ranker = _served(tmp_path, phrasings)
    for number in range(len(phrasings)):
        ranking = ranker.rank([f"matter{number}"], limit=3)
        assert ranking.candidates[0].snippet_key == f"s{number}"
        assert 0.0 <= ranking.candidates[0].confidence <= 1.0
        assert ranking.candidates[0].matched is not None


def test_without_any_phrasing_nothing_is_promised(tmp_path: Path) -> None:
    ranker = _served(tmp_path, (0, 0, 0))
    assert ranker.calibration.report["questions"] == 0
    assert (ranker.calibration.agent.basis, ranker.calibration.assistant.basis) == (
        "prior",
        "prior",
    )
    assert not ranker.head.trained


def test_small_knowledge_bases_are_asked_all_their_phrasings() -> None:
    rows, texts = collect(shop())
    calibration = fit(rows, WordHashEncoder().encode(texts), texts).calibration
    assert calibration.report["answerable"] == 25
    assert "sample" not in calibration.report


def test_a_large_one_of_few_phrasings_is_asked_all_of_them(large: list[int]) -> None:
    """Fewer folds spare fits, never questions that are needed."""
    fitted = fit(*_crowd(60, each=1))
    assert fitting.FULL_WORK < 60 * 180
    assert fitted.calibration.report["answerable"] > fitting.LEAST_QUESTIONS * 0.7
    assert len(large) > 1 + 3 * fitting.FEW_FOLDS


def test_the_build_prints_what_was_drawn(
    large: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    show_calibration(fit(*_crowd(150)).calibration.report)
    assert large
    shown = " ".join(capsys.readouterr().out.split())
    assert f"drawn from 300 phrasings: 20 at most of each of 2 folds in 5, seed {SEED}" in shown
    rows, texts = collect(shop())
    show_calibration(fit(rows, WordHashEncoder().encode(texts), texts).calibration.report)
    assert "drawn from" not in capsys.readouterr().out
