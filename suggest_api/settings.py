"""The settings: every FIRSTLINE_ variable in one class, refused at start with the variable's name when wrong."""

from __future__ import annotations

import base64
import ipaddress
import secrets
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from knowledge_base.errors import ConfigurationError
from knowledge_base.home import DEFAULT_HOME, Home

PREFIX = "FIRSTLINE_"
NO_BOT = "none"  # FIRSTLINE_BOT_URL without an assistant

# 32 characters of a random hex string are 128 bits, the least that ASVS 5.0 section 11.2 accepts for a key.
SECRET_MIN = 32
# 32 random hex digits show 14 different ones on average; fewer than 10 happen once in some 4,000 draws,
# while words, dates and `aaaa...` fall below.
SECRET_MIN_DISTINCT = 10
# What examples, tutorials and hurried people write.
SECRET_PLACEHOLDERS = ("change", "secret", "password", "example", "placeholder", "0123456789")

WEBHOOK_SECRET_PREFIX = "whsec_"  # noqa: S105  # the prefix of every secret, not a secret
# Bytes; the least that the Standard Webhooks specification allows for a symmetric secret.
WEBHOOK_SECRET_MIN = 24

MIB = 1024 * 1024
Port = Annotated[int, Field(ge=1, le=65535)]


class Account(BaseModel):
    """One account on one network: who signs what it sends us, and where our replies go."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channel: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")
    account: str = Field(pattern=r"^[A-Za-z0-9._-]{1,120}$")
    secret: SecretStr
    previous_secret: SecretStr | None = None
    send_url: str

    @field_validator("secret", "previous_secret")
    @classmethod
    def _secret_signs(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _refuse_unusable(value.get_secret_value())
        return value

    @field_validator("send_url")
    @classmethod
    def _send_url_is_http(cls, value: str) -> str:
        return _http_url(value)


class Settings(BaseSettings):
    """Everything that can be set; an empty variable counts as unset."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        hide_input_in_errors=True,
    )

    home: Path = Field(
        default=Path(DEFAULT_HOME),
        description="Folder of the database, encoders, generations, logs and the bot's model.",
    )
    database_url: str | None = Field(
        default=None,
        description="SQLAlchemy URL of the database; SQLite in the home unless it is set.",
    )
    host: str = Field(default="127.0.0.1", description="Address that the service listens on.")
    port: Port = Field(default=8600, description="Port that the service listens on.")
    url: str | None = Field(
        default=None,
        description="Address under which people and the bot reach the service; from host and port unless set."
        " With https the console's cookies are marked Secure.",
    )
    demo: bool = Field(
        default=False,
        description="1 for the demo on one machine only: a missing secret is made up at start.",
    )
    secret: SecretStr | None = Field(
        default=None,
        description="Key for what the service signs itself: at least 32 random characters"
        " (`openssl rand -hex 32`).",
    )
    accounts: tuple[Account, ...] = Field(
        default=(),
        description='Channel accounts, JSON: [{"channel":"generic","account":"quillhaven","secret":"whsec_...",'
        '"previous_secret":null,"send_url":"https://..."}].',
    )
    bot_url: str = Field(
        default="http://127.0.0.1:5005",
        description="Address of Rasa, which must be private; `none` means that people answer from the start.",
    )
    bot_port: Port = Field(default=5005, description="Port that `firstline demo` gives to Rasa.")
    actions_port: Port = Field(
        default=5055, description="Port that `firstline demo` gives to the bot's action server."
    )
    double_port: Port = Field(
        default=8700, description="Port that `firstline demo` gives to the network double."
    )
    encoder: str | None = Field(
        default=None,
        description="Folder or name of another sentence-transformers model for `firstline encoder export`;"
        " the packaged all-MiniLM-L6-v2 unless it is set.",
    )
    max_error: float = Field(
        default=0.05,
        gt=0,
        lt=1,
        description="Share of wrong first suggestions that is accepted among the questions answered for agents;"
        " `firstline kb build` derives the threshold.",
    )
    max_error_assistant: float = Field(
        default=0.02,
        gt=0,
        lt=1,
        description="The same share for what the assistant sends without a person; at most as large.",
    )
    unanswerable_share: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="Share of customers' questions that no snippet answers, as `firstline kb build` assumes it.",
    )
    max_lost: int = Field(
        default=0,
        ge=0,
        description="Golden questions that a publication may lose, whatever it gains.",
    )
    max_lost_share: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Share of the golden questions answered as expected before that a publication may lose.",
    )
    max_lost_accepted: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="Share of customers' questions with an accepted answer that a publication may lose beyond"
        " those that it gains.",
    )
    auto_publish: bool = Field(
        default=False,
        description="1 publishes by itself what was approved and passes the gate.",
    )
    desk_key: SecretStr | None = Field(
        default=None,
        description="API key with the scope `assist`, with which the bot asks for answers.",
    )
    max_body_bytes: int = Field(
        # A request of 20 messages with 1,000 characters of 4 bytes each is 80 kB: ten times that.
        default=MIB,
        ge=1024,
        description="Largest request body in bytes, except on webhooks and of an import.",
    )
    max_webhook_bytes: int = Field(
        # WhatsApp sends up to 3 MB; refusing a legal event would lose it.
        default=4 * MIB,
        ge=1024,
        description="Largest webhook body in bytes.",
    )
    max_import_bytes: int = Field(default=8 * MIB, ge=1024, description="Largest upload in bytes.")
    bot_threads: int = Field(
        default=2,
        ge=1,
        le=32,
        description="Conversations that one worker lets the assistant answer at a time.",
    )
    send_threads: int = Field(
        default=2, ge=1, le=32, description="Replies that one worker sends at a time."
    )
    lease_seconds: float = Field(
        # Twice what a send (15 s) may take and more: a sender that lives never loses its lease.
        default=45.0,
        ge=1.0,
        le=600.0,
        description="Seconds after which the work of a worker that died is given to another one.",
    )
    retry_seconds: tuple[float, ...] = Field(
        # Svix's published table; a reply that is a day old needs a person's eye, not another try.
        default=(5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 36000.0),
        description="Longest waits in seconds before a reply is tried again, JSON; then it is given up.",
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=64,  # beyond that somebody mistyped
        description="Serving processes on one port; about one for each core that is free.",
    )
    max_drift: float = Field(
        # See compliance.drift.DriftLimits: a greeting or a closing sentence stays below it.
        default=0.3,
        ge=0.0,
        le=1.0,
        description="Share of a reply that may differ from its approved text without a reason, 0 to 1.",
    )
    block_drift: float = Field(
        # Beyond it most of what the customer reads was approved by nobody.
        default=0.6,
        ge=0.0,
        le=1.0,
        description="Share from which on a reply counts as written freely and not as its draft, 0 to 1.",
    )
    keep_questions_days: int = Field(
        # A season: long enough to see a trend, short enough that nobody is followed by it.
        default=90,
        ge=0,
        le=3650,
        description="Days that questions without a confident suggestion are kept, with personal data masked;"
        " 0 keeps none.",
    )
    checkpoint_minutes: int = Field(
        # An hour is the most that can be cut off the audit chain without its checkpoints showing it.
        default=60,
        ge=0,
        le=10_080,  # a week
        description="Minutes between two signed checkpoints of the audit chain, made by the worker; 0 makes none.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe level that is logged."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description="json, console, or auto: console on a terminal and json anywhere else.",
    )

    @field_validator("url")
    @classmethod
    def _url_is_http(cls, value: str | None) -> str | None:
        return None if value is None else _http_url(value)

    @field_validator("bot_url")
    @classmethod
    def _bot_url_is_http(cls, value: str) -> str:
        return value if value == NO_BOT else _http_url(value)

    @field_validator("secret")
    @classmethod
    def _secret_is_strong(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is not None and not info.data.get("demo", False):
            _refuse_weak(value.get_secret_value())
        return value

    @field_validator("accounts")
    @classmethod
    def _accounts_differ(cls, value: tuple[Account, ...]) -> tuple[Account, ...]:
        names = [(a.channel, a.account) for a in value]
        if len(names) != len(set(names)):
            msg = "two entries have the same channel and account"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _demo_stays_at_home(self) -> Self:
        if self.demo and not _is_loopback(self.host):
            msg = (
                f"{PREFIX}DEMO=1 listens on this machine only: unset {PREFIX}HOST or {PREFIX}DEMO"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _drift_limits_in_order(self) -> Self:
        if self.max_drift > self.block_drift:
            msg = f"{PREFIX}MAX_DRIFT: is above {PREFIX}BLOCK_DRIFT: it must be the smaller of the two"
            raise ValueError(msg)
        return self

    @property
    def place(self) -> Home:
        """The folders and the database of this installation."""
        return Home.at(self.home.absolute(), database_url=self.database_url or None)

    @property
    def public_url(self) -> str:
        """Where people and the bot reach the service, without a slash at the end."""
        return (self.url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def secure_cookies(self) -> bool:
        """Whether browsers reach us over https, so that cookies can be Secure and `__Host-`."""
        return self.public_url.startswith("https://")

    def account(self, channel: str, account: str) -> Account | None:
        """The configured account, if there is one."""
        return next(
            (a for a in self.accounts if (a.channel, a.account) == (channel, account)), None
        )


def load_settings(*, serving: bool = True) -> Settings:
    """The settings of the environment.

    `serving` asks for what a service or worker needs beside: a secret. In the demo a missing one is
    made up, so sessions end with the process. Raises ConfigurationError that names each variable.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        raise ConfigurationError(_explain(error)) from None  # its own text would show the values
    except SettingsError as error:
        raise ConfigurationError(_explain_unparsable(error)) from None
    if not serving or settings.secret is not None:
        return settings
    if settings.demo:
        return settings.model_copy(update={"secret": SecretStr(secrets.token_hex(SECRET_MIN))})
    msg = f"{PREFIX}SECRET is not set: set it to the output of `openssl rand -hex 32`"
    raise ConfigurationError(msg)


def _refuse_weak(secret: str) -> None:
    """Raise ValueError for a secret that somebody could guess."""
    mend = "use the output of `openssl rand -hex 32`"
    if len(secret) < SECRET_MIN:
        msg = f"is too short ({len(secret)} of at least {SECRET_MIN} characters): {mend}"
        raise ValueError(msg)
    periodic = secret in (secret + secret)[1:-1]
    if periodic or len(set(secret)) < SECRET_MIN_DISTINCT:
        msg = f"repeats itself too much to be random: {mend}"
        raise ValueError(msg)
    if any(word in secret.lower() for word in SECRET_PLACEHOLDERS):
        msg = f"looks like a placeholder: {mend}"
        raise ValueError(msg)


def _refuse_unusable(secret: str) -> None:
    """Raise ValueError for what is no Standard Webhooks secret; else each event would be refused later."""
    mend = f"use `{WEBHOOK_SECRET_PREFIX}` and the output of `openssl rand -base64 32`"
    if not secret.startswith(WEBHOOK_SECRET_PREFIX):
        msg = f"does not start with `{WEBHOOK_SECRET_PREFIX}`: {mend}"
        raise ValueError(msg)
    encoded = secret.removeprefix(WEBHOOK_SECRET_PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        msg = f"is not base64 after `{WEBHOOK_SECRET_PREFIX}`: {mend}"
        raise ValueError(msg) from None
    if len(key) < WEBHOOK_SECRET_MIN:
        msg = f"is too short ({len(key)} of at least {WEBHOOK_SECRET_MIN} bytes): {mend}"
        raise ValueError(msg)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        msg = "must be an http:// or https:// address"
        raise ValueError(msg)
    return value


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        reason = problem["msg"].removeprefix("Value error, ")
        if not problem["loc"]:  # about several settings: the reason names them
            lines.append(reason)
            continue
        name, *rest = problem["loc"]
        inner = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)
        where = PREFIX + str(name).upper() + "".join(inner)
        lines.append(f"{where}: {reason}")
    return "; ".join(lines) + " (see .env.example)"


def _explain_unparsable(error: SettingsError) -> str:
    # The message is `error parsing value for field "accounts" from source "..."`.
    field_name = str(error).split('"')[1] if '"' in str(error) else "accounts"
    return f"{PREFIX}{field_name.upper()}: is not valid JSON (see .env.example)"
