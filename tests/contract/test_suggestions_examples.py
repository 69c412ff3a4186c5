"""The examples that the bot's suite reads are what the service takes and answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from suggest_api.api.wire import SuggestionsIn, SuggestionsOut

HERE = Path(__file__).parent


def example(name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((HERE / f"{name}.json").read_text())
    return found


def test_the_request_of_the_bot_is_taken() -> None:
    request = SuggestionsIn.model_validate(example("suggestions_request"))
    assert request.to_request(request_id="r").facts.order_number == "QH-1048213"


@pytest.mark.parametrize("name", ["suggestions_response", "suggestions_response_abstained"])
def test_an_answer_has_exactly_the_members_of_the_example(name: str) -> None:
    told = example(name)
    answer = SuggestionsOut.model_validate(told)
    assert json.loads(answer.model_dump_json()) == told
