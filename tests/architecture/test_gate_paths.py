"""From text to network there is one path, and it asks the gate about exactly the bytes that leave."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2] / "suggest_api"
MODULES = {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in ROOT.rglob("*.py")}
# The demo plays a network and a browser: it stands outside, and speaks HTTP like anybody else.
SERVICE = {name: tree for name, tree in MODULES.items() if not name.startswith("demo/")}


def called(name: str) -> dict[str, list[ast.Call]]:
    """By module: every call of a function or method of this name."""
    found: dict[str, list[ast.Call]] = {}
    for module, tree in SERVICE.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _name(node.func) == name:
                found.setdefault(module, []).append(node)
    return found


def imported(*names: str) -> dict[str, set[str]]:
    """By module: which of these top-level packages it imports."""
    found: dict[str, set[str]] = {}
    for module, tree in SERVICE.items():
        for node in ast.walk(tree):
            for name in _modules(node):
                if name.split(".")[0] in names:
                    found.setdefault(module, set()).add(name.split(".")[0])
    return found


def function(module: str, name: str) -> ast.FunctionDef:
    """A function of a module."""
    return next(
        node
        for node in ast.walk(SERVICE[module])
        if isinstance(node, ast.FunctionDef) and node.name == name
    )


def assigned(tree: ast.Module) -> list[str]:
    """What a module's UPDATE statements set a state to."""
    return [
        ast.unparse(keyword.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _name(node.func) == "values"
        for keyword in node.keywords
        if keyword.arg == "state"
    ]


def _modules(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def test_only_the_channels_and_the_assistants_client_speak_http() -> None:
    clients = imported("httpx", "requests", "urllib3", "aiohttp", "socket", "http", "smtplib")
    speaking = {
        module
        for module, names in clients.items()
        # `http` is here for HTTPStatus alone; `socket` for the name of this machine.
        if names - {"http", "socket"}
    }
    assert {m.split("/")[0] for m in speaking} <= {"channels", "bot_client"}, speaking
    for module, tree in SERVICE.items():
        for node in ast.walk(tree):
            assert "http.client" not in _modules(node), module
            assert "urllib.request" not in _modules(node), module


def test_only_delivery_hands_a_message_to_a_channel() -> None:
    """`send.send` inside a channel is its own wire; nobody else calls `send`."""
    senders = {
        module
        for module, calls in called("send").items()
        for call in calls
        if isinstance(call.func, ast.Attribute) and not module.startswith("channels/")
    }
    assert senders == {"flow/delivery.py"}
    assert set(called("OutgoingMessage")) == {"flow/delivery.py"}


def test_what_is_sent_is_the_text_of_the_fresh_verdict_and_nothing_else() -> None:
    (message,) = called("OutgoingMessage")["flow/delivery.py"]
    text = next(k.value for k in message.keywords if k.arg == "text")
    assert ast.unparse(text) == "checked.text"
    attempt = function("flow/delivery.py", "_attempt")
    givers = [
        ast.unparse(node.value)
        for node in ast.walk(attempt)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "checked"
    ]
    assert givers == ["_judge_again(desk, leased)"]
    judging = function("flow/delivery.py", "_judge_again")
    checks = [n for n in ast.walk(judging) if isinstance(n, ast.Call) and _name(n.func) == "check"]
    assert len(checks) == 1
    assert ast.unparse(checks[0].func) == "compliance.check"
    assert ast.unparse(checks[0].args[1]) == "leased.text"
    returned = {
        ast.unparse(node.value)
        for node in ast.walk(judging)
        if isinstance(node, ast.Return) and node.value is not None
    }
    # Either a refusal of some kind, or what compliance.check gave for these bytes.
    assert {r for r in returned if not r.startswith(("_withheld", "_retry", "AttemptResult"))} == {
        "checked"
    }


def test_only_compliance_makes_a_checked_text() -> None:
    assert set(called("CheckedText")) == {"compliance/service.py"}
    # `replace` would make one with another text; nothing of the sort is replaced anywhere.
    for module, calls in called("replace").items():
        for call in calls:
            assert not any(k.arg in ("sha256", "judged_sha256") for k in call.keywords), module


def test_a_verdict_from_the_records_never_reaches_the_outbox() -> None:
    """`on_record` serves the feedback of those who send elsewhere; no reply is queued there."""
    assert set(called("on_record")) == {"flow/feedback.py"}
    assert "flow/feedback.py" not in {*called("queue"), *called("enqueue")}


def test_only_delivery_writes_the_outbox_and_it_takes_checked_texts_only() -> None:
    assert set(called("OutboxRow")) == {"delivery/repository.py"}
    for module, tree in SERVICE.items():
        if module in {"delivery/repository.py", "delivery/service.py", "storage/tables.py"}:
            continue
        if module in {"storage/backlog.py", "delivery/stopping.py"}:  # count, stop, and add none
            assert "insert" not in ast.unparse(tree)
            assert "READY" not in "".join(assigned(tree))
            continue
        names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
        assert "OutboxRow" not in names, module
        strings = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
        assert not any(isinstance(s, str) and "into outbox" in s.lower() for s in strings), module
    inserting = {
        m for m, calls in called("insert").items() for c in calls
        if ast.unparse(c.func) == "repository.insert"
    }  # fmt: skip
    assert inserting == {"delivery/service.py"}
    enqueue = function("delivery/service.py", "enqueue")
    types = {a.arg: ast.unparse(a.annotation) for a in enqueue.args.args if a.annotation}
    assert types["checked"] == "CheckedText"
    assert set(called("enqueue")) == {"flow/conversation.py"}


def test_every_text_that_is_queued_comes_from_a_check_in_the_same_transaction() -> None:
    queued_in = {*called("queue")}
    assert queued_in == {"flow/speaking.py", "flow/conversation.py"}
    reply = ast.unparse(function("flow/conversation.py", "reply"))
    assert reply.index("compliance.check") < reply.index("require_reason") < reply.index("queue(")
    checked = ast.unparse(function("flow/speaking.py", "_checked"))
    assert "compliance.check" in checked
    speech = [ast.unparse(c) for c in called("Speech")["flow/speaking.py"]]
    assert speech
    assert all("checked=checked" in call for call in speech)


def test_no_route_and_no_worker_goes_round_the_flow() -> None:
    outer = {
        m: t for m, t in SERVICE.items() if m.split("/")[0] in {"api", "console", "worker.py"}
    }
    for module, tree in outer.items():
        for node in ast.walk(tree):
            for name in _modules(node):
                assert name not in {
                    "suggest_api.compliance.service",
                    "suggest_api.delivery.repository",
                    "suggest_api.channels.generic",
                }, f"{module} imports {name}"
