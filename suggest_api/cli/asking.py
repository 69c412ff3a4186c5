"""`suggest`, `check` and `verify`: questions that need no running service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from suggest_api.cli.output import (
    FOUND,
    OK,
    AsJson,
    Channel,
    failing_clearly,
    print_json,
    whole_desk,
)

if TYPE_CHECKING:
    from suggest_api.drafts.proof import ProofReport
    from suggest_api.values import SuggestionResponse


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

    with failing_clearly(as_json=as_json), whole_desk() as desk:
        from suggest_api import flow

        request = SuggestionRequest(
            channel=channel,
            messages=(Message(Author.CUSTOMER, text),),
            facts=Facts(first_name=first_name, order_number=order_number),
            locale=locale,
            limit=limit,
        )
        answer = flow.suggest(desk, request)
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
    from knowledge_base.governance import policy_here
    from knowledge_base.home import Home
    from knowledge_base.policy import judge
    from knowledge_base.wording import measure

    with failing_clearly(as_json=as_json):
        verdict = judge(policy_here(Home.from_environment()), text, channel=channel)
    length = measure(text)
    if as_json:
        sizes = {"code_points": length.code_points, "weighted": length.weighted}
        print_json({"verdict": verdict.to_json(), "length": {**sizes, "limit": length.limit}})
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
    with failing_clearly(as_json=as_json), whole_desk() as desk:
        from suggest_api import flow
        from suggest_api.storage import unit_of_work

        with unit_of_work.read(desk.engine) as session:
            report = flow.prove(desk, session, draft_id)
    if as_json:
        print_json(report.to_json())
    else:
        _show_proof(report)
    raise typer.Exit(OK if report.holds else FOUND)


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
