"""Signing in, sessions, keys and the brake on guessing, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, select, text, update

from knowledge_base.errors import NotFound
from knowledge_base.store import audit
from suggest_api.access import service as access
from suggest_api.access.model import CURATOR_ROLES, Role, Scope, parse_scopes
from suggest_api.access.throttle import FREE_FAILURES, WINDOW, Throttle
from suggest_api.errors import (
    AccountExists,
    NotAllowed,
    NotAuthenticated,
    TooManyAttempts,
    Unprocessable,
)
from suggest_api.storage import unit_of_work
from suggest_api.storage.tables import ApiKeyRow, SessionRow, SignInRow
from tests.conftest import NOW

PASSWORD = "correct horse battery"
REAL_HASHER = access._hasher  # before a fixture of all tests puts a cheap one in its place


@pytest.fixture
def ana(engine: Engine) -> str:
    with unit_of_work.write(engine) as session:
        access.create_user(session, "Ana", roles={Role.AGENT}, password=PASSWORD, now=NOW)
    return "Ana"


def signed_in(engine: Engine, now=NOW) -> str:
    with unit_of_work.write(engine) as session:
        return access.sign_in(session, "Ana", PASSWORD, now=now).token


def who(engine: Engine, token: str, now=NOW):
    with unit_of_work.write(engine) as session:
        return access.resume(session, token, now=now)


@pytest.mark.usefixtures("ana")
class TestSessions:
    def test_a_session_knows_its_person(self, engine: Engine) -> None:
        identity = who(engine, signed_in(engine))
        assert (identity.name, identity.roles) == ("Ana", {Role.AGENT})
        assert identity.expires_at == NOW + access.ABSOLUTE

    def test_only_hashes_are_kept(self, engine: Engine) -> None:
        token = signed_in(engine)
        with unit_of_work.read(engine) as session:
            row = session.scalars(select(SessionRow)).one()
            sign_in = session.scalars(select(SignInRow)).one()
        assert token not in (row.token_hash, row.csrf_token)
        assert sign_in.password_hash.startswith("$argon2id$")

    def test_a_hash_costs_what_rfc_9106_recommends_and_replaces_a_cheaper_one(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(access, "_hasher", REAL_HASHER)
        assert signed_in(engine)  # against the cheap hash that all tests use
        with unit_of_work.read(engine) as session:
            sign_in = session.scalars(select(SignInRow)).one()
        assert sign_in.password_hash.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
        assert signed_in(engine)

    def test_each_sign_in_is_another_session(self, engine: Engine) -> None:
        first, second = signed_in(engine), signed_in(engine)
        assert first != second
        assert who(engine, first).csrf != who(engine, second).csrf

    @pytest.mark.parametrize(
        ("name", "password"), [("Ana", "wrong"), ("Nobody", PASSWORD), ("", ""), ("Ana", "x" * 10_000)]
    )  # fmt: skip
    def test_wrong_is_wrong_in_the_same_words(
        self, engine: Engine, name: str, password: str
    ) -> None:
        with (
            unit_of_work.write(engine) as session,
            pytest.raises(NotAuthenticated, match="^name or password is wrong$"),
        ):
            access.sign_in(session, name, password, now=NOW)

    def test_a_disabled_person_is_out(self, engine: Engine) -> None:
        token = signed_in(engine)
        with unit_of_work.write(engine) as session:
            session.execute(update(SignInRow).values(disabled_at=NOW))
        assert who(engine, token) is None
        with unit_of_work.write(engine) as session, pytest.raises(NotAuthenticated):
            access.sign_in(session, "Ana", PASSWORD, now=NOW)

    def test_an_idle_session_ends(self, engine: Engine) -> None:
        token = signed_in(engine)
        assert who(engine, token, NOW + access.IDLE - timedelta(seconds=1)) is not None
        # That was a use, so it counts from there.
        assert who(engine, token, NOW + access.IDLE * 2 - timedelta(seconds=2)) is not None
        assert who(engine, token, NOW + access.IDLE * 3) is None

    def test_a_busy_session_ends_too(self, engine: Engine) -> None:
        token, at = signed_in(engine), NOW
        while at < NOW + access.ABSOLUTE - timedelta(hours=1):
            assert who(engine, token, at) is not None
            at += timedelta(hours=1)
        assert who(engine, token, NOW + access.ABSOLUTE) is None

    def test_signing_out_ends_it_on_the_server(self, engine: Engine) -> None:
        token, other = signed_in(engine), signed_in(engine)
        for _ in range(2):
            with unit_of_work.write(engine) as session:
                access.sign_out(session, token, now=NOW)
        assert who(engine, token) is None
        assert who(engine, other) is not None

    def test_revoking_all_ends_every_session(self, engine: Engine) -> None:
        tokens = [signed_in(engine) for _ in range(3)]
        with unit_of_work.write(engine) as session:
            assert access.revoke_all(session, "Ana", by="Boss", now=NOW) == 3
        assert [who(engine, token) for token in tokens] == [None, None, None]
        with unit_of_work.read(engine) as session:
            assert audit.verify(session).intact
            actions = session.scalars(text("SELECT action FROM audit ORDER BY seq")).all()
        assert actions[-1] == "session.revoke_all"
        with unit_of_work.write(engine) as session, pytest.raises(NotFound):
            access.revoke_all(session, "Nobody", by="Boss", now=NOW)

    @pytest.mark.parametrize("token", ["", "x", "\ud800", "' OR 1=1 --", "x" * 100_000])
    def test_a_made_up_token_is_nobody(self, engine: Engine, token: str) -> None:
        assert who(engine, token) is None

    def test_a_name_signs_in_once(self, engine: Engine) -> None:
        with unit_of_work.write(engine) as session, pytest.raises(AccountExists):
            access.create_user(session, "  Ana ", roles={Role.ADMIN}, now=NOW)


def test_a_password_is_made_up_when_none_is_given(engine: Engine) -> None:
    with unit_of_work.write(engine) as session:
        password = access.create_user(session, "Bea", roles=CURATOR_ROLES, now=NOW)
    assert len(password) >= access.PASSWORD_MIN
    with unit_of_work.write(engine) as session:
        assert access.sign_in(session, "Bea", password, now=NOW).token


@pytest.mark.parametrize("password", ["short", "x" * 257])
def test_a_password_of_another_length_is_refused(engine: Engine, password: str) -> None:
    with unit_of_work.write(engine) as session, pytest.raises(Unprocessable):
        access.create_user(session, "Bea", roles={Role.AGENT}, password=password, now=NOW)


class TestKeys:
    def test_a_key_is_known_by_its_scope(self, engine: Engine) -> None:
        with unit_of_work.write(engine) as session:
            plain = access.create_key(session, "shop", scopes={Scope.SUGGEST}, now=NOW)
        assert plain.startswith("fl_")
        with unit_of_work.read(engine) as session:
            found = access.authenticate_key(session, plain, scope=Scope.SUGGEST, now=NOW)
            assert found.actor == "key:shop"
            assert session.scalars(select(ApiKeyRow)).one().key_hash not in plain
            with pytest.raises(NotAllowed):
                access.authenticate_key(session, plain, scope=Scope.METRICS, now=NOW)

    def test_a_key_expires(self, engine: Engine) -> None:
        day = timedelta(days=1)
        with unit_of_work.write(engine) as session:
            plain = access.create_key(
                session, "shop", scopes={Scope.CHECK}, valid_for=day, now=NOW
            )
        with unit_of_work.read(engine) as session:
            before = NOW + day - timedelta(seconds=1)
            assert access.identify_key(session, plain, now=before)
            with pytest.raises(NotAuthenticated):
                access.identify_key(session, plain, now=NOW + day)

    def test_revoking_ends_every_key_of_the_name(self, engine: Engine) -> None:
        with unit_of_work.write(engine) as session:
            keys = [
                access.create_key(session, "shop", scopes={Scope.CHECK}, now=NOW) for _ in "ab"
            ]
            other = access.create_key(session, "other", scopes={Scope.CHECK}, now=NOW)
            assert access.revoke_keys(session, "shop", by="cli", now=NOW) == 2
        with unit_of_work.read(engine) as session:
            for plain in keys:
                with pytest.raises(NotAuthenticated):
                    access.identify_key(session, plain, now=NOW)
            assert access.identify_key(session, other, now=NOW).name == "other"
        with unit_of_work.write(engine) as session, pytest.raises(NotFound):
            access.revoke_keys(session, "shop", by="cli", now=NOW)

    @pytest.mark.parametrize("name", ["", "x" * 101, "new\nline"])
    def test_a_name_that_cannot_be_recorded_is_refused(self, engine: Engine, name: str) -> None:
        with unit_of_work.write(engine) as session, pytest.raises(Unprocessable):
            access.create_key(session, name, scopes={Scope.CHECK}, now=NOW)


def test_scopes_are_named_when_unknown() -> None:
    assert parse_scopes(["suggest", "check"]) == {Scope.SUGGEST, Scope.CHECK}
    with pytest.raises(ValueError, match="unknown scope everything"):
        parse_scopes(["suggest", "everything"])
    with pytest.raises(ValueError, match="no scope"):
        parse_scopes([])


class TestThrottle:
    def fail(self, throttle: Throttle, times: int, *, name="Ana", address="10.0.0.1") -> None:
        for _ in range(times):
            throttle.check(name=name, address=address, now=NOW)
            throttle.failed(name=name, address=address, now=NOW)

    def test_a_name_is_held_back_and_let_go_again(self) -> None:
        throttle = Throttle()
        self.fail(throttle, FREE_FAILURES)
        with pytest.raises(TooManyAttempts) as held:
            throttle.check(name="ANA", address="10.0.0.2", now=NOW)
        assert held.value.retry_after == WINDOW.total_seconds()
        throttle.check(name="Bea", address="10.0.0.1", now=NOW)
        throttle.check(name="Ana", address="10.0.0.1", now=NOW + WINDOW)

    def test_an_address_is_held_back_whatever_the_names(self) -> None:
        throttle = Throttle()
        for number in range(30):
            self.fail(throttle, 1, name=f"name-{number}")
        with pytest.raises(TooManyAttempts):
            throttle.check(name="fresh", address="10.0.0.1", now=NOW)
        throttle.check(name="fresh", address="10.0.0.9", now=NOW)

    def test_success_forgets_the_name(self) -> None:
        throttle = Throttle()
        self.fail(throttle, FREE_FAILURES - 1)
        throttle.succeeded(name="Ana")
        self.fail(throttle, FREE_FAILURES - 1)
        throttle.check(name="Ana", address="10.0.0.1", now=NOW)

    def test_memory_stays_bounded(self) -> None:
        throttle = Throttle()
        for number in range(12_000):
            throttle.failed(name=f"n{number}", address=f"a{number}", now=NOW)
        assert len(throttle._seen) == 10_000
