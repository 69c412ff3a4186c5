"""The files of a policy as text: found in a folder, read as strict YAML, and searched for the line of an entry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import yaml

from knowledge_base.errors import PolicyError
from knowledge_base.safe_yaml import LOADER, load

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Where:
    """A place in the files of a policy; `line` counts from 1, None where there is no one line."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}: line {self.line}"


def shipped_files() -> dict[str, str]:
    """The texts of the packs that come with Firstline, by file name."""
    return read_files(resources.files("knowledge_base").joinpath("content", "policy"))


def read_files(folder: Traversable) -> dict[str, str]:
    """The texts of the `*.yaml` files in a folder, by name. Raises PolicyError for no folder and no UTF-8."""
    if not folder.is_dir():
        raise PolicyError(f"{folder}: this is not a directory; name the folder of the packs")
    found: dict[str, str] = {}
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if not file.name.endswith(".yaml"):
            continue
        try:
            found[file.name] = file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            msg = f"{file.name}: this is not readable YAML in UTF-8: {error}"
            raise PolicyError(msg, file=file.name) from error
    return found


def read_mapping(name: str, text: str) -> dict[str, Any]:
    """The mapping that a file holds. Raises PolicyError, which names file and line."""
    try:
        pack = _strict(text)
    except PolicyError as error:
        raise PolicyError(f"{name}: {error}", file=name, line=error.line) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = Where(name, None if mark is None else mark.line + 1)
        problem = getattr(error, "problem", None) or error
        msg = f"{where}: this is not readable YAML in UTF-8: {problem}"
        raise PolicyError(msg, file=name, line=where.line) from error
    if not isinstance(pack, dict):
        msg = f"{name}: the file must be a mapping with format, pack and rules"
        raise PolicyError(msg, file=name, line=1)
    if pack.get("format") != FORMAT:
        msg = f"{name}: format must be {FORMAT}, not {pack.get('format')!r}"
        raise PolicyError(msg, file=name, line=1)
    return pack


def _strict(text: str) -> Any:
    """Safe YAML without anchors and without repeated keys: what you read is what is loaded."""
    events: Any = yaml.parse(text, Loader=LOADER)
    for event in events:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            line = event.start_mark.line + 1
            msg = f"line {line}: anchors and aliases are not allowed; write it out"
            raise PolicyError(msg, line=line)
    root = yaml.compose(text, Loader=LOADER)
    if root is not None:
        _refuse_repeated_keys(root)
    return load(text)


def _refuse_repeated_keys(node: yaml.Node) -> None:
    inner: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                line = node.start_mark.line + 1
                msg = f"line {line}: the key {key!r} is there twice; keep one"
                raise PolicyError(msg, line=line)
        inner = [value for _, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        inner = node.value
    for each in inner:
        _refuse_repeated_keys(each)


def line_of(text: str, path: Iterable[str | int]) -> int | None:
    """The line, from 1, of what a path of keys and places leads to; of the last part of it that is there.

    A number that follows the key `rules` may also be a rule's id. None when the text is no YAML.
    """
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=LOADER)
    except yaml.YAMLError:
        return None
    if node is None:
        return None
    line = node.start_mark.line + 1
    for part in path:
        found = _inside(node, part)
        if found is None:
            break
        marked, node = found
        line = marked.start_mark.line + 1
    return line


def _inside(node: yaml.Node, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """The node that stands where a part is written, and the one to go on from."""
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == str(part)), None)
    if not isinstance(node, yaml.SequenceNode):
        return None
    if isinstance(part, int):
        return (node.value[part],) * 2 if part < len(node.value) else None
    for each in node.value:
        if isinstance(each, yaml.MappingNode):
            named = _inside(each, "id")
            if named is not None and named[1].value == part:
                return each, each
        elif each.value == part:
            return each, each
    return None


def rule_of(files: Mapping[str, str], rule_id: str, *more: str | int) -> Where:
    """Where a rule, or something within it, is written."""
    for name, text in files.items():
        if rule_id in text:
            rules = read_mapping(name, text).get("rules", [])
            if any(isinstance(rule, dict) and rule.get("id") == rule_id for rule in rules):
                return Where(name, line_of(text, ("rules", rule_id, *more)))
    return Where(f"rule {rule_id}")
