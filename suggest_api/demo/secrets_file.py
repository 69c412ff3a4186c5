"""The demo's own secrets: made once, kept in the home for the next start, readable by the owner only."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from knowledge_base.errors import ConfigurationError
from knowledge_base.home import Home

OWNER_ONLY = 0o600
BYTES = 32  # 256 random bits each


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSecrets:
    """What the parts share, and how the script signs in. An empty value was not made yet."""

    service: str
    webhook: str
    desk_key: str = ""
    script_key: str = ""
    script_password: str = ""

    @classmethod
    def fresh(cls) -> DemoSecrets:
        """New random secrets; the keys come from the database and are added by the seed."""
        webhook = "whsec_" + base64.b64encode(secrets.token_bytes(BYTES)).decode()
        return cls(service=secrets.token_hex(BYTES), webhook=webhook)


def secrets_path(home: Home) -> Path:
    """Where they lie."""
    return home.root / "demo" / "secrets.json"


def load_or_make(home: Home) -> DemoSecrets:
    """The secrets of this home, made and written on first use. Raises ConfigurationError for a spoilt file."""
    path = secrets_path(home)
    if not path.exists():
        made = DemoSecrets.fresh()
        save(home, made)
        return made
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        known = {field.name for field in fields(DemoSecrets)}
        return DemoSecrets(**{name: value for name, value in stored.items() if name in known})
    except (ValueError, TypeError, AttributeError) as error:
        msg = f"{path} cannot be read: remove it, and new secrets are made"
        raise ConfigurationError(msg) from error


def save(home: Home, kept: DemoSecrets) -> None:
    """Write them whole or not at all; nobody else may read the file at any moment."""
    path = secrets_path(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    unfinished.unlink(missing_ok=True)
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(asdict(kept), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def with_keys(
    kept: DemoSecrets, *, desk_key: str, script_key: str, script_password: str
) -> DemoSecrets:
    """The same secrets with what the seed made."""
    return replace(kept, desk_key=desk_key, script_key=script_key, script_password=script_password)
