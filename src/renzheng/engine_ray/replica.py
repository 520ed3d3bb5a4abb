"""What runs in the cluster: one decoder and one judge process, as on a server, and the questions that they are asked.

A process of its own for the models is what lets a time limit end work, as nothing stops a running Python function.
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
"""Before a sentence for whoever deploys, as Ray hands on texts and no exceptions."""


class Replica:
    """One replica: starts only with the models that it was deployed for, whose digests it checks."""

    def __init__(self, limits: bytes, wanted: dict[str, str]) -> None:
        """``limits``: EngineLimits as JSON. ``wanted``: SHA-256 of the pack in use by its part."""
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
        """Asked by Ray, which replaces a replica that stays ill."""
        if not self._is_started:
            await self.start()
        if down := self._engine.down():
            raise WorkerDiedError(f"no process is up for: {', '.join(down)}")

    async def is_same(self, maker: bytes) -> bool:
        """Whether this is the caller's engine: see ``ask``."""
        return maker == self._maker

    async def ask(self, maker: bytes, sealed: bytes) -> bytes:
        """One of ``messages`` for its answer, both sealed. ``maker``: the engine for which the caller takes this one.

        A question that fails is answered as that: an exception would be written into Ray's logs.
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
    """Raises EngineUnusableError, naming the file."""
    try:
        faults = packs.faults()
        found = digests()
    except packs.PackError as error:
        faults, found = [str(error)], wanted
    others = [f"{part}: another model than the deployer's" for part in wanted if found.get(part) != wanted[part]]
    if faults or others:
        raise EngineUnusableError(f"{REFUSES}models of a node of the cluster: {'; '.join(faults + others)}")


def digests() -> dict[str, str]:
    """SHA-256 of the pack in use by its part. Raises PackError."""
    return {pack.part: pack.sha256 for pack in packs.in_use()}


def maker(limits: EngineLimits) -> bytes:
    """Names the engine, so that a caller and a replica know whether they are of one version, models and bounds."""
    from renzheng.engine import frames  # numpy and OpenCV
    from renzheng.engine.limits import ObservationLimits

    measuring = frames.maker(ObservationLimits(), limits.media.frame_side)
    bounds = replace(limits, workers=WorkerLimits())  # how many processes, and for how long: of no weight for a number
    return hashlib.sha256(measuring + msgspec.json.encode(bounds)).digest()
