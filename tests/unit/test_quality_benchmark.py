"""The quality benchmark's own arithmetic: splits that never mix, figures that can be checked by hand."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.benchmarks.quality import data
from tests.benchmarks.quality.measure import Answer, at_recall, auroc, figures, risk_coverage
from tests.benchmarks.quality.plot import write_plot


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with (tmp_path / data.BANKING).open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["text", "category"])
        rows.writerows([f"{c} question {n}", c] for c in ("card", "loan") for n in range(200))
    parts = {
        part: [[f"{part} {n}", "hello" if "oos" not in part else "oos"] for n in range(40)]
        for part in ("train", "val", "oos_train", "oos_val")
    }
    (tmp_path / data.CLINC).write_text(json.dumps(parts))
    return tmp_path


def test_no_text_is_in_two_splits(folder: Path) -> None:
    banking = data.read_banking(folder)
    report, development = {t for t, _ in banking.report}, {t for t, _ in banking.development}
    rest = {text for texts in banking.phrasings.values() for text in texts}
    assert (len(report), len(development), len(rest)) == (80, 40, 280)
    assert not report & development
    assert not rest & (report | development)
    assert data.read_banking(folder) == banking


def test_the_development_part_of_clinc_takes_nothing_of_the_report(folder: Path) -> None:
    clinc = data.read_clinc(folder)
    report, development = (data.clinc_task(clinc, development=flag) for flag in (False, True))
    assert not {t for t, _ in report.questions} & {t for t, _ in development.questions}
    assert sum(category is None for _, category in report.questions) == 40
    assert len(development.phrasings["hello"]) == 25


def test_the_same_seed_draws_the_same_phrasings() -> None:
    pool = {"a": [str(n) for n in range(30)]}
    assert data.few(pool, 5, seed=1) == data.few(pool, 5, seed=1) != data.few(pool, 5, seed=2)
    assert set(data.few(pool, 5, seed=1)["a"]) <= set(data.few(pool, 10, seed=1)["a"])
    assert len(data.few(pool, None, seed=0)["a"]) == 30


def test_without_the_data_it_says_what_is_missing_and_stops(tmp_path: Path) -> None:
    environ = {k: v for k, v in os.environ.items() if k != data.SETTING}
    command = [sys.executable, "-m", "tests.benchmarks.quality"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert data.SETTING in done.stderr
    with pytest.raises(data.DataMissing, match=data.CLINC):
        data.folder({data.SETTING: str(tmp_path)})


def test_figures_of_a_known_case() -> None:
    answers = [
        Answer("a", 1, (0.9, 0.05), (True, False), True),
        Answer("a", 3, (0.8, 0.1, 0.1), (False, False, True), True),
        Answer("b", None, (0.4,), (False,), False),
        Answer(None, None, (0.6,), (False,), True),
        Answer(None, None, (0.1,), (False,), False),
    ]
    found = figures(answers)
    assert (found["hit_at_1"]["count"], found["hit_at_3"]["count"]) == (1, 2)
    assert found["mrr"] == pytest.approx((1 + 1 / 3) / 3, abs=1e-4)
    assert found["right_and_answered"]["count"] == 1
    assert found["unanswerable_abstained"]["count"] == 1
    assert (found["wrong_among_answered"]["count"], found["wrong_among_answered"]["total"]) == (
        2,
        3,
    )
    assert found["auroc"] == pytest.approx(5 / 6, abs=1e-4)


def test_separation_and_the_accuracy_at_a_recall() -> None:
    inside, outside = np.array([0.9, 0.5]), np.array([0.5, 0.1, 0.1, 0.1])
    assert auroc(inside, outside) == pytest.approx(7.5 / 8, abs=1e-4)
    assert auroc(inside, np.zeros(0)) is None
    confidence = np.concatenate([inside, outside])
    right, answerable = np.array([True, True, *[False] * 4]), np.array([True, True, *[False] * 4])
    assert at_recall(confidence, right, answerable, 0.75) == 1.0
    assert at_recall(confidence, right, answerable, 1.0) == 0.5


def test_the_plot_is_a_picture_with_a_line_for_each_result(tmp_path: Path) -> None:
    result = {
        "task": "shops & <banks>",
        "reliability": [{"confidence": 0.2, "right": 0.1}, {"confidence": 0.9, "right": 0.95}],
        "risk_coverage": risk_coverage(np.linspace(0, 1, 50), np.arange(50) > 10),
    }
    write_plot([result], tmp_path / "plot.svg")
    root = ElementTree.parse(tmp_path / "plot.svg").getroot()  # noqa: S314 - our own file
    assert len(root.findall("{*}polyline")) == 3
    assert "shops & <banks>" in [text.text for text in root.findall("{*}text")]
