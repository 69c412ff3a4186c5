"""`firstline policy test` and `report`: try the rules on their examples and on a file of drafts."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from math import sqrt
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from knowledge_base.cli.output import (
    FINDING,
    console,
    failing_clearly,
    print_json,
    progress_bar,
)
from knowledge_base.errors import UnreadableFile
from knowledge_base.governance import Miss, misses, policy_here
from knowledge_base.home import Home
from knowledge_base.policy import Outcome, Policy, Verdict, judge, load_policy

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Packs = Annotated[
    Path | None,
    typer.Option(
        exists=True, file_okay=False, help="A folder of packs instead of the policy in force."
    ),
]
LARGEST_FILE = 5 * 1024 * 1024  # bytes, as for an import
SHOWN = 50  # misses or drafts printed for a person; --json has all of them
_Z_95 = 1.959964  # two-sided 95 % quantile of the normal distribution
# Labels of a draft that keeps the rules; any other label names a breach.
_GOOD = frozenset({"", "pass", "ok", "good", "compliant", "clean", "none", "0", "false"})

policy_app = typer.Typer(
    name="policy",
    help="The policy: test its rules, judge a file of drafts, propose and approve changes.",
    no_args_is_help=True,
)


@dataclass(frozen=True, slots=True)
class Share:
    """A share of `part` in `whole` with its 95 % interval after Wilson (1927); None when there is nothing."""

    part: int
    whole: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Draft:
    """One draft of a file; `label` is None when the file has no labels."""

    line: int
    text: str
    label: str | None


@policy_app.command("test")
def examples_command(packs: Packs = None, as_json: AsJson = False) -> None:
    """Run the examples of every rule, also of packs that are off. Exit code 1 when one is judged wrongly."""
    with failing_clearly(as_json=as_json):
        policy = _policy(packs)
        with progress_bar(quiet=as_json) as progress:
            missed = list(misses(policy, progress))
    examples = sum(len(rule.must_flag) + len(rule.must_pass) for rule in policy.rules)
    if as_json:
        print_json(
            {
                "policy_version": policy.version,
                "rules": len(policy.rules),
                "examples": examples,
                "misses": [asdict(miss) for miss in missed],
            }
        )
    else:
        _show_test(policy, missed)
        typer.echo(
            f"{len(policy.rules)} rules, {examples:,} examples, {len(missed)} judged wrongly"
            f" (policy {policy.version[:12]})"
        )
    if missed:
        raise typer.Exit(FINDING)


@policy_app.command("report")
def report_command(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="A .txt with a draft on each line, or a .csv with a column text and perhaps label.",
        ),
    ],
    channel: Annotated[str, typer.Option(help="The channel that the drafts are for.")] = "generic",
    locale: Annotated[str, typer.Option(help="The language of the drafts.")] = "en",
    packs: Packs = None,
    as_json: AsJson = False,
) -> None:
    """Judge a file of drafts and count the findings of every rule. Exit code 1 when a draft is blocked.

    With labels, precision and recall are shown with 95 % intervals: `pass` (or ok, good, compliant) is a draft
    that keeps the rules, `block`, `warn` or `bad` one that breaks any, and a rule id one that breaks that rule;
    several are separated by spaces.
    """
    with failing_clearly(as_json=as_json):
        policy = _policy(packs)
        drafts = read_drafts(file)
        with progress_bar(quiet=as_json) as progress:
            verdicts = []
            for number, draft in enumerate(drafts, start=1):
                verdicts.append(judge(policy, draft.text, channel=channel, locale=locale))
                progress("judging", number, len(drafts))
    report = summarise(policy, drafts, verdicts)
    if as_json:
        print_json(report)
    else:
        _show_report(report)
    if report["outcomes"][Outcome.block.value]:
        raise typer.Exit(FINDING)


def _policy(packs: Path | None) -> Policy:
    """The packs of a folder, or the policy in force."""
    return policy_here(Home.from_environment()) if packs is None else load_policy(packs)


def read_drafts(file: Path) -> list[Draft]:
    """The drafts of a text or CSV file; raises UnreadableFile, which says what is wrong where."""
    if file.stat().st_size > LARGEST_FILE:
        raise UnreadableFile(f"{file.name}: larger than {LARGEST_FILE:,} bytes; split it")
    try:
        content = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            f"{file.name}: not UTF-8 at byte {error.start}; save it so"
        ) from error
    if file.suffix.lower() == ".csv":
        drafts = list(_csv_drafts(file.name, content))
    else:
        lines = enumerate(content.split("\n"), start=1)
        drafts = [Draft(n, line.strip(), None) for n, line in lines if line.strip()]
    if not drafts:
        raise UnreadableFile(f"{file.name}: there is no draft in it")
    return drafts


def _csv_drafts(name: str, content: str) -> Iterator[Draft]:
    rows = csv.DictReader(io.StringIO(content, newline=""), strict=True)
    try:
        if "text" not in (rows.fieldnames or ()):
            raise UnreadableFile(f"{name}: the first line must name a column text")
        labelled = "label" in (rows.fieldnames or ())
        for row in rows:
            label = (row["label"] or "").strip() if labelled else None
            if row["text"]:
                yield Draft(rows.line_num, row["text"], label)
    except csv.Error as error:
        raise UnreadableFile(f"{name}: line {rows.line_num}: {error}") from error


def summarise(policy: Policy, drafts: list[Draft], verdicts: list[Verdict]) -> dict[str, Any]:
    """Outcomes, findings by rule and, when there are labels, precision and recall."""
    outcomes = {outcome.value: 0 for outcome in Outcome}
    by_rule: dict[str, int] = {}
    for verdict in verdicts:
        outcomes[verdict.outcome.value] += 1
        for rule_id in {finding.rule_id for finding in verdict.findings}:
            by_rule[rule_id] = by_rule.get(rule_id, 0) + 1
    judged = list(zip(drafts, verdicts, strict=True))
    report: dict[str, Any] = {
        "policy_version": policy.version,
        "drafts": len(drafts),
        "outcomes": outcomes,
        "rules": dict(sorted(by_rule.items(), key=lambda item: (-item[1], item[0]))),
        "flagged": [
            {"line": draft.line, "text": draft.text, **verdict.to_json()}
            for draft, verdict in judged
            if verdict.findings
        ],
    }
    if any(draft.label is not None for draft in drafts):
        report["measured"] = _measured(policy, judged)
    return report


def _measured(policy: Policy, judged: list[tuple[Draft, Verdict]]) -> dict[str, Any]:
    known = {rule.id for rule in policy.rules}
    labels = [_label_words(draft) for draft, _ in judged]
    found = [{finding.rule_id for finding in verdict.findings} for _, verdict in judged]
    breaches = [bool(words) for words in labels]
    blocked = [verdict.outcome is Outcome.block for _, verdict in judged]
    good = breaches.count(False)
    rules = {}
    for rule_id in sorted({word for words in labels for word in words} & known):
        meant = [rule_id in words for words in labels]
        rules[rule_id] = _accuracy(meant, [rule_id in ids for ids in found])
    return {
        "any_finding": _accuracy(breaches, [bool(ids) for ids in found]),
        "block": _accuracy(breaches, blocked),
        "false_alarms": asdict(
            _share(_both(map(_negate, breaches), (bool(i) for i in found)), good)
        ),
        "false_blocks": asdict(_share(_both(map(_negate, breaches), blocked), good)),
        "rules": rules,
    }


def _label_words(draft: Draft) -> set[str]:
    """The breaches a label names; an unknown word counts as a breach of some rule."""
    words = set((draft.label or "").replace(",", " ").split())
    return {word for word in words if word.casefold() not in _GOOD}


def _negate(value: bool) -> bool:
    return not value


def _both(left: Iterable[bool], right: Iterable[bool]) -> int:
    return sum(a and b for a, b in zip(left, right, strict=True))


def _accuracy(meant: list[bool], found: list[bool]) -> dict[str, Any]:
    right = _both(meant, found)
    return {
        "precision": asdict(_share(right, sum(found))),
        "recall": asdict(_share(right, sum(meant))),
    }


def _share(part: int, whole: int) -> Share:
    if not whole:
        return Share(part, whole, None, None, None)
    value = part / whole
    scale = 1 + _Z_95**2 / whole
    middle = (value + _Z_95**2 / (2 * whole)) / scale
    half = _Z_95 / scale * sqrt(value * (1 - value) / whole + _Z_95**2 / (4 * whole**2))
    return Share(part, whole, value, max(0.0, middle - half), min(1.0, middle + half))


def _show_test(policy: Policy, found: list[Miss]) -> None:
    missed: dict[str, int] = {}
    for miss in found:
        missed[miss.rule_id] = missed.get(miss.rule_id, 0) + 1
    table = Table("pack", "rule", "severity", "must flag", "must pass", "wrong", box=None)
    for rule in policy.rules:
        wrong = missed.get(rule.id, 0)
        counts = (str(len(rule.must_flag)), str(len(rule.must_pass)), str(wrong or ""))
        style = "red" if wrong else ""
        table.add_row(rule.pack, rule.id, rule.severity.value, *counts, style=style)
    console().print(table)
    for miss in found[:SHOWN]:
        console().print(escape(f"{miss.rule_id} should {miss.expected}: {miss.text}"), style="red")


def _show_report(report: dict[str, Any]) -> None:
    table = Table("rule", "drafts", box=None, header_style="bold")
    for rule_id, count in report["rules"].items():
        table.add_row(rule_id, f"{count:,}")
    console().print(table)
    for entry in report["flagged"][:SHOWN]:
        ids = ", ".join(sorted({finding["rule_id"] for finding in entry["findings"]}))
        console().print(escape(f"line {entry['line']}: {entry['outcome']} {ids}: {entry['text']}"))
    outcomes = ", ".join(f"{count:,} {name}" for name, count in report["outcomes"].items())
    typer.echo(f"{report['drafts']:,} drafts: {outcomes} (policy {report['policy_version'][:12]})")
    if "measured" in report:
        _show_measured(report["measured"])


def _show_measured(measured: dict[str, Any]) -> None:
    table = Table("", "precision", "recall", box=None, header_style="bold")
    rows = {
        "any finding": measured["any_finding"],
        "block": measured["block"],
        **measured["rules"],
    }
    for name, accuracy in rows.items():
        table.add_row(name, _percent(accuracy["precision"]), _percent(accuracy["recall"]))
    console().print(table)
    typer.echo(f"false alarms on compliant drafts: {_percent(measured['false_alarms'])}")
    typer.echo(f"blocks on compliant drafts: {_percent(measured['false_blocks'])}")


def _percent(share: dict[str, Any]) -> str:
    if share["value"] is None:
        return "none"
    interval = f"{share['low']:.1%} to {share['high']:.1%}"
    return f"{share['value']:.1%} ({interval}; {share['part']} of {share['whole']})"
