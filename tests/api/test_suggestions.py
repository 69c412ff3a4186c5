"""POST /v1/suggestions: what is offered, what is not, and why."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from knowledge_base.home import Home
from knowledge_base.ranking import Context, Ranker, Ranking
from knowledge_base.snippet import SnippetContent
from knowledge_base.store.repository import live_revision, retire
from suggest_api.compliance.holder import FixedPolicy
from suggest_api.main import create_app
from suggest_api.storage import unit_of_work
from suggest_api.storage.tables import DraftRow
from suggest_api.suggestions.service import GenerationHolder
from suggest_api.values import Use, sha256
from tests.api.conftest import Service, publish_revision
from tests.conftest import NOW

OPENING = "what time does the shop close"
LATE = "where is my parcel"


def keys_of(answer: dict) -> list[str]:
    return [s["snippet_key"] for s in answer["suggestions"]]


def test_a_confident_match_is_offered_with_its_approver_and_verdict(service: Service) -> None:
    answer = service.suggest(OPENING)

    first = answer["suggestions"][0]
    assert answer["abstained"] is False
    assert answer["reason"] is None
    assert answer["build_id"] == service.desk.generations.build_id
    assert first["snippet_key"] == "stores.hours"
    assert (
        first["text"] == "Most shops open from 9 to 6. Each shop's hours are in the store finder."
    )
    assert first["length"] == {"code_points": 71, "weighted": 71, "limit": 139}
    assert first["approved_by"] == "Noor"
    assert first["approved_at"] == NOW.isoformat().replace("+00:00", "Z")
    assert first["matched_example"] == OPENING
    assert first["verdict"]["outcome"] == "pass"
    assert first["verdict"]["judged_sha256"] == sha256(first["text"])
    assert 0 < first["confidence"] <= 1


def test_every_offer_is_stored_with_its_proof_before_the_answer(service: Service) -> None:
    answer = service.suggest(OPENING, limit=2)

    with unit_of_work.read(service.desk.engine) as session:
        rows = {row.id: row for row in session.scalars(select(DraftRow))}
    offered = {s["draft_id"]: s for s in answer["suggestions"]}
    assert rows.keys() == offered.keys()
    for draft_id, row in rows.items():
        assert row.text == offered[draft_id]["text"]
        assert row.request_id == answer["request_id"]
        assert row.proof["build_id"] == answer["build_id"]
        assert row.state == "proposed"


def test_the_request_id_is_the_one_of_the_answer_and_of_its_header(service: Service) -> None:
    body = {"channel": "generic", "messages": [{"author": "customer", "text": OPENING}]}
    answer = service.post("/v1/suggestions", body, **{"X-Request-Id": "desk-00042"})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "desk-00042"


@pytest.mark.parametrize(
    "asked", ["short", "with space and more", "x" * 65, "line\x7fbreak00", "ünïcödé-1"]
)
def test_an_odd_request_id_is_replaced(service: Service, asked: str) -> None:
    answer = service.client.get("/healthz", headers={"X-Request-Id": asked.encode()})
    assert answer.headers["x-request-id"] != asked
    assert len(answer.headers["x-request-id"]) == 32


class TestSlots:
    def test_a_draft_with_a_missing_fact_is_not_offered(self, service: Service) -> None:
        answer = service.suggest(LATE, limit=10)
        assert "delivery.late" not in keys_of(answer)

    def test_facts_fill_slots_and_stand_in_the_proof(self, service: Service) -> None:
        answer = service.suggest(
            LATE, customer={"first_name": "Zoë"}, facts={"order_number": "#1048213"}
        )
        first = answer["suggestions"][0]
        assert first["text"] == ("Sorry that QH-1048213 is late, Zoë. I am checking where it is.")
        proof = service.get(f"/v1/drafts/{first['draft_id']}/proof").json()["proof"]
        assert proof["slot_values"] == {"first_name": "Zoë", "order_number": "QH-1048213"}
        assert [span[2] for span in proof["spans"]] == [
            "approved", "slot", "approved", "slot", "approved",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "name",
        ["<img onerror=alert(1)>", "{first_name}", "x" * 21, "bit.ly/x", "A\u202eB", "", " "],
    )
    def test_a_name_that_is_none_leaves_the_draft_out(self, service: Service, name: str) -> None:
        answer = service.suggest(
            LATE, customer={"first_name": name}, facts={"order_number": "QH-1048213"}, limit=10
        )
        assert "delivery.late" not in keys_of(answer)

    def test_a_name_is_never_read_as_a_template(self, service: Service) -> None:
        answer = service.suggest(
            LATE, customer={"first_name": "{order_number}"}, facts={"order_number": "QH-1048213"}
        )
        assert all("QH-1048213" not in s["text"] for s in answer["suggestions"])

    def test_a_conversation_fills_what_the_request_leaves_open(self, service: Service) -> None:
        number = conversation(service, first_name="Ana", facts='{"order_number":"QH-7654321"}')
        answer = service.suggest(LATE, conversation_id=number)
        assert answer["suggestions"][0]["text"].startswith("Sorry that QH-7654321 is late, Ana.")

    def test_the_request_wins_over_the_conversation(self, service: Service) -> None:
        number = conversation(service, first_name="Ana", facts='{"order_number":"QH-7654321"}')
        answer = service.suggest(LATE, conversation_id=number, customer={"first_name": "Bea"})
        assert "Bea" in answer["suggestions"][0]["text"]

    def test_facts_and_topic_take_part_in_the_ranking_for_agents_alone(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[Context | None] = []
        rank = Ranker.rank

        def watched(ranker: Ranker, *words: Any, **asked: Any) -> Ranking:
            seen.append(asked["context"])
            return rank(ranker, *words, **asked)

        monkeypatch.setattr(Ranker, "rank", watched)
        number = conversation(service, facts='{"order_number":"QH-7654321"}')
        with unit_of_work.write(service.desk.engine) as session:
            session.execute(text("UPDATE conversation SET topic = 'delivery'"))
        for use, key in ((Use.AGENT, "suggest"), (Use.ASSISTANT, "assist")):
            told = {"conversation_id": number, "facts": {"product": "Lamp"}, "use": use}
            service.suggest(LATE, key=key, **told)
        known = {"order_number": "QH-7654321", "product": "Lamp"}
        assert dict(zip(Use, seen, strict=True)) == {
            Use.AGENT: Context(facts=known, topic="delivery"),
            Use.ASSISTANT: None,
        }


def conversation(service: Service, *, first_name: str | None = None, facts: str = "{}") -> str:
    number = "ab" * 16
    with unit_of_work.write(service.desk.engine) as session:
        session.execute(
            text(
                "INSERT INTO conversation (id, channel, account, peer, display_name, first_name,"
                " locale, owner, version, facts, last_seq, created_at, changed_at)"
                " VALUES (:id, 'generic', 'quillhaven', 'p-1', '', :first_name, 'en', 'bot', 1,"
                " :facts, 0, :now, :now)"
            ),
            {
                "id": number,
                "first_name": first_name,
                "facts": facts,
                "now": NOW.replace(tzinfo=None)
                if session.get_bind().dialect.name == "sqlite"
                else NOW,
            },
        )
    return number


class TestScope:
    def test_the_database_decides_at_the_moment_of_the_request(self, service: Service) -> None:
        assert "stores.hours" in keys_of(service.suggest(OPENING))
        with unit_of_work.write(service.desk.engine) as session:
            live = live_revision(session, "stores.hours")
            assert live is not None
            retire(session, live.id, by="Noor", now=NOW)
        assert "stores.hours" not in keys_of(service.suggest(OPENING, limit=10))

    def test_a_newer_approved_revision_is_used_before_the_next_build(
        self, service: Service
    ) -> None:
        with unit_of_work.read(service.desk.engine) as session:
            old = live_revision(session, "stores.hours")
        assert old is not None
        newer = dataclasses.replace(old.content, text="Our shops open from 10 to 5.")
        assert service.desk.policy is not None
        publish_revision(service.desk.engine, newer, policy=service.desk.policy)

        first = service.suggest(OPENING)["suggestions"][0]
        assert (first["text"], first["revision"]) == ("Our shops open from 10 to 5.", 2)
        assert first["matched_example"] == OPENING

    @pytest.mark.parametrize(
        ("change", "more"),
        [
            ({"channels": ("x",)}, {}),
            ({"locale": "fr"}, {"locale": "en-GB"}),
            ({"valid_until": NOW}, {}),
            ({"valid_from": NOW + timedelta(seconds=1)}, {}),
        ],
    )
    def test_out_of_scope_is_not_offered(self, service: Service, change: dict, more: dict) -> None:
        with unit_of_work.read(service.desk.engine) as session:
            old = live_revision(session, "stores.hours")
        assert old is not None
        assert service.desk.policy is not None
        narrowed: SnippetContent = dataclasses.replace(old.content, **change)
        publish_revision(service.desk.engine, narrowed, policy=service.desk.policy)
        assert "stores.hours" not in keys_of(service.suggest(OPENING, limit=10, **more))

    def test_another_channel_of_a_conversation_is_refused(self, service: Service) -> None:
        number = conversation(service)
        message = {"author": "customer", "text": LATE}
        body = {"channel": "x", "conversation_id": number, "messages": [message]}
        answer = service.post("/v1/suggestions", body)
        assert answer.status_code == 422
        assert "'generic'" in answer.json()["detail"]

    def test_an_unknown_conversation_is_not_found(self, service: Service) -> None:
        message = {"author": "customer", "text": LATE}
        body = {"channel": "generic", "conversation_id": "0" * 32, "messages": [message]}
        assert service.post("/v1/suggestions", body).status_code == 404


class TestAssistant:
    def test_it_gets_one_auto_send_answer(self, service: Service) -> None:
        answer = service.suggest("gift card balance??", key="assist", use="assistant", limit=5)
        if answer["abstained"]:  # a threshold that a small shop may not reach
            assert answer["reason"] == "no_confident_match"
        else:
            assert keys_of(answer) == ["gift_cards.balance"]

    def test_it_never_gets_what_is_not_marked(self, service: Service) -> None:
        answer = service.suggest(
            LATE, key="assist", use="assistant",
            customer={"first_name": "Ana"}, facts={"order_number": "QH-1048213"},
        )  # fmt: skip
        assert answer["abstained"] is True

    def test_it_needs_its_own_scope(self, service: Service) -> None:
        body = {
            "channel": "generic",
            "messages": [{"author": "customer", "text": OPENING}],
            "use": "assistant",
        }
        assert service.post("/v1/suggestions", body).status_code == 403
        del body["use"]
        assert service.post("/v1/suggestions", body, key="assist").status_code == 403


class TestAbstention:
    @pytest.mark.parametrize("said", ["", "   ", "\u200b\u202e", "\x00\x00", "\n\n"])
    def test_no_words(self, service: Service, said: str) -> None:
        answer = service.suggest(said)
        assert (answer["abstained"], answer["reason"]) == (True, "empty_query")
        assert answer["suggestions"] == []

    def test_no_message_of_the_customer(self, service: Service) -> None:
        body = {"channel": "generic", "messages": [{"author": "bot", "text": OPENING}]}
        assert service.post("/v1/suggestions", body).json()["reason"] == "empty_query"

    def test_nothing_like_it(self, service: Service) -> None:
        answer = service.suggest("qwertz asdfgh yxcvbn")
        assert (answer["abstained"], answer["reason"]) == (True, "no_confident_match")

    def test_no_generation(self, service: Service, tmp_path) -> None:
        empty = GenerationHolder(Home.at(tmp_path / "empty"))
        desk = dataclasses.replace(service.desk, generations=empty)
        service.client.app.state.desk = desk
        answer = service.suggest(OPENING)
        assert (answer["reason"], answer["build_id"]) == ("no_generation", None)

    def test_no_policy_means_no_draft(self, service: Service) -> None:
        service.client.app.state.desk = dataclasses.replace(
            service.desk, policies=FixedPolicy(None)
        )
        assert service.suggest(OPENING)["reason"] == "policy_unavailable"

    def test_nothing_approved_any_more(self, service: Service) -> None:
        with unit_of_work.write(service.desk.engine) as session:
            for key in ("stores.hours", "returns.how", "delivery.late", "delivery.times",
                        "gift_cards.balance", "praise.thanks"):  # fmt: skip
                live = live_revision(session, key)
                assert live is not None
                retire(session, live.id, by="Noor", now=NOW)
        assert service.suggest(OPENING)["reason"] == "nothing_in_scope"

    def test_a_broken_ranker_is_silence_and_not_an_error(self, service: Service) -> None:
        held = service.desk.generations.in_service
        assert held is not None

        class Broken:
            def rank(self, *_args, **_more):
                raise RuntimeError("CANARY index failed")

        service.desk.generations._held = dataclasses.replace(held, ranker=Broken())
        assert service.suggest(OPENING)["reason"] == "ranking_failed"

    def test_abstentions_store_nothing(self, service: Service) -> None:
        service.suggest("qwertz asdfgh yxcvbn")
        with unit_of_work.read(service.desk.engine) as session:
            assert session.scalars(select(DraftRow)).all() == []


class TestTwins:
    def test_near_identical_drafts_are_offered_once(self, service: Service, home: Home) -> None:
        from knowledge_base import publish
        from knowledge_base.index.encoder import load_current_encoder

        twin = SnippetContent(
            key="stores.hours_again",
            text="Most shops open from 9 to 6! Each shop's hours are in the store finder",
            examples=("what time does the shop close today", "are you open on sunday morning"),
        )
        assert service.desk.policy is not None
        publish_revision(service.desk.engine, twin, policy=service.desk.policy)
        publish.build(home, service.desk.engine, now=NOW, encoder=load_current_encoder(home))
        service.desk.generations.refresh(force=True)

        found = keys_of(service.suggest(OPENING, limit=10))
        assert len({"stores.hours", "stores.hours_again"} & set(found)) <= 1


def test_a_swap_of_the_generation_reaches_the_next_request(service: Service, home: Home) -> None:
    from knowledge_base import publish
    from knowledge_base.index.encoder import load_current_encoder

    before = service.suggest(OPENING)["build_id"]
    assert service.desk.policy is not None
    content = SnippetContent(
        key="new.one", text="We now open on Mondays too.", examples=("mondays",)
    )
    publish_revision(service.desk.engine, content, policy=service.desk.policy)
    built = publish.build(home, service.desk.engine, now=NOW, encoder=load_current_encoder(home))
    service.desk.generations.refresh(force=True)
    assert service.suggest(OPENING)["build_id"] == built.build_id != before


def test_the_application_can_be_built_twice(service: Service) -> None:
    assert create_app(service.desk.settings, desk=service.desk) is not service.client.app
