"""The command line `firstline`: starts the service and the worker, asks, checks and proves without them.

Heavy parts are imported inside the commands, so that `firstline --help` answers at once. Exit codes: 0 fine,
1 something was found or could not be done, 2 a setting or the call is wrong.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from knowledge_base.errors import ConfigurationError, FirstlineError, UnreadableFile
from suggest_api.settings import Settings, load_settings, read_env_file

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from suggest_api.drafts.proof import ProofReport
    from suggest_api.flow import Desk
    from suggest_api.values import SuggestionResponse

OK, FOUND, USAGE = 0, 1, 2

# Groups of commands of other parts, imported only when they are called: name, help, module and attribute.
GROUPS = (
    ("kb", "Snippets: import, export, check, build.", "knowledge_base.cli", "kb_app"),
    ("encoder", "The encoder: export it once.", "knowledge_base.cli", "encoder_app"),
)
# Single commands that a module registers by itself: names and helps, and the module.
REGISTERED = (
    (
        (
            ("demo", "Start everything on this machine; --script plays one conversation."),
            ("demo-network", "Run the network double alone."),
        ),
        "suggest_api.demo.command",
    ),
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Channel = Annotated[str, typer.Option(help="The channel that the text is for.")]


def main() -> None:
    """Entry point of `firstline`."""
    read_env_file()
    build(sys.argv[1:])()


def build(arguments: Sequence[str]) -> typer.Typer:
    """The whole command line; of other parts' commands only the one that is called is imported."""
    root = typer.Typer(
        name="firstline",
        help="First contact in social DMs: approved reply drafts under 140 characters, with a proof.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,  # a bug shows Python's own traceback, without any values
    )
    for command in (serve, worker, suggest, check, verify):
        root.command()(command)
    called = next((word for word in arguments if not word.startswith("-")), None)
    for names, module in REGISTERED:
        if called in [name for name, _ in names]:
            importlib.import_module(module).register(root)
            continue
        for name, text in names:
            root.command(name, help=text)(_later)
    for name, text, module, attribute in GROUPS:
        if called == name:
            root.add_typer(getattr(importlib.import_module(module), attribute), name=name)
        else:
            root.command(name, help=text)(_later)
    for name, text, commands in OWN_GROUPS:
        group = typer.Typer(help=text, no_args_is_help=True)
        for command_name, command in commands:
            group.command(command_name)(command)
        root.add_typer(group, name=name)
    return root


def serve() -> None:
    """Run the service: JSON API, webhooks and console, on FIRSTLINE_HOST and FIRSTLINE_PORT."""
    with failing_clearly(as_json=False):
        settings = load_settings()
        from suggest_api.server import run

        run(settings)


def worker() -> None:
    """Run the worker: works off events, lets the assistant answer, sends replies."""
    with failing_clearly(as_json=False):
        settings = load_settings()
        from suggest_api.main import create_desk
        from suggest_api.worker import run

        code = run(create_desk(settings))
    raise typer.Exit(code)


def suggest(
    text: Annotated[str, typer.Argument(help="What the customer wrote.")],
    channel: Channel = "generic",
    limit: Annotated[int, typer.Option(min=1, max=10, help="Most drafts.")] = 3,
    first_name: Annotated[str | None, typer.Option(help="Fills the slot first_name.")] = None,
    order_number: Annotated[str | None, typer.Option(help="Fills the slot order_number.")] = None,
    locale: Annotated[
        str | None, typer.Option(help="The customer's language, such as en.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What an agent would be offered for a customer's words; needs no running service."""
    from suggest_api.values import Author, Facts, Message, SuggestionRequest

    with failing_clearly(as_json=as_json), _desk() as desk:
        from suggest_api import flow
        from suggest_api.storage import unit_of_work

        request = SuggestionRequest(
            channel=channel,
            messages=(Message(Author.CUSTOMER, text),),
            facts=Facts(first_name=first_name, order_number=order_number),
            locale=locale,
            limit=limit,
        )
        with unit_of_work.write(desk.engine) as session:
            answer = flow.suggest(desk, session, request)
    if as_json:
        from suggest_api.api.wire import SuggestionsOut

        typer.echo(SuggestionsOut.of(answer).model_dump_json(indent=2))
    else:
        _show_suggestions(answer)


def check(
    text: Annotated[str, typer.Argument(help="The text to be judged.")],
    channel: Channel = "generic",
    as_json: AsJson = False,
) -> None:
    """The policy verdict on a text. Exit code 1 when there is a finding."""
    from knowledge_base.policy import judge, load_policy
    from knowledge_base.wording import measure

    with failing_clearly(as_json=as_json):
        verdict = judge(load_policy(), text, channel=channel)
    length = measure(text)
    if as_json:
        sizes = {"code_points": length.code_points, "weighted": length.weighted}
        _print_json({"verdict": verdict.to_json(), "length": {**sizes, "limit": length.limit}})
    else:
        typer.echo(
            f"{verdict.outcome.value}: {length.code_points} characters, {length.weighted} weighted,"
            f" at most {length.limit} (policy {verdict.policy_version[:12]})"
        )
        for finding in verdict.findings:
            where = "" if finding.span is None else f" at {finding.span[0]}-{finding.span[1]}"
            typer.echo(f"  {finding.severity.value} {finding.rule_id}{where}: {finding.reason}")
            typer.echo(f"    {finding.mend}")
    raise typer.Exit(FOUND if verdict.findings else OK)


def verify(
    draft_id: Annotated[str, typer.Argument(help="The draft's id, 32 hex digits.")],
    as_json: AsJson = False,
) -> None:
    """Rebuild a draft byte for byte and recheck its proof. Exit code 1 when a part differs."""
    with failing_clearly(as_json=as_json), _desk() as desk:
        from suggest_api import flow
        from suggest_api.storage import unit_of_work

        with unit_of_work.read(desk.engine) as session:
            report = flow.prove(desk, session, draft_id)
    if as_json:
        _print_json(report.to_json())
    else:
        _show_proof(report)
    raise typer.Exit(OK if report.holds else FOUND)


def audit_verify(
    expected_head: Annotated[
        str | None, typer.Option(help="A hash noted earlier: notices a chain that was cut short.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Recompute the audit chain. Exit code 1 when an entry was changed, removed or moved."""
    from knowledge_base.store import audit
    from suggest_api.storage import unit_of_work

    with (
        failing_clearly(as_json=as_json),
        _engine() as engine,
        unit_of_work.read(engine) as session,
    ):
        report = audit.verify(session, expected_head=expected_head)
    problems = [{"seq": p.seq, "kind": p.kind, "message": p.message} for p in report.problems]
    if as_json:
        found = {"intact": report.intact, "length": report.length, "head": report.head}
        _print_json({**found, "problems": problems})
    else:
        state = "intact" if report.intact else "BROKEN"
        typer.echo(f"{state}: {report.length:,} entries, newest hash {report.head}")
        for problem in problems:
            typer.echo(f"  {problem['message']}")
    raise typer.Exit(OK if report.intact else FOUND)


def key_create(
    scope: Annotated[
        str, typer.Option(help="suggest, assist, check, drafts, metrics; separated by commas.")
    ],
    name: Annotated[str, typer.Option(help="Whose key it is; decisions are recorded under it.")],
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key and show it, this once."""
    from suggest_api.access import service as access
    from suggest_api.access.model import parse_scopes
    from suggest_api.storage import unit_of_work

    with failing_clearly(as_json=as_json), _engine() as engine:
        try:
            scopes = parse_scopes([part.strip() for part in scope.split(",") if part.strip()])
        except ValueError as error:
            raise ConfigurationError(f"--scope: {error}") from None
        valid_for = None if days is None else timedelta(days=days)
        with unit_of_work.write(engine) as session:
            plain = access.create_key(
                session, name, scopes=scopes, valid_for=valid_for, now=datetime.now(UTC)
            )
    if as_json:
        _print_json({"name": name, "scopes": sorted(scopes), "key": plain})
    else:
        typer.echo(plain)


def key_revoke(
    name: Annotated[str, typer.Argument(help="The name that the keys were made with.")],
    as_json: AsJson = False,
) -> None:
    """End every key of a name, at once."""
    from suggest_api.access import service as access
    from suggest_api.storage import unit_of_work

    with (
        failing_clearly(as_json=as_json),
        _engine() as engine,
        unit_of_work.write(engine) as session,
    ):
        ended = access.revoke_keys(session, name, by="cli", now=datetime.now(UTC))
    _say({"name": name, "revoked": ended}, f"{ended} revoked", as_json=as_json)


def user_create(
    name: Annotated[str, typer.Argument(help="The name to sign in with.")],
    role: Annotated[str, typer.Option(help="agent, curator or admin.")],
    ask_password: Annotated[
        bool, typer.Option("--ask-password", help="Ask for a password; else one is made up.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Let a person sign in; a made-up password is shown this once."""
    from suggest_api.access import service as access
    from suggest_api.access.model import Role
    from suggest_api.storage import unit_of_work

    with failing_clearly(as_json=as_json), _engine() as engine:
        if role not in set(Role):
            raise ConfigurationError(f"--role: there is no role {role!r}: agent, curator or admin")
        given = typer.prompt("Password", hide_input=True) if ask_password else None
        with unit_of_work.write(engine) as session:
            password = access.create_user(
                session, name, role=Role(role), password=given, now=datetime.now(UTC)
            )
    shown = {} if ask_password else {"password": password}
    text = f"{name} can sign in" + ("" if ask_password else f" with the password {password}")
    _say({"name": name, "role": role, **shown}, text, as_json=as_json)


def user_sign_out(
    name: Annotated[str, typer.Argument(help="Whose sessions end.")], as_json: AsJson = False
) -> None:
    """End every session of a person, at once."""
    from suggest_api.access import service as access
    from suggest_api.storage import unit_of_work

    with (
        failing_clearly(as_json=as_json),
        _engine() as engine,
        unit_of_work.write(engine) as session,
    ):
        ended = access.revoke_all(session, name, by="cli", now=datetime.now(UTC))
    _say({"name": name, "sessions": ended}, f"{ended} sessions ended", as_json=as_json)


def db_upgrade(as_json: AsJson = False) -> None:
    """Bring the database to the newest schema; nothing happens when it is there already."""
    from knowledge_base.store import migrate

    with failing_clearly(as_json=as_json), _engine():
        head = migrate.head()
    _say({"head": head}, f"the database is at {head}", as_json=as_json)


OWN_GROUPS: tuple[tuple[str, str, tuple[tuple[str, Callable[..., None]], ...]], ...] = (
    ("audit", "The audit chain.", (("verify", audit_verify),)),
    ("key", "API keys.", (("create", key_create), ("revoke", key_revoke))),
    ("user", "People who sign in.", (("create", user_create), ("sign-out", user_sign_out))),
    ("db", "The database.", (("upgrade", db_upgrade),)),
)


@contextmanager
def failing_clearly(*, as_json: bool) -> Iterator[None]:
    """Turn an error of ours into one line and an exit code; a bug keeps its traceback."""
    try:
        yield
    except FirstlineError as error:
        if as_json:
            _print_json({"error": str(error), "kind": type(error).__name__})
        else:
            typer.secho(f"firstline: {error}", fg=typer.colors.RED, err=True)
        wrong_call = isinstance(error, ConfigurationError | UnreadableFile)
        raise typer.Exit(USAGE if wrong_call else FOUND) from None


@contextmanager
def _engine() -> Iterator[Engine]:
    """The configured database, brought to the newest schema."""
    from knowledge_base.store import migrate
    from knowledge_base.store.engine import open_engine
    from suggest_api.storage import unit_of_work

    engine = open_engine(load_settings(serving=False).place.database_url)
    try:
        with unit_of_work.translated():
            migrate.upgrade(engine)
        yield engine
    finally:
        engine.dispose()


@contextmanager
def _desk() -> Iterator[Desk]:
    """The parts that a question needs, without a service."""
    from suggest_api.logs import configure
    from suggest_api.main import create_desk

    settings: Settings = load_settings(serving=False)
    configure(level="error", form=settings.log_format)
    with _engine() as engine:
        desk = create_desk(settings, engine=engine)
        desk.generations.refresh(force=True)
        yield desk


def _later() -> None:
    """Stands for a command in the list of commands; when it is called, the real one is there instead."""


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def _say(value: dict[str, Any], text: str, *, as_json: bool) -> None:
    if as_json:
        _print_json(value)
    else:
        typer.echo(text)


def _show_suggestions(answer: SuggestionResponse) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    if answer.abstained:
        typer.echo(f"no draft: {answer.reason}")
        return
    table = Table("", "sure", "draft", "length", "approved by", show_lines=True)
    for rank, draft in enumerate(answer.suggestions, start=1):
        length = f"{draft.length.code_points}/{draft.length.weighted}"
        shown = f"{escape(draft.text)}\n[dim]{draft.snippet_key}  draft {draft.draft_id}[/dim]"
        approver = escape(draft.approved_by)
        table.add_row(str(rank), f"{draft.confidence:.0%}", shown, length, approver)
    Console(highlight=False).print(table)


def _show_proof(report: ProofReport) -> None:
    state = "holds" if report.holds else "DIFFERS: " + ", ".join(report.differing)
    typer.echo(f"{report.draft.id} {state}")
    typer.echo(f"  {report.draft.text}")
    for check_ in report.checks:
        mark = {True: "same", False: "DIFFERS", None: "not rechecked"}[check_.holds]
        typer.echo(f"  {check_.part}: {mark}" + (f" - {check_.detail}" if check_.detail else ""))
    if report.draft.final_text is not None:
        typer.echo(f"  final text: {report.draft.final_text}")
    for change in report.difference:
        typer.echo(f"    {change['op']}: {change['was']!r} -> {change['is']!r}")


if __name__ == "__main__":
    main()
