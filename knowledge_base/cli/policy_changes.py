"""`firstline policy export`, `propose`, `approve`, `return`, `withdraw`, `history`, `diff`: how it changes."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Engine

from knowledge_base import governance
from knowledge_base.cli.generations import AsJson, database
from knowledge_base.cli.output import (
    FINDING,
    console,
    fail,
    failing_clearly,
    print_json,
    progress_bar,
)
from knowledge_base.errors import PolicyConflict, PolicyRefused, UnreadableFile
from knowledge_base.governance import Examination, PolicyRevision, repository
from knowledge_base.home import Home
from knowledge_base.policy.packs import read_files
from knowledge_base.store.engine import read_session, write_session

SHOWN = 20  # snippets of a kind printed for a person; --json has all of them
SHORT = 12  # hex digits of a hash on the screen
# Beside exported packs: what was in force then. Whoever changed the policy meanwhile must not be undone unseen.
MARK = ".in-force"

By = Annotated[str, typer.Option("--by", help="Who does it, for the audit chain.")]
Number = Annotated[int, typer.Argument(min=0, help="The policy's number; see `policy history`.")]
Folder = Annotated[Path, typer.Argument(file_okay=False, help="A folder of packs (*.yaml).")]
Confirm = Annotated[
    list[str] | None, typer.Option(help="A weakening that you confirm, by its name; repeatable.")
]
Reason = Annotated[str, typer.Option(help="Why, for whoever reads the history.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the `policy` group."""
    app.command("export")(export_command)
    app.command("propose")(propose_command)
    app.command("approve")(approve_command)
    app.command("return")(return_command)
    app.command("withdraw")(withdraw_command)
    app.command("history")(history_command)
    app.command("diff")(diff_command)


def export_command(
    folder: Folder,
    number: Annotated[
        int | None,
        typer.Option("--number", min=0, help="Another than the one in force; 0 is the program's."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the packs of a policy into a folder, to be changed there and proposed.

    A folder that holds other packs already is left alone (exit code 2).
    """
    with _opened(as_json=as_json) as engine, read_session(engine) as session:
        files = (
            governance.files_in_force(session)
            if number is None
            else governance.files_of(session, number)
        )
        folder.mkdir(parents=True, exist_ok=True)
        there = {file.name for file in folder.glob("*.yaml")}
        if there:
            msg = f"{folder}: there are packs in it already ({', '.join(sorted(there))}): name an empty folder"
            raise UnreadableFile(msg)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        (folder / MARK).write_text(governance.hash_in_force(session) + "\n", encoding="utf-8")
    if as_json:
        print_json({"folder": str(folder), "files": sorted(files)})
    else:
        typer.echo(f"{len(files)} files in {folder}: change them, then `firstline policy propose`")


def propose_command(
    folder: Folder,
    by: By,
    why: Annotated[str, typer.Option("--why", help="Why, for whoever approves it.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it would do; nothing is kept.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Propose the packs of a folder and hand them to somebody else for approval.

    Exit code 1, and nothing is kept, when they cannot be read, an example of a rule does not hold, or another
    policy came into force meanwhile. What it would weaken and which live snippets it would block is said.
    """
    now = datetime.now(UTC)
    with _opened(as_json=as_json) as engine, progress_bar(quiet=as_json) as progress:
        if not folder.is_dir():
            raise UnreadableFile(f"{folder}: there is no such folder")
        files = read_files(folder)
        with read_session(engine) as session:
            _refuse_overtaken(folder, governance.hash_in_force(session))
            examined = governance.examine(session, files, progress=progress)
        if examined.faults:
            _refuse(examined, as_json=as_json)
        made: PolicyRevision | None = None
        if not dry_run:
            with write_session(engine) as session:
                draft = governance.propose(session, files, by=by, note=why, now=now)
                made = governance.submit(session, draft.id, by=by, examined=examined, now=now)
    if as_json:
        print_json({"policy": None if made is None else made.id, **examined.to_json()})
        return
    _show(examined)
    if made is not None:
        typer.echo(
            f"policy {made.id} waits for somebody else: `firstline policy approve {made.id}`"
        )


def approve_command(
    number: Number,
    by: By,
    confirm: Confirm = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Put a submitted policy in force everywhere; its author cannot.

    Exit code 1 when it would block a live snippet, when it weakens the policy and that is not confirmed
    (--confirm NAME, with --reason), or when something changed since it was submitted.
    """
    with _opened(as_json=as_json) as engine, progress_bar(quiet=as_json) as progress:
        with read_session(engine) as session:
            examined = governance.examine_revision(session, number, progress=progress)
        if not as_json:
            _show(examined)
        with write_session(engine) as session:
            done = governance.approve(
                session,
                number,
                by=by,
                examined=examined,
                confirmed=confirm or (),
                reason=reason,
                now=datetime.now(UTC),
            )
    version = done.policy_version or ""
    _say(done, f"policy {number} is in force (version {version[:SHORT]})", as_json=as_json)


def return_command(number: Number, by: By, reason: Reason, as_json: AsJson = False) -> None:
    """Return a submitted policy to its author, who reads why."""
    with _opened(as_json=as_json) as engine, write_session(engine) as session:
        now = datetime.now(UTC)
        done = governance.return_to_author(session, number, by=by, reason=reason, now=now)
    _say(done, f"policy {number} went back to {done.author}", as_json=as_json)


def withdraw_command(number: Number, by: By, as_json: AsJson = False) -> None:
    """Give up a policy that you proposed."""
    with _opened(as_json=as_json) as engine, write_session(engine) as session:
        done = governance.withdraw(session, number, by=by, now=datetime.now(UTC))
    _say(done, f"policy {number} is withdrawn", as_json=as_json)


def history_command(as_json: AsJson = False) -> None:
    """List every proposed policy, newest first, with who, when and why."""
    with _opened(as_json=as_json) as engine, read_session(engine) as session:
        found = repository.every(session)
        versions = repository.recorded_versions(session)
    if as_json:
        policies = [asdict(revision) for revision in found]
        print_json({"policies": policies, "versions": [asdict(each) for each in versions]})
        return
    table = Table("policy", "state", "by", "approved by", "at", "why", box=None)
    for each in found:
        at = each.approved_at or each.ended_at or each.submitted_at or each.changed_at
        state = each.state.value.replace("_", " ")
        cells = (str(each.id), state, each.author, each.approved_by or "", f"{at:%Y-%m-%d %H:%M}")
        table.add_row(*map(escape, cells), escape(each.note.splitlines()[0]))
    console().print(table)
    if not any(each.approved_by and not each.ended_at for each in found):
        typer.echo("in force: the packs that come with the program (policy 0)")


def diff_command(
    number: Number,
    against: Annotated[
        int | None,
        typer.Option(min=0, help="Another policy; what it was made from unless told."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a policy changes, line by line. Exit code 1 when it differs."""
    with _opened(as_json=as_json) as engine, read_session(engine) as session:
        after = governance.files_of(session, number)
        before = (
            governance.files_of(session, against)
            if against is not None
            else after
            if number == governance.SHIPPED
            else repository.files_of(session, repository.get(session, number).base_hash)
        )
    changed = {
        name: list(_lines(name, before, after)) for name in governance.differ(before, after)
    }
    if as_json:
        print_json({"policy": number, "files": changed})
    else:
        for lines in changed.values():
            typer.echo("\n".join(lines))
    if changed:
        raise typer.Exit(FINDING)


def _lines(name: str, before: dict[str, str], after: dict[str, str]) -> Iterator[str]:
    old, new = before.get(name, "").splitlines(), after.get(name, "").splitlines()
    return difflib.unified_diff(old, new, f"before/{name}", f"after/{name}", lineterm="")


@contextmanager
def _opened(*, as_json: bool) -> Iterator[Engine]:
    with failing_clearly(as_json=as_json), database(Home.from_environment()) as engine:
        yield engine


def _refuse_overtaken(folder: Path, in_force: str) -> None:
    mark = folder / MARK
    if mark.is_file() and mark.read_text(encoding="utf-8").strip() != in_force:
        msg = (
            f"{folder}: another policy came into force since these packs were exported: export that one into"
            " another folder, and bring your changes there"
        )
        raise PolicyConflict(msg)


def _refuse(examined: Examination, *, as_json: bool) -> None:
    count = len(examined.faults)
    error = PolicyRefused(f"nothing was proposed: {count} things to mend", faults=examined.faults)
    if not as_json:
        for fault in examined.faults:
            typer.secho(str(fault), fg=typer.colors.RED, err=True)
    fail(error, as_json=as_json, extra=examined.to_json())


def _say(done: PolicyRevision, text: str, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(done))
    else:
        typer.echo(text)


def _show(examined: Examination) -> None:
    typer.echo(f"changed: {', '.join(examined.changed) or 'nothing'}")
    for weakening in examined.weakenings:
        typer.secho(f"weaker, {weakening.name}: {weakening.detail}", fg=typer.colors.YELLOW)
    effect = examined.effect
    for title, found in (
        ("would be blocked", effect.blocked),
        ("would be warned about", effect.warned),
        ("ordinary replies that would be blocked", effect.examples),
    ):
        if found:
            table = Table(title, "rules", "text", box=None, header_style="bold")
            for each in found[:SHOWN]:
                table.add_row(*map(escape, (each.key, ", ".join(each.rules), each.text[:90])))
            console().print(table)
            if len(found) > SHOWN:
                typer.echo(f"... and {len(found) - SHOWN:,} more (--json lists all)")
    typer.echo(
        f"of {effect.snippets:,} live snippets {len(effect.blocked):,} would newly be blocked,"
        f" {len(effect.warned):,} warned about"
    )
