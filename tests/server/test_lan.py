"""`renzheng serve --lan`: what it leaves in the keys folder."""

from __future__ import annotations

import datetime
import os
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from renzheng.cli.lan import certificate
from renzheng.store.keyring import prepare_folder


def test_the_server_starts_with_the_certificate_that_was_made_for_it(tmp_path: Path) -> None:
    """It refuses to start with anything in the keys folder that others can read, whatever the usual mode of files."""
    before = os.umask(0o022)
    try:
        chain, secret = certificate(tmp_path / "keys", ["192.0.2.1"])
        assert certificate(tmp_path / "keys", ["192.0.2.1"]) == (chain, secret)
        made = chain.read_bytes()
        certificate(tmp_path / "keys", ["192.0.2.1", "192.0.2.2"])
    finally:
        os.umask(before)
    prepare_folder(tmp_path / "keys")
    assert chain.read_bytes() != made
    assert {stat.S_IMODE(path.stat().st_mode) for path in (chain, secret)} == {0o600}
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, secret)


NAMES = ["192.0.2.1"]


def foreign(secret: Path) -> bytes:
    """A certificate of this key that names no machine."""
    key = serialization.load_pem_private_key(secret.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    name, now = x509.Name([]), datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=90))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    return made.public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("what", ["secret is cut", "secret of another", "secret is empty", "chain is cut", "foreign"])
def test_what_a_process_that_was_killed_left_behind_is_made_again(tmp_path: Path, what: str) -> None:
    chain, secret = certificate(tmp_path / "keys", NAMES)
    _, other = certificate(tmp_path / "other", NAMES)
    left = {
        "secret is cut": (secret, secret.read_bytes()[:100]),
        "secret of another": (secret, other.read_bytes()),
        "secret is empty": (secret, b""),
        "chain is cut": (chain, chain.read_bytes()[:100]),
        "foreign": (chain, foreign(secret)),
    }
    path, content = left[what]
    path.write_bytes(content)
    before = path.read_bytes()
    certificate(tmp_path / "keys", NAMES)
    assert path.read_bytes() != before
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, secret)
    assert sorted(one.name for one in (tmp_path / "keys").iterdir()) == sorted([chain.name, secret.name])
