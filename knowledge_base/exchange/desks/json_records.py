"""The records of a JSON list with the line each one starts in; strict about what JSON readers disagree on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NoReturn

from knowledge_base.errors import UnreadableFile
from knowledge_base.exchange.model import MAX_ROWS

# The list, where an API wraps it in an object.
_LISTS = frozenset({"macros", "payload", "data", "canned_responses"})
_BLANK = " \t\r\n"


def records(text: str, *, name: str) -> Iterator[tuple[int, Any]]:
    """Each record of the list: `[...]`, or the list in `{"macros": [...]}` and the like.

    Raises UnreadableFile with the line for what is not JSON, names that stand twice, NaN, nesting without end
    and numbers of thousands of digits.
    """
    return _Scanner(text, name).records()


class _Scanner:
    """Walks over the outermost list by hand, since the json module tells no places."""

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name
        self._at = 0
        self._line, self._counted = (
            1,
            0,
        )  # the line of the position up to which line ends were counted
        self._decoder = json.JSONDecoder(
            object_pairs_hook=_object, parse_constant=_refuse_constant
        )

    def records(self) -> Iterator[tuple[int, Any]]:
        start = self._next()
        if start == "[":
            yield from self._list()
        elif start == "{":
            yield from self._wrapped()
        else:
            self._refuse("the file has to be a list of texts, as the other desk's API gives it")
        if self._next():
            self._refuse("something follows the end of the list: copy the file again")

    def _list(self) -> Iterator[tuple[int, Any]]:
        self._at += 1
        count = 0
        if self._next() == "]":
            self._at += 1
            return
        while True:
            self._next()
            line = self._line_here()
            yield line, self._value()
            count += 1
            if count > MAX_ROWS:
                self._refuse(f"more than {MAX_ROWS:,} texts: split the file")
            if self._between("]"):
                return

    def _wrapped(self) -> Iterator[tuple[int, Any]]:
        self._at += 1
        found = False
        while self._next() != "}":
            key = self._value()
            if not isinstance(key, str) or self._next() != ":":
                self._refuse("a name in quotes and a colon have to stand here")
            self._at += 1
            if self._next() == "[" and key in _LISTS and not found:
                found = True
                yield from self._list()
            else:
                self._value()
            if self._between("}"):
                break
        else:
            self._at += 1
        if not found:
            self._refuse("there is no list of texts in it, such as 'macros'")

    def _between(self, end: str) -> bool:
        """Past a comma, or past the end: whether it was the end."""
        mark = self._next()
        if mark not in {",", end} or not mark:
            self._refuse(f"a comma or {end} has to stand here")
        self._at += 1
        return mark == end

    def _next(self) -> str:
        """The next character that is not white space; empty at the end."""
        while self._at < len(self._text) and self._text[self._at] in _BLANK:
            self._at += 1
        return self._text[self._at : self._at + 1]

    def _value(self) -> Any:
        self._next()
        try:
            value, self._at = self._decoder.raw_decode(self._text, self._at)
        except json.JSONDecodeError as error:
            self._at = error.pos
            self._refuse(f"not JSON: {error.msg}")
        except RecursionError:
            self._refuse("nested without end")
        except ValueError as error:
            self._refuse(str(error))
        return value

    def _line_here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = max(self._at, self._counted)
        return self._line

    def _refuse(self, reason: str) -> NoReturn:
        line = self._text.count("\n", 0, self._at) + 1
        msg = f"{self._name}, line {line}: {reason}"
        raise UnreadableFile(msg)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        msg = f"{twice[:40]!a} stands twice in one record"
        raise ValueError(msg)
    return made


def _refuse_constant(constant: str) -> NoReturn:
    msg = f"{constant} is no value of JSON"
    raise ValueError(msg)
