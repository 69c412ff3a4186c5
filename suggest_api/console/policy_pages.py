"""The policy as people read it: packs, rules with their examples, and a box that shows each rule's reasoning."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import Response

from knowledge_base.policy import Policy, Rule, Verdict
from knowledge_base.wording import measure
from knowledge_base.wording.networks import NETWORKS, network_lengths
from suggest_api import flow
from suggest_api.access.model import Identity
from suggest_api.access.permissions import Action
from suggest_api.console import views
from suggest_api.console.guards import OwnForm, desk_of, require
from suggest_api.console.render import CONSOLE, page
from suggest_api.flow import Desk, freezing
from suggest_api.storage import unit_of_work

router = APIRouter(prefix=f"{CONSOLE}/policy")

Who = Annotated[Identity, Depends(require(Action.READ_POLICY))]
Tries = Annotated[Identity, Depends(OwnForm(Action.READ_POLICY))]
# Only bounds the work on what somebody pastes; the gate's limit is 139.
Text = Annotated[str, Form(max_length=1000)]
# Any name may be asked about: a channel that is not known has no rules of its own.
Channel = Annotated[str, Form(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
FIRST = "generic"
ABBREVIATED = 3  # letters of a pack's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """The rules of one pack, and whether they judge."""

    name: str
    on: bool
    rules: tuple[Rule, ...]

    @property
    def title(self) -> str:
        """The name as people read it; one of three letters is an abbreviation (PCI)."""
        return self.name.upper() if len(self.name) <= ABBREVIATED else self.name.capitalize()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasoning:
    """One rule's findings on a text; `rule` None means that the engine itself had something to say."""

    rule_id: str
    rule: Rule | None
    findings: tuple[views.ShownFinding, ...]


@router.get("")
def show(request: Request, who: Who) -> Response:
    """The whole policy, to be read and tried; nothing here changes it."""
    desk = desk_of(request)
    with unit_of_work.read(desk.engine) as session:
        frozen = freezing.in_force(session).freezes
    policy = desk.policy
    values = {
        "page": "policy",
        "frozen": frozen,
        "policy": policy,
        "packs": () if policy is None else packs_of(policy),
        "channels": channels_of(desk),
        **_tried(desk, "", FIRST),
    }
    return page("policy.html", who=who, values=values)


@router.post("/try")
def try_text(request: Request, who: Tries, text: Text = "", channel: Channel = FIRST) -> Response:
    """What every rule says about a text on a channel; nothing is stored."""
    return page("_policy_try.html", who=who, values=_tried(desk_of(request), text, channel))


def packs_of(policy: Policy) -> tuple[Pack, ...]:
    """The packs in the order of their names; those that are off for the brand come last."""
    on = {rule.id for rule in policy.rules_for(channel=FIRST)}
    names = sorted({rule.pack for rule in policy.rules})
    packs = []
    for name in names:
        rules = tuple(rule for rule in policy.rules if rule.pack == name)
        packs.append(Pack(name=name, on=any(rule.id in on for rule in rules), rules=rules))
    return tuple(sorted(packs, key=lambda pack: not pack.on))


def channels_of(desk: Desk) -> tuple[str, ...]:
    """The channels that a text can be tried for: those there are, and every network whose count is known."""
    return tuple(dict.fromkeys((*desk.channels, *NETWORKS)))


def _tried(desk: Desk, text: str, channel: str) -> dict[str, Any]:
    values: dict[str, Any] = {
        "text": text,
        "channel": channel,
        "length": measure(text),
        "networks": network_lengths(text, channel),
        "outcome": "",
        "reasoning": (),
        "silent": 0,
    }
    policy = desk.policy
    if policy is None or not text:
        return values
    verdict = flow.judge(desk, text, channel=channel)
    reasoning = tuple(_reasoning(policy, verdict, text))
    judging = len(policy.rules_for(channel=channel))
    return {
        **values,
        "outcome": verdict.outcome.value,
        "reasoning": reasoning,
        "silent": judging - sum(1 for found in reasoning if found.rule is not None),
    }


def _reasoning(policy: Policy, verdict: Verdict, text: str) -> Iterable[Reasoning]:
    rules = {rule.id: rule for rule in policy.rules}
    for rule_id in dict.fromkeys(finding.rule_id for finding in verdict.findings):
        of_rule = [finding for finding in verdict.findings if finding.rule_id == rule_id]
        yield Reasoning(
            rule_id=rule_id, rule=rules.get(rule_id), findings=views.shown(of_rule, text)
        )
