"""What a proposed policy must show before it may be in force, and what it would let through that is caught now."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar

from knowledge_base.errors import PolicyError
from knowledge_base.governance.model import FILE_NAME
from knowledge_base.policy import Judged, Policy, Rule, Severity
from knowledge_base.policy.loader import read_policy
from knowledge_base.policy.packs import Where, rule_of
from knowledge_base.progress import Progress, silent
from knowledge_base.store.columns import canonical_json

_T = TypeVar("_T")

# Settings that excuse a text or let it pass: more of them is weaker, less of any other is weaker.
_EXCUSES = frozenset(
    {
        *("allowed", "hosts", "schemes", "unless", "negations", "transparent", "safe_places"),
        *("needed_for", "conjunctions", "handling", "warnings", "not_after", "not_before"),
        *("others", "relays", "relatives", "stops", "near"),
    }
)
_NAMED = 3  # of the entries that differ, so many are named
# Seconds that a rule may take for a text of some hundred characters: thirty times the whole policy's time.
SLOW_SECONDS = 0.06
_SIZES = (
    20,
    25,
    30,
    60,
    120,
    240,
    480,
)  # characters; an exponential pattern shows before it hangs
_KEPT = 1000  # rules whose examples are known to hold; our own packs have 87


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that must be mended: where, what, and how. `rule_id` is '' where it is no one rule's."""

    where: Where
    rule_id: str
    problem: str
    mend: str

    def __str__(self) -> str:
        rule = f"{self.rule_id}: " if self.rule_id else ""
        return f"{self.where}: {rule}{self.problem} ({self.mend})"

    def to_json(self) -> dict[str, Any]:
        """A plain dict for JSON."""
        return {
            "file": self.where.file,
            "line": self.where.line,
            "rule_id": self.rule_id,
            "problem": self.problem,
            "mend": self.mend,
        }


@dataclass(frozen=True, slots=True)
class Miss:
    """An example that a rule judged wrongly; `expected`: "flag", "pass", or "work" where the rule broke down."""

    rule_id: str
    expected: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Weakening:
    """Something that is caught now and might not be then; `name` is what an approver confirms."""

    name: str
    detail: str

    def to_json(self) -> dict[str, str]:
        """A plain dict for JSON."""
        return {"name": self.name, "detail": self.detail}


def loaded(files: Mapping[str, str]) -> tuple[Policy | None, tuple[Fault, ...]]:
    """The policy of these files; or why they make none."""
    try:
        return read_policy(files), ()
    except PolicyError as error:
        named = FILE_NAME.match(str(error))  # switches and contacts say the file in words only
        where = Where(error.file or (named.group() if named else "the policy"), error.line)
        problem = str(error).removeprefix(f"{where}: ").removeprefix(f"{where.file}: ")
        mend = "mend this line; nothing was changed by it"
        return None, (Fault(where=where, rule_id="", problem=problem, mend=mend),)


def misses(policy: Policy, progress: Progress = silent) -> Iterator[Miss]:
    """Every example that its rule judges wrongly, also of packs that are off."""
    for number, rule in enumerate(policy.rules, start=1):
        yield from _known.of(rule)
        progress("testing", number, len(policy.rules))


def faults(policy: Policy, files: Mapping[str, str], progress: Progress = silent) -> list[Fault]:
    """What keeps a policy that can be loaded from being in force, each with its line."""
    found = [_missed(miss, files) for miss in misses(policy, progress)]
    slow = [(rule, _known.slow_on(rule)) for rule in policy.rules if not found]
    return found or [_slow_fault(rule, text, files) for rule, text in slow if text]


def weakenings(before: Policy, after: Policy) -> tuple[Weakening, ...]:
    """What `before` has and `after` has not, rule by rule and pack by pack, each with its own name."""
    rules = {rule.id: rule for rule in after.rules}
    found = [*_switched_off(before, after), *_doubted(before, after)]
    for old in before.rules:
        new = rules.get(old.id)
        if new is None:
            detail = f'rule {old.id} ("{old.title}") is gone'
            found.append(Weakening(name=f"removed:{old.id}", detail=detail))
            continue
        found += _weaker(old, new)
    return tuple(found)


def same_judgement(old: Rule, new: Rule) -> bool:
    """Whether two rules say the same of every text."""
    return (old.detector, old.settings, old.severity, old.pack) == (
        new.detector,
        new.settings,
        new.severity,
        new.pack,
    )


def _weaker(old: Rule, new: Rule) -> Iterator[Weakening]:
    if old.severity is Severity.block and new.severity is Severity.warn:
        detail = f"{old.id} blocks now and would only warn"
        yield Weakening(name=f"severity:{old.id}", detail=detail)
    if old.pack != new.pack:
        detail = (
            f"{old.id} moves from the pack {old.pack} to {new.pack}, which is switched otherwise"
        )
        yield Weakening(name=f"pack:{old.id}", detail=detail)
    if (old.detector, old.settings) == (new.detector, new.settings):
        return
    lost = [text for text in old.must_flag if _passes(old, new, text)]
    if lost:
        detail = f"{old.id} would no longer catch {len(lost)} of its examples, first: {lost[0]}"
        yield Weakening(name=f"missed:{old.id}", detail=detail)
    narrower = (
        [f"another detector: {new.detector} instead of {old.detector}"]
        if old.detector != new.detector
        else list(_narrower(old.settings, new.settings))
    )
    if narrower:
        detail = f"{old.id} reads less or excuses more: {'; '.join(narrower)}"
        yield Weakening(name=f"narrower:{old.id}", detail=detail)


def _passes(old: Rule, new: Rule, text: str) -> bool:
    return _speaks(old, text) and not _speaks(new, text, channel=old.examples_channel)


def _speaks(rule: Rule, text: str, *, channel: str | None = None) -> bool:
    """`flags`; a rule that breaks down blocks, so it speaks."""
    try:
        return flags(rule, text, channel=channel)
    except Exception:
        return True


def _narrower(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted({*old, *new}):
        was, now = old.get(key), new.get(key)
        if was == now:
            continue
        if not isinstance(was or [], list) or not isinstance(now or [], list):
            yield f"{key} differs"
            continue
        gone = [entry for entry in was or [] if entry not in (now or [])]
        come = [entry for entry in now or [] if entry not in (was or [])]
        weaker = come if key in _EXCUSES else gone
        if weaker:
            named = ", ".join(map(str, weaker[:_NAMED]))
            more = f" and {len(weaker) - _NAMED} more" if len(weaker) > _NAMED else ""
            yield f"{key} {'gets' if key in _EXCUSES else 'loses'} {named}{more}"


def _switched_off(before: Policy, after: Policy) -> Iterator[Weakening]:
    """A pack that judges now and would not, for everybody or somewhere only."""
    both = (before.switches, after.switches)
    channels = dict.fromkeys(["", *(name for each in both for name in each.channels)])
    locales = dict.fromkeys(["", *(name for each in both for name in each.locales)])
    there = {rule.pack for rule in after.rules}
    for pack in sorted({rule.pack for rule in before.rules} & there):
        off = [
            " ".join(part for part in (channel, locale) if part) or "everywhere"
            for channel in channels
            for locale in locales
            if before.switches.is_on(pack, channel=channel, locale=locale)
            and not after.switches.is_on(pack, channel=channel, locale=locale)
        ]
        if off:
            detail = f"the pack {pack} would be off: {', '.join(off)}"
            yield Weakening(name=f"off:{pack}", detail=detail)


def _doubted(before: Policy, after: Policy) -> Iterator[Weakening]:
    """A block that would become a warning wherever the second reader contradicts it."""
    for name in sorted(after.switches.second_opinion - before.switches.second_opinion):
        detail = f"a block of {name} would only warn where the second reader contradicts it"
        yield Weakening(name=f"second_opinion:{name}", detail=detail)


def flags(rule: Rule, text: str, *, channel: str | None = None) -> bool:
    """Whether a rule has something to say about an example."""
    return any(rule.judge(Judged(text, channel or rule.examples_channel)))


_MISSED = {
    "flag": ("does not flag its example", "make the rule catch it, or take the example away"),
    "pass": ("flags a text that must pass", "narrow the rule, or take the example away"),
    "work": ("breaks down on its example", "mend its settings: a pattern must match something"),
}


def _missed(miss: Miss, files: Mapping[str, str]) -> Fault:
    problem, mend = _MISSED[miss.expected]
    place = {"flag": ("must_flag", miss.text), "pass": ("must_pass", miss.text)}
    where = rule_of(files, miss.rule_id, *place.get(miss.expected, ()))
    said = f"{problem}: {miss.text}"
    return Fault(where=where, rule_id=miss.rule_id, problem=said, mend=mend)


def _slow_fault(rule: Rule, text: str, files: Mapping[str, str]) -> Fault:
    where = rule_of(files, rule.id, "settings", "patterns")
    problem = f"its pattern takes too long on {len(text)} characters such as {text[:20]}"
    mend = "write it without repetition inside repetition"
    return Fault(where=where, rule_id=rule.id, problem=problem, mend=mend)


def _slow_text(rule: Rule) -> str:
    """A text on which a regular expression takes too long, which would hold up every reply; '' when there is none.

    Counted is the processor's time of this thread: a busy machine makes no pattern slow.
    """
    if rule.detector != "pattern":
        return ""
    for seed in ("a", "1", "1 ", "a1-", *rule.must_flag[:1]):
        for size in _SIZES:
            text = (seed * (size // len(seed) + 1))[:size] + "!"
            started = time.thread_time()
            _speaks(rule, text)
            if time.thread_time() - started > SLOW_SECONDS:
                return text
    return ""


class _KnownExamples:
    """What the examples of a rule showed: it follows from the rule alone, and most rules stay as they are."""

    def __init__(self) -> None:
        self._found: OrderedDict[str, tuple[Miss, ...]] = OrderedDict()
        self._slow: OrderedDict[str, str] = OrderedDict()
        self._lock = Lock()

    def of(self, rule: Rule) -> tuple[Miss, ...]:
        """The examples that this rule judges wrongly."""
        return self._get(self._found, rule, lambda: tuple(_try_examples(rule)))

    def slow_on(self, rule: Rule) -> str:
        """The text that it takes too long for; '' when there is none."""
        return self._get(self._slow, rule, lambda: _slow_text(rule))

    def _get(self, kept: OrderedDict[str, _T], rule: Rule, find: Callable[[], _T]) -> _T:
        examples = [rule.id, rule.examples_channel, rule.must_flag, rule.must_pass]
        name = canonical_json([rule.detector, rule.settings, *examples])
        with self._lock:
            if name in kept:
                return kept[name]
        found = find()
        if rule.detector:  # a rule made by hand has no settings to be known by
            with self._lock:
                kept[name] = found
                while len(kept) > _KEPT:
                    kept.popitem(last=False)
        return found


_known = _KnownExamples()


def _try_examples(rule: Rule) -> Iterator[Miss]:
    for wanted, texts in ((True, rule.must_flag), (False, rule.must_pass)):
        for text in texts:
            try:
                found = flags(rule, text)
            except Exception:
                yield Miss(rule.id, "work", text)
                continue
            if found is not wanted:
                yield Miss(rule.id, "flag" if wanted else "pass", text)
