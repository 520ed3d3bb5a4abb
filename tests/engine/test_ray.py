"""The way to a replica and back, without a cluster: what goes wrong is busy, lost or the picture's fault, no more."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from renzheng.base.defaults import JUDGE_SECONDS
from renzheng.engine import packs
from renzheng.engine.interface import EngineUnusableError
from renzheng.engine.limits import EngineLimits
from renzheng.engine.measurement import Comparison, PhotoReport
from renzheng.engine.media import MediaError
from renzheng.engine.workers import BusyError, WorkerDiedError
from renzheng.engine_ray import cluster, courier, engine, link, replica, seal
from renzheng.engine_ray import messages as m
from renzheng.engine_ray.seal import Seal, SealError
from renzheng.server.engines import make_engine
from renzheng.settings import SettingsError, load_settings

TOKEN, MAKER = "0123456789abcdef" * 2, b"this engine"
COMPARED = Comparison("ok", None, 91.5, (0.71,), "scale")


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another task does."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


class Behind:
    """The engine of a replica: gives what it is told to."""

    def __init__(self) -> None:
        self.given: Any = COMPARED
        self.asked: list[Any] = []
        self.cancelled = 0

    async def compare(self, templates: list[bytes], photo: bytes) -> Comparison:
        self.asked.append((templates, photo))
        if isinstance(self.given, Exception):
            raise self.given
        if isinstance(self.given, asyncio.Event):
            try:
                await self.given.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        return COMPARED


def replica_of(behind: Any, maker: bytes = MAKER, token: str = TOKEN) -> replica.Replica:
    made = replica.Replica.__new__(replica.Replica)
    made._engine, made._seal, made._maker = behind, Seal(token), maker
    return made


class Handle:
    """Serve's handle, over a replica in this process. ``error``: raised instead of using one."""

    def __init__(self, over: replica.Replica, error: Exception | None = None) -> None:
        self.ask = self.is_same = self
        self._over, self.error = over, error

    async def remote(self, maker: bytes, sealed: bytes | None = None) -> bytes | bool:
        if self.error:
            raise self.error
        return await (self._over.is_same(maker) if sealed is None else self._over.ask(maker, sealed))


class Near(link.Link):
    """Its courier is a task of this process; ``handle``: what the couriers of now speak to."""

    handle: Handle
    seconds = 60.0

    def _spawn(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        carrier = courier.Courier(cast(Any, self.handle), MAKER, Seal(TOKEN), self.seconds)
        self.couriers = [*getattr(self, "couriers", []), asyncio.ensure_future(courier.serve(carrier, theirs))]
        return ours


@pytest.fixture
async def near(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Near]:
    monkeypatch.setattr(link, "FIRST_PAUSE", 0.0)
    made = Near("ray://head:1", EngineLimits(), 60)
    made.handle = Handle(replica_of(Behind()))
    await made.start()
    yield made
    await made.stop()
    await asyncio.gather(*made.couriers, return_exceptions=True)


def compare(over: link.Link, *templates: bytes) -> Any:
    parts = [*templates, b"photo"]
    return over.ask(m.CompareQuestion([len(part) for part in parts]), b"".join(parts))


def behind(over: Near) -> Behind:
    return cast(Behind, over.handle._over._engine)


async def test_a_question_arrives_whole_and_its_answer_comes_back(near: Near) -> None:
    answer, payload = await compare(near, b"one", b"", b"three")
    assert (answer.comparison, payload) == (COMPARED, b"")
    assert behind(near).asked == [([b"one", b"", b"three"], b"photo")]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (MediaError("corrupt", "no picture"), MediaError),
        (BusyError("full"), BusyError),
        (WorkerDiedError("died"), WorkerDiedError),
        (RuntimeError("of ours"), WorkerDiedError),
    ],
)
async def test_what_goes_wrong_in_a_replica_is_told_as_what_it_is(
    near: Near, fault: Exception, told: type[Exception]
) -> None:
    behind(near).given = fault
    with pytest.raises(told):
        await compare(near)


async def test_what_reached_no_replica_was_not_begun_and_all_else_is_lost(near: Near) -> None:
    names = {**dict.fromkeys(courier.NOTHING_BEGUN, BusyError), "ActorDiedError": WorkerDiedError}
    for name, told in names.items():
        near.handle.error = type(name, (Exception,), {})("with a secret")
        with pytest.raises(told) as raised:
            await compare(near)
        assert "secret" not in str(raised.value)


async def test_an_answer_that_does_not_come_is_lost_and_its_work_is_ended(near: Near) -> None:
    near.seconds, behind(near).given = 0.01, asyncio.Event()
    near.couriers[0].cancel()  # the next has that limit
    await until(lambda: len(near.couriers) > 1 and near.trouble is None)
    with pytest.raises(WorkerDiedError, match=r"no answer of the cluster in 0\.01 s"):
        await compare(near)
    assert behind(near).cancelled == 1


async def test_a_courier_that_stands_still_is_replaced(near: Near, monkeypatch: pytest.MonkeyPatch) -> None:
    behind(near).given = asyncio.Event()
    monkeypatch.setattr(link, "GRACE_SECONDS", 0.01 - 60)
    with pytest.raises(WorkerDiedError, match="stood still"):
        await compare(near)
    monkeypatch.undo()
    behind(near).given = COMPARED
    await until(lambda: len(near.couriers) > 1 and near.trouble is None)
    assert (await compare(near))[0].comparison == COMPARED


async def test_work_that_nobody_waits_for_is_ended(near: Near) -> None:
    behind(near).given = asyncio.Event()
    asked = asyncio.create_task(compare(near))
    await until(lambda: bool(behind(near).asked))
    asked.cancel()
    await until(lambda: behind(near).cancelled == 1)
    with contextlib.suppress(asyncio.CancelledError):
        await asked


async def test_many_are_asked_at_once_and_each_gets_its_own(near: Near) -> None:
    behind(near).given = gate = asyncio.Event()
    asked = [asyncio.create_task(compare(near, bytes([number]))) for number in range(8)]
    await until(lambda: len(behind(near).asked) == 8)
    gate.set()
    assert [answer.comparison for answer, _ in await asyncio.gather(*asked)] == [COMPARED] * 8


async def test_another_courier_takes_over_and_what_the_first_carried_is_lost(near: Near) -> None:
    behind(near).given = asyncio.Event()
    carried = asyncio.create_task(compare(near))
    await until(lambda: bool(behind(near).asked))
    near.couriers[0].cancel()
    with pytest.raises(WorkerDiedError):
        await carried
    await until(lambda: near.trouble is None)
    behind(near).given = COMPARED
    assert (await compare(near))[0].comparison == COMPARED
    assert near.restarts == 1


async def test_nothing_is_begun_while_the_cluster_is_not_reached(near: Near, monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage, however long, costs no verification a lease."""

    async def refuse() -> None:
        raise EngineUnusableError("Ray is not reached")

    monkeypatch.setattr(near, "_connect", refuse)
    near.couriers[0].cancel()
    await until(lambda: near.trouble == "Ray is not reached")
    with pytest.raises(BusyError, match="Ray is not reached"):
        await compare(near)


async def test_a_replica_of_another_version_or_with_other_models_judges_nothing(near: Near) -> None:
    near.handle._over = replica_of(Behind(), maker=b"another engine")
    for _ in range(2):
        with pytest.raises(BusyError, match="renzheng engine deploy"):
            await compare(near)
    assert (behind(near).asked, near.trouble) == ([], m.OTHER_ENGINE)
    near._foreign_until = 0.0  # later
    near.handle._over = replica_of(Behind())
    assert (await compare(near))[0].comparison == COMPARED


async def test_who_starts_beside_replicas_of_another_version_is_told_so() -> None:
    made = Near("ray://head:1", EngineLimits(), 60)
    made.handle = Handle(replica_of(Behind(), maker=b"another engine"))
    with pytest.raises(EngineUnusableError, match="renzheng engine deploy"):
        await made.start()
    made.handle.error = RuntimeError("no replica had the time to say so")
    await made.start()
    await made.stop()


async def test_a_replica_with_another_token_reads_nothing(near: Near) -> None:
    near.handle._over = replica_of(Behind(), token="another token")
    with pytest.raises(WorkerDiedError):
        await compare(near)
    assert behind(near).asked == []


def test_no_byte_of_a_face_travels_in_the_clear() -> None:
    sealed = Seal(TOKEN).seal(m.pack(m.ExamineQuestion(), b"a face" * 50))
    assert b"face" not in sealed
    assert m.read_question(Seal(TOKEN).open(sealed)) == (m.ExamineQuestion(), b"a face" * 50)
    for damaged in (sealed[:-1], b"", b"x" * 40, sealed[:20] + b"!" + sealed[21:]):
        with pytest.raises(SealError):
            Seal(TOKEN).open(damaged)


def test_the_token_is_looked_for_where_ray_looks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(EngineUnusableError, match="RAY_AUTH_TOKEN"):
        seal.token()
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text(f"{TOKEN}1\n")
    assert seal.token() == f"{TOKEN}1"
    (tmp_path / "token").write_text(f"{TOKEN}2")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    assert seal.token() == f"{TOKEN}2"
    monkeypatch.setenv("RAY_AUTH_TOKEN", "short")
    with pytest.raises(EngineUnusableError, match="shorter than 32"):
        seal.token()
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with pytest.raises(EngineUnusableError, match="RAY_AUTH_MODE"):
        seal.token()


@pytest.mark.parametrize(
    ("without", "given", "sentence"),
    [
        ("UNAUTHENTICATED", "OK", None),
        ("OK", "OK", "asks for no token"),
        ("UNAUTHENTICATED", "UNAUTHENTICATED", "does not take this token"),
        ("UNAVAILABLE", "UNAVAILABLE", "does not answer"),
        ("UNAUTHENTICATED", "DEADLINE_EXCEEDED", "does not answer"),
    ],
)
def test_a_cluster_is_used_only_if_it_asks_for_its_token(
    monkeypatch: pytest.MonkeyPatch, without: str, given: str, sentence: str | None
) -> None:
    monkeypatch.setattr(cluster, "_ping", lambda host, secret: given if secret else without)
    if sentence is None:
        cluster._check_guarded("head:1", TOKEN)
    else:
        with pytest.raises(EngineUnusableError, match=sentence):
            cluster._check_guarded("head:1", TOKEN)


def test_what_a_replica_says_is_found_in_the_text_of_ray() -> None:
    told = f"Traceback ...\nEngineUnusableError: {replica.REFUSES}models of a node: Detection: missing\n  at x"
    assert cluster.refusal(told) == "models of a node: Detection: missing"
    assert "no renzheng" in cluster.refusal("ModuleNotFoundError: No module named 'renzheng'")
    assert cluster.refusal("Deployment is updating") == ""


def test_a_replica_starts_only_with_the_models_that_it_was_deployed_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wanted = replica.digests()
    replica._check_packs(wanted)
    with pytest.raises(EngineUnusableError, match="detection: another model"):
        replica._check_packs({**wanted, "detection": "0" * 64})
    monkeypatch.setenv("RENZHENG_MODELS_DIR", str(tmp_path))
    pack = packs.pack_for("detection")
    pack.path(tmp_path).parent.mkdir(parents=True)
    pack.path(tmp_path).write_bytes(b"other weights")
    with pytest.raises(EngineUnusableError, match=f"{pack.title}: wrong digest"):
        replica._check_packs(wanted)


def test_a_replica_forbids_dumps_of_faces_before_all_else(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    for name in ("forbid_dumps", "_check_packs", "EngineWorkers"):
        monkeypatch.setattr(replica, name, lambda *_, name=name, **__: done.append(name))
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    replica.Replica(msgspec.json.encode(EngineLimits()), {})
    assert done == ["forbid_dumps", "_check_packs", "EngineWorkers"]


def test_without_ray_or_its_token_a_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(engine="ray://head:10001")
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    monkeypatch.setattr(engine, "find_spec", lambda name: None)
    with pytest.raises(EngineUnusableError, match=r"pip install 'renzheng\[ray\]'"):
        make_engine(settings)
    monkeypatch.setattr(engine, "find_spec", lambda name: "there")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "/nonexistent")
    with pytest.raises(EngineUnusableError, match="token"):
        make_engine(settings)


@pytest.mark.parametrize(
    "address", ["ray://", "ray://head", "http://head:1", "ray://head:1/x", "ray://me@head:1", "head:1"]
)
def test_an_address_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("RENZHENG_ENGINE", address)
    with pytest.raises(SettingsError, match=r"RENZHENG_ENGINE: say the client port"):
        load_settings()


def test_bounds_of_processes_make_no_other_engine_and_all_others_do() -> None:
    limits = EngineLimits()
    slower = replace(limits, workers=replace(limits.workers, judge_seconds=2 * JUDGE_SECONDS))
    stricter = replace(limits, judging=replace(limits.judging, depth=replace(limits.judging.depth, residual=0.5)))
    assert replica.maker(slower) == replica.maker(limits)
    assert replica.maker(stricter) != replica.maker(limits)


def test_a_photo_that_is_too_large_never_leaves_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    monkeypatch.setattr(engine, "find_spec", lambda name: "there")
    made = engine.RayEngine("ray://head:1")
    with pytest.raises(MediaError):
        asyncio.run(cast(Any, made.examine(b"x" * (made.limits.media.max_bytes + 1))))
    assert not made.can_judge
    assert made.down()[-1].startswith("ray (")


def test_a_report_survives_the_way() -> None:
    report = PhotoReport("ok", 1, width=5, height=6, format="png", quality=None)
    answer, _ = m.read_answer(m.pack(m.ExamineAnswer(report)), m.ExamineAnswer)
    assert answer == m.ExamineAnswer(report)
