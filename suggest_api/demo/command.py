"""`firstline demo` and `firstline demo-network`: the commands that start, show and end the demo."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from knowledge_base.errors import FirstlineError
from knowledge_base.store.engine import open_engine
from suggest_api.demo import network_double, parts, seed
from suggest_api.demo.network_double import __main__ as network_main
from suggest_api.demo.script import Line, Report, Script
from suggest_api.demo.supervisor import Running, Stopped, Supervisor, stopping_on_signals
from suggest_api.settings import Settings, load_settings

FAILED, USAGE = 1, 2
COLOURS = {
    "customer": "cyan",
    "assistant": "green",
    "agent": "magenta",
    "draft": "dim",
    "console": "dim",
}


def register(app: typer.Typer) -> None:
    """Add the commands to the root of the command line."""
    app.command("demo")(demo_command)
    app.command("demo-network", help=network_double.__doc__)(network_command)


def network_command() -> None:
    """Run the network double alone, configured by FIRSTLINE_DOUBLE_... variables."""
    raise typer.Exit(network_main.main())


def demo_command(
    script: Annotated[
        bool,
        typer.Option("--script", help="Play one conversation end to end, print it, and stop."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --script: print one JSON document.")
    ] = False,
) -> None:
    """Start everything on this machine: service, worker, assistant, and a network to write from.

    Exit codes: 0 ended as asked, 1 a part or a step failed, 2 a setting is wrong or `make setup` was not run.
    """
    if as_json and not script:
        raise typer.BadParameter("--json goes with --script", param_hint="--json")
    screen = Console(stderr=as_json, highlight=False)
    try:
        settings = load_settings(serving=False)
        parts.require_set_up(settings)
        parts.require_free_ports(settings)
    except FirstlineError as error:
        screen.print(f"[red]error:[/red] {escape(str(error))}")
        raise typer.Exit(USAGE) from None
    try:
        with stopping_on_signals():
            _run(settings, screen, script=script, as_json=as_json)
    except Stopped:
        screen.print("\nEverything is stopped.")
    except FirstlineError as error:
        screen.print(f"\n[red]error:[/red] {escape(str(error))}\nEverything is stopped.")
        raise typer.Exit(FAILED) from None


def _run(settings: Settings, screen: Console, *, script: bool, as_json: bool) -> None:
    engine = open_engine(settings.place.database_url)
    now = datetime.now(UTC)
    seeded = seed.seed(engine, settings.place, now=now)
    seed.set_review_paths(engine, now=now)
    engine.dispose()
    plan = parts.plan(settings, seeded.secrets)
    with Supervisor(plan, logs=settings.place.logs) as supervisor:
        supervisor.start_all()
        _show_start(supervisor, screen)
        at = parts.Addresses.of(settings)
        if script:
            if seeded.passwords:
                _show_passwords(seeded, screen)
            report = Script(at, seeded.secrets, tell=_teller(screen)).play()
            _show_report(report, screen, as_json=as_json)
            return
        with httpx.Client(trust_env=False, timeout=10) as client:
            played = seed.play_first_conversations(at.network, client=client)
        _show_addresses(at, seeded, screen, played=played, settings=settings)
        supervisor.watch()


def _show_start(supervisor: Supervisor, screen: Console) -> None:
    """A line for each part: a turning wheel until it is ready, then how long it took."""
    if not screen.is_terminal:
        supervisor.wait_ready(tell=lambda each: screen.print(f"  {_ready_words(each)}"))
        return
    spinners = {
        each.part.name: Spinner("dots", text=f" {each.part.title}") for each in supervisor.running
    }

    def draw() -> Group:
        rows = [
            Text(f"✓ {_ready_words(each)}", style="green")
            if each.ready_after
            else spinners[each.part.name]
            for each in supervisor.running
        ]
        return Group(*rows)

    with Live(get_renderable=draw, console=screen, refresh_per_second=10):
        supervisor.wait_ready(tell=lambda _: None)


def _ready_words(each: Running) -> str:
    return f"{each.part.title} ready after {each.ready_after or 0:.1f} s"


def _show_passwords(seeded: seed.Seeded, screen: Console) -> None:
    table = Table("name", "roles", "password", box=None, header_style="bold")
    for name, password in seeded.passwords.items():
        table.add_row(name, ", ".join(sorted(seed.PEOPLE[name].roles)), password)
    screen.print(Panel(table, title="Shown once, kept nowhere", expand=False))


def _show_addresses(
    at: parts.Addresses, seeded: seed.Seeded, screen: Console, *, played: int, settings: Settings
) -> None:
    screen.print()
    if seeded.passwords:
        _show_passwords(seeded, screen)
    else:
        screen.print("People and passwords are those of the first start.")
    table = Table(box=None, show_header=False)
    table.add_row("Answer as an agent", f"[bold]{at.console}[/bold]")
    table.add_row("Write as a customer", f"[bold]{at.network}/[/bold]")
    table.add_row("Ask the API", f"[bold]{at.service}/readyz[/bold]")
    screen.print(table)
    if played:
        screen.print(f"{played} messages of three customers are on their way in.")
    screen.print(f"Logs: {settings.place.logs}. Ctrl-C stops everything.", soft_wrap=True)


def _teller(screen: Console) -> Callable[[Line], None]:
    def tell(line: Line) -> None:
        style = COLOURS.get(line.who, "")
        text = Text.assemble((f"{line.at:6.1f} s  ", "dim"), (f"{line.who:<10}", style), line.text)
        if line.note:
            text.append(f"  ({line.note})", style="dim")
        screen.print(text, soft_wrap=True)

    return tell


def _show_report(report: Report, screen: Console, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(report.to_json(), ensure_ascii=False, indent=2))
        return
    screen.print(Panel(_proof_table(report.proof), title=_proof_title(report), expand=False))
    screen.print(f"All steps happened, in {report.seconds:.1f} s.")


def _proof_title(report: Report) -> str:
    checks = report.proof.get("checks", [])
    return f"Proof of the draft that was sent: all {len(checks)} checks hold"


def _proof_table(report: dict[str, Any]) -> Table:
    """What a person asks first: whose words, approved by whom, found how, judged how, changed how."""
    proof, final = report["proof"], report.get("final") or {}
    length = final.get("length") or proof["length"]
    verdict = final.get("verdict") or proof["verdict"]
    rows = {
        "draft": report["draft_id"],
        "snippet": f"{proof['snippet_key']}, revision {proof['revision']} ({proof['content_hash'][:16]})",
        "written by": proof["author"],
        "approved by": f"{proof['approved_by']}, {proof['approved_at']}",
        "found as": f"{proof['matched_example']!r}, confidence {proof['confidence']:.2f}",
        "index": f"{proof['build_id'][:16]}, encoder {proof['encoder_fingerprint'][:16]}",
        "approved text": report["rebuilt_text"],
        "sent text": final.get("text", ""),
        "changed": ", ".join(_change(part) for part in final.get("difference", [])) or "nothing",
        "verdict": f"{verdict['outcome']}, policy {proof['policy_version'][:16]}",
        "length": f"{length['code_points']} characters, {length['weighted']} as X counts, limit {length['limit']}",
        "sent by": f"{final.get('decided_by', '')}, {final.get('decided_at', '')}",
    }
    table = Table(box=None, show_header=False)
    for name, value in rows.items():
        table.add_row(Text(name, style="bold"), Text(str(value)))
    return table


def _change(part: dict[str, Any]) -> str:
    if part["op"] == "replace":
        return f"{part['was']!r} became {part['is']!r}"
    return f"added {part['is']!r}" if part["op"] == "insert" else f"removed {part['was']!r}"
