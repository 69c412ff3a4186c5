"""One file of a proposed policy: read beside what it was made from, and edited with the errors at their lines."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from knowledge_base import governance
from knowledge_base.errors import NotFound
from knowledge_base.governance import repository
from knowledge_base.governance.model import EDITABLE, FILE_NAME, MOST_CHARACTERS
from suggest_api.access.model import Identity
from suggest_api.console.curation.frame import Notice, told
from suggest_api.console.guards import desk_of
from suggest_api.console.policy import frame
from suggest_api.console.policy.frame import Edits, FileName, Number, Reads
from suggest_api.console.policy.sides import excerpt, sides
from suggest_api.console.render import see_other
from suggest_api.flow import Desk, governing
from suggest_api.storage import unit_of_work

router = APIRouter(prefix=f"{frame.VERSIONS}/{{number}}/files")

Content = Annotated[str, Form(max_length=2 * MOST_CHARACTERS)]
Seen = Annotated[str, Form(max_length=64)]


@router.get("/{name}")
def show(request: Request, number: Number, name: FileName, who: Reads) -> Response:
    """A file, to be read or edited."""
    return _draw(desk_of(request), number, name, who)


@router.post("")
def add(
    request: Request,
    number: Number,
    who: Edits,
    name: Annotated[str, Form(max_length=60)] = "",
) -> Response:
    """Go to a file that is not there yet: saving it makes it."""
    if not FILE_NAME.fullmatch(name):
        msg = f"{name!r} is no name for a file: small letters, digits and _, then .yaml"
        raise NotFound(msg)
    return see_other(frame.address(number, "files", name))


@router.post("/{name}")
def save(
    request: Request,
    number: Number,
    name: FileName,
    who: Edits,
    content: Content = "",
    seen: Seen = "",
) -> Response:
    """Keep what was written; what is wrong with it is shown then."""
    return _save(desk_of(request), number, name, who, content, seen=seen, to=("files", name))


@router.post("/{name}/remove")
def remove(
    request: Request, number: Number, name: FileName, who: Edits, seen: Seen = ""
) -> Response:
    """Take the file away."""
    return _save(desk_of(request), number, name, who, None, seen=seen, to=())


def _save(
    desk: Desk,
    number: int,
    name: str,
    who: Identity,
    content: str | None,
    *,
    seen: str,
    to: tuple[str, ...],
) -> Response:
    def taken() -> None:
        governing.save_file(desk, number, name, content, by=who.name, seen=seen)

    def again(notice: Notice, status: int) -> Response:
        return _draw(desk, number, name, who, typed=content, notice=notice, status=status)

    return frame.step(taken, to=frame.address(number, *to), again=again)


def _draw(
    desk: Desk,
    number: int,
    name: str,
    who: Identity,
    *,
    typed: str | None = None,
    notice: Notice | None = None,
    status: int = 200,
) -> Response:
    with unit_of_work.read(desk.engine) as session:
        revision = repository.get(session, number)
        files = repository.files_of(session, revision.content_hash)
        base = repository.files_of(session, revision.base_hash)
        editable = revision.state in EDITABLE and revision.author == who.name
        if name not in {*files, *base} and not (editable and FILE_NAME.fullmatch(name)):
            raise NotFound(f"policy {number} has no file {name}")
        stored = files.get(name, "")
        _, faults = governance.readable(session, revision.content_hash, examples=True)
        here = [fault for fault in faults if fault.where.file == name]
        text = stored if typed is None else typed
        values = {
            "revision": revision,
            "name": name,
            "there": name in files,
            "editable": editable,
            "text": text,
            "stored": stored if typed is not None and typed != stored else None,
            "rows": min(40, max(12, text.count("\n") + 2)),
            "faults": [
                (fault, None if fault.where.line is None else excerpt(stored, fault.where.line))
                for fault in here
            ],
            "elsewhere": [fault for fault in faults if fault.where.file != name],
            "hunks": sides(base.get(name, ""), text),
        }
        if notice is None and here:
            notice = told(
                "this file is kept, and has to be mended before it is submitted", kind="warn"
            )
        return frame.draw(session, who, "file.html", values, notice=notice, status=status)
