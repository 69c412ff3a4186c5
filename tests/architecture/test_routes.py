"""Every route is guarded unless it is on a short list, answers errors in one shape, and is documented."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import Mount
from starlette.testclient import TestClient

from knowledge_base.store import migrate
from knowledge_base.store.engine import open_engine
from suggest_api.main import create_app, create_desk
from suggest_api.settings import Settings

ROOT = Path(__file__).parents[2]
OPENAPI = ROOT / "docs" / "openapi.json"
# Open on purpose: (method, path) -> why.
OPEN = {
    ("GET", "/healthz"): "tells only that the process answers",
    ("GET", "/readyz"): "tells names and versions of parts",
    ("POST", "/webhooks/{channel}/{account}"): "guarded by the signature over the body",
    ("GET", "/console/sign-in"): "the form to sign in with",
}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[FastAPI]:
    settings = Settings(home=tmp_path, demo=True, database_url=f"sqlite:///{tmp_path / 'a.db'}")
    engine = open_engine(settings.place.database_url)
    migrate.upgrade(engine)
    yield create_app(settings, desk=create_desk(settings, engine=engine))
    engine.dispose()


def routes(app: FastAPI) -> list[tuple[str, str, APIRoute]]:
    """(method, path, route) of all routes, however deep they are included."""
    found: list[tuple[str, str, APIRoute]] = []

    def walk(entries: list, prefix: str = "") -> None:
        for entry in entries:
            if isinstance(entry, APIRoute):
                path = entry.path if entry.path.startswith(prefix) else prefix + entry.path
                found.extend((method, path, entry) for method in sorted(entry.methods or ()))
            elif isinstance(entry, Mount):
                assert entry.path == "/console/static", f"{entry.path} is mounted unguarded"
            else:
                inner = entry.original_router if hasattr(entry, "original_router") else entry
                context = getattr(entry, "include_context", None)
                walk(inner.routes, prefix + (getattr(context, "prefix", "") or ""))

    walk(app.routes)
    return found


def guards(dependant: Dependant) -> list[object]:
    own = [dependant.call] if hasattr(dependant.call, "guards") else []
    return own + [guard for inner in dependant.dependencies for guard in guards(inner)]


def test_the_routes_are_found(app: FastAPI) -> None:
    paths = {path for _, path, _ in routes(app)}
    assert {"/v1/suggestions", "/healthz", "/metrics"} <= paths
    assert any(path.startswith("/console") for path in paths)
    assert "/webhooks/{channel}/{account}" in paths


def test_every_route_is_guarded_or_on_the_list(app: FastAPI) -> None:
    unguarded = {
        (method, path) for method, path, route in routes(app) if not guards(route.dependant)
    }
    assert unguarded == set(OPEN)


def test_no_guarded_route_answers_without_a_credential(app: FastAPI) -> None:
    with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as client:
        for method, path, _ in routes(app):
            if (method, path) in OPEN or method in {"HEAD", "OPTIONS"}:
                continue
            address = re.sub(r"\{[^}]*\}", "0" * 32, path)
            body = {} if method == "POST" and path.startswith("/v1") else None
            answer = client.request(method, address, json=body)
            # A body that does not fit may be told before who asks; nothing else is.
            assert answer.status_code in {401, 403, 422, 303}, f"{method} {path}"
            assert "draft_id" not in answer.text


def test_every_api_route_answers_a_wrong_method_with_a_problem(app: FastAPI) -> None:
    with TestClient(app, raise_server_exceptions=False) as client:
        for path in {p for _, p, _ in routes(app) if not p.startswith("/console")}:
            answer = client.request("TRACE", re.sub(r"\{[^}]*\}", "0" * 32, path))
            assert answer.status_code == 405
            assert answer.headers["content-type"] == "application/problem+json"
            assert set(answer.json()) >= {
                "type",
                "title",
                "status",
                "detail",
                "instance",
                "request_id",
            }


def test_the_published_description_is_the_applications(app: FastAPI) -> None:
    """After a change on purpose: `python -m tests.architecture.write_openapi` writes it anew."""
    assert json.loads(OPENAPI.read_text()) == json.loads(json.dumps(app.openapi()))


def test_the_description_covers_the_public_surface() -> None:
    paths = json.loads(OPENAPI.read_text())["paths"]
    assert set(paths) >= {
        "/v1/suggestions",
        "/v1/suggestions/{draft_id}/feedback",
        "/v1/policy/check",
        "/v1/drafts/{draft_id}/proof",
        "/healthz",
        "/readyz",
        "/metrics",
    }
