"""Makes small changes in Python code, one at a time: what a slip of its author could have left there.

Changed are comparisons, `and`, `or` and `not`, conditions, numbers, texts, arithmetic, bounds of slices, returned
values, pairs of functions such as `any` and `all`, and statements that are there for their effect. Left alone
is what no run can tell apart: annotations, decorators, what is imported for them, docstrings, `strict=` of `zip`,
nothing returned instead of False (True is tried), and the wording of errors (what stands inside `raise` and in an
assignment to `message`).
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

_BOUNDARIES: Mapping[type[ast.cmpop], type[ast.cmpop]] = MappingProxyType(
    {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
)
_OPPOSITES: Mapping[type[ast.cmpop], type[ast.cmpop]] = MappingProxyType(
    {
        ast.Lt: ast.GtE,
        ast.LtE: ast.Gt,
        ast.Gt: ast.LtE,
        ast.GtE: ast.Lt,
        ast.Eq: ast.NotEq,
        ast.NotEq: ast.Eq,
        ast.In: ast.NotIn,
        ast.NotIn: ast.In,
        ast.Is: ast.IsNot,
        ast.IsNot: ast.Is,
    }
)
_ARITHMETIC: Mapping[type[ast.operator], type[ast.operator]] = MappingProxyType(
    {
        ast.Add: ast.Sub,
        ast.Sub: ast.Add,
        ast.Mult: ast.FloorDiv,
        ast.FloorDiv: ast.Mult,
        ast.Div: ast.Mult,
        ast.Mod: ast.Mult,
        ast.Pow: ast.Mult,
        ast.BitOr: ast.BitAnd,
        ast.BitAnd: ast.BitOr,
        ast.LShift: ast.RShift,
        ast.RShift: ast.LShift,
    }
)
_PAIRS = (
    *(("any", "all"), ("min", "max"), ("bisect_left", "bisect_right")),
    *(("startswith", "endswith"), ("removeprefix", "removesuffix"), ("lstrip", "rstrip")),
    *(("search", "match"), ("isdigit", "isalpha")),
)
_TWINS: Mapping[str, str] = MappingProxyType(
    {one: other for a, b in _PAIRS for one, other in ((a, b), (b, a))}
)
_MARK = "XX"  # put around a text


_Step = tuple[str, int | None]  # a field of a node, and the index in it if it is a list


@dataclass(frozen=True, slots=True)
class Change:
    """One change: where it is, what it does, and the lines that must run to reach it."""

    line: int
    kind: str
    what: str
    lines: frozenset[int]
    functions: tuple[str, ...]  # the classes and functions around it, outermost first
    path: tuple[_Step, ...]
    node: ast.AST  # what stands there instead

    def applied(self, source: str) -> ast.Module:
        """The module of `source` with this change."""
        tree = ast.parse(source)
        parent = self._parent(tree)
        name, index = self.path[-1]
        if index is None:
            setattr(parent, name, self.node)
        else:
            getattr(parent, name)[index] = self.node
        return ast.fix_missing_locations(tree)

    def _parent(self, tree: ast.Module) -> ast.AST:
        node: ast.AST = tree
        for name, index in self.path[:-1]:
            value = getattr(node, name)
            node = value if index is None else value[index]
        return node


_Edit = tuple[
    str, Callable[[Any], ast.AST | None]
]  # kind, and what makes the node that stands there instead


def changes(source: str, *, unseen: frozenset[str] = frozenset()) -> Iterator[Change]:
    """Every change of a module, in the order of its lines; constants named in `unseen` stay as they are."""
    for spot in _spots(ast.parse(source), unseen):
        for kind, edit in _edits(spot):
            new = edit(copy.deepcopy(spot.node))
            if new is None:
                continue
            ast.copy_location(new, spot.node)
            what = _shown(spot.node, new)
            yield Change(spot.line, kind, what, spot.lines, spot.functions, spot.path, new)


@dataclass(frozen=True, slots=True)
class _Spot:
    """A node that may be changed, and what stands around it."""

    node: ast.AST
    parent: ast.AST
    path: tuple[_Step, ...]
    functions: tuple[str, ...]
    lines: frozenset[int]

    @property
    def line(self) -> int:
        return int(self.node.lineno)  # type: ignore[attr-defined]  # statements and expressions have one


_SKIPPED_FIELDS = frozenset({"annotation", "returns", "decorator_list", "type_comment"})
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _spots(tree: ast.Module, unseen: frozenset[str]) -> Iterator[_Spot]:
    def walk(
        node: ast.AST, path: tuple[_Step, ...], functions: tuple[str, ...], lines: frozenset[int]
    ) -> Iterator[_Spot]:
        for step, child in _children(node):
            if step[0] in _SKIPPED_FIELDS or _is_unseen(child, node, step, unseen):
                continue
            inner, around = lines, functions
            if isinstance(child, ast.stmt):
                inner = _lines(child)
            if isinstance(child, _DEFINITIONS):
                around = (*functions, child.name)
            here = (*path, step)
            if isinstance(child, (ast.stmt, ast.expr)):
                yield _Spot(child, node, here, functions, inner)
            yield from walk(child, here, around, inner)

    yield from walk(tree, (), (), frozenset())


def _children(node: ast.AST) -> Iterator[tuple[_Step, ast.AST]]:
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.AST):
            yield (name, None), value
        elif isinstance(value, list):
            for index, entry in enumerate(value):
                if isinstance(entry, ast.AST):
                    yield (name, index), entry


def _is_unseen(node: ast.AST, parent: ast.AST, step: _Step, unseen: frozenset[str]) -> bool:
    """Whether no run can tell a change inside this node."""
    if isinstance(node, (ast.Import, ast.ImportFrom, ast.Raise)):
        return True
    if isinstance(node, ast.Assign):
        names = {target.id for target in node.targets if isinstance(target, ast.Name)}
        return bool(names & {*unseen, "__all__", "message"})
    if isinstance(node, ast.AnnAssign):
        return isinstance(node.target, ast.Name) and node.target.id in unseen
    if isinstance(node, ast.keyword):
        return node.arg == "strict"
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name):
        return node.test.id == "TYPE_CHECKING"
    is_first = step == ("body", 0) and isinstance(parent, (ast.Module, *_DEFINITIONS))
    return is_first and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _lines(statement: ast.stmt) -> frozenset[int]:
    """Lines of a statement itself, without those of the statements inside it."""
    inside = [node for _, node in _children(statement) if isinstance(node, ast.stmt)]
    end = statement.end_lineno or statement.lineno
    if inside:
        end = max(statement.lineno, min(node.lineno for node in inside) - 1)
    return frozenset(range(statement.lineno, end + 1))


def _edits(spot: _Spot) -> Iterator[_Edit]:
    node, parent = spot.node, spot.parent
    if isinstance(node, ast.expr) and (spot.path[-1][0] == "test" or "ifs" in spot.path[-1]):
        yield from _of_condition(node)
    if isinstance(node, ast.Compare):
        yield from _of_comparison(node)
    elif isinstance(node, ast.BoolOp):
        yield "and/or", _other_junction
    elif isinstance(node, ast.UnaryOp):
        yield "drop a sign or not", lambda n: n.operand
    elif isinstance(node, ast.Constant):
        yield from _of_constant(node, parent)
    elif isinstance(node, (ast.BinOp, ast.AugAssign)):
        if not (isinstance(node, ast.BinOp) and _is_text(node)):
            yield "arithmetic", _other_arithmetic
    elif isinstance(node, ast.Slice):
        yield "slice", lambda n: _with(n, lower=_next(n.lower))
        if node.upper is None and node.step is None:
            yield "slice", lambda n: _with(n, upper=ast.UnaryOp(ast.USub(), ast.Constant(1)))
        elif node.upper is not None:
            yield "slice", lambda n: _with(n, upper=_next(n.upper))
    elif isinstance(node, (ast.Name, ast.Attribute)):
        yield from _of_name(node)
    if isinstance(node, ast.stmt):
        yield from _of_statement(node)


def _of_condition(node: ast.expr) -> Iterator[_Edit]:
    if not isinstance(node, (ast.Compare, ast.UnaryOp)):
        yield "negate", lambda n: ast.UnaryOp(ast.Not(), n)


def _of_comparison(node: ast.Compare) -> Iterator[_Edit]:
    for table, kind in ((_BOUNDARIES, "boundary"), (_OPPOSITES, "comparison")):
        for index, operator in enumerate(node.ops):
            if type(operator) in table:
                yield kind, _compared(index, table[type(operator)])


def _compared(index: int, operator: type[ast.cmpop]) -> Callable[[ast.AST], ast.AST]:
    def edit(node: ast.AST) -> ast.AST:
        assert isinstance(node, ast.Compare)
        node.ops[index] = operator()
        return node

    return edit


def _other_junction(node: ast.AST) -> ast.AST:
    assert isinstance(node, ast.BoolOp)
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    return node


def _of_constant(node: ast.Constant, parent: ast.AST) -> Iterator[_Edit]:
    value = node.value
    if isinstance(value, bool):
        yield "flag", lambda n: ast.Constant(not value)
    elif isinstance(value, int):
        yield "number", lambda n: ast.Constant(value + 1)
        yield "number", lambda n: ast.Constant(value - 1)
    elif isinstance(value, str):
        # A part of an f-string has no places of its own and must stay a text.
        changed = f"{_MARK}{value}{_MARK}" if value.strip() or not value else f"{value}{_MARK}"
        if not (isinstance(parent, ast.JoinedStr) and not value.strip(" .,:;'\"()")):
            yield "text", lambda n: ast.Constant(changed)


def _is_text(node: ast.BinOp) -> bool:
    return any(
        isinstance(side, ast.JoinedStr)
        or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in (node.left, node.right)
    )


def _other_arithmetic(node: ast.AST) -> ast.AST | None:
    assert isinstance(node, (ast.BinOp, ast.AugAssign))
    other = _ARITHMETIC.get(type(node.op))
    if other is None:
        return None
    node.op = other()
    return node


def _next(bound: ast.expr | None) -> ast.expr:
    return ast.Constant(1) if bound is None else ast.BinOp(bound, ast.Add(), ast.Constant(1))


def _with(node: ast.AST, **fields: ast.expr) -> ast.AST:
    for name, value in fields.items():
        setattr(node, name, value)
    return node


def _of_name(node: ast.Name | ast.Attribute) -> Iterator[_Edit]:
    name = node.id if isinstance(node, ast.Name) else node.attr
    if name in _TWINS and isinstance(node.ctx, ast.Load):
        field = "id" if isinstance(node, ast.Name) else "attr"

        def edit(found: ast.AST) -> ast.AST:
            setattr(found, field, _TWINS[name])
            return found

        yield "twin", edit


def _of_statement(node: ast.stmt) -> Iterator[_Edit]:
    if isinstance(node, ast.Return) and node.value is not None:
        value = node.value.value if isinstance(node.value, ast.Constant) else ...
        if value is not None and value is not False:
            yield "return nothing", lambda n: ast.Return(ast.Constant(None))
    elif isinstance(node, ast.Return):
        yield "drop", lambda n: ast.Pass()
    elif isinstance(node, ast.Expr):
        yield "drop", lambda n: ast.Expr(ast.Constant(None))
    elif isinstance(node, ast.AugAssign) or _fills_a_place(node):
        yield "drop", lambda n: ast.Pass()
    elif isinstance(node, ast.Continue):
        yield "continue/break", lambda n: ast.Break()
    elif isinstance(node, ast.Break):
        yield "continue/break", lambda n: ast.Continue()


def _fills_a_place(node: ast.stmt) -> bool:
    """Whether this sets an entry or an attribute: without it, no name is missing."""
    return isinstance(node, ast.Assign) and not isinstance(node.targets[0], (ast.Name, ast.Tuple))


def _shown(old: ast.AST, new: ast.AST) -> str:
    """Both readings, shortened to one line."""
    before, after = (" ".join(ast.unparse(node).split()) for node in (old, new))
    return f"{before[:60]} -> {after[:60]}"
