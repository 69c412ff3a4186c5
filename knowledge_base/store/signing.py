"""The key pair that signs checkpoints of the audit chain: Ed25519, in files that only their owner can read.

`keys/audit.pem` is the private key, `keys/public/<fingerprint>.pem` every public key there ever was here. The
fingerprint is the SHA-256 (hex) of the 32 bytes of the public key (RFC 8032).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from knowledge_base.errors import ConfigurationError

PRIVATE = "audit.pem"
PUBLIC = "public"
OWNER_ONLY, OWNER_FOLDER = 0o600, 0o700
_PEM = re.compile(rb"-----BEGIN [^-]+-----.+?-----END [^-]+-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One half: it checks signatures, and may be given to anybody."""

    key: Ed25519PublicKey

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of its 32 bytes."""
        return hashlib.sha256(self.key.public_bytes_raw()).hexdigest()

    def signed(self, message: bytes, signature: str) -> bool:
        """Whether the signature (hex) is this key's, on exactly these bytes."""
        try:
            self.key.verify(bytes.fromhex(signature), message)
        except (InvalidSignature, ValueError):
            return False
        return True

    def pem(self) -> str:
        """As a file: PEM, SubjectPublicKeyInfo."""
        return self.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The other half, which stays where it was made."""

    key: Ed25519PrivateKey

    @property
    def public(self) -> PublicKey:
        """What others check its signatures with."""
        return PublicKey(self.key.public_key())

    def sign(self, message: bytes) -> str:
        """The signature, 128 hex digits."""
        return self.key.sign(message).hex()


def new_key() -> SigningKey:
    """A fresh pair; `keep` stores it."""
    return SigningKey(Ed25519PrivateKey.generate())


def signing_key(folder: Path) -> SigningKey:
    """The private key of this folder, made now if there is none. Raises ConfigurationError."""
    try:
        if not (folder / PRIVATE).exists():
            _keep(folder, new_key(), replace=False)
        return _load_private(folder / PRIVATE)
    except OSError as error:
        msg = f"{folder}: the signing key cannot be used: {error.strerror or error}"
        raise ConfigurationError(msg) from error


def rotate(folder: Path, fresh: SigningKey) -> None:
    """Sign with `fresh` from now on; the public keys of the earlier ones stay. Raises ConfigurationError."""
    try:
        _keep(folder, fresh, replace=True)
    except OSError as error:
        msg = f"{folder}: the signing key cannot be replaced: {error.strerror or error}"
        raise ConfigurationError(msg) from error


def public_keys(folder: Path) -> dict[str, PublicKey]:
    """Every public key of this folder, by fingerprint. Raises ConfigurationError for a file that is none."""
    return read_public_keys(sorted((folder / PUBLIC).glob("*.pem")))


def read_public_keys(files: Iterable[Path]) -> dict[str, PublicKey]:
    """The public keys of these files, each with one or more in PEM, by fingerprint.

    Raises ConfigurationError for a file that cannot be read or holds anything else.
    """
    found: dict[str, PublicKey] = {}
    for file in files:
        try:
            data = file.read_bytes()
        except OSError as error:
            msg = f"{file}: cannot be read: {error.strerror}"
            raise ConfigurationError(msg) from error
        blocks = _PEM.findall(data)
        if not blocks:
            msg = f"{file}: holds no public key (`firstline audit public-key` writes one)"
            raise ConfigurationError(msg)
        for block in blocks:
            public = _load_public(block, file)
            found[public.fingerprint] = public
    return found


def _load_public(block: bytes, file: Path) -> PublicKey:
    if b"PRIVATE" in block.split(b"\n", 1)[0]:
        msg = f"{file}: is a PRIVATE key, which must not leave its machine: give the public one"
        raise ConfigurationError(msg)
    with suppress(ValueError):  # said below, together with keys of another kind
        key = load_pem_public_key(block)
        if isinstance(key, Ed25519PublicKey):
            return PublicKey(key)
    msg = f"{file}: is not an Ed25519 public key (`firstline audit public-key` writes one)"
    raise ConfigurationError(msg)


def _load_private(file: Path) -> SigningKey:
    if file.stat().st_mode & 0o077:
        msg = f"{file}: other people can read this private key: run `chmod 600 {file}`"
        raise ConfigurationError(msg)
    with suppress(ValueError, TypeError):
        key = load_pem_private_key(file.read_bytes(), password=None)
        if isinstance(key, Ed25519PrivateKey):
            return SigningKey(key)
    msg = (
        f"{file}: is not an Ed25519 private key: restore it from a backup, or move it away to have a new"
        " one made"
    )
    raise ConfigurationError(msg)


def _keep(folder: Path, key: SigningKey, *, replace: bool) -> None:
    """The public half first: a private key whose public half is lost would sign what nobody can check."""
    folder.mkdir(mode=OWNER_FOLDER, parents=True, exist_ok=True)
    (folder / PUBLIC).mkdir(exist_ok=True)
    public = key.public
    _write(folder / PUBLIC / f"{public.fingerprint}.pem", public.pem().encode(), mode=0o644)
    pem = key.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write(folder / PRIVATE, pem, mode=OWNER_ONLY, replace=replace)


def _write(target: Path, data: bytes, *, mode: int, replace: bool = True) -> None:
    """Whole or not at all. Without `replace` the first of two processes wins, and both use its key."""
    with NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
        beside = Path(file.name)  # mode 0600 from the start
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            beside.chmod(mode)
            if replace:
                beside.replace(target)
            else:
                with suppress(FileExistsError):
                    os.link(beside, target)
        finally:
            beside.unlink(missing_ok=True)
