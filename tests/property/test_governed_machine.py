"""A short run of the governed state machine; `python -m tests.benchmarks.governed_steps` is the long one."""

from __future__ import annotations

import pytest
from hypothesis import seed
from hypothesis.stateful import run_state_machine_as_test

from tests.property.governed_machine import COUNTS, Governed, profile


@pytest.mark.filterwarnings("default::hypothesis.errors.HypothesisWarning")
def test_nothing_is_ever_offered_that_was_not_approved_published_and_valid() -> None:
    COUNTS.clear()
    # The same short walk each time: a new one on every run would be a lottery for whoever changes something else.
    run_state_machine_as_test(seed(20260302)(Governed), settings=profile(examples=6, steps=40))
    assert COUNTS["steps"] >= 100
    assert COUNTS["offers to agent"] > 50, "the machine offered next to nothing: it tests nothing"
    for name in ("write", "submit", "sign_off", "recall", "roll_back", "time_passes"):
        assert COUNTS[name], f"no {name} ever succeeded"
