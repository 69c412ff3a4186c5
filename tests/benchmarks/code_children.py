"""Runs the tests of the judging code against one change of it, in a child process of its own."""

from __future__ import annotations

import gc
import importlib.abc
import importlib.util
import os
import re
import resource
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType, MappingProxyType, ModuleType
from typing import Any

import pytest
import regex

from tests.benchmarks.code_changes import Change

ROOT = Path(__file__).parents[2]
CODE = ROOT / "knowledge_base" / "policy"
PACKAGE = "knowledge_base.policy"
_ABOUT_POLICY = (
    "asking",
    "checks",
    "detectors",
    "engine",
    "hearing",
    "lexis",
    "links",
    "loader",
    "numerals",
    "personal",
    "phrases",
    "places",
    "reading",
    "says",
    "settings",
    "spelling",
    "switches",
    "words",
)
TESTS = tuple(
    str(ROOT / "tests" / "unit" / f"test_{name}.py")
    for name in (
        *(f"policy_{about}" for about in _ABOUT_POLICY),
        *("second_reader", "second_reader_parts"),
    )
)
QUIET = (
    *("-x", "-s", "-o", "addopts=", "-p", "no:cacheprovider", "-p", "no:terminal"),
    *("-p", "no:faulthandler", "-p", "no:xdist"),
)
SURVIVED, NOTICED, _CANNOT_SWAP = 0, 1, 3
_SLACK = 5  # times the processor time of the unchanged tests that a change may take
_SECONDS = 5  # and so many seconds more
_MEMORY = 2 * 2**30  # bytes a child may use; a change can make a list grow for ever
_KILLERS = 3  # tests that noticed a change lately are tried first

# Modules that hold something of the judging code: they are imported anew with it.
_HOLDERS = (
    *(PACKAGE, "knowledge_base.cli", "knowledge_base.governance", "knowledge_base.tuning"),
    *("test_policy_", "test_second_reader", "tests.policy_sets", "tests.small_policy"),
    *("tests.starter_policy", "tests.benchmarks.policy_"),
)

# Kinds of constants that can be put in the place of others while the rest of a module stays as it is.
_CONSTANTS = (bool, int, str, tuple, frozenset, MappingProxyType, re.Pattern, regex.Pattern)

_Tell = Callable[[str], object]


@dataclass(slots=True)
class Tests:
    """The collected tests: their lines by file, and how long each takes (seconds of processor time)."""

    items: dict[str, pytest.Item]
    seconds: dict[str, float]
    lines: dict[str, dict[int, list[str]]]  # by file: the tests that run a line; "" is the import
    lately: list[str] = field(default_factory=list)

    def reaching(self, module: str, lines: frozenset[int]) -> list[str]:
        """Names of the tests that run one of the lines, in the order in which they are run."""
        by_line = self.lines[module]
        names = {name for line in lines for name in by_line.get(line, ()) if name}
        return self.ordered(names)

    def is_at_import(self, module: str, lines: frozenset[int]) -> bool:
        """Whether one of the lines runs while modules are imported and the packs are loaded."""
        return any("" in self.lines[module].get(line, ()) for line in lines)

    def limit(self, name: str) -> None:
        """Ends this process if the test takes much longer than it does with the unchanged code."""
        signal.setitimer(signal.ITIMER_PROF, _SLACK * self.seconds.get(name, 0.0) + _SECONDS)

    def ordered(self, names: Sequence[str] | set[str]) -> list[str]:
        """Those first that noticed a change lately, then the fastest."""
        return sorted(names, key=lambda n: (n not in self.lately, self.seconds.get(n, 0.0), n))


def judged(
    tests: Tests,
    functions: Mapping[str, list[FunctionType]],
    module: str,
    change: Change,
    source: str,
) -> tuple[int, str]:
    """Whether a change is noticed, and by which test ("" when it was the limit of time, or no test alone)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # "is" with a number and the like
        code = compile(change.applied(source), str(CODE / module), "exec")
    is_at_import = tests.is_at_import(module, change.lines)
    # A constant is read wherever the module runs.
    lines = change.lines if change.functions else frozenset(tests.lines[module])
    names = tests.reaching(module, lines)
    if _keeps_results(module):
        # What one test made another reads: any test of the module may depend on the line.
        more = tests.reaching(module, frozenset(tests.lines[module]))
        names = [*names, *(name for name in more if name not in set(names))]
    outcome, by = SURVIVED, ""
    if names:
        put = _put_code if change.functions else _put_constants
        held = functions.get(module, ())
        limit = sum(tests.seconds[name] for name in names)
        outcome, by = _forked(
            lambda tell: _swapped(tests, put(module, code, held), module, names, tell), limit
        )
    if outcome == _CANNOT_SWAP or (outcome == SURVIVED and is_at_import):
        limit = sum(tests.seconds.values())
        outcome, by = _forked(lambda tell: _anew(tests, module, code, tell), limit)
    if by:
        tests.lately = [by, *(name for name in tests.lately if name != by)][:_KILLERS]
    return (SURVIVED if outcome == _CANNOT_SWAP else outcome), by


def _keeps_results(module: str) -> bool:
    name = f"{PACKAGE}.{module.removesuffix('.py')}"
    held = vars(sys.modules[name]).values()
    return any(hasattr(each, "cache_clear") and each.__module__ == name for each in held)


def survives_unchanged(tests: Tests) -> bool:
    """Whether the tests pass when unchanged code is imported anew: otherwise each change would seem noticed."""
    module = "loader.py"
    code = compile((CODE / module).read_bytes(), str(CODE / module), "exec")
    limit = sum(tests.seconds.values())
    return _forked(lambda tell: _anew(tests, module, code, tell), limit) == (SURVIVED, "")


def _forked(run: Callable[[_Tell], int], limit: float) -> tuple[int, str]:
    """The outcome of `run` in a child of its own, and the test that it names."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        os._exit(_in_child(run, writing, limit))
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        by = pipe.read()
    _, status = os.waitpid(child, 0)
    if not os.WIFEXITED(status):
        return NOTICED, by
    return os.WEXITSTATUS(status), by


def _in_child(run: Callable[[_Tell], int], writing: int, limit: float) -> int:
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        used = int(time.process_time())  # the child goes on counting from its parent's time
        most = used + int(_SLACK * limit) + _SECONDS
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CPU, (most, most + 1))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        code: int = run(lambda name: os.write(writing, name.encode()))
    except BaseException:  # whatever a change leads to, it was noticed
        return NOTICED
    return code


def passes(item: pytest.Item) -> bool:
    from _pytest.runner import runtestprotocol  # the one way to run a collected test by itself

    return all(report.passed or report.skipped for report in runtestprotocol(item, log=False))


def functions_of_the_code() -> dict[str, list[FunctionType]]:
    """Functions of the judging code that something holds, by file name."""
    found: dict[str, list[FunctionType]] = {}
    for each in gc.get_objects():
        if type(each) is FunctionType:
            path = Path(each.__code__.co_filename)
            if path.parent == CODE:
                found.setdefault(path.name, []).append(each)
    return found


def _put_code(module: str, code: CodeType, functions: Sequence[FunctionType]) -> bool:
    """Gives every function of the module its changed code; False where that cannot be done."""
    changed = {(inner.co_qualname, inner.co_firstlineno): inner for inner in _inner(code)}
    for function in functions:
        own = function.__code__
        new = changed.get((own.co_qualname, own.co_firstlineno))
        if new is None or len(new.co_freevars) != len(own.co_freevars):
            return False
        function.__code__ = new
    return True


def _put_constants(module: str, code: CodeType, functions: Sequence[FunctionType]) -> bool:
    """Puts the changed constants where the judging code holds the old ones; False where there are none, or where
    tests hold them, too, and were made with them.
    """
    own = vars(sys.modules[f"{PACKAGE}.{module.removesuffix('.py')}"])
    made = {name: value for name, value in own.items() if name.startswith("__")}
    exec(code, made)  # noqa: S102  # our own code with one change
    changed = {
        name: value
        for name, value in made.items()
        if isinstance(value, _CONSTANTS) and not name.startswith("__") and value != own.get(name)
    }
    holders = [(name, vars(each)) for name, each in sys.modules.items() if each is not None]
    if not changed or any(
        own.get(name) is held.get(name, ...)
        for holder, held in holders
        for name in changed
        if holder.startswith("test_")
    ):
        return False
    for name, value in changed.items():
        old = own.get(name)
        for holder, held in holders:
            if holder.startswith(PACKAGE) and name in held and held[name] is old:
                held[name] = value
    return True


def _swapped(tests: Tests, is_put: bool, module: str, names: Sequence[str], tell: _Tell) -> int:
    """Runs the tests with what was changed in place."""
    if not is_put:
        return _CANNOT_SWAP
    _forget(module)
    for name in names:
        tests.limit(name)
        if not passes(tests.items[name]):
            tell(name)
            return NOTICED
    return SURVIVED


def _inner(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _inner(constant)


def _forget(module: str) -> None:
    """Empties the caches of a module, and of those that keep what it told them."""
    for name in {module.removesuffix(".py"), "disguises", "reading", "spelling", "hearing"}:
        for value in vars(sys.modules[f"{PACKAGE}.{name}"]).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from changed code."""

    def __init__(self, name: str, code: CodeType) -> None:
        self.name = name
        self.code = code

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != self.name:
            return None
        return importlib.util.spec_from_file_location(name, self.code.co_filename, loader=self)

    def create_module(self, spec: Any) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(self.code, vars(module))  # noqa: S102  # our own code with one change


class _Order:
    """Runs the fastest tests first, and tells which one failed."""

    def __init__(self, tests: Tests, tell: _Tell) -> None:
        self.tests = tests
        self.tell = tell

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        known = {item.nodeid: item for item in items if item.nodeid in self.tests.seconds}
        items[:] = [known[name] for name in self.tests.ordered(list(known))]

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.tests.limit(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.tell(report.nodeid)


def _anew(tests: Tests, module: str, code: CodeType, tell: _Tell) -> int:
    """Imports the judging code and the tests again, with the change, and runs them all."""
    stem = module.removesuffix(".py")
    for name in list(sys.modules):
        if name.startswith(_HOLDERS):
            del sys.modules[name]
    sys.meta_path.insert(0, _Changed(f"{PACKAGE}.{stem}", code))
    _load_once()
    return int(pytest.main([*QUIET, *TESTS], plugins=[_Order(tests, tell)]) != pytest.ExitCode.OK)


def _load_once() -> None:
    """Reads our own packs once for all tests: they take most of the time."""
    from knowledge_base import policy
    from knowledge_base.policy import loader

    load, kept = loader.load_policy, loader.load_policy()
    policy.load_policy = loader.load_policy = lambda directory=None: (
        load(directory) if directory else kept
    )
