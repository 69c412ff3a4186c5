"""What the pages of the policy's versions share: addresses, who may do what, how a refused step is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import Depends, Form, Path
from sqlalchemy.orm import Session
from starlette.responses import Response

from knowledge_base.errors import NotFound, PolicyError, WorkflowError
from knowledge_base.store.review import MAX_WORDS
from suggest_api.access.model import Identity
from suggest_api.access.permissions import Action
from suggest_api.console.curation.frame import Notice, take_own_step
from suggest_api.console.guards import OwnForm, require
from suggest_api.console.render import CONSOLE, page
from suggest_api.flow import freezing

POLICY = f"{CONSOLE}/policy"
VERSIONS = f"{POLICY}/versions"

Reads = Annotated[Identity, Depends(require(Action.READ_POLICY))]
Edits = Annotated[Identity, Depends(OwnForm(Action.EDIT_POLICY))]
Decides = Annotated[Identity, Depends(OwnForm(Action.APPROVE_POLICY))]
Number = Annotated[int, Path(ge=1, lt=2**63)]
FileName = Annotated[str, Path(max_length=60)]
Words = Annotated[str, Form(max_length=4 * MAX_WORDS)]
REFUSALS: tuple[type[Exception], ...] = (WorkflowError, NotFound, PolicyError)


def address(number: int, *more: str) -> str:
    """The page of a proposal, or of something of it."""
    return "/".join([VERSIONS, str(number), *more])


def draw(
    session: Session,
    who: Identity,
    template: str,
    values: Mapping[str, Any],
    *,
    notice: Notice | None = None,
    status: int = 200,
) -> Response:
    """A whole page under the policy."""
    shared = {
        "page": "policy",
        "notice": notice,
        "frozen": freezing.in_force(session).freezes,
        "versions": VERSIONS,
    }
    return page(f"policy/{template}", who=who, values={**shared, **values}, status=status)


def step(
    taken: Callable[[], object], *, to: str, again: Callable[[Notice, int], Response]
) -> Response:
    """Take a step and go on to `to`; where it is refused, `again` draws the page with why."""
    return take_own_step(taken, refusals=REFUSALS, to=to, again=again)
