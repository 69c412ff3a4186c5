"""Changes of code are made one at a time, and only where a run can tell."""

from __future__ import annotations

import ast

import pytest

from tests.benchmarks.code_changes import changes
from tests.benchmarks.policy_code import judging_changes, report_of


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("a < b", {"a <= b", "a >= b"}),
        ("a == b", {"a != b"}),
        ("a in b", {"a not in b"}),
        ("x = a and b", {"x = a or b"}),
        ("x = not a", {"x = a"}),
        ("x = -1", {"x = 1", "x = -2", "x = -0"}),
        ("x = True", {"x = False"}),
        ("x = 'a'", {"x = 'XXaXX'"}),
        ("x = a + b", {"x = a - b"}),
        ("x = a % 'b'", {"x = a % 'XXbXX'"}),
        ("x = a[b:]", {"x = a[b + 1:]", "x = a[b:-1]"}),
        ("x = a[:b]", {"x = a[1:b]", "x = a[:b + 1]"}),
        ("x = any(a)", {"x = all(a)"}),
        ("x += 1", {"x -= 1", "x += 2", "x += 0", "pass"}),
        ("x.y = a", {"pass"}),
        ("f()", {"None"}),
        ("if a: b()", {"if not a:\n    b()", "if a:\n    None"}),
        ("def f(x: 'a' = 1) -> 'b':\n return x", {
            "def f(x: 'a'=2) -> 'b':\n    return x",
            "def f(x: 'a'=0) -> 'b':\n    return x",
            "def f(x: 'a'=1) -> 'b':\n    return None",
        }),
        ("def f(): return False", {"def f():\n    return True"}),
        ("raise E('a')", set()),
        ("if TYPE_CHECKING:\n from a import b", set()),
        ("message = 'a'", set()),
        ("x = f(strict=True)", set()),
        ("'Doc.'", set()),
    ],
)  # fmt: skip
def test_one_thing_is_changed_at_a_time(source: str, found: set[str]) -> None:
    made = {ast.unparse(change.applied(source)) for change in changes(source)}
    made -= {ast.unparse(ast.parse(source))}
    assert found <= made
    assert found or not made


def test_a_change_knows_its_place() -> None:
    source = "class A:\n    def f(self):\n        if a:\n            return (1,\n                    2)\n"
    places = {(c.line, c.kind, c.functions, tuple(sorted(c.lines))) for c in changes(source)}
    assert (3, "negate", ("A", "f"), (3,)) in places
    assert (5, "number", ("A", "f"), (4, 5)) in places


def test_lines_that_only_save_time_are_left_out() -> None:
    source = "x = 1  # for speed alone\n_CACHED_WORDS = 7\ny = 2\n"
    assert {change.line for change in judging_changes(source)} == {3}


def test_the_report_names_what_nobody_noticed() -> None:
    results = [
        {"module": "a.py", "line": 1, "kind": "flag", "what": "x", "noticed": True},
        {"module": "a.py", "line": 2, "kind": "flag", "what": "y", "noticed": False},
    ]
    assert report_of(results) == {
        "changes": 2,
        "noticed": 1,
        "share": 0.5,
        "interval": pytest.approx([0.0945, 0.9055], abs=1e-4),
        "modules": {"a.py": [1, 2]},
        "survivors": ["a.py:2 flag: y"],
    }
