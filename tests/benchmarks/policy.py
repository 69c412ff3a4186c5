"""Measures the policy on labelled drafts: precision and recall per rule, false alarms, and the time of a verdict.

    python -m tests.benchmarks.policy --split dev|test [--request-ms 12.3] [--misses] [--json]

Figures only: single drafts are shown for the development split alone (`--misses`). Health and finance judge here
although the brand of the starter content has them switched off; the false alarms are given for both.
`--request-ms` is the median of a suggestion request as `tests.benchmarks.suggest` measures it.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from knowledge_base.policy import Outcome, Policy, Switches, Verdict, judge, load_policy
from knowledge_base.wording import measure

HERE = Path(__file__).parent / "policy_set"
CHANNEL = "generic"
Z = 1.959964  # of the normal distribution for 95 %
TIMED_CHARACTERS = 139  # the longest that may be sent: 140 is refused before most rules matter
TIMED_ROUNDS = 5
DRAFTS_PER_REQUEST = 3
TARGETS = {"false alarms": 0.01, "violation": 0.95, "adversarial": 0.85}


@dataclass(frozen=True, slots=True)
class Draft:
    """One labelled draft."""

    id: str
    kind: str
    violates: frozenset[str]
    text: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A draft and the verdict on it, with every pack on and as the brand has them."""

    draft: Draft
    verdict: Verdict
    brand: Verdict

    @property
    def rules(self) -> frozenset[str]:
        """The rules that found something."""
        return frozenset(finding.rule_id for finding in self.verdict.findings)


def main() -> int:
    """0 when the targets are met, 1 when one is missed, 2 when it cannot run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--split", choices=("dev", "test"), required=True)
    parser.add_argument("--request-ms", type=float, help="median of a suggestion request")
    parser.add_argument("--misses", action="store_true", help="show what was judged wrongly (dev)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    screen = Console(highlight=False)
    if options.misses and options.split == "test":
        Console(stderr=True).print("error: single drafts of the test split are not shown")
        return 2
    policy = load_policy()
    judged = [*_judge(policy, read(options.split))]
    report = report_of(judged, mapping(), policy.version)
    report["time"] = timing(policy, [j.draft.text for j in judged], request_ms=options.request_ms)
    if options.json:
        print(json.dumps({"split": options.split, **report}, indent=2))
    else:
        _show(screen, options.split, report)
    if options.misses:
        _show_misses(screen, judged, mapping())
    return 0 if report["met"] else 1


def read(split: str) -> list[Draft]:
    """The drafts of a split. The file holds line breaks and invisible characters inside its fields."""
    with (HERE / "drafts.csv").open(encoding="utf-8", newline="") as file:
        return [
            Draft(
                row["id"],
                row["kind"],
                frozenset(filter(None, row["violates"].split("|"))),
                row["text"],
            )
            for row in csv.DictReader(file)
            if row["split"] == split
        ]


def mapping() -> Mapping[str, frozenset[str]]:
    """By label: the rules that count for it, where they are not the one of its name."""
    listed = yaml.safe_load((HERE / "mapping.yaml").read_text(encoding="utf-8"))
    return {label: frozenset(rules) for label, rules in listed.items()}


def wilson(part: int, whole: int) -> dict[str, Any]:
    """A share with its 95 % interval (Wilson 1927); all None for nothing."""
    if whole == 0:
        return {"part": part, "whole": whole, "share": None, "low": None, "high": None}
    share, square = part / whole, Z * Z
    centre = (share + square / (2 * whole)) / (1 + square / whole)
    half = (
        Z * math.sqrt(share * (1 - share) / whole + square / (4 * whole**2)) / (1 + square / whole)
    )
    return {
        "part": part,
        "whole": whole,
        "share": share,
        "low": max(0.0, centre - half),
        "high": min(1.0, centre + half),
    }


def report_of(
    judged: Sequence[Judged], aliases: Mapping[str, frozenset[str]], version: str
) -> dict[str, Any]:
    """All figures but the times, as JSON."""
    ordinary = [j for j in judged if j.draft.kind == "ordinary"]
    alarms = wilson(sum(_blocks(j.verdict) for j in ordinary), len(ordinary))
    alarms_brand = wilson(sum(_blocks(j.brand) for j in ordinary), len(ordinary))
    warnings = wilson(sum(j.verdict.outcome is Outcome.warn for j in ordinary), len(ordinary))
    kinds = {
        kind: _recall([j for j in judged if j.draft.kind == kind], aliases)
        for kind in ("violation", "adversarial")
    }
    labels = sorted({label for j in judged for label in j.draft.violates})
    met = (alarms_brand["share"] or 0.0) <= TARGETS["false alarms"] and all(
        (kinds[kind]["found"]["share"] or 0.0) >= TARGETS[kind] for kind in kinds
    )
    return {
        "policy_version": version,
        "drafts": len(judged),
        "false_alarms": {"brand": alarms_brand, "every_pack": alarms, "warned": warnings},
        "recall": kinds,
        "rules": {label: _rule(label, judged, aliases) for label in labels},
        "met": met,
    }


def _judge(policy: Policy, drafts: Iterable[Draft]) -> Iterator[Judged]:
    every = replace(policy, switches=Switches())
    for draft in drafts:
        yield Judged(
            draft,
            judge(every, draft.text, channel=CHANNEL),
            judge(policy, draft.text, channel=CHANNEL),
        )


def _blocks(verdict: Verdict) -> bool:
    return verdict.outcome is Outcome.block


def _of(label: str, aliases: Mapping[str, frozenset[str]]) -> frozenset[str]:
    return aliases.get(label, frozenset({label}))


def _recall(
    judged: Sequence[Judged], aliases: Mapping[str, frozenset[str]]
) -> dict[str, dict[str, Any]]:
    """Drafts that some rule of theirs found, labels that were found, and drafts that any rule stopped."""
    pairs = [(j, label) for j in judged for label in j.draft.violates]
    own = sum(any(_of(x, aliases) & j.rules for x in j.draft.violates) for j in judged)
    return {
        "found": wilson(own, len(judged)),
        "labels": wilson(sum(bool(_of(x, aliases) & j.rules) for j, x in pairs), len(pairs)),
        "any_finding": wilson(sum(bool(j.rules) for j in judged), len(judged)),
    }


def _rule(
    label: str, judged: Sequence[Judged], aliases: Mapping[str, frozenset[str]]
) -> dict[str, dict[str, Any]]:
    rules = _of(label, aliases)
    flagged = [j for j in judged if rules & j.rules]
    labelled = [j for j in judged if label in j.draft.violates]
    # Another label that the same rule serves is no false alarm of this one.
    shared = {x for x in (*aliases, *_labels(judged)) if _of(x, aliases) & rules}
    right = sum(bool(shared & j.draft.violates) for j in flagged)
    return {
        "precision": wilson(right, len(flagged)),
        "recall": wilson(sum(bool(rules & j.rules) for j in labelled), len(labelled)),
    }


def _labels(judged: Sequence[Judged]) -> frozenset[str]:
    return frozenset(label for j in judged for label in j.draft.violates)


def timing(
    policy: Policy, texts: Sequence[str], *, request_ms: float | None
) -> dict[str, float | None]:
    """Milliseconds of processor time of a verdict on a text of the full length, and its share of a request.

    The texts are those of the split, cut and repeated to the full length; one round before warms up.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    full = [_stretched(text) for text in texts if measure(text).fits]
    spent = []
    for turn in range(TIMED_ROUNDS + 1):
        for text in full:
            started = time.process_time()
            judge(policy, text, channel=CHANNEL)
            if turn:
                spent.append(1000 * (time.process_time() - started))
    median = statistics.median(spent)
    share = None if request_ms is None else DRAFTS_PER_REQUEST * median / request_ms
    return {
        "median_ms": median,
        "p95_ms": statistics.quantiles(spent, n=20)[-1],
        "verdicts": len(spent),
        "request_ms": request_ms,
        "share_of_request": share,
    }


def _stretched(text: str) -> str:
    return (f"{text} " * (TIMED_CHARACTERS // max(1, len(text)) + 1))[:TIMED_CHARACTERS].strip()


def _words(share: Mapping[str, Any]) -> str:
    if share["share"] is None:
        return "-"
    low, high = 100 * share["low"], 100 * share["high"]
    return (
        f"{100 * share['share']:.1f} % ({low:.1f} to {high:.1f}; {share['part']}/{share['whole']})"
    )


def _show(screen: Console, split: str, report: Mapping[str, Any]) -> None:
    screen.print(f"{report['drafts']} drafts ({split}), policy {report['policy_version'][:12]}")
    table = Table("rule", "precision", "recall")
    for label, row in report["rules"].items():
        table.add_row(label, _words(row["precision"]), _words(row["recall"]))
    screen.print(table)
    alarms = report["false_alarms"]
    screen.print(f"ordinary drafts blocked, packs of the brand: {_words(alarms['brand'])}")
    screen.print(f"ordinary drafts blocked, every pack: {_words(alarms['every_pack'])}")
    screen.print(f"ordinary drafts warned about, every pack: {_words(alarms['warned'])}")
    for kind, row in report["recall"].items():
        screen.print(f"{kind}: found by a rule of its label {_words(row['found'])}")
        screen.print(f"{kind}: labels found {_words(row['labels'])}")
        screen.print(f"{kind}: stopped or warned about by any rule {_words(row['any_finding'])}")
    spent = report["time"]
    screen.print(
        f"verdict on {TIMED_CHARACTERS} characters: median {spent['median_ms']:.2f} ms,"
        f" 95th percentile {spent['p95_ms']:.2f} ms, {spent['verdicts']} verdicts on one core"
    )
    if spent["share_of_request"] is not None:
        screen.print(
            f"{DRAFTS_PER_REQUEST} verdicts are {100 * spent['share_of_request']:.1f} % of a request"
            f" of {spent['request_ms']:.1f} ms"
        )
    screen.print("targets met" if report["met"] else "targets missed")


def _show_misses(
    screen: Console, judged: Sequence[Judged], aliases: Mapping[str, frozenset[str]]
) -> None:
    for j in judged:
        missed = sorted(x for x in j.draft.violates if not _of(x, aliases) & j.rules)
        wrong = j.draft.kind == "ordinary" and j.verdict.outcome is not Outcome.pass_
        if missed or wrong:
            what = f"missed {', '.join(missed)}" if missed else f"flagged by {sorted(j.rules)}"
            screen.print(f"{j.draft.id} {j.draft.kind}: {what}: {j.draft.text!r}", markup=False)


if __name__ == "__main__":
    raise SystemExit(main())
