"""The key pair in files: made once, readable by its owner only, replaced without losing a public half."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from knowledge_base.errors import ConfigurationError
from knowledge_base.store import signing

# RFC 8032, section 7.1, test 2.
RFC_PUBLIC = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
RFC_MESSAGE = "72"
RFC_SIGNATURE = (
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_a_published_signature_is_accepted() -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    key = signing.PublicKey(Ed25519PublicKey.from_public_bytes(bytes.fromhex(RFC_PUBLIC)))
    assert key.signed(bytes.fromhex(RFC_MESSAGE), RFC_SIGNATURE)
    assert not key.signed(b"s", RFC_SIGNATURE)
    assert not key.signed(bytes.fromhex(RFC_MESSAGE), RFC_SIGNATURE[:-2] + "01")
    for broken in ("", "zz", RFC_SIGNATURE[:-2]):
        assert not key.signed(bytes.fromhex(RFC_MESSAGE), broken)


def test_the_key_is_made_once_and_closed_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    made = signing.signing_key(folder)
    assert signing.signing_key(folder).public.fingerprint == made.public.fingerprint
    assert stat.S_IMODE((folder / "audit.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert set(signing.public_keys(folder)) == {made.public.fingerprint}
    assert [p.name for p in (folder / "public").iterdir()] == [f"{made.public.fingerprint}.pem"]
    assert b"PRIVATE" not in (folder / "public" / f"{made.public.fingerprint}.pem").read_bytes()


def test_many_at_once_use_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: signing.signing_key(tmp_path / "keys"), range(24)))
    assert len({key.public.fingerprint for key in keys}) == 1


def test_a_new_key_keeps_the_old_public_half(tmp_path: Path) -> None:
    old = signing.signing_key(tmp_path)
    fresh = signing.new_key()
    signing.rotate(tmp_path, fresh)
    assert signing.signing_key(tmp_path).public.fingerprint == fresh.public.fingerprint
    known = signing.public_keys(tmp_path)
    assert set(known) == {old.public.fingerprint, fresh.public.fingerprint}
    assert known[old.public.fingerprint].signed(b"x", old.sign(b"x"))
    assert not known[fresh.public.fingerprint].signed(b"x", old.sign(b"x"))


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    signing.signing_key(tmp_path)
    (tmp_path / "audit.pem").chmod(0o640)
    with pytest.raises(ConfigurationError, match="other people can read this .*chmod 600"):
        signing.signing_key(tmp_path)


def test_a_broken_private_key_is_not_replaced_silently(tmp_path: Path) -> None:
    signing.signing_key(tmp_path)
    (tmp_path / "audit.pem").write_text("oops")
    with pytest.raises(ConfigurationError, match="is not an Ed25519 private key: restore it"):
        signing.signing_key(tmp_path)
    assert (tmp_path / "audit.pem").read_text() == "oops"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file")
    with pytest.raises(ConfigurationError, match="the signing key cannot be used"):
        signing.signing_key(tmp_path / "keys")


def test_several_public_keys_in_one_file(tmp_path: Path) -> None:
    keys = [signing.new_key().public for _ in range(3)]
    file = tmp_path / "all.pem"
    file.write_text("for the auditor\n" + "\n".join(key.pem() for key in keys))
    assert set(signing.read_public_keys([file])) == {key.fingerprint for key in keys}


def test_what_is_no_public_key_is_refused(tmp_path: Path) -> None:
    signing.signing_key(tmp_path)
    elliptic = generate_private_key(SECP256R1()).public_key()
    other = elliptic.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for content, complaint in (
        ((tmp_path / "audit.pem").read_bytes(), "is a PRIVATE key, which must not leave"),
        (b"hello", "holds no public key"),
        (other, "is not an Ed25519 public key"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "is not an Ed25519"),
    ):
        (tmp_path / "key.pem").write_bytes(content)
        with pytest.raises(ConfigurationError, match=complaint):
            signing.read_public_keys([tmp_path / "key.pem"])
    with pytest.raises(ConfigurationError, match="cannot be read"):
        signing.read_public_keys([tmp_path / "none.pem"])
