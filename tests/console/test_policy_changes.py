"""The policy's pages: propose, edit with the errors at their lines, try on both, approve by somebody else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from httpx import Response

from knowledge_base.governance import State, repository
from knowledge_base.store import review
from knowledge_base.store.engine import read_session, write_session
from suggest_api.compliance.holder import PolicyHolder
from suggest_api.main import create_app
from tests.conftest import NOW
from tests.console.conftest import ANSWER, Browser, MakeOffice, Office, said
from tests.policy_sets import FILES, SHIPPED, pack, rule

VERSIONS = "/console/policy/versions"
GREEN = pack("brand", rule("TEAL", "teal", severity="warn"), rule("GREEN", "green"))


@pytest.fixture
def governed(make_office: MakeOffice) -> Office:
    """An office whose policy is the one in the database."""
    office = make_office()
    policies = PolicyHolder(office.parts.engine, packs=SHIPPED)
    office.parts.desk = replace(office.parts.desk, policies=policies)
    office.app = create_app(office.parts.desk.settings, desk=office.parts.desk)
    return office


def begin(browser: Browser, note: str = "green is not ours") -> str:
    answer = browser.post(VERSIONS, note=note)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def seen(office: Office, address: str) -> str:
    with read_session(office.parts.engine) as session:
        return repository.get(session, int(address.rsplit("/", 1)[1])).content_hash


def write(office: Office, browser: Browser, address: str, name: str, content: str) -> Response:
    return browser.post(f"{address}/files/{name}", content=content, seen=seen(office, address))


def state(office: Office, address: str) -> State:
    with read_session(office.parts.engine) as session:
        return repository.get(session, int(address.rsplit("/", 1)[1])).state


def test_from_a_draft_into_force_by_two_people(governed: Office) -> None:
    author, approver = governed.signed_in("cora"), governed.signed_in("lena")
    address = begin(author)
    assert write(governed, author, address, "brand.yaml", GREEN).status_code == 303
    page = author.get(f"{address}/files/brand.yaml")
    assert "GREEN" in said(page)
    assert "<ins>" in page.text
    both = author.post(f"{address}/try", htmx=True, text="so green").text
    assert both.index('data-outcome="pass"') < both.index('data-outcome="block"')
    assert author.post(f"{address}/submit").status_code == 303

    refused = author.post(f"{address}/approve")
    assert refused.status_code == 403
    assert state(governed, address) is State.IN_REVIEW
    assert "nobody approves their own policy" in said(author.get(address))
    shown = said(approver.get(address))
    assert "every rule's examples hold" in shown
    assert approver.post(f"{address}/approve").status_code == 303
    assert state(governed, address) is State.LIVE
    assert "approved by lena" in said(approver.get(VERSIONS))
    tried = author.post("/console/policy/try", htmx=True, text="so green")
    assert 'data-outcome="block"' in tried.text


def test_broken_yaml_is_kept_shown_at_its_line_and_changes_nothing(governed: Office) -> None:
    author = governed.signed_in("cora")
    address = begin(author)
    broken = GREEN.replace('title: "No green"', 'title: "No green')
    assert write(governed, author, address, "brand.yaml", broken).status_code == 303
    page = author.get(f"{address}/files/brand.yaml")
    assert page.status_code == 200
    assert "Line " in said(page)
    assert "not readable YAML" in said(page)
    assert "<mark>" in page.text
    assert "No green" in page.text
    refused = author.post(f"{address}/submit")
    assert refused.status_code == 422
    assert "cannot be used" in said(refused)
    assert state(governed, address) is State.DRAFT
    assert (
        'data-outcome="pass"'
        in author.post("/console/policy/try", htmx=True, text="so green").text
    )
    assert "It cannot be read" in said(author.post(f"{address}/try", htmx=True, text="so green"))


def test_a_failing_example_names_rule_example_and_line(governed: Office) -> None:
    author = governed.signed_in("cora")
    address = begin(author)
    wrong = GREEN.replace("so so so so green", "so so so so blue")
    write(governed, author, address, "brand.yaml", wrong)
    told = said(author.get(f"{address}/files/brand.yaml"))
    assert "GREEN Does not flag its example: so so so so blue" in told
    assert "1 to mend" in said(author.get(address))


def test_a_weakening_is_ticked_and_explained(governed: Office) -> None:
    author, approver = governed.signed_in("cora"), governed.signed_in("lena")
    address = begin(author)
    write(governed, author, address, "core.yaml", pack("core", rule("RED", "red", "scarlet")))
    author.post(f"{address}/submit")
    assert 'value="removed:BLUE"' in approver.get(address).text
    assert approver.post(f"{address}/approve", reason="x").status_code == 409
    kept = approver.post(f"{address}/approve", confirmed="removed:BLUE", reason=" ")
    assert kept.status_code == 409
    assert 'value="removed:BLUE" checked' in kept.text
    done = approver.post(f"{address}/approve", confirmed="removed:BLUE", reason="agreed")
    assert done.status_code == 303
    assert "Confirmed: removed:BLUE" in said(approver.get(address))


def test_a_review_path_leaves_the_approval_to_its_teams(governed: Office) -> None:
    author, legal = governed.signed_in("cora"), governed.signed_in("lena")
    other = governed.signed_in("tomas")  # communications
    with write_session(governed.parts.engine) as session:
        review.set_path(session, "policy", ["legal"], by="ruth", now=NOW)
    address = begin(author)
    write(governed, author, address, "brand.yaml", GREEN)
    author.post(f"{address}/submit")
    refused = other.post(f"{address}/approve")
    assert refused.status_code == 409
    assert "is approved by legal: tomas does not approve for that team" in said(refused)
    assert legal.post(f"{address}/approve").status_code == 303


def test_live_snippets_that_it_would_block_are_listed(governed: Office) -> None:
    author, approver = governed.signed_in("cora"), governed.signed_in("lena")
    address = begin(author)
    word = ANSWER.split()[0].strip(".,").lower()
    more = FILES["core.yaml"] + rule("WORD", word)
    assert write(governed, author, address, "core.yaml", more).status_code == 303
    assert author.post(f"{address}/submit").status_code == 303
    refused = approver.post(f"{address}/approve")
    assert refused.status_code == 422
    assert "would block" in said(refused)
    assert state(governed, address) is State.IN_REVIEW
    assert approver.post(f"{address}/return", reason=" ").status_code == 409
    assert approver.post(f"{address}/return", reason="too wide").status_code == 303
    assert "lena returned it: too wide" in said(author.get(address))
    assert author.post(f"{address}/withdraw").status_code == 303


def test_nothing_is_lost_when_two_windows_save(governed: Office) -> None:
    author = governed.signed_in("cora")
    address = begin(author)
    old = seen(governed, address)
    write(governed, author, address, "brand.yaml", GREEN)
    refused = author.post(
        f"{address}/files/brand.yaml", content="# mine, typed for an hour", seen=old
    )
    assert refused.status_code == 409
    assert "# mine, typed for an hour" in refused.text


def test_what_came_into_force_meanwhile_is_taken_up(governed: Office) -> None:
    author, approver = governed.signed_in("cora"), governed.signed_in("lena")
    first, second = begin(author), begin(author, "gold as well")
    write(governed, author, first, "brand.yaml", GREEN)
    write(governed, author, second, "core.yaml", FILES["core.yaml"] + rule("GOLD", "gold"))
    author.post(f"{first}/submit")
    approver.post(f"{first}/approve")
    assert "Another policy came into force" in said(author.get(second))
    assert author.post(f"{second}/submit").status_code == 409
    assert author.post(f"{second}/take-up").status_code == 303
    assert author.post(f"{second}/submit").status_code == 303
    assert approver.post(f"{second}/approve").status_code == 303
    compared = said(author.get(f"{VERSIONS}/compare?before=0&after=2"))
    assert "brand.yaml" in compared
    assert "core.yaml" in compared
    back = author.post(VERSIONS, note="Back to policy 1", start="1")
    assert back.status_code == 303
    assert "removed:GOLD" in said(author.get(back.headers["location"]))


def test_files_come_and_go_and_odd_names_are_refused(governed: Office) -> None:
    author = governed.signed_in("cora")
    address = begin(author)
    assert author.post(f"{address}/files", name="../etc.yaml").status_code == 404
    made = author.post(f"{address}/files", name="returns.yaml")
    assert made.headers["location"] == f"{address}/files/returns.yaml"
    assert author.get(f"{address}/files/returns.yaml").status_code == 200
    assert author.get(f"{address}/files/Nothing.yaml").status_code == 404
    write(governed, author, address, "returns.yaml", pack("returns", rule("SOLD", "sold")))
    assert "returns.yaml changed" in said(author.get(address))
    author.post(f"{address}/files/returns.yaml/remove", seen=seen(governed, address))
    assert "returns.yaml" not in said(author.get(address))


def test_others_read_and_do_not_touch(governed: Office) -> None:
    author, agent = governed.signed_in("cora"), governed.signed_in("ana")
    address = begin(author)
    assert agent.get(VERSIONS).status_code == 200
    assert agent.get(address).status_code == 200
    assert "Save" not in said(agent.get(f"{address}/files/core.yaml"))
    assert agent.post(VERSIONS, note="x").status_code == 403
    assert author.post(VERSIONS, note=" ").status_code == 409


def test_without_a_readable_policy_the_page_says_so(governed: Office) -> None:
    governed.parts.desk = replace(
        governed.parts.desk, policies=PolicyHolder(governed.parts.engine, packs=SHIPPED)
    )
    author = governed.signed_in("cora")
    assert "the packs that come with the program" in said(author.get(VERSIONS))
