"""Where something stands in the files of a policy, and what is said of files that are not as they must be."""

from __future__ import annotations

import shutil
from importlib import metadata, resources
from pathlib import Path

import pytest

from knowledge_base.errors import PolicyError
from knowledge_base.policy import load_policy, loader
from knowledge_base.policy.packs import Where, line_of, read_files, read_mapping, rule_of
from tests.policy_sets import pack, rule

TEXT = """# a pack
format: 1
pack: brand

rules:
  - title: without an id
  - id: RED
    must_flag:
      - a red one
      - [deep]
      - another
    settings:
      1: one
  - plain
  - id: BLUE
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 2),
        (("pack",), 3),
        (("rules",), 5),
        (("rules", 0), 6),
        (("rules", 1), 7),
        (("rules", 3), 15),
        (("rules", 4), 5),
        (("rules", "RED"), 7),
        (("rules", "BLUE"), 15),
        (("rules", "plain"), 14),
        (("rules", "id"), 5),
        (("rules", "RED", "must_flag"), 8),
        (("rules", "RED", "must_flag", 1), 10),
        (("rules", "RED", "must_flag", "another"), 11),
        (("rules", "RED", "must_flag", "none"), 8),
        (("rules", "RED", "settings", 1), 13),
        (("rules", 0, "title", "more"), 6),
        (("rules", 0, "title", 0), 6),
        (("missing", "pack"), 2),
    ],
)
def test_a_path_leads_to_its_line_or_as_far_as_it_goes(
    path: tuple[str | int, ...], line: int
) -> None:
    assert line_of(TEXT, path) == line


def test_a_text_that_is_none_has_no_lines() -> None:
    assert line_of("a: [", ("a",)) is None
    assert line_of("# nothing", ("a",)) is None


def test_a_rule_is_found_in_the_file_that_has_it() -> None:
    files = {
        "a.yaml": "format: 1\nsays: {phrases: [RED, BLUE]}\n",
        "b.yaml": "format: 1\npack: b\nrules:\n  - {id: GREEN}  # not RED\n  - BLUE\n",
        "c.yaml": "format: 1\npack: c\nrules: [BLUE, {id: RED}]\n",
        "d.yaml": pack("d", rule("BLUE", "blue"), rule("RED", "red")),
    }
    assert rule_of(files, "RED") == Where("c.yaml", 3)
    assert rule_of(files, "BLUE") == Where("d.yaml", 5)
    assert rule_of(files, "BLUE", "must_pass", "Please wait.") == Where("d.yaml", 15)
    assert rule_of(files, "PINK") == Where("rule PINK")


def test_a_place_names_its_line_if_it_has_one() -> None:
    assert [str(Where("a.yaml", 3)), str(Where("a.yaml"))] == ["a.yaml: line 3", "a.yaml"]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("- 1", 1, "the file must be a mapping with format, pack and rules"),
        ("", 1, "the file must be a mapping with format, pack and rules"),
        ("pack: x", 1, "format must be 1, not None"),
        ("pack: x\nformat: '1'", 1, "format must be 1, not '1'"),
        (
            "format: 1\npack: &x b",
            2,
            "line 2: anchors and aliases are not allowed; write it out",
        ),
        (
            "format: 1\nrules:\n- *x",
            3,
            "line 3: anchors and aliases are not allowed; write it out",
        ),
        ("a: 1\na: 1", 1, "line 1: the key 'a' is there twice; keep one"),
        ("b:\n  - 1\n  - c: 1\n    d: 2\n    c: 3", 3, "line 3: the key 'c' is there twice; keep one"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said(text: str, line: int, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_mapping("f.yaml", text)
    assert (str(caught.value), caught.value.file, caught.value.line) == (
        f"f.yaml: {message}",
        "f.yaml",
        line,
    )


def test_what_is_no_yaml_is_said_with_its_line_if_there_is_one() -> None:
    with pytest.raises(PolicyError) as caught:
        read_mapping("f.yaml", "format: 1\nb: ]")
    said = "f.yaml: line 2: this is not readable YAML in UTF-8: "
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)  # the parser's own words, without its copy of the line
    assert caught.value.line == 2
    with pytest.raises(PolicyError) as caught:
        read_mapping("f.yaml", "format: \x00")
    assert str(caught.value).startswith("f.yaml: this is not readable YAML in UTF-8: ")
    assert "control characters are not allowed" in str(caught.value)
    assert caught.value.line is None


def test_files_are_read_by_name_and_as_utf8(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yaml", "a.txt", ".yaml.old"):
        tmp_path.joinpath(name).write_text(f"# {name} …", encoding="utf-8")
    assert read_files(tmp_path) == {"a.yaml": "# a.yaml …", "b.yaml": "# b.yaml …"}
    tmp_path.joinpath("b.yaml").write_bytes(b"\xff")
    with pytest.raises(PolicyError) as caught:
        read_files(tmp_path)
    said = "b.yaml: this is not readable YAML in UTF-8: 'utf-8' codec"
    assert str(caught.value).startswith(said)


SAYS = (
    "phrases, unless, warnings, negations, transparent, no_negation, stops, sets, negatable, "
    "in_questions"
)
KEYS = "detector, examples_channel, id, mend, must_flag, must_pass, reason, settings, severity, source, title"
MANY = pack("p", rule("RED", "red"), rule("BLUE", "blue"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("- id: BLUE", "- id: ''", "line 16: rule 2 id must be text; put it in quotes"),
        ("  - id: BLUE\n    ", "  - ", "line 16: rule 2 id must be text; put it in quotes"),
        ("  - id: BLUE\n    ", "  - 7\n  - ", "line 16: rule 2 must be a mapping"),
        ("severity: block", "severity: none", "line 6: rule RED: severity must be warn or block"),
        ('title: "No red"', "title: 7", "line 7: rule RED: title must be text; put it in quotes"),
        ('title: "No red"', "title: ' '", "line 7: rule RED: title must be text; put it in quotes"),
        ("['red']\n    must_flag", "[7]\n    must_flag",
         "line 13: rule RED: settings.phrases: every entry must be text; put it in quotes"),
        ("      phrases: ['red']", "      colour: 7",
         "line 13: rule RED: settings.colour is not known here; known: " + SAYS),
        ('source: "house rule"', "sauce: x",
         "line 10: rule RED: unknown key 'sauce'; known are " + KEYS),
        ("must_pass: ['Thank you.', ", "must_pass: [",
         "line 15: rule RED: must_pass needs at least 5 examples"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_rule_is_said_with_its_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in MANY
    tmp_path.joinpath("p.yaml").write_text(MANY.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(PolicyError) as caught:
        load_policy(tmp_path)
    assert str(caught.value) == f"p.yaml: {message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("more: 1", "unknown key 'more'; known are format, pack, rules"),
        ("zoo: 1\nmore: 1", "unknown key 'more'; known are format, pack, rules"),
        ("pack: 1", "pack must be a name and rules a list"),
        ("pack: p", "pack must be a name and rules a list"),
        ("rules: []", "pack must be a name and rules a list"),
    ],
)
def test_what_is_wrong_with_a_pack_is_said(tmp_path: Path, text: str, message: str) -> None:
    tmp_path.joinpath("p.yaml").write_text(f"format: 1\n{text}\n", encoding="utf-8")
    with pytest.raises(PolicyError) as caught:
        load_policy(tmp_path)
    assert str(caught.value) == f"p.yaml: {message}"


def test_what_is_wrong_with_shared_words_is_said(tmp_path: Path) -> None:
    tmp_path.joinpath("p.yaml").write_text(MANY, encoding="utf-8")
    shared = tmp_path / "lexicon.yaml"
    shared.write_text("format: 1\nsays: {}\niban: 7\n", encoding="utf-8")
    with pytest.raises(PolicyError) as caught:
        load_policy(tmp_path)
    assert str(caught.value) == "lexicon.yaml: iban must be a mapping of settings"
    shared.write_text("format: 1\nsays: {}\n", encoding="utf-8")
    assert len(load_policy(tmp_path).rules) == 2


def test_the_order_of_keys_and_of_files_changes_no_version(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(MANY, encoding="utf-8")
    version = load_policy(tmp_path).version
    file.write_text(MANY.replace("format: 1\npack: p\n", "pack: p\nformat: 1\n"))
    assert load_policy(tmp_path).version == version
    file.write_text(pack("p", rule("BLUE", "blue"), rule("RED", "red")))
    assert load_policy(tmp_path).version != version


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what judges, for `code_hash` to look at."""
    own = Path(loader.__file__).parents[1]
    for folder in ("policy", "wording", "content/reading"):
        files = shutil.ignore_patterns("__pycache__")
        shutil.copytree(own / folder, tmp_path / folder, ignore=files)
    shutil.copy(own / "content" / "tlds.txt", tmp_path / "content")
    monkeypatch.setattr(resources, "files", {"knowledge_base": tmp_path}.__getitem__)
    return tmp_path


def test_whatever_judges_is_in_the_version(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code_hash = loader.code_hash.__wrapped__
    first = code_hash()
    assert first == loader.code_hash()
    for file in (file for file in package.rglob("*") if file.is_file()):
        content = file.read_bytes()
        file.write_bytes(content + b"\n")
        assert code_hash() != first, file.name
        file.write_bytes(content)
    package.joinpath("policy", "notes.txt").write_text("no code")
    assert code_hash() == first
    for library in ("phonenumbers", "regex"):
        with monkeypatch.context() as other:
            versions = {name: metadata.version(name) for name in ("phonenumbers", "regex")}
            versions[library] += ".1"
            other.setattr(metadata, "version", versions.__getitem__)
            assert code_hash() != first
    with monkeypatch.context() as other:
        other.setattr(loader, "shipped", lambda: type("Reader", (), {"sha256": "other"}))
        assert code_hash() != first
