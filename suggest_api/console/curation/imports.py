"""Files in and out: an upload is shown whole before anything is written, and what was shown is what is applied."""

from __future__ import annotations

import base64
import binascii
import hmac
import zlib
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, Path, UploadFile
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from knowledge_base.errors import ContentError, SamePerson, WorkflowError
from knowledge_base.exchange import Upload, plan_upload, sample, write
from knowledge_base.exchange.exporter import render
from knowledge_base.exchange.model import MAX_FILE_BYTES
from knowledge_base.store import repository
from suggest_api.access.model import Identity
from suggest_api.access.permissions import Action
from suggest_api.console.curation import frame
from suggest_api.console.curation.frame import Notice, told
from suggest_api.console.guards import OwnForm, desk_of, require
from suggest_api.console.sections import KNOWLEDGE
from suggest_api.flow import Desk
from suggest_api.problems import problem_of
from suggest_api.storage import unit_of_work

router = APIRouter(prefix=f"{KNOWLEDGE}/import")

Sees = Annotated[Identity, Depends(require(Action.EXPORT))]
Imports = Annotated[Identity, Depends(OwnForm(Action.IMPORT))]
Suffix = Annotated[str, Path(pattern="^(csv|yaml)$")]
TYPES = {"csv": "text/csv; charset=utf-8", "yaml": "application/yaml; charset=utf-8"}
MOST_SHOWN = 200  # rows of each list; a file may have fifty thousand
MAX_NAME = 200  # characters of a file's name


@router.get("")
def show(request: Request, who: Sees) -> Response:
    """What can be uploaded, a sample, and the export."""
    return _draw(desk_of(request), who)


@router.get("/sample.{suffix}")
def sample_file(suffix: Suffix, who: Sees) -> Response:
    """A small file to start from."""
    return _file(sample(suffix=f".{suffix}"), f"firstline-sample.{suffix}", suffix)


@router.get("/export.{suffix}")
def export_file(request: Request, suffix: Suffix, who: Sees) -> Response:
    """Everything that is live, as importing it again would read it."""
    desk = desk_of(request)
    with unit_of_work.read(desk.engine) as session:
        contents = [revision.content for revision in repository.all_live(session)]
    name = f"firstline-{desk.clock():%Y-%m-%d}.{suffix}"
    return _file(render(contents, suffix=f".{suffix}", name=name), name, suffix)


@router.post("")
def plan(request: Request, who: Imports, file: Annotated[UploadFile, File()]) -> Response:
    """What importing the file would do; nothing is written."""
    desk = desk_of(request)
    data, name = file.file.read(), (file.filename or "upload")[:MAX_NAME]
    if not data:
        notice = told("choose a file first: this one is empty", kind="bad")
        return _draw(desk, who, notice=notice, status=422)
    with unit_of_work.read(desk.engine) as session:
        upload = _planned(desk, session, data, name, who)
    return _draw(desk, who, upload=upload, data=data)


@router.post("/apply")
def apply(
    request: Request,
    who: Imports,
    filename: Annotated[str, Form(max_length=MAX_NAME)],
    sha256: Annotated[str, Form(pattern="^[0-9a-f]{64}$")],
    data: Annotated[str, Form()],
) -> Response:
    """Write exactly the file that was shown: the same bytes are planned again, and their hash has to agree."""
    desk = desk_of(request)
    try:
        raw = _unpacked(data)
    except (binascii.Error, zlib.error, ValueError):
        notice = told("the file did not come back whole: upload it again", kind="bad")
        return _draw(desk, who, notice=notice, status=422)
    upload: Upload | None = None
    try:
        with unit_of_work.write(desk.engine) as session:
            upload = _planned(desk, session, raw, filename, who)
            _refuse_another(upload, sha256)
            if upload.prepared is not None:
                write(session, upload.prepared)
    except (ContentError, WorkflowError, SamePerson) as error:
        notice = told(f"{error}; nothing was changed", kind="bad")
        status = problem_of(error).status
        return _draw(desk, who, upload=upload, data=raw, notice=notice, status=status)
    return _draw(desk, who, upload=upload, done=True)


def _planned(desk: Desk, session: Session, data: bytes, name: str, who: Identity) -> Upload:
    policy = desk.policies.at(session)
    if policy is None:
        msg = "no policy is loaded, so nothing can be judged or imported"
        raise ContentError(msg)
    return plan_upload(
        data,
        filename=name,
        session=session,
        policy=policy,
        author=who.name,
        now=desk.clock(),
    )


def _refuse_another(upload: Upload, sha256: str) -> None:
    if not hmac.compare_digest(upload.sha256, sha256):
        msg = "this is not the file that was shown: upload it again and look at it first"
        raise ContentError(msg)


def _packed(data: bytes) -> str:
    """The file as the page carries it to the second step: nothing of it is kept here in between."""
    return base64.urlsafe_b64encode(zlib.compress(data)).decode()


def _unpacked(data: str) -> bytes:
    """Raises binascii.Error, zlib.error, ValueError for what is not a packed file of a size that we take."""
    reader = zlib.decompressobj()
    raw = reader.decompress(base64.b64decode(data, altchars=b"-_", validate=True), MAX_FILE_BYTES)
    if reader.unconsumed_tail or not reader.eof:
        msg = "the file is too large or was cut"
        raise ValueError(msg)
    return raw


def _draw(
    desk: Desk,
    who: Identity,
    *,
    upload: Upload | None = None,
    data: bytes = b"",
    done: bool = False,
    notice: Notice | None = None,
    status: int = 200,
) -> Response:
    values: dict[str, Any] = {
        "upload": upload,
        "data": _packed(data) if upload and upload.applicable else "",
        "done": done,
        "most": MOST_SHOWN,
        "cap": desk.settings.max_import_bytes,
    }
    with unit_of_work.read(desk.engine) as session:
        return frame.draw(
            session,
            who,
            "import.html",
            section="import",
            values=values,
            notice=notice,
            status=status,
        )


def _file(text: str, name: str, suffix: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type=TYPES[suffix], headers=headers)
