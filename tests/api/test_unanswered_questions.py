"""Questions without a confident suggestion are kept, masked; nothing else is, and no request fails for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from knowledge_base.wording import clean_customer_text
from suggest_api import flow
from suggest_api.coverage import repository
from suggest_api.coverage import service as coverage
from suggest_api.flow.coverage import keep_unanswered, sweep_questions
from suggest_api.storage import unit_of_work
from suggest_api.storage.tables import ConversationRow
from suggest_api.suggestions.model import Candidates
from suggest_api.values import Abstention, Author, Facts, Message, SuggestionRequest
from tests.api.conftest import Service
from tests.property.test_masking import leaks, questions

ODD = "qwertz asdfgh yxcvbn"


def kept(service: Service) -> list[Any]:
    with unit_of_work.read(service.desk.engine) as session:
        statement = text("SELECT * FROM unanswered_question ORDER BY id")
        return list(session.execute(statement).mappings())


def test_a_question_without_a_confident_suggestion_is_kept(service: Service) -> None:
    answer = service.suggest(ODD, locale="en-GB")
    assert answer["abstained"]
    (row,) = kept(service)
    assert row["question"] == ODD
    assert (row["channel"], row["locale"], row["use"]) == ("generic", "en-GB", "agent")
    assert row["build_id"] == service.desk.generations.build_id
    assert row["reason"] == answer["reason"]
    assert 0 <= row["confidence"] <= 1


def test_the_assistants_questions_are_kept_too(service: Service) -> None:
    service.suggest(ODD, key="assist", use="assistant")
    assert [row["use"] for row in kept(service)] == ["assistant"]


def test_an_answered_question_is_not_kept(service: Service) -> None:
    assert not service.suggest("are you open on sunday")["abstained"]
    assert kept(service) == []


def test_what_no_snippet_could_have_answered_is_not_kept(service: Service) -> None:
    service.suggest("👍")
    service.suggest("I want to kill myself")
    assert kept(service) == []


def test_only_the_last_message_is_kept(service: Service) -> None:
    messages = [
        {"author": "customer", "text": "my cat is called Whiskers"},
        {"author": "person", "text": "nice"},
        {"author": "customer", "text": ODD},
    ]
    service.post("/v1/suggestions", {"channel": "generic", "messages": messages})
    assert [row["question"] for row in kept(service)] == [ODD]


def test_names_and_facts_of_the_request_are_masked(service: Service) -> None:
    body = {
        "channel": "generic",
        "messages": [{"author": "customer", "text": f"{ODD} ana refzz Sam"}],
        "customer": {"first_name": "Ana"},
        "facts": {"order_number": "refzz", "agent_name": "Sam"},
    }
    service.post("/v1/suggestions", body)
    assert kept(service)[0]["question"] == f"{ODD} ⟨name⟩ ⟨reference⟩ ⟨name⟩"


def test_a_question_of_marks_alone_is_not_kept(service: Service) -> None:
    service.suggest("ana.lima@example.org")
    assert kept(service) == []


def test_nothing_is_kept_where_the_setting_says_so(service: Service) -> None:
    settings_ = service.desk.settings.model_copy(update={"keep_questions_days": 0})
    answer = flow.suggest(replace(service.desk, settings=settings_), request(ODD))
    assert answer.abstained
    assert kept(service) == []


def test_a_request_does_not_fail_because_its_question_cannot_be_kept(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(repository, "add", fail)
    assert service.suggest(ODD)["abstained"]
    assert kept(service) == []


def test_questions_are_swept_when_their_days_are_over(service: Service) -> None:
    service.suggest(ODD)
    days = service.desk.settings.keep_questions_days
    service.clock.at += timedelta(days=days - 1)
    service.suggest("asdfgh yxcvbn")
    assert sweep_questions(service.desk) == 0
    service.clock.at += timedelta(days=1, seconds=1)
    assert sweep_questions(service.desk) == 1
    assert [row["question"] for row in kept(service)] == ["asdfgh yxcvbn"]


def test_a_repeated_question_of_one_conversation_counts_once(service: Service) -> None:
    with unit_of_work.write(service.desk.engine) as session:
        session.add(
            ConversationRow(
                id="a" * 32,
                channel="generic",
                account="a",
                peer="p",
                facts={},
                created_at=service.clock(),
                changed_at=service.clock(),
            )
        )
    for _ in range(2):
        service.suggest(ODD, conversation_id="a" * 32)
        service.suggest(ODD)
    assert len(kept(service)) == 4
    with unit_of_work.read(service.desk.engine) as session:
        found = recent(session, service)
    assert [one.question for one in found] == [ODD] * 3
    assert not any("a" * 32 in str(value) for row in kept(service) for value in row.values())


def recent(session: Session, asked: Service, days: int = 7) -> Any:
    return coverage.recent(session, days=days, now=asked.clock())


def test_only_the_days_asked_for_are_read(service: Service) -> None:
    service.suggest(ODD)
    service.clock.at += timedelta(days=8)
    with unit_of_work.read(service.desk.engine) as session:
        assert recent(session, service) == ()
        assert len(recent(session, service, days=9)) == 1


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(questions())
def test_no_personal_datum_reaches_the_table(service: Service, case: tuple[str, str]) -> None:
    question, datum = case
    before = len(kept(service))
    keep(service, f"{ODD} {question}")
    rows = kept(service)
    assert len(rows) == before + 1
    assert not leaks(rows[-1]["question"], datum)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(max_size=80))
def test_any_text_with_words_can_be_kept(service: Service, words: str) -> None:
    before = len(kept(service))
    keep(service, f"{ODD} {clean_customer_text(words).text}")
    assert len(kept(service)) == before + 1


def keep(service: Service, words: str) -> None:
    held = service.desk.generations.in_service
    assert held is not None
    found = Candidates(
        build_id=held.build_id,
        encoder_fingerprint=held.encoder_fingerprint,
        candidates=(),
        reason=Abstention.NO_CONFIDENT_MATCH,
        threshold=1.0,
    )
    keep_unanswered(
        service.desk,
        request(words),
        None,
        words,
        found,
        Abstention.NO_CONFIDENT_MATCH,
        locale=None,
    )


def request(words: str) -> SuggestionRequest:
    return SuggestionRequest(
        channel="generic",
        messages=(Message(Author.CUSTOMER, words),),
        facts=Facts(first_name="Ana"),
    )
