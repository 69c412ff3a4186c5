"""The one table from error to status holds every error of both trees."""

from __future__ import annotations

import inspect
import re

import pytest

from knowledge_base import errors as kb
from knowledge_base.store import columns
from suggest_api import errors, values
from suggest_api.problems import TABLE, problem_of

TREES = [
    cls
    for module in (kb, errors)
    for _, cls in inspect.getmembers(module, inspect.isclass)
    if issubclass(cls, kb.FirstlineError) and cls.__module__ == module.__name__
]
TABLED = {row[0] for row in TABLE}


@pytest.mark.parametrize("error", TREES, ids=lambda cls: cls.__name__)
def test_every_error_is_in_the_table_or_under_one_that_is(error: type) -> None:
    above = [cls for cls in error.__mro__ if cls in TABLED and cls is not kb.FirstlineError]
    assert above or error is kb.FirstlineError


@pytest.mark.parametrize("module", [kb, errors], ids=["knowledge_base", "suggest_api"])
def test_the_drawn_tree_is_the_real_one(module) -> None:
    drawn = set(re.findall(r"[├└]── (\w+)", module.__doc__))
    real = {cls.__name__ for cls in TREES if cls.__module__ == module.__name__}
    assert drawn == real - {"FirstlineError"}


def test_rows_are_unique_and_of_error_statuses() -> None:
    assert len(TABLED) == len(TABLE)
    for _, status, slug, title in TABLE:
        assert 400 <= status < 600
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", slug)
        assert title[0].isupper()


def test_the_nearest_row_counts() -> None:
    assert problem_of(kb.SamePerson("no")).status == 403
    assert problem_of(kb.WorkflowError("no")).status == 409
    assert problem_of(errors.StorageBusy("wait")).headers == {"Retry-After": "1"}
    held = problem_of(errors.TooManyAttempts("wait", retry_after=77))
    assert (held.status, held.headers) == (429, {"Retry-After": "77"})


@pytest.mark.parametrize(
    "bug", [RuntimeError("CANARY"), kb.FirstlineError("CANARY"), KeyError("CANARY")]
)
def test_what_nobody_foresaw_is_told_without_its_words(bug: Exception) -> None:
    problem = problem_of(bug)
    assert problem.status == 500
    assert "CANARY" not in problem.detail


@pytest.mark.parametrize(
    "value",
    [{"b": [1, 2.5, None], "a": "é\u2028"}, [], "x", {"z": {"y": True, "x": "\U0001f600"}}],
)
def test_both_spellings_of_canonical_json_agree(value) -> None:
    assert values.canonical_json(value) == columns.canonical_json(value)
