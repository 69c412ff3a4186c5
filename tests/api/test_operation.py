"""Readiness, metrics, the generation in service, and the command line without a service."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from knowledge_base.home import Home
from knowledge_base.index import sealed
from suggest_api.compliance import service as compliance
from suggest_api.errors import Refused
from suggest_api.storage import unit_of_work
from suggest_api.suggestions.service import GenerationHolder
from tests.api.conftest import Service

ASKED = "what time does the shop close"


def parts(service: Service) -> tuple[int, dict[str, dict[str, Any]]]:
    answer = service.client.get("/readyz")
    return answer.status_code, {part["name"]: part for part in answer.json()["parts"]}


class TestReadiness:
    def test_all_parts_are_named_and_ready(self, service: Service) -> None:
        status, found = parts(service)
        assert status == 200
        assert set(found) == {"database", "generation", "policy"}
        assert service.desk.generations.build_id in found["generation"]["detail"]

    def test_a_database_of_another_schema(self, service: Service) -> None:
        with unit_of_work.write(service.desk.engine) as session:
            session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        status, found = parts(service)
        assert status == 503
        assert "firstline db upgrade" in found["database"]["detail"]

    def test_no_generation(self, service: Service, tmp_path: Path) -> None:
        service.client.app.state.desk = replace_generations(service, Home.at(tmp_path / "none"))
        status, found = parts(service)
        assert status == 503
        assert "firstline kb build" in found["generation"]["detail"]

    def test_alive_whatever_is_missing(self, service: Service) -> None:
        service.desk.engine.dispose()
        assert service.client.get("/healthz").json() == {"status": "ok"}


def replace_generations(service: Service, home: Home) -> Any:
    import dataclasses

    return dataclasses.replace(service.desk, generations=GenerationHolder(home))


class TestGenerationHolder:
    def test_a_corrupt_generation_leaves_the_last_good_one(
        self, service: Service, home: Home
    ) -> None:
        good = service.desk.generations.build_id
        bad = home.index / ("0" * 32)
        bad.mkdir()
        (bad / "manifest.json").write_text("{}")
        sealed.write_current(home.index, bad.name)
        service.desk.generations.refresh(force=True)

        assert service.desk.generations.build_id == good
        assert bad.name in (service.desk.generations.failure or "")
        assert service.suggest(ASKED)["build_id"] == good
        status, found = parts(service)
        assert status == 200
        assert "refused" in found["generation"]["detail"]

    def test_a_changed_file_is_refused_at_start(self, service: Service, home: Home) -> None:
        build = home.index / str(service.desk.generations.build_id)
        with (build / "index.faiss").open("r+b") as file:
            file.seek(-4, os.SEEK_END)
            file.write(b"\x00\x01\x02\x03")
        fresh = GenerationHolder(home)
        assert fresh.in_service is None
        assert "index.faiss" in (fresh.failure or "")

    def test_current_is_looked_at_once_a_second(self, service: Service, home: Home) -> None:
        now = [0.0]
        holder = GenerationHolder(home, ticks=lambda: now[0])
        assert holder.build_id is None
        first = holder.in_service
        assert first is not None
        sealed.write_current(home.index, "1" * 32)
        now[0] = 0.9
        assert holder.in_service is first
        assert holder.failure is None
        now[0] = 1.1
        assert holder.in_service is first
        assert holder.failure is not None


class TestMetrics:
    def test_requests_stages_and_backlog_are_counted(self, service: Service) -> None:
        service.suggest(ASKED)
        service.suggest("qwertz asdfgh yxcvbn")
        told = service.get("/metrics", key="metrics").text
        assert (
            'firstline_http_requests_total{method="POST",route="/v1/suggestions",status="200"} 2.0'
            in told
        )
        for stage in ("encode", "search", "rank", "policy"):
            assert f'firstline_suggestion_stage_seconds_count{{stage="{stage}"}}' in told
        assert 'reason="no_confident_match",use="agent"} 1.0' in told

    def test_addresses_do_not_become_labels(self, service: Service) -> None:
        for number in range(5):
            service.client.get(f"/made-up/{number}")
            service.get(f"/v1/drafts/{number:032x}/proof")
        told = service.get("/metrics", key="metrics").text
        routes = set(re.findall(r'requests_total\{method="\w+",route="([^"]+)"', told))
        assert routes == {"unmatched", "/v1/drafts/{draft_id}/proof"}

    @pytest.mark.parametrize(
        ("method", "path", "label"),
        [
            ("GET", "/console", "/console"),
            ("GET", "/console/inbox", "/console/inbox"),
            (
                "GET",
                f"/console/conversations/{'0' * 32}",
                "/console/conversations/{conversation_id}",
            ),
            ("GET", "/console/static/console.css", "/console/static"),
            ("GET", "/console/static/nothing.css", "/console/static"),
            ("POST", "/webhooks/generic/quillhaven", "/webhooks/{channel}/{account}"),
            ("GET", "/console/nothing", "unmatched"),
        ],
    )
    def test_pages_files_and_webhooks_are_labelled_by_their_template(
        self, service: Service, method: str, path: str, label: str
    ) -> None:
        service.client.request(method, path)
        told = service.get("/metrics", key="metrics").text
        routes = set(
            re.findall(r'firstline_http_requests_total{method="\w+",route="([^"]*)"', told)
        )
        assert label in routes
        assert routes <= {label, "/metrics"}


def test_a_verdict_on_other_bytes_is_no_verdict(service: Service, monkeypatch: Any) -> None:
    """The gate fails closed when a verdict is bound to another text."""
    real = compliance.judge_text

    def other(policy: Any, _text: str, *, channel: str, locale: str) -> Any:
        return real(policy, "Another text.", channel=channel, locale=locale)

    monkeypatch.setattr(compliance, "judge_text", other)
    with pytest.raises(Refused):
        compliance.check(
            service.desk.policy, "This text, judged by nobody yet.", channel="generic"
        )
