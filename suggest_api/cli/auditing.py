"""`audit`: the chain recomputed and compared with its signed checkpoints, and those made and taken elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suggest_api.cli.output import FOUND, OK, AsJson, database, failing_clearly, print_json, say

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from knowledge_base.progress import Progress
    from knowledge_base.store.audit import ChainProblem
    from knowledge_base.store.checkpoints import Checkpoint
    from knowledge_base.store.signing import PublicKey

_LARGEST = (
    64 * 1024 * 1024
)  # bytes of an exported file; one line an hour takes a century to get there
_SHOWN = 50  # problems printed for a person; --json has all of them


def audit_verify(
    expected_head: Annotated[
        str | None, typer.Option(help="A hash noted earlier: notices a chain that was cut short.")
    ] = None,
    checkpoints: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Exported checkpoints to compare with."),
    ] = None,
    public_key: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="The public keys that count, PEM; those of FIRSTLINE_HOME unless told.",
        ),
    ] = None,
    file_only: Annotated[
        bool,
        typer.Option(
            help="Check only the file of --checkpoints, on a machine without the database."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Recompute the audit chain and compare it with its signed checkpoints.

    Exit code 1 when an entry was changed, removed, moved or cut off, or a signature does not hold.
    """
    from knowledge_base.cli.output import progress_bar
    from knowledge_base.errors import ConfigurationError
    from knowledge_base.store import checkpoints as points

    with failing_clearly(as_json=as_json), ExitStack() as stack:
        if file_only and checkpoints is None:
            raise ConfigurationError("--file-only needs --checkpoints FILE")
        outside = () if checkpoints is None else _read(checkpoints)
        keys = _keys(public_key)
        name = "" if checkpoints is None else checkpoints.name
        found: dict[str, Any] = {"checkpoints": len(outside)}
        problems = points.problems(outside, keys, where=name)
        if not file_only:
            session = stack.enter_context(_reading())
            with progress_bar(quiet=as_json) as progress:
                facts, more = _whole(session, expected_head, outside, keys, name, progress)
            found.update(facts)
            problems = [*more, *problems]
    problems.sort(key=lambda problem: problem.seq)
    listed = [{"seq": p.seq, "kind": p.kind, "message": p.message} for p in problems]
    if as_json:
        print_json({"intact": not problems, **found, "problems": listed})
    else:
        _show(found, problems)
    raise typer.Exit(FOUND if problems else OK)


def audit_checkpoint(
    out: Annotated[
        Path | None,
        typer.Option(help="Add the checkpoints that FILE does not have yet; keep it elsewhere."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Sign the end of the audit chain if it grew, and export all checkpoints.

    A file that says otherwise than the database is left as it is, with exit code 1: then one of them was changed.
    """
    from knowledge_base.store import checkpoints as points
    from knowledge_base.store import signing
    from knowledge_base.store.engine import read_session

    with failing_clearly(as_json=as_json), database() as engine:
        key = signing.signing_key(_home())
        made = points.make(engine, key, now=datetime.now(UTC))
        with read_session(engine) as session:
            inside = points.stored(session)
        added = 0 if out is None else _export(inside, out)
    last = inside[-1] if inside else None
    facts = {
        "made": made is not None,
        "seq": None if last is None else last.seq,
        "head": None if last is None else last.head,
        "checkpoints": len(inside),
        "key": key.public.fingerprint,
        "exported": added,
    }
    what = "signed" if made else "nothing new since the checkpoint of"
    line = "the chain is empty" if last is None else f"{what} entry {last.seq:,}, hash {last.head}"
    more = "" if out is None else f"; {added:,} of {len(inside):,} checkpoints added to {out}"
    say(facts, line + more, as_json=as_json)


def audit_public_key(
    out: Annotated[Path | None, typer.Option(help="Write it to FILE instead.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the public keys that checkpoints are checked with, newest last; they may be given to anybody."""
    from knowledge_base.errors import UnreadableFile
    from knowledge_base.store import signing

    with failing_clearly(as_json=as_json):
        current = signing.signing_key(_home()).public
        keys = {**signing.public_keys(_home()), current.fingerprint: current}
        newest_last = sorted(keys.values(), key=lambda key: key.fingerprint == current.fingerprint)
        text = "".join(key.pem() for key in newest_last)
        if out is not None:
            try:
                out.write_text(text)
            except OSError as error:
                raise UnreadableFile(f"{out}: cannot be written: {error.strerror}") from error
    facts = {"key": current.fingerprint, "keys": sorted(keys), "pem": text}
    line = text.rstrip() if out is None else f"{_counted(len(keys), 'key')} written to {out}"
    say(facts, line, as_json=as_json)


def audit_rotate(as_json: AsJson = False) -> None:
    """Sign with a new key from now on. The old one signs that; its public half stays to check what it signed."""
    from knowledge_base.store import audit, signing
    from knowledge_base.store import checkpoints as points
    from knowledge_base.store.engine import write_session

    now = datetime.now(UTC)
    with failing_clearly(as_json=as_json), database() as engine:
        old, fresh = signing.signing_key(_home()), signing.new_key()
        fingerprints = {"from": old.public.fingerprint, "to": fresh.public.fingerprint}
        with write_session(engine) as session:
            audit.append(
                session,
                actor="system",
                action="audit.rotate_key",
                subject="audit",
                detail=fingerprints,
                now=now,
            )
            last = points.signed_end(session, old, now=now)
            if last is not None:
                points.store(session, last)
        signing.rotate(
            _home(), fresh
        )  # what was signed last names the new key, so the old one goes for good
    say(fingerprints, f"checkpoints are signed with {fingerprints['to']} now", as_json=as_json)


def _whole(
    session: Session,
    expected_head: str | None,
    outside: tuple[Checkpoint, ...],
    keys: dict[str, PublicKey],
    name: str,
    progress: Progress,
) -> tuple[dict[str, Any], list[ChainProblem]]:
    """The chain by itself, then against the checkpoints of the database and of the file."""
    from knowledge_base.store import audit
    from knowledge_base.store import checkpoints as points

    chain = audit.verify(session, expected_head=expected_head, progress=progress)
    inside = points.stored(session)
    end = audit.length(session)
    here = "in the database"
    problems = list(chain.problems)
    problems += points.problems(inside, keys, where=here)
    problems += points.compare(session, inside, end=end, where=here)
    problems += points.compare(session, outside, end=end, where=name)
    problems += points.missing(inside, outside, where=name)
    signed = max((point.seq for point in (*inside, *outside)), default=0)
    facts = {
        "length": chain.length,
        "head": chain.head,
        "checkpoints": len(inside),
        "checkpoints_in_file": len(outside),
        "signed_up_to": signed,
    }
    return facts, problems


def _export(inside: tuple[Checkpoint, ...], out: Path) -> int:
    """Append what the file does not have; refuse when it has something else."""
    from knowledge_base.errors import AuditBroken, UnreadableFile
    from knowledge_base.store import checkpoints as points

    held = _read(out) if out.exists() and out.stat().st_size else ()
    different = points.missing(inside, held, where=out.name)
    if different:
        raise AuditBroken(f"{different[0].message}: {out} was left as it is")
    known = {point.seq for point in held}
    fresh = [point for point in inside if point.seq not in known]
    try:
        with out.open("a", encoding="utf-8") as file:
            file.write(points.render(fresh))
    except OSError as error:
        raise UnreadableFile(f"{out}: cannot be written: {error.strerror}") from error
    return len(fresh)


def _read(path: Path) -> tuple[Checkpoint, ...]:
    from knowledge_base.errors import UnreadableFile
    from knowledge_base.store import checkpoints as points

    try:
        if path.stat().st_size > _LARGEST:
            raise UnreadableFile(f"{path.name}: larger than {_LARGEST >> 20} MB")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(f"{path.name}: cannot be read as text") from error
    return points.parse(text, name=path.name)


def _keys(file: Path | None) -> dict[str, PublicKey]:
    from knowledge_base.store import signing

    return signing.public_keys(_home()) if file is None else signing.read_public_keys([file])


def _home() -> Path:
    from suggest_api.settings import load_settings

    return load_settings(serving=False).place.keys


@contextmanager
def _reading() -> Iterator[Session]:
    from suggest_api.storage import unit_of_work

    with database() as engine, unit_of_work.read(engine) as session:
        yield session


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _show(found: dict[str, Any], problems: list[ChainProblem]) -> None:
    state = "BROKEN" if problems else "intact"
    if "length" in found:
        typer.echo(
            f"{state}: {found['length']:,} entries, newest hash {found['head']};"
            f" signed up to entry {found['signed_up_to']:,} by {_counted(found['checkpoints'], 'checkpoint')}"
        )
    else:
        typer.echo(f"{state}: {_counted(found['checkpoints'], 'checkpoint')} in the file")
    for problem in problems[:_SHOWN]:
        typer.echo(f"  {problem.message}")
    if len(problems) > _SHOWN:
        typer.echo(f"  ... and {len(problems) - _SHOWN:,} more (--json lists all)")
