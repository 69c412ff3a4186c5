"""The command line `firstline`: starts the service and the worker, asks, checks and proves without them.

Heavy parts are imported inside the commands, so that `firstline --help` answers at once. Exit codes: 0 fine,
1 something was found or could not be done, 2 a setting or the call is wrong.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import typer
from dotenv import load_dotenv

from suggest_api.cli.asking import check, suggest, verify
from suggest_api.cli.auditing import audit_checkpoint, audit_public_key, audit_rotate, audit_verify
from suggest_api.cli.freezing import freeze, freezes, thaw
from suggest_api.cli.inbox import inbox_list, inbox_replay
from suggest_api.cli.people import (
    key_create,
    key_revoke,
    user_create,
    user_grant,
    user_list,
    user_revoke,
    user_sign_out,
)
from suggest_api.cli.running import db_upgrade, serve, worker

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

# Groups of commands of other parts, imported only when they are called: name, help, module and attribute.
GROUPS = (
    ("kb", "Snippets: import, export, check, build.", "knowledge_base.cli", "kb_app"),
    ("encoder", "The encoder: export it once.", "knowledge_base.cli", "encoder_app"),
    (
        "policy",
        "The policy: test its rules, judge a file of drafts, propose and approve changes.",
        "knowledge_base.cli",
        "policy_app",
    ),
)
# Commands of the service in a group of another part: they need more than that part knows.
ADDED = {"kb": ("suggest_api.cli.coverage", "suggest_api.cli.recalling", "suggest_api.cli.unused")}
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

OWN_GROUPS: tuple[tuple[str, str, tuple[tuple[str, Callable[..., None]], ...]], ...] = (
    (
        "audit",
        "The audit chain and its signed checkpoints.",
        (
            ("verify", audit_verify),
            ("checkpoint", audit_checkpoint),
            ("public-key", audit_public_key),
            ("rotate-key", audit_rotate),
        ),
    ),
    ("inbox", "Stored webhook events.", (("list", inbox_list), ("replay", inbox_replay))),
    ("key", "API keys.", (("create", key_create), ("revoke", key_revoke))),
    (
        "user",
        "People who sign in, and their roles.",
        (
            ("create", user_create),
            ("grant", user_grant),
            ("revoke", user_revoke),
            ("list", user_list),
            ("sign-out", user_sign_out),
        ),
    ),
    ("db", "The database.", (("upgrade", db_upgrade),)),
)


def main() -> None:
    """Entry point of `firstline`."""
    load_dotenv(".env", override=False)  # what is set in the environment wins
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
    for command in (serve, worker, suggest, check, verify, freeze, thaw, freezes):
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
            group = getattr(importlib.import_module(module), attribute)
            for added in ADDED.get(name, ()):
                importlib.import_module(added).register(group)
            # The knowledge base does not know the service: what its gate asks of it comes along as an object.
            root.add_typer(group, name=name, context_settings={"obj": _accepted_questions})
        else:
            root.command(name, help=text)(_later)
    for name, text, commands in OWN_GROUPS:
        group = typer.Typer(help=text, no_args_is_help=True)
        for command_name, command in commands:
            group.command(command_name)(command)
        root.add_typer(group, name=name)
    return root


def _accepted_questions(session: Session) -> tuple[tuple[str, str], ...]:
    from suggest_api.flow.publishing import accepted_questions

    return accepted_questions(session)


def _later() -> None:
    """Stands for a command in the list of commands; when it is called, the real one is there instead."""
