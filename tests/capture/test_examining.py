"""What the judge makes of a stored attempt: every layer counts, the transcript among them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

import pytest

from renzheng.capture.judging import RecordedVerdict, examine
from renzheng.engine.measurement import Comparison, Frame, Measurement
from renzheng.verification import decision
from renzheng.verification.decision import Result
from renzheng.verification.policy import Policy
from renzheng.verification.records import EnrolledPerson
from renzheng.verification.session import (
    Attempt,
    CompareLib,
    Details,
    EndReason,
    FrameRecord,
    Session,
    State,
    StepRecord,
)
from tests.support.measured import best, compared, continuity, depth, doubt, light, live, passive

GOOD = live(best=best(1))
STEPS = (
    StepRecord(0, "neutral", b"n" * 16, 100.0, 160.0),
    StepRecord(1, "turn_left", b"t" * 16, 102.0, 108.0),
)
ATTEMPT = Attempt(7, 1, 99.0, ("turn_left",), STEPS)
RECORDS = tuple(
    FrameRecord(10 + n, step, STEPS[step].nonce, at, b"d") for n, (step, at) in enumerate([(0, 101.0), (1, 103.0)])
)
SESSION = Session(
    id=7,
    account_id=3,
    state=State.JUDGING,
    created_at=90.0,
    expires_at=690.0,
    attempt=1,
    counted=1,
    details=Details(CompareLib.LOCAL),
    has_photo=True,
    policy=Policy(),
    ending=EndReason.COMPLETED,
)


@dataclass
class Stored:
    """An attempt's frames, and the photo that came with its token."""

    records: Sequence[FrameRecord] = RECORDS
    kept_photo: bytes | None = b"photo"
    enrolled: EnrolledPerson | None = None
    seen: int = 0

    async def frames(self, session_id: int, attempt: int) -> list[tuple[FrameRecord, bytes]]:
        return [(record, b"jpeg %d" % record.sequence) for record in self.records]

    async def photo(self, session_id: int) -> bytes | None:
        return self.kept_photo

    async def seen_before(self, session_id: int, attempt: int) -> int:
        return self.seen

    async def lookup(self, account_id: int, id_card: str) -> EnrolledPerson | None:
        return self.enrolled


@dataclass
class Engine:
    """An engine that found this."""

    measured: Measurement = GOOD
    comparison: Comparison = field(default_factory=lambda: compared(90.0))
    shown: list[Frame] = field(default_factory=list)
    compared_with: list[bytes] = field(default_factory=list)

    async def present(self, frames: Sequence[Frame]) -> tuple[Measurement, tuple[bytes, ...]]:
        self.shown.extend(frames)
        return self.measured, (b"t",)

    async def compare(self, templates: Sequence[bytes], photo: bytes) -> Comparison:
        self.compared_with.append(photo)
        return self.comparison


async def judged(
    records: Sequence[FrameRecord] = RECORDS,
    attempt: Attempt | None = ATTEMPT,
    session: Session = SESSION,
    *,
    lost: bool = False,
    engine: Engine | None = None,
    **found: object,
) -> RecordedVerdict:
    engine = engine or Engine(replace(GOOD, **found))  # type: ignore[arg-type]
    stored = Stored(records)
    return await examine(session, attempt, stored, stored, engine, lost)


async def test_a_person_who_did_what_was_asked_passes() -> None:
    engine = Engine()
    judgement = await judged(engine=engine)
    assert judgement.verdict.result is decision.PASSED
    assert judgement.verdict.similarity == 90.0
    assert judgement.failed_layers == ()
    assert judgement.best_frame == 11  # its sequence
    assert json.loads(judgement.record) == {
        "transcript": [],
        "presentation": json.loads(json.dumps(GOOD.as_dict())),
        "comparison": json.loads(json.dumps(asdict(engine.comparison))),
    }
    assert [(one.step, one.action, one.at) for one in engine.shown] == [(0, "neutral", 101.0), (1, "turn_left", 103.0)]
    assert engine.compared_with == [b"photo"]


@pytest.mark.parametrize(
    ("number", "change"),
    [
        (1, {"nonce": STEPS[0].nonce}),  # of the step before
        (0, {"nonce": b"o" * 16}),  # of an attempt before
        (0, {"received_at": 99.9}),
        (1, {"received_at": 108.1}),
        (1, {"sequence": 10}),
    ],
)
async def test_frames_that_do_not_fit_the_transcript_are_no_answer(number: int, change: dict[str, object]) -> None:
    records = list(RECORDS)
    records[number] = replace(records[number], **change)  # type: ignore[arg-type]
    engine = Engine()
    judgement = await judged(records, engine=engine)
    assert judgement.verdict.result is decision.NOT_LIVE
    assert judgement.verdict.similarity == 0.0
    assert judgement.verdict.tags == ("05",)
    assert judgement.failed_layers == ("transcript",)
    assert json.loads(judgement.record)["transcript"]
    assert engine.compared_with == []


@pytest.mark.parametrize(("seen", "most", "passes"), [(2, 2, True), (3, 2, False), (3, 3, True), (1, 0, False)])
async def test_a_verification_of_frames_that_came_before_is_a_replay(seen: int, most: int, passes: bool) -> None:
    stored, engine = Stored(seen=seen), Engine()
    judgement = await examine(SESSION, ATTEMPT, stored, stored, engine, seen_frames=most)
    assert judgement.verdict.passed is passes
    assert judgement.failed_layers == (() if passes else ("transcript",))
    assert judgement.verdict.tags == (() if passes else ("05",))
    assert json.loads(judgement.record)["transcript"] == ([] if passes else ["seen"])
    assert bool(engine.compared_with) is passes


async def test_without_its_steps_an_attempt_is_no_answer() -> None:
    assert (await judged(attempt=None)).verdict.result is decision.NOT_LIVE
    assert (await judged(attempt=replace(ATTEMPT, actions=("turn_left", "nod")))).failed_layers == ("transcript",)


@pytest.mark.parametrize(
    ("found", "layer", "result"),
    [
        ({"challenge_passed": False}, "challenge", decision.NOT_LIVE),
        ({"depth": depth(False)}, "depth", decision.NOT_LIVE),
        ({"depth": None}, "depth", decision.NOT_LIVE),
        ({"continuity": continuity(False)}, "continuity", decision.NOT_LIVE),
        ({"continuity": None}, "continuity", decision.NOT_LIVE),
        ({"doubt": doubt(False)}, "doubt", decision.NOT_LIVE),
        ({"passive": passive(False)}, "passive", decision.NOT_LIVE),
        ({"frames_status": "cut"}, "frames:cut", decision.CUT_FACE),
        ({"frames_status": "no_face"}, "frames:no_face", decision.NO_USABLE_FRAME),
    ],
)
async def test_each_layer_alone_refuses(found: dict[str, object], layer: str, result: Result) -> None:
    judgement = await judged(**found)  # type: ignore[arg-type]
    assert judgement.verdict.result is result
    assert judgement.failed_layers == (layer,)


@pytest.mark.parametrize(
    ("asked", "answered", "result"),
    [
        (True, True, decision.PASSED),
        (True, False, decision.POOR_LIGHT),
        (True, None, decision.POOR_LIGHT),  # asked, and nothing of it was measured
        (False, None, decision.PASSED),
        (False, False, decision.PASSED),
    ],
)
async def test_light_that_was_asked_for_has_to_be_measured_and_answered(
    asked: bool, answered: bool | None, result: Result
) -> None:
    session = replace(SESSION, policy=Policy(light=asked))
    judgement = await judged(session=session, light=None if answered is None else light(answered))
    assert judgement.verdict.result is result
    assert judgement.failed_layers == (() if result is decision.PASSED else ("light",))


ADVICE = {"passive": passive(passed=False, decides=False)}


@pytest.mark.parametrize("found", [{"doubt": doubt(True)}, {"passive": passive(True)}, ADVICE])
async def test_what_speaks_for_a_person_or_is_advice_refuses_nobody(found: dict[str, object]) -> None:
    assert (await judged(**found)).verdict.result is decision.PASSED  # type: ignore[arg-type]


async def test_lost_leases_are_the_servers_fault_and_nothing_is_looked_at() -> None:
    engine = Engine()
    judgement = await judged(engine=engine, lost=True)
    assert judgement.verdict.result is decision.ENGINE_LOST
    assert not judgement.verdict.result.billed
    assert engine.shown == []


@pytest.mark.parametrize(
    ("ending", "result", "looked_at"),
    [
        (EndReason.ATTEMPTS_USED, decision.NOT_LIVE, 2),
        (EndReason.TOO_MANY_TODAY, decision.TOO_MANY_TODAY, 0),
        (EndReason.PHOTO_UNUSABLE, decision.POOR_REFERENCE, 0),
    ],
)
async def test_another_ending_is_no_answer(ending: EndReason, result: Result, looked_at: int) -> None:
    engine = Engine()
    judgement = await judged(session=replace(SESSION, ending=ending), engine=engine)
    assert judgement.verdict.result is result or judgement.verdict.result.code == result.code
    assert len(engine.shown) == looked_at


async def test_a_person_without_a_photo_is_compared_as_long_and_not_found() -> None:
    details = Details(CompareLib.BUSINESS, "11010119900307001X", "韦小宝")
    engine = Engine()
    judgement = await judged(session=replace(SESSION, details=details), engine=engine)
    assert judgement.verdict.result is decision.NOT_ENROLLED
    assert judgement.verdict.similarity == 0.0
    assert engine.compared_with == [b"jpeg 11"]


@pytest.mark.parametrize(
    ("enrolled", "result", "compared_with"),
    [
        (EnrolledPerson(1, "韦小宝", b"enrolled"), decision.PASSED, b"enrolled"),
        (EnrolledPerson(1, "韦小宝", None), decision.NO_PHOTO, b"jpeg 11"),
        (EnrolledPerson(1, "陈近南", b"enrolled"), decision.WRONG_NAME, b"jpeg 11"),
        (None, decision.NOT_ENROLLED, b"jpeg 11"),
    ],
)
async def test_what_the_library_knows_decides(
    enrolled: EnrolledPerson | None, result: Result, compared_with: bytes
) -> None:
    details = Details(CompareLib.BUSINESS, "11010119900307001X", "韦小宝")
    stored, engine = Stored(enrolled=enrolled), Engine()
    judgement = await examine(replace(SESSION, details=details), ATTEMPT, stored, stored, engine)
    assert judgement.verdict.result is result
    assert engine.compared_with == [compared_with]


async def test_a_session_that_was_handed_in_without_a_word_was_completed() -> None:
    assert (await judged(session=replace(SESSION, ending=None))).verdict.result is decision.PASSED
