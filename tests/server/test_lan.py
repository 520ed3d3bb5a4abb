"""`renzheng serve --lan`: what it leaves in the keys folder."""

from __future__ import annotations

import os
import ssl
import stat
from pathlib import Path

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
