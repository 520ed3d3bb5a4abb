"""GetFaceIdToken (BUSINESS, durable, sealed, logged) against a hello, and moto against it.

Two hellos: `/healthz` of the same running server, and the HTTP server alone with nothing behind it, which is the
floor. CPU a request of the process that answers, in interleaved rounds; a ratio is that of the medians.
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
from collections.abc import Iterator

import botocore.auth
import botocore.awsrequest
import botocore.credentials

from bench.load import (
    Target,
    hello,
    is_token,
    measure,
    percentile,
    renzheng,
    target_of,
    token_request,
    wait_for,
)
from tests.support.server import free_port

ROUNDS, REQUESTS, CONNECTIONS = 7, 2000, 32
MOTO_REQUESTS = 300


@contextlib.contextmanager
def moto() -> Iterator[Target]:
    """moto's server, asked a signed STS call: what a Python emulator of a cloud commonly costs."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    call = botocore.awsrequest.AWSRequest("POST", f"http://127.0.0.1:{port}/", headers=headers, data=body)
    keys = botocore.credentials.Credentials("AKIDEXAMPLE", "secret")
    botocore.auth.SigV4Auth(keys, "sts", "us-east-1").add_auth(call)
    lines = [f"{name}: {value}" for name, value in call.headers.items()]
    head = "\r\n".join(["POST / HTTP/1.1", f"Host: 127.0.0.1:{port}", *lines, f"Content-Length: {len(body)}", "", ""])
    try:
        wait_for(port)
        yield Target("moto GetCallerIdentity", port, process.pid, head.encode() + body)
    finally:
        process.kill()
        process.wait()


def main() -> None:
    costs: dict[str, list[float]] = {}
    times: list[float] = []
    with renzheng() as server, moto() as peer:
        ours = target_of(server, token_request(server))
        with hello(ours.request) as floor:
            # The same head and body, so that both are read and parsed alike.
            there = target_of(server, ours.request.replace(b"POST / ", b"GET /healthz ", 1), "healthz")
            plan = [
                (there, REQUESTS, lambda body: body == b"ok\n"),
                (floor, REQUESTS, lambda _: True),
                (ours, REQUESTS, is_token),
                (peer, MOTO_REQUESTS, lambda b: b"Arn" in b),
            ]
            for target, count, check in plan:
                measure(target, count // 5, CONNECTIONS, check)
            for _ in range(ROUNDS):
                for target, count, check in plan:
                    cpu, seconds = measure(target, count, CONNECTIONS if target is not peer else 4, check)
                    costs.setdefault(target.name, []).append(cpu)
                    if target is ours:
                        times += seconds
    medians = {name: statistics.median(values) for name, values in costs.items()}
    for name, value in medians.items():
        spread = f"{min(costs[name]) * 1e6:.0f} to {max(costs[name]) * 1e6:.0f}"
        print(f"{name:<24} {value * 1e6:8.0f} µs CPU a request ({spread} over {ROUNDS} rounds)")
    ours_cpu = medians["GetFaceIdToken"]
    print(
        f"GetFaceIdToken : healthz on the same server   {ours_cpu / medians['healthz']:.2f}   (at most 3.5, goal 2.0)"
    )
    print(f"GetFaceIdToken : HTTP server alone      {ours_cpu / medians['hello']:.2f}")
    ratio = medians["moto GetCallerIdentity"] / medians["GetFaceIdToken"]
    print(f"moto : GetFaceIdToken    {ratio:.1f}   (at least 12, goal 25)")
    print(
        f"latency at {CONNECTIONS} connections: p50 {percentile(times, 0.5) * 1e3:.1f} ms, "
        f"p99 {percentile(times, 0.99) * 1e3:.1f} ms"
    )


if __name__ == "__main__":
    main()
