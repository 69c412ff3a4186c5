"""One proposed policy: what it changes, weakens and would do, a text tried on it, and the decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import Response

from knowledge_base import governance
from knowledge_base.governance import Examination, PolicyRevision, State, repository
from knowledge_base.governance.model import OPEN
from knowledge_base.policy import Policy, judge
from knowledge_base.wording import measure
from suggest_api.access.model import Identity
from suggest_api.access.permissions import Action
from suggest_api.console import views
from suggest_api.console.curation.frame import Notice
from suggest_api.console.guards import OwnForm, desk_of
from suggest_api.console.policy import frame
from suggest_api.console.policy.frame import Decides, Edits, Number, Reads, Words
from suggest_api.console.policy_pages import FIRST, Channel, Text, channels_of
from suggest_api.console.render import page
from suggest_api.flow import Desk, governing
from suggest_api.storage import unit_of_work

router = APIRouter(prefix=f"{frame.VERSIONS}/{{number}}")

Tries = Annotated[Identity, Depends(OwnForm(Action.READ_POLICY))]


@router.get("")
def show(request: Request, number: Number, who: Reads) -> Response:
    """One version, as it stands."""
    return _draw(desk_of(request), number, who)


@router.post("/try")
def try_text(
    request: Request, number: Number, who: Tries, text: Text = "", channel: Channel = FIRST
) -> Response:
    """What both policies say about a text; nothing is stored. Without scripts, the whole page again."""
    desk = desk_of(request)
    if "hx-request" not in request.headers:
        return _draw(desk, number, who, text=text, channel=channel)
    with unit_of_work.read(desk.engine) as session:
        revision = repository.get(session, number)
        policy, _ = governance.readable(session, revision.content_hash)
        live = desk.policies.at(session)
    values = {"revision": revision, **_tried(live, policy, text, channel)}
    return page("policy/_both.html", who=who, values=values)


@router.post("/submit")
def submit(request: Request, number: Number, who: Edits) -> Response:
    """Hand it to somebody else."""
    desk = desk_of(request)
    return _step(desk, number, who, lambda: governing.submit(desk, number, by=who.name))


@router.post("/withdraw")
def withdraw(request: Request, number: Number, who: Edits) -> Response:
    """The author gives it up."""
    desk = desk_of(request)

    def step() -> None:
        with unit_of_work.write(desk.engine) as session:
            governance.withdraw(session, number, by=who.name, now=desk.clock())

    return _step(desk, number, who, step)


@router.post("/take-up")
def take_up(
    request: Request,
    number: Number,
    who: Edits,
    keep_mine: Annotated[bool, Form()] = False,
) -> Response:
    """Take what came into force meanwhile into one's own draft."""
    desk = desk_of(request)

    def step() -> None:
        with unit_of_work.write(desk.engine) as session:
            governance.take_up(
                session,
                number,
                by=who.name,
                now=desk.clock(),
                keep_mine=keep_mine,
                packs=desk.policies.packs,
            )

    return _step(desk, number, who, step)


@router.post("/approve")
def approve(
    request: Request,
    number: Number,
    who: Decides,
    confirmed: Annotated[list[str] | None, Form()] = None,
    reason: Words = "",
) -> Response:
    """Put it in force."""
    desk = desk_of(request)
    chosen = confirmed or []

    def step() -> None:
        governing.approve(
            desk, number, by=who.name, teams=who.teams, confirmed=chosen, reason=reason
        )

    return _step(desk, number, who, step, confirmed=chosen, approve_reason=reason)


@router.post("/return")
def give_back(request: Request, number: Number, who: Decides, reason: Words = "") -> Response:
    """Ask the author for changes, and say which."""
    desk = desk_of(request)

    def step() -> None:
        with unit_of_work.write(desk.engine) as session:
            governance.return_to_author(
                session, number, by=who.name, reason=reason, now=desk.clock()
            )

    return _step(desk, number, who, step, return_reason=reason)


def _step(
    desk: Desk, number: int, who: Identity, taken: Callable[[], object], **typed: Any
) -> Response:
    """Take a step and show the page; what was typed stays where it is refused."""

    def again(notice: Notice, status: int) -> Response:
        return _draw(desk, number, who, notice=notice, status=status, **typed)

    return frame.step(taken, to=frame.address(number), again=again)


def _draw(
    desk: Desk,
    number: int,
    who: Identity,
    *,
    notice: Notice | None = None,
    status: int = 200,
    text: str = "",
    channel: str = FIRST,
    **typed: Any,
) -> Response:
    with unit_of_work.read(desk.engine) as session:
        revision = repository.get(session, number)
        files = repository.files_of(session, revision.content_hash)
        base = repository.files_of(session, revision.base_hash)
        live = desk.policies.at(session)
        policy, _ = governance.readable(session, revision.content_hash)
    examined = governing.examine(desk, number) if revision.state in OPEN else None
    values = {
        "revision": revision,
        "own": revision.author == who.name,
        "names": sorted({*files, *base}),
        "differ": governance.differ(files, base),
        "gone": [name for name in base if name not in files],
        "examined": examined,
        "faulty": _faulty(examined),
        "may_decide": _may_decide(revision, who),
        "channels": channels_of(desk),
        "now": desk.clock(),
        "confirmed": (),
        "approve_reason": "",
        "return_reason": "",
        **typed,
        **_tried(live, policy, text, channel),
    }
    with unit_of_work.read(desk.engine) as session:
        return frame.draw(session, who, "proposal.html", values, notice=notice, status=status)


def _faulty(examined: Examination | None) -> dict[str, int]:
    """How many faults each file has."""
    found: dict[str, int] = {}
    for fault in examined.faults if examined else ():
        found[fault.where.file] = found.get(fault.where.file, 0) + 1
    return found


def _may_decide(revision: PolicyRevision, who: Identity) -> bool:
    return revision.state is State.IN_REVIEW and revision.author != who.name


def _tried(
    live: Policy | None, proposed: Policy | None, text: str, channel: str
) -> dict[str, Any]:
    """Both verdicts on a text; without a text there is nothing to say."""
    verdicts = []
    for name, policy in (("in force", live), ("proposed", proposed)):
        verdict = None if policy is None or not text else judge(policy, text, channel=channel)
        findings = () if verdict is None else verdict.findings
        shown = [(finding.rule_id, views.shown([finding], text)[0]) for finding in findings]
        verdicts.append((name, policy is not None, verdict, shown))
    return {"text": text, "channel": channel, "length": measure(text), "verdicts": verdicts}
