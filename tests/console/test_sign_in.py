"""Signing in and out: who gets in, where they land, what the cookie is, and when it is over."""

from __future__ import annotations

import pytest

from knowledge_base.store.audit import verify
from suggest_api.access import service as access
from suggest_api.storage import unit_of_work
from tests.console.conftest import OURS, PASSWORD, Browser, MakeOffice, Office, said

HOUR = 3600.0


def test_who_signs_in_sees_the_inbox_and_is_greeted_by_name(office: Office) -> None:
    browser = office.browser()

    answer = browser.sign_in("ana")

    assert answer.status_code == 303
    assert answer.headers["location"] == "/console"
    assert "ana" in said(browser.get("/console"))


@pytest.mark.parametrize(
    ("name", "password"),
    [("ana", "not the pass phrase"), ("nobody", PASSWORD), ("ana", ""), ("", "")],
)
def test_wrong_and_unknown_are_told_apart_by_nothing(
    office: Office, name: str, password: str
) -> None:
    browser = office.browser()

    answer = browser.sign_in(name or " ", password or " ")

    assert answer.status_code == 401
    assert "That name and password do not fit together." in said(answer)
    assert "set-cookie" not in answer.headers
    assert browser.get("/console").status_code == 303


def test_a_wrong_password_keeps_the_name_and_never_the_password(office: Office) -> None:
    answer = office.browser().sign_in('ana"><script>', "hunter2 hunter2")

    assert "hunter2" not in answer.text
    assert 'value="ana&#34;&gt;&lt;script&gt;"' in answer.text


def test_after_five_failures_even_the_right_password_waits(office: Office) -> None:
    browser = office.browser()
    for _ in range(5):
        assert browser.sign_in("ana", "wrong wrong wrong").status_code == 401

    held = browser.sign_in("ana")
    assert held.status_code == 429
    assert int(held.headers["retry-after"]) == 15 * 60
    assert "Too many failed sign-ins: try again in 15 minutes." in said(held)
    assert browser.sign_in("ben").status_code == 303  # another name is not held back

    office.parts.clock.forward(15 * 60)
    assert browser.sign_in("ana").status_code == 303


@pytest.mark.parametrize(
    "next",
    [
        "https://evil.example.com/",
        "//evil.example.com",
        "/\\evil.example.com",
        "/console//evil.example.com",
        "/console/../../etc",
        "/console/\nSet-Cookie: a=b",
        "/consolation",
        "javascript:alert(1)",
        "/console/sign-in",
        "/console?x=https://evil.example.com",
        "\t//evil.example.com",
        "/console/%2e%2e/x",
    ],
)
def test_the_way_back_never_leaves_the_console(office: Office, next: str) -> None:
    answer = office.browser().sign_in("ana", next=next)

    assert answer.headers["location"] == "/console"


def test_the_way_back_leads_to_the_page_that_was_asked_for(office: Office) -> None:
    address = office.customer()
    browser = office.browser()

    turned_away = browser.get(address)
    assert turned_away.headers["location"] == f"/console/sign-in?next={address}"
    form = browser.get(turned_away.headers["location"])
    assert f'name="next" value="{address}"' in form.text
    assert browser.sign_in("ana", next=address).headers["location"] == address


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(office: Office) -> None:
    cookie = office.browser().sign_in("ana").headers["set-cookie"]

    assert cookie.startswith("firstline=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    assert f"Max-Age={12 * 3600}" in cookie
    assert "Domain" not in cookie


def test_over_https_the_cookie_is_bound_to_the_host(make_office: MakeOffice) -> None:
    office = make_office(url="https://desk.example.com")

    cookie = office.browser().client.post(
        "/console/sign-in", data={"name": "ana", "password": PASSWORD}, headers=OURS
    )

    assert cookie.headers["set-cookie"].startswith("__Host-firstline=")
    assert "; Secure" in cookie.headers["set-cookie"]
    assert cookie.headers["strict-transport-security"].startswith("max-age=")


def test_each_sign_in_is_a_new_session(office: Office) -> None:
    browser = office.browser()
    browser.client.cookies.set("firstline", "chosen by an attacker")
    first = browser.sign_in("ana").headers["set-cookie"]
    second = office.browser().sign_in("ana").headers["set-cookie"]

    assert "chosen by an attacker" not in first
    assert first.split(";")[0] != second.split(";")[0]


def test_signing_out_ends_a_copied_cookie_too(office: Office, ana: Browser) -> None:
    thief = office.browser()
    thief.client.cookies.set("firstline", ana.client.cookies["firstline"])
    assert thief.get("/console").status_code == 200

    answer = ana.post("/console/sign-out")

    assert answer.headers["location"] == "/console/sign-in"
    assert thief.get("/console").status_code == 303
    assert ana.get("/console").status_code == 303


def test_an_admin_ends_every_session_of_a_person(office: Office) -> None:
    browsers = [office.signed_in("ana") for _ in range(2)]
    other = office.signed_in("ben")
    with unit_of_work.write(office.parts.engine) as session:
        ended = access.revoke_all(session, "ana", by="ruth", now=office.parts.clock())

    assert ended == 2
    assert [browser.get("/console").status_code for browser in browsers] == [303, 303]
    assert other.get("/console").status_code == 200


def test_two_hours_without_use_end_the_session(office: Office, ana: Browser) -> None:
    office.parts.clock.forward(2 * HOUR - 1)
    assert ana.get("/console").status_code == 200
    office.parts.clock.forward(2 * HOUR - 1)
    assert ana.get("/console").status_code == 200
    office.parts.clock.forward(2 * HOUR)
    assert ana.get("/console").status_code == 303


def test_a_page_that_refreshes_itself_does_not_count_as_use(office: Office, ana: Browser) -> None:
    for _ in range(4):
        office.parts.clock.forward(HOUR / 2 - 1)
        assert ana.part("/console/inbox").status_code == 200
    office.parts.clock.forward(10)

    assert ana.part("/console/inbox").status_code == 401


def test_a_working_day_ends_the_session_however_busy_it_was(office: Office, ana: Browser) -> None:
    for _ in range(11):
        office.parts.clock.forward(HOUR)
        assert ana.get("/console").status_code == 200
    office.parts.clock.forward(HOUR)

    assert ana.get("/console").status_code == 303


def test_a_form_of_another_site_signs_nobody_in(office: Office) -> None:
    body = {"name": "ana", "password": PASSWORD}
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example.com"},
        {"Origin": "null"},
    ):
        answer = office.browser().client.post(
            "/console/sign-in", data=body, headers={"Accept": "text/html", **headers}
        )
        assert answer.status_code == 403, headers
        assert "set-cookie" not in answer.headers


def test_sessions_leave_a_trace_without_their_secrets(office: Office, ana: Browser) -> None:
    ana.post("/console/sign-out")

    with unit_of_work.read(office.parts.engine) as session:
        assert verify(session).intact
    rows = office.parts.rows("SELECT action, actor, detail FROM audit ORDER BY seq DESC LIMIT 2")
    assert [(row.action, row.actor) for row in rows] == [
        ("session.end", "ana"),
        ("session.start", "ana"),
    ]
