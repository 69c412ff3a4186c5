"""A draft's proof holds, notices every change, and feedback keeps what became of the draft."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import text

from knowledge_base.store import audit
from suggest_api.drafts import service as drafts
from suggest_api.drafts.model import proof_hash
from suggest_api.flow.operating import record_offers
from suggest_api.storage import unit_of_work
from suggest_api.values import canonical_json
from tests.api.conftest import Service

FACTS: dict[str, Any] = {
    "customer": {"first_name": "Ana"},
    "facts": {"order_number": "QH-1048213"},
}


@pytest.fixture
def draft(service: Service) -> dict[str, Any]:
    """An offered draft with two slots."""
    return service.suggest("where is my parcel", **FACTS)["suggestions"][0]


def prove(service: Service, draft_id: str) -> dict[str, Any]:
    answer = service.get(f"/v1/drafts/{draft_id}/proof")
    assert answer.status_code == 200, answer.text
    return answer.json()


def run(service: Service, statement: str, **values: Any) -> None:
    with unit_of_work.write(service.desk.engine) as session:
        session.execute(text(statement), values)


def tell(service: Service, draft_id: str, action: str, **more: Any) -> Any:
    return service.post(f"/v1/suggestions/{draft_id}/feedback", {"action": action, **more})


def test_an_untouched_draft_holds_in_every_part(service: Service, draft: dict) -> None:
    waits = prove(service, draft["draft_id"])
    assert waits["holds"] is True
    assert [c["part"] for c in waits["checks"] if c["holds"] is None] == ["proof (audit)"]
    assert record_offers(service.desk) >= 1
    report = prove(service, draft["draft_id"])
    assert report["holds"] is True
    assert report["differing"] == []
    assert report["rebuilt_text"] == report["text"] == draft["text"]
    assert all(check["holds"] is True for check in report["checks"])
    assert report["final"] is None
    assert report["proof_sha256"] == proof_hash(report["proof"])


class TestTampering:
    """Each part that could be changed behind our back is named."""

    @pytest.mark.parametrize(
        ("column", "value", "part"),
        [
            (
                "text",
                "Sorry that QH-1048213 is late, Eve. I am checking where it is.",
                "rebuilt text",
            ),
            ("text_sha256", "0" * 64, "text_sha256 (stored)"),
            ("proof_sha256", "0" * 64, "proof_sha256"),
            ("channel", "x", "channel"),
            ("use", "assistant", "use"),
            ("rank", 2, "rank"),
            ("request_id", "another-1", "request_id"),
            ("snippet_key", "stores.hours", "snippet_key"),
            ("created_at", "2026-03-02 09:30:01.000000", "created_at"),
        ],
    )
    def test_a_changed_column(
        self, service: Service, draft: dict, column: str, value: Any, part: str
    ) -> None:
        run(service, f"UPDATE draft SET {column} = :value WHERE id = :id",  # noqa: S608 - names from this file
            value=value, id=draft["draft_id"])  # fmt: skip
        report = prove(service, draft["draft_id"])
        assert report["holds"] is False
        assert part in report["differing"]

    @pytest.mark.parametrize(
        ("member", "value", "part"),
        [
            ("content_hash", "0" * 64, "content_hash"),
            ("revision", 7, "revision"),
            ("author", "Eve", "author"),
            ("approved_by", "Eve", "approved_by"),
            ("approved_at", "2026-03-02T09:30:01+00:00", "approved_at"),
            ("length", {"code_points": 1, "weighted": 1, "limit": 139}, "length"),
            ("spans", [[0, 1, "approved", None]], "spans"),
            ("slot_values", {"first_name": "Eve", "order_number": "QH-1048213"}, "rebuilt text"),
            ("slot_values", {}, "rebuilt text"),
            ("text_sha256", "0" * 64, "text_sha256"),
            ("policy_version", "other", "policy_version"),
            ("verdict", {"outcome": "pass"}, "verdict"),
            ("draft_id", "0" * 32, "draft_id"),
        ],
    )
    def test_a_forged_proof_with_its_hash_made_to_fit(
        self, service: Service, draft: dict, member: str, value: Any, part: str
    ) -> None:
        forged = {**prove(service, draft["draft_id"])["proof"], member: value}
        run(
            service,
            "UPDATE draft SET proof = :proof, proof_sha256 = :hash WHERE id = :id",
            proof=canonical_json(forged),
            hash=proof_hash(forged),
            id=draft["draft_id"],
        )
        report = prove(service, draft["draft_id"])
        assert part in report["differing"]
        assert "proof_sha256" not in report["differing"]

    @pytest.mark.parametrize("member", ["score", "confidence", "build_id", "encoder_fingerprint"])
    def test_what_cannot_be_recomputed_is_held_by_the_seal(
        self, service: Service, draft: dict, member: str
    ) -> None:
        forged = {**prove(service, draft["draft_id"])["proof"], member: "0.99"}
        run(service, "UPDATE draft SET proof = :proof WHERE id = :id",
            proof=canonical_json(forged), id=draft["draft_id"])  # fmt: skip
        assert prove(service, draft["draft_id"])["differing"] == ["proof_sha256"]

    def test_a_verdict_that_the_policy_would_not_give(self, service: Service, draft: dict) -> None:
        proof = prove(service, draft["draft_id"])["proof"]
        forged = {**proof, "verdict": {**proof["verdict"], "outcome": "warn"}}
        run(service, "UPDATE draft SET proof = :proof, proof_sha256 = :hash WHERE id = :id",
            proof=canonical_json(forged), hash=proof_hash(forged), id=draft["draft_id"])  # fmt: skip
        assert prove(service, draft["draft_id"])["differing"] == ["verdict"]

    def test_a_verdict_of_an_older_policy_is_told_and_not_judged_again(
        self, service: Service, draft: dict
    ) -> None:
        proof = prove(service, draft["draft_id"])["proof"]
        old = {**proof["verdict"], "policy_version": "older"}
        older = {**proof, "verdict": old, "policy_version": "older"}
        run(service, "UPDATE draft SET proof = :proof, proof_sha256 = :hash WHERE id = :id",
            proof=canonical_json(older), hash=proof_hash(older), id=draft["draft_id"])  # fmt: skip
        report = prove(service, draft["draft_id"])
        check = next(c for c in report["checks"] if c["part"] == "verdict")
        assert (report["holds"], check["holds"]) == (True, None)
        assert "older" in check["detail"]

    def test_the_final_text_behind_its_verdict(self, service: Service, draft: dict) -> None:
        tell(service, draft["draft_id"], "edited", final_text="We are looking for it.")
        run(service, "UPDATE draft SET final_text = 'Anything else' WHERE id = :id",
            id=draft["draft_id"])  # fmt: skip
        assert "final verdict" in prove(service, draft["draft_id"])["differing"]


class TestFeedback:
    def test_sent_as_offered(self, service: Service, draft: dict) -> None:
        answer = tell(service, draft["draft_id"], "sent").json()
        assert (answer["state"], answer["text"]) == ("sent", draft["text"])
        assert answer["decided_by"] == "key:suggest"
        final = prove(service, draft["draft_id"])["final"]
        assert (final["edited"], final["difference"]) == (False, [])

    def test_edited_then_sent_keeps_the_difference(self, service: Service, draft: dict) -> None:
        edited = draft["text"].replace("late", "delayed")
        answer = tell(service, draft["draft_id"], "edited", final_text=edited, reason="tone")
        assert (answer.json()["state"], answer.json()["text"]) == ("edited", edited)
        assert tell(service, draft["draft_id"], "sent").json()["text"] == edited

        report = prove(service, draft["draft_id"])
        assert report["holds"] is True
        assert report["final"]["text"] == edited
        assert report["final"]["reason"] == "tone"
        assert report["final"]["verdict"]["outcome"] == "pass"
        rebuilt = list(draft["text"])
        for change in reversed(report["final"]["difference"]):
            rebuilt[slice(*change["approved"])] = change["is"]
        assert "".join(rebuilt) == edited

    def test_a_blocked_edit_changes_nothing(self, service: Service, draft: dict) -> None:
        answer = tell(
            service, draft["draft_id"], "edited", final_text="Please send your card number."
        )
        assert answer.status_code == 422
        assert answer.json()["findings"][0]["severity"] == "block"
        with unit_of_work.read(service.desk.engine) as session:
            assert drafts.get(session, draft["draft_id"]).state.value == "proposed"

    def test_an_edit_over_the_limit_is_blocked(self, service: Service, draft: dict) -> None:
        answer = tell(service, draft["draft_id"], "edited", final_text="a b " * 40)
        assert answer.status_code == 422
        assert answer.json()["findings"]

    def test_edited_needs_a_text(self, service: Service, draft: dict) -> None:
        answer = tell(service, draft["draft_id"], "edited")
        assert answer.status_code == 422
        assert "final_text" in answer.json()["detail"]

    @pytest.mark.parametrize("action", ["sent", "dismissed"])
    def test_telling_it_again_changes_nothing(
        self, service: Service, draft: dict, action: str
    ) -> None:
        first = tell(service, draft["draft_id"], action)
        with unit_of_work.read(service.desk.engine) as session:
            length = audit.verify(session).length
        again = tell(service, draft["draft_id"], action)
        assert again.json() == first.json()
        with unit_of_work.read(service.desk.engine) as session:
            assert audit.verify(session).length == length

    @pytest.mark.parametrize(
        ("first", "then"),
        [
            ("sent", "dismissed"),
            ("dismissed", "sent"),
            ("dismissed", "edited"),
            ("sent", "edited"),
        ],
    )
    def test_a_contradiction_is_refused(
        self, service: Service, draft: dict, first: str, then: str
    ) -> None:
        assert tell(service, draft["draft_id"], first).status_code == 200
        # With a reason, since this text is far from the approved one.
        changed = {"final_text": "We are looking for it.", "reason": "shorter"}
        answer = tell(service, draft["draft_id"], then, **changed)
        assert answer.status_code == 409
        assert answer.json()["type"].endswith("draft-decided")

    def test_each_step_is_in_the_audit_chain(self, service: Service, draft: dict) -> None:
        tell(service, draft["draft_id"], "sent")
        with unit_of_work.read(service.desk.engine) as session:
            assert audit.verify(session).intact
            rows = session.execute(
                text("SELECT action, actor, detail FROM audit WHERE subject = :s ORDER BY seq"),
                {"s": f"draft:{draft['draft_id']}"},
            ).all()
        assert [(row.action, row.actor) for row in rows] == [
            ("draft.accepted", "key:suggest"),
            ("draft.sent", "key:suggest"),
        ]
        assert all(draft["text"] not in row.detail for row in rows)
        assert json.loads(rows[0].detail)["proof_sha256"]

    def test_an_unknown_draft_is_not_found(self, service: Service) -> None:
        assert tell(service, "0" * 32, "sent").status_code == 404
        assert service.get(f"/v1/drafts/{'0' * 32}/proof").status_code == 404
