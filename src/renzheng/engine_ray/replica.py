"""What runs in the cluster: one decoder and one judge process, as on a server, and the questions to them.

The models have a process of their own, as a time limit can end a process, but not a running Python function.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import msgspec

from renzheng.base.dumps import forbid_dumps
from renzheng.engine import packs
from renzheng.engine.framing import lengths_of, split
from renzheng.engine.interface import EngineUnusableError
from renzheng.engine.limits import EngineLimits, WorkerLimits
from renzheng.engine.measurement import Frame
from renzheng.engine.media import MediaError
from renzheng.engine.messages import FailureAnswer, RefusalAnswer
from renzheng.engine.workers import BusyError, EngineWorkers, WorkerDiedError
from renzheng.engine_ray import messages as m
from renzheng.engine_ray.messages import OTHER_ENGINE
from renzheng.engine_ray.seal import Seal, token

REFUSES = "renzheng refuses: "
"""The prefix of a sentence for whoever deploys, as Ray passes on texts and no exceptions."""


class Replica:
    """One replica. It starts only with the models that it was deployed for, whose digests it checks."""

    def __init__(self, limits: bytes, wanted: dict[str, str]) -> None:
        """``limits``: EngineLimits as JSON. ``wanted``: SHA-256 of the pack in use for each part."""
        forbid_dumps()
        _check_packs(wanted)
        given = msgspec.json.decode(limits, type=EngineLimits)
        self._engine = EngineWorkers(_for_one(given), kinds=("decode", "judge"))
        self._seal = Seal(token())
        self._maker = maker(given)
        self._is_started = False

    async def start(self) -> None:
        """Load the models. Raises WorkerDiedError."""
        await self._engine.start()
        self._is_started = True

    async def stop(self) -> None:
        await self._engine.stop()

    async def check_health(self) -> None:
        """Raise an error while unhealthy. Ray calls this, and replaces a replica that stays unhealthy."""
        if not self._is_started:
            await self.start()
        if down := self._engine.down():
            raise WorkerDiedError(f"no process is up for: {', '.join(down)}")

    async def is_same(self, maker: bytes) -> bool:
        """Return whether this is the caller's engine; see ``ask``."""
        return maker == self._maker

    async def ask(self, maker: bytes, sealed: bytes) -> bytes:
        """Answer one question of ``messages``; both are sealed. ``maker``: the engine that the caller expects.

        A question that fails gets an answer that says so: an exception would be written into Ray's logs.
        """
        if maker != self._maker:
            return self._seal.seal(m.pack(m.BusyAnswer(OTHER_ENGINE)))
        question, payload = m.read_question(self._seal.open(sealed))
        try:
            answer = await self._answer(question, payload)
        except MediaError as error:
            answer = m.pack(RefusalAnswer(error.kind, error.message))
        except BusyError as error:
            answer = m.pack(m.BusyAnswer(str(error)))
        except WorkerDiedError as error:
            answer = m.pack(FailureAnswer(str(error)))
        return self._seal.seal(answer)

    async def _answer(self, question: m.Asked, payload: bytes) -> bytes:
        match question:
            case m.PresentQuestion():
                parts = iter(split(payload, question.lengths))
                frames = [Frame(next(parts), *origin, next(parts) or None) for origin in question.frames]
                reference = next(parts) if question.has_reference else None
                measured, templates = await self._engine.present(frames, reference)
                return m.pack(m.PresentAnswer(measured, lengths_of(templates)), b"".join(templates))
            case m.CompareQuestion():
                *compared, photo = split(payload, question.lengths)
                return m.pack(m.CompareAnswer(await self._engine.compare(compared, photo)))
            case m.ExamineQuestion():
                return m.pack(m.ExamineAnswer(await self._engine.examine(payload)))


def _for_one(given: EngineLimits) -> EngineLimits:
    return replace(given, workers=replace(given.workers, decode_processes=1, judge_processes=1, hint_processes=0))


def _check_packs(wanted: dict[str, str]) -> None:
    """Raise EngineUnusableError, which names the file, if a digest differs."""
    try:
        faults = packs.faults()
        found = digests()
    except packs.PackError as error:
        faults, found = [str(error)], wanted
    others = [f"{part}: another model than the deployer's" for part in wanted if found.get(part) != wanted[part]]
    if faults or others:
        raise EngineUnusableError(f"{REFUSES}models of a node of the cluster: {'; '.join(faults + others)}")


def digests() -> dict[str, str]:
    """Return the SHA-256 of the pack in use for each part. Raises PackError."""
    return {pack.part: pack.sha256 for pack in packs.in_use()}


def maker(limits: EngineLimits) -> bytes:
    """Return a name for the engine, by which a caller and a replica know that versions, models and bounds are equal."""
    from renzheng.engine import frames  # numpy and OpenCV
    from renzheng.engine.limits import ObservationLimits

    measuring = frames.maker(ObservationLimits(), limits.media.frame_side)
    bounds = replace(limits, workers=WorkerLimits())  # these do not change a measurement
    return hashlib.sha256(measuring + msgspec.json.encode(bounds)).digest()
