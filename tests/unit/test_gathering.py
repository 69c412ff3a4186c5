"""Gathering: company shares one round, a single caller does not wait, and one error harms nobody else."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from knowledge_base.gathering import Gathering


class Recorder:
    """Doubles numbers and remembers the rounds; the first round waits until it is let go."""

    def __init__(self) -> None:
        self.rounds: list[list[int]] = []
        self.started = threading.Event()
        self.go = threading.Event()

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.rounds.append(list(items))
        self.started.set()
        assert self.go.wait(30)
        if -1 in items:
            raise ValueError("-1 cannot be doubled")
        if -2 in items:
            raise ConnectionError("nothing can be doubled")
        return [2 * item for item in items]


def together(gathering: Gathering[int, int], work: Recorder, items: Sequence[int]) -> list[object]:
    """Results (or errors) of items that all wait while a first one is worked on."""

    def ask(item: int) -> object:
        try:
            return gathering(item)
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(items) + 1) as pool:
        first = pool.submit(gathering, 0)
        assert work.started.wait(30)
        others = [pool.submit(ask, item) for item in items]
        while len(gathering._waiting) < len(items):
            assert not first.done()
        work.go.set()
        assert first.result(30) == 0
        return [other.result(30) for other in others]


def test_one_caller_is_served_alone_and_at_once():
    work = Recorder()
    work.go.set()

    assert [Gathering(work, most=8)(item) for item in (1, 2)] == [2, 4]
    assert work.rounds == [[1], [2]]


def test_those_who_wait_share_one_round_and_each_gets_its_own_result():
    work = Recorder()

    assert together(Gathering(work, most=8), work, [1, 2, 3, 4]) == [2, 4, 6, 8]
    assert [sorted(r) for r in work.rounds] == [[0], [1, 2, 3, 4]]


def test_a_round_holds_no_more_than_was_asked_for():
    work = Recorder()

    assert together(Gathering(work, most=2), work, [1, 2, 3, 4, 5]) == [2, 4, 6, 8, 10]
    assert [len(r) for r in work.rounds] == [1, 2, 2, 1]


def test_an_error_is_told_to_the_one_who_caused_it():
    work = Recorder()

    one, bad, two = together(Gathering(work, most=8), work, [1, -1, 2])

    assert (one, two) == (2, 4)
    assert isinstance(bad, ValueError)


def test_an_error_of_all_is_not_tried_again():
    work = Recorder()

    answers = together(Gathering(work, most=8, of_all=(ConnectionError,)), work, [1, -2, 2])

    assert all(isinstance(answer, ConnectionError) for answer in answers)
    assert len(work.rounds) == 2


def test_a_missing_result_is_an_error_and_not_a_silent_none():
    with pytest.raises(ValueError, match="zip"):
        Gathering(lambda items: [], most=8)(1)
