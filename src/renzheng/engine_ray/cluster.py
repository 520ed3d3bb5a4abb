"""Reaches a Ray cluster by its client port, and manages the Serve application that runs there.

With ``courier`` the only module that imports Ray, and only inside functions: importing takes seconds, and Ray is an
extra.
"""

from __future__ import annotations

import logging
import os
import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from renzheng.engine.interface import EngineUnusableError
from renzheng.engine.limits import EngineLimits
from renzheng.engine_ray.replica import REFUSES, Replica, digests
from renzheng.engine_ray.seal import token

if TYPE_CHECKING:
    from ray.serve.handle import DeploymentHandle

APPLICATION = "renzheng-engine"
SCHEME = "ray://"
PROBE_SECONDS = 10.0
CONNECT_TRIES = 3
"""Tries to connect. The head starts a process for each client, and a busy or new head gives up waiting for it."""
DEPLOY_POLL_SECONDS = 0.5
DEPLOY_SECONDS = 300.0
CPUS = 1
"""Processors of a replica: its judge uses one thread, and its decoder runs only while the judge waits for it."""
CLIENT = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_CLIENT_RECONNECT_GRACE_PERIOD": "5",  # the default is a minute, in which calls hang
    "RAY_SERVE_QUEUE_LENGTH_RESPONSE_DEADLINE_S": "2",  # the default is a tenth of this, which a busy machine misses
}
"""Environment of a process that talks to the cluster, to be set before it imports Ray."""
_PING = ("/ray.rpc.RayletDriver/ClusterInfo", b"\x08\x06")
"""The client port's own keep-alive call, as Ray's clients send it first."""


def connect(address: str) -> None:
    """Connect this process, once, to a cluster that requires its token. Raises EngineUnusableError."""
    secret = token()
    os.environ.update(CLIENT)
    _check_guarded(address.removeprefix(SCHEME), secret)
    import ray

    for last in range(1 - CONNECT_TRIES, 1):
        try:
            ray.init(address, namespace=APPLICATION, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError) as error:  # if the versions differ, Ray's own text names both
            if last == 0 or "Initialization failure" not in str(error):
                raise EngineUnusableError(f"Ray at {address} cannot be used: {_short(error)}") from None
        else:
            return


def _check_guarded(host: str, secret: str) -> None:
    """Check that the cluster requires its token. Raises EngineUnusableError.

    Ray Client itself reports a wrong token and a wrong port alike, after half a minute. It also accepts a cluster
    without a token, in which anybody who reaches the port can run programs.
    """
    without, given = _ping(host, None), _ping(host, secret)
    if "UNAVAILABLE" in (without, given) or "DEADLINE_EXCEEDED" in (without, given):
        raise EngineUnusableError(
            f"Ray at {host} does not answer: is it the client port of the head (10001 unless `ray start` says another)?"
        )
    if without != "UNAUTHENTICATED":
        raise EngineUnusableError(f"Ray at {host} asks for no token: start its nodes with RAY_AUTH_MODE=token")
    if given == "UNAUTHENTICATED":
        raise EngineUnusableError(f"Ray at {host} does not take this token: every node and caller need the same one")


def _ping(host: str, secret: str | None) -> str:
    """Return the name of the call's status."""
    import grpc

    with _channel(host) as channel:
        call = channel.unary_unary(_PING[0])
        try:
            call(_PING[1], timeout=PROBE_SECONDS, metadata=(("authorization", f"Bearer {secret}"),) if secret else ())
        except grpc.RpcError as error:
            return str(error.code().name)
    return "OK"


def _channel(host: str) -> Any:
    """Open a channel, with TLS as Ray's own variables say."""
    import grpc

    if os.environ.get("RAY_USE_TLS", "0").lower() not in ("1", "true"):
        return grpc.insecure_channel(host)
    try:
        files = [os.environ[name] for name in ("RAY_TLS_CA_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_SERVER_CERT")]
        authority, key, certificate = (open(file, "rb").read() for file in files)  # noqa: SIM115
    except (KeyError, OSError) as error:
        raise EngineUnusableError(f"RAY_USE_TLS needs the files that Ray's guide names: {error}") from None
    return grpc.secure_channel(host, grpc.ssl_channel_credentials(authority, key, certificate))


def handle(address: str) -> DeploymentHandle[Any]:
    """Return the handle of the deployed application. Raises EngineUnusableError if there is none."""
    from ray import serve
    from ray.serve.exceptions import RayServeException

    try:
        return serve.get_app_handle(APPLICATION)
    except RayServeException:
        raise EngineUnusableError(f"Ray at {address} has no engine: run renzheng engine deploy") from None


class Status(NamedTuple):
    """The application's state: Ray's word for it, why (or ""), and how many replicas run."""

    state: str
    why: str
    running: int


def status() -> Status:
    """Return the application's state in this process's cluster."""
    from ray import serve

    found = serve.status().applications.get(APPLICATION)
    if found is None:
        return Status("NOT_STARTED", "", 0)
    parts = list(found.deployments.values())
    texts = " ".join([found.message, *(part.message for part in parts)])
    return Status(str(found.status.value), texts, sum(part.replica_states.get("RUNNING", 0) for part in parts))


def deploy(limits: EngineLimits, replicas: int) -> None:
    """Start the application, or replace what runs there, and wait until every replica runs.

    Raises EngineUnusableError with the reason; PackError without models here.
    """
    from ray import serve

    serve.start(http_options={"location": "NoServer"})  # the application is reached by handles alone
    deployment = serve.deployment(
        Replica,
        name="Engine",
        num_replicas=replicas,
        max_ongoing_requests=1,
        max_queued_requests=limits.workers.judge_queue,
        ray_actor_options={"num_cpus": CPUS},
        graceful_shutdown_timeout_s=limits.workers.judge_seconds,
    )
    built = deployment.bind(msgspec.json.encode(limits), digests())
    serve.run_many(
        [serve.RunTarget(built, name=APPLICATION, route_prefix=None)],
        wait_for_ingress_deployment_creation=False,
        wait_for_applications_running=False,
    )
    _wait(replicas)


def _wait(replicas: int) -> None:
    ends = time.monotonic() + DEPLOY_SECONDS
    while True:
        found = status()
        if found.state == "RUNNING":
            return
        told = refusal(found.why)
        if found.state in ("DEPLOY_FAILED", "UNHEALTHY") or told:
            raise EngineUnusableError(told or f"the engine did not start: {_short(found.why) or found.state}")
        if time.monotonic() > ends:
            raise EngineUnusableError(
                f"{found.running} of {replicas} replicas started in {DEPLOY_SECONDS:g} s: each takes {CPUS} CPU of the "
                f"cluster ({_short(found.why) or found.state})"
            )
        time.sleep(DEPLOY_POLL_SECONDS)


def refusal(told: str) -> str:
    """Return what a replica itself said, from a text of Ray's with tracebacks; else an empty text."""
    found = re.search(f"{re.escape(REFUSES)}(.+)", told)
    if found:
        return found[1].strip()
    if "No module named 'renzheng" in told:
        return "a node of the cluster has no renzheng: install the same version on every node"
    return ""


def remove() -> None:
    """End the application."""
    from ray import serve

    serve.delete(APPLICATION)


def _short(told: object) -> str:
    """Return the first line, and the last, in which a traceback has its reason."""
    lines = [line.strip() for line in str(told).splitlines() if line.strip()]
    return " ... ".join(dict.fromkeys([*lines[:1], *lines[-1:]]))
