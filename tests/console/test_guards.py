"""What stands between a request and a page: the session, the role, our own origin, the form's token."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi.routing import APIRoute

from suggest_api.console.guards import Require, SameOrigin
from suggest_api.console.routes import PARTS
from tests.console.conftest import ANSWER, Browser, Office, said

OPEN = {("GET", "/console/sign-in"), ("POST", "/console/sign-in")}
ID = "0" * 32
NUMBERED = (("revision_id", "1"), ("freeze_id", "1"), ("publication_id", "1"))


def routes() -> Iterator[tuple[str, str, APIRoute]]:
    for part in PARTS:
        for route in part.router.routes:
            assert isinstance(route, APIRoute)
            for method in route.methods:
                yield method, route.path, route


GUARDED = sorted((method, path) for method, path, _ in routes() if (method, path) not in OPEN)


def address(path: str) -> str:
    for name, value in (("action", "resend"), ("key", "a.b"), ("suffix", "csv"), *NUMBERED):
        path = path.replace(f"{{{name}}}", value)
    return re.sub(r"\{[a-z_]+\}", ID, path)


def test_there_are_as_many_guarded_routes_as_the_console_has() -> None:
    assert len(GUARDED) == len(set(GUARDED)) >= 16
    assert {method for method, _ in GUARDED} == {"GET", "POST"}


def test_every_route_declares_its_guard() -> None:
    for method, path, route in routes():
        calls = [dependency.call for dependency in route.dependant.dependencies]
        guards = [call for call in calls if isinstance(call, (Require, SameOrigin))]
        assert len(guards) == 1 or (method, path) == ("GET", "/console/sign-in"), path
        if method == "POST":
            assert type(guards[0]) is not Require, f"{path} changes something without a token"


def test_without_a_session_a_page_leads_to_the_sign_in(office: Office) -> None:
    browser = office.browser()
    for method, path in GUARDED:
        asked = address(path)
        answer = browser.get(asked) if method == "GET" else browser.post(asked)

        assert answer.status_code == 303, path
        wanted = asked if method == "GET" else "/console"
        assert answer.headers["location"] == f"/console/sign-in?next={wanted}"


def test_without_a_session_a_part_takes_the_whole_page_to_the_sign_in(office: Office) -> None:
    browser = office.browser()
    headers = {
        "HX-Request": "true",
        "HX-Current-URL": f"http://testserver/console/conversations/{ID}?draft=1",
    }
    for path in (path for method, path in GUARDED if method == "GET"):
        answer = browser.get(address(path), **headers)

        assert answer.status_code == 401, path
        back = f"/console/sign-in?next=/console/conversations/{ID}"
        assert answer.headers["hx-redirect"] == back
        assert answer.text == ""


def test_a_part_of_another_page_does_not_lead_there(office: Office) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "https://evil.example.com//console"}
    answer = office.browser().get("/console/inbox", **headers)

    assert answer.headers["hx-redirect"] == "/console/sign-in?next=/console"


def test_a_forged_cookie_is_no_session(office: Office) -> None:
    browser = office.browser()
    for value in ("x" * 43, "", "a" * 5000, "%00"):
        browser.client.cookies.set("firstline", value)
        assert browser.get("/console").status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example.com"},
        {"Origin": "null"},
    ],
)
def test_a_form_of_another_site_is_refused_whatever_it_carries(
    office: Office, ana: Browser, headers: dict[str, str]
) -> None:
    page = office.customer()
    body = {"csrf": ana.csrf, "version": office.version(), "text": ANSWER}

    answer = ana.client.post(
        f"{page}/reply", data=body, headers={"Accept": "text/html", **headers}
    )

    assert answer.status_code == 403
    assert "This form was sent by another site." in said(answer)
    assert office.parts.deliveries() == ()


@pytest.mark.parametrize("csrf", ["", "0" * 64, "é", "x" * 10_000])
def test_a_form_needs_the_token_of_this_session(office: Office, ana: Browser, csrf: str) -> None:
    page = office.customer()

    answer = ana.post(f"{page}/claim", csrf=csrf, version=office.version())

    assert answer.status_code == 403
    assert "out of date" in said(answer)
    assert office.parts.conversation().assignee is None


def test_the_token_of_another_session_is_none_of_ours(office: Office, ana: Browser) -> None:
    page = office.customer()
    other = office.signed_in("ben")

    answer = ana.post(f"{page}/claim", csrf=other.csrf, version=office.version())

    assert answer.status_code == 403


def test_the_token_may_come_in_the_header_that_htmx_sends(office: Office, ana: Browser) -> None:
    page = office.customer()
    headers = {"X-CSRF-Token": ana.csrf, "HX-Request": "true", "Sec-Fetch-Site": "same-origin"}

    answer = ana.client.post(f"{page}/check", data={"text": "Hello"}, headers=headers)

    assert answer.status_code == 200


def test_a_refused_form_tells_htmx_one_sentence(office: Office, ana: Browser) -> None:
    page = office.customer()

    answer = ana.post(f"{page}/check", htmx=True, csrf="wrong", text="Hello")

    assert answer.status_code == 403
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == "This form is out of date: load the page again and repeat the step."


def test_an_admin_may_do_what_agents_do(office: Office) -> None:
    admin = office.signed_in("ruth")
    page = office.customer()

    assert admin.get("/console").status_code == 200
    assert admin.post(f"{page}/claim", version=office.version()).status_code == 303


def test_a_curator_sees_no_customers(office: Office) -> None:
    page = office.customer()
    curator = office.browser()
    assert curator.sign_in("cora", inbox=False).status_code == 303

    assert curator.get("/console").headers["location"] == "/console/knowledge"
    for path in (page, f"{page}/thread", "/console/delivery", "/console/events"):
        answer = curator.get(path)
        assert answer.status_code == 403
        assert "takes the role admin or agent: ask an admin" in said(answer).lower()
        assert "Ana Lima" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        f"/console/conversations/{ID}",
        f"/console/conversations/{ID}/thread",
        f"/console/conversations/{ID}/head",
        f"/console/conversations/{ID}/story",
        f"/console/conversations/{ID}/drafts",
        f"/console/events?conversation={ID}",
        "/console/nothing-here",
    ],
)
def test_what_does_not_exist_is_a_page_that_says_so(ana: Browser, path: str) -> None:
    answer = ana.get(path)

    assert answer.status_code == 404
    assert "Back to the inbox" in said(answer)
    assert re.search(r"Reference [0-9a-f]{32}", said(answer))


@pytest.mark.parametrize("number", ["x", "..", "0" * 31, "0" * 33, "0" * 31 + "G", "%00"])
def test_an_id_that_is_none_is_refused_before_the_database_is_asked(
    ana: Browser, number: str
) -> None:
    assert ana.get(f"/console/conversations/{number}").status_code in {200, 404, 422}
    assert ana.get(f"/console/conversations/{number}/thread").status_code in {404, 422}


def test_every_page_forbids_scripts_and_styles_of_others(office: Office, ana: Browser) -> None:
    page = office.customer()
    for path in ("/console", page, f"{page}/thread", "/console/delivery", "/console/sign-in"):
        answer = ana.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "style=" not in answer.text
        assert "<style" not in answer.text
        assert not re.search(r"\son[a-z]+=", answer.text)
        assert "javascript:" not in answer.text
        for script in re.findall(r"<script[^>]*>", answer.text):
            assert 'src="/console/static/' in script


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("console.css", "text/css"),
        ("console.js", "text/javascript"),
        ("htmx-2.min.js", "text/javascript"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_static_files_have_their_type_and_are_asked_about_again(
    office: Office, name: str, kind: str
) -> None:
    client = office.browser().client
    answer = client.get(f"/console/static/{name}")

    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] == kind
    assert answer.headers["cache-control"] == "no-cache"
    again = client.get(
        f"/console/static/{name}", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert again.status_code == 304


@pytest.mark.parametrize(
    "path", ["", "/", "/..", "/../render.py", "/%2e%2e/render.py", "/.", "/x"]
)
def test_static_files_are_not_listed_and_nothing_else_is_served(office: Office, path: str) -> None:
    answer = office.browser().client.get(f"/console/static{path}")

    assert answer.status_code in {307, 401, 404, 405}
    assert "console.css" not in answer.text
    assert "import" not in answer.text
