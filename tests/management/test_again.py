"""One verification once more: its video, what its merchant would get, its delivery and its judging again."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence

import pytest

from renzheng.accounts.buckets import BucketKey, cos_bucket
from renzheng.accounts.deliveries import DeliveryState
from renzheng.engine.measurement import Frame, Measurement
from renzheng.operations.rejudging import rejudge
from renzheng.verification.decision import NO_USABLE_FRAME, UNFINISHED, Verdict
from renzheng.verification.policy import Policy
from renzheng.verification.session import DAY_SECONDS, EndReason
from tests.management.conftest import House
from tests.support.again import DETAILS, captured, judged, without_depth
from tests.support.server import PATIENCE

BUCKET = cos_bucket("faces-1250000000", "ap-guangzhou")
KEY = BucketKey("AKIDx", "secret")


async def verbs(house: House, number: int) -> list[str]:
    events = await house.store.audit.newest(1000)
    return [event.verb for event in events if event.subject.partition(":")[0] == f"session {number}"]


async def test_the_video_is_of_the_judged_frames_and_the_audit_has_the_reason(house: House) -> None:
    number = await judged(house.store, house.account.id, house.clock())
    given = {"VerificationId": str(number), "Reason": "complaint 4711"}
    seen = await house.do("DescribeEvidenceVideo", given, by="reviewer")
    mp4 = base64.b64decode(seen["VideoBase64"])
    assert (seen["Attempt"], mp4[4:8]) == (1, b"ftyp")
    assert mp4 == await house.store.sessions.video(number)
    (event,) = [one for one in await house.store.audit.newest(9) if one.verb == "video seen"]
    assert (event.actor, event.subject) == ("operator:the reviewer", f"session {number}: complaint 4711")
    for reason in ("", "  x ", "y" * 201, "a\nb c"):
        assert await house.code("DescribeEvidenceVideo", given | {"Reason": reason}) == "InvalidParameterValue"
    assert await house.code("DescribeEvidenceVideo", given | {"VerificationId": "9"}) == "ResourceNotFound"


async def test_an_attempt_that_another_may_follow_gets_no_video_that_would_be_kept(house: House) -> None:
    store = house.store
    number = await captured(store, house.account.id, house.clock(), "T")
    seen = await house.do("DescribeEvidenceVideo", {"VerificationId": str(number), "Reason": "complaint"})
    assert seen["VideoBase64"] == ""
    assert await store.sessions.video(number) is None


async def test_a_verdict_that_another_attempt_may_follow_is_not_the_result(house: House) -> None:
    store, now = house.store, house.clock()
    number = await captured(store, house.account.id, now, "T")
    assert await store.sessions.submit(number, 1, EndReason.COMPLETED, now + 3)
    job = await store.sessions.claim_judging(now + 3, 15)
    assert job is not None
    verdict = Verdict(NO_USABLE_FRAME, 0.0, ("02",), "face", may_retry=True)
    assert await store.sessions.again(number, job.epoch, verdict, "{}", 0, now + 3)
    given = {"VerificationId": str(number)}
    assert (await house.do("DescribeResult", given))["Given"]["Result"] == UNFINISHED.code
    seen = await house.do("DescribeEvidenceVideo", given | {"Reason": "complaint"})
    assert (seen["VideoBase64"], await store.sessions.video(number)) == ("", None)


async def test_what_the_merchant_would_get_is_shown_masked_and_counts_as_no_fetch(house: House) -> None:
    number = await judged(house.store, house.account.id, house.clock())
    given = {"VerificationId": str(number)}
    shown = (await house.do("DescribeResult", given, by="merchant"))["Given"]
    assert (shown["Code"], shown["Result"], shown["Similarity"]) == ("", "0", 99.0)
    assert (shown["Name"], shown["IdCard"]) == ("**宝", "1****************X")
    assert shown["Video"]["Kind"] == shown["BestFrame"]["Kind"] == "content"
    assert shown["Video"]["Size"] > 100
    assert "result shown" in await verbs(house, number)
    timeline = (await house.do("DescribeVerification", given))["Verification"]["Timeline"]
    assert [event["What"] for event in timeline] == ["issued", "attempt begun", "step shown", "step shown", "judged"]


async def test_the_error_that_the_merchant_would_get_is_shown_in_the_callers_language(house: House) -> None:
    number = await judged(house.store, house.account.id, house.clock() - 3 * DAY_SECONDS)
    shown = (await house.do("DescribeResult", {"VerificationId": str(number)}))["Given"]
    assert shown["Code"].endswith("BizTokenExpired")
    assert shown["Message"]
    assert shown["Result"] == ""


async def test_a_token_in_use_shows_that_there_is_no_result_yet(house: House) -> None:
    now = house.clock()
    number = await house.store.sessions.create(house.account.id, "T", DETAILS, None, Policy(), now, 600)
    shown = (await house.do("DescribeResult", {"VerificationId": "T"}))["Given"]
    assert (shown["VerificationId"], shown["Result"], shown["Video"]["Kind"]) == (number, UNFINISHED.code, "nothing")


async def delivered(house: House) -> int:
    """A verification of a token with UseCos whose evidence is in the bucket."""
    store, now = house.store, house.clock()
    await store.buckets.authorise(house.account.id, BUCKET, KEY, now)
    number = await judged(store, house.account.id, now, to_bucket=True)
    taken = await store.deliveries.claim(now + 5, 60, 2)
    assert taken is not None
    assert await store.deliveries.finish(taken, DeliveryState.DELIVERED, now, BUCKET, "folder/video.mp4", None)
    return number


async def test_what_was_delivered_is_delivered_again_and_its_address_is_not_shown(house: House) -> None:
    number = await delivered(house)
    given = {"VerificationId": str(number)}
    shown = (await house.do("DescribeResult", given))["Given"]
    assert shown["Video"] == {"Kind": "address", "Size": 0, "Host": BUCKET.host}
    again = await house.do("DeliverVerification", given, by="merchant")
    assert (again["State"], again["DueAt"]) == ("waiting", house.clock())
    assert (await house.do("DescribeVerification", given))["Verification"]["Delivery"] == "waiting"
    assert "delivered again" in await verbs(house, number)
    taken = await house.store.deliveries.claim(house.clock(), 60, 2)
    assert taken is not None
    assert (taken.session_id, taken.video_key, taken.place) == (number, "folder/video.mp4", BUCKET)
    # While a try is under way nothing is begun beside it.
    assert (await house.do("DeliverVerification", given))["State"] == "waiting"
    assert await house.store.deliveries.finish(taken, DeliveryState.DELIVERED, house.clock(), BUCKET, "v", None)


async def test_a_delivery_again_is_refused_where_it_could_not_be_erased_later(house: House) -> None:
    number = await delivered(house)
    given = {"VerificationId": str(number)}
    other = cos_bucket("other-1250000000", "ap-guangzhou")
    await house.store.buckets.authorise(house.account.id, other, KEY, house.clock())
    answer = await house.call("DeliverVerification", given)
    assert "another bucket" in answer.response["Error"]["Message"]
    await house.store.buckets.revoke(house.account.id)
    assert "no bucket" in (await house.call("DeliverVerification", given)).response["Error"]["Message"]
    plain = await judged(house.store, house.account.id, house.clock(), "PLAIN")
    assert await house.code("DeliverVerification", {"VerificationId": str(plain)}) == "ResourceNotFound"
    await house.store.buckets.authorise(house.account.id, BUCKET, KEY, house.clock())
    assert await house.store.sweeper._erase_evidence([number]) == 1
    assert "no longer kept" in (await house.call("DeliverVerification", given)).response["Error"]["Message"]
    await house.do("EraseVerification", given)
    found = await house.store.deliveries.get(house.account.id, number)
    assert found is not None
    assert found.state is DeliveryState.ERASING


async def test_a_verdict_is_judged_again_and_nothing_is_changed(house: House) -> None:
    number = await judged(house.store, house.account.id, house.clock())
    given = {"VerificationId": str(number)}
    made = (await house.do("RejudgeVerification", given, by="reviewer"))["Rejudgement"]
    assert (made["Before"], made["Now"], made["Stands"], made["Changed"]) == ("0", "0", True, [])
    house.engine.measured = without_depth()
    made = (await house.do("RejudgeVerification", given))["Rejudgement"]
    assert (made["Before"], made["Stands"], made["Changed"]) == (
        "0",
        False,
        ["presentation.depth.residual", "presentation.depth.passed", "comparison"],
    )
    assert (await house.do("DescribeVerification", given))["Verification"]["Result"] == "0"
    assert "frames judged again" in await verbs(house, number)


async def test_who_judges_again_admits_as_many_earlier_frames_as_the_judge_does(house: House) -> None:
    await judged(house.store, house.account.id, house.clock(), "FIRST")
    number = await judged(house.store, house.account.id, house.clock() + 60)  # of the same three pictures
    for admitted in (3, 2):
        made = await rejudge(house.store, str(number), house.engine, admitted)
        assert made.stands is (admitted == 3)


async def test_one_verification_at_a_time_is_judged_again(house: House) -> None:
    given = {"VerificationId": str(await judged(house.store, house.account.id, house.clock()))}
    begun, ends, present = asyncio.Event(), asyncio.Event(), house.engine.present

    async def waiting(frames: Sequence[Frame]) -> tuple[Measurement, tuple[bytes, ...]]:
        begun.set()
        await ends.wait()
        return await present(frames)

    house.engine.present = waiting  # type: ignore[method-assign]
    first = asyncio.create_task(house.do("RejudgeVerification", given))
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
        assert await house.code("RejudgeVerification", given) == "ServiceUnavailable"
    ends.set()
    assert (await first)["Rejudgement"]["Stands"]
    assert await house.code("RejudgeVerification", given) == ""


@pytest.mark.parametrize("action", ["DescribeResult", "DeliverVerification", "RejudgeVerification"])
async def test_what_does_not_exist_is_not_looked_at_again(house: House, action: str) -> None:
    for unknown in ("9", "99999999999999999999", "NOTOKEN", "-1"):
        assert await house.code(action, {"VerificationId": unknown}) == "ResourceNotFound", unknown


async def test_a_merchants_person_sees_nothing_of_another_accounts_verification(house: House) -> None:
    number = await judged(house.store, house.other.id, house.clock())
    for action in ("DescribeResult", "DeliverVerification"):
        assert await house.code(action, {"VerificationId": str(number)}, by="merchant") == "ResourceNotFound"


async def test_the_timeline_has_the_page_that_was_opened_and_the_call_that_issued(house: House) -> None:
    store, now = house.store, house.clock()
    number = await store.sessions.create(house.account.id, "T", DETAILS, None, Policy(), now, 600)
    store.calls.note(number, now, "GetFaceIdToken", "AKIDx", "the-request")
    for later, device in ((5, "a"), (50, "b")):  # another device takes over: the first opening counts
        assert await store.sessions.claim_device(number, device, now + later, 20, None)
    shown = (await house.do("DescribeVerification", {"VerificationId": str(number)}))["Verification"]["Timeline"]
    assert [(event["What"], event["At"] - now) for event in shown] == [("issued", 0), ("opened", 5)]
    assert shown[0]["Detail"] == "AKIDx the-request"
    listed = await house.do("DescribeVerifications", {"RequestId": "the-request"})
    assert [one["Id"] for one in listed["Verifications"]] == [number]


async def test_what_is_erased_while_it_is_judged_again_is_as_one_that_does_not_exist(
    house: House,
) -> None:
    store = house.store
    number = await judged(store, house.account.id, house.clock())
    given = {"VerificationId": str(number)}

    async def erase_and_present(frames: object) -> object:
        await house.do("EraseVerification", given)
        return without_depth(), ()

    house.engine.present = erase_and_present  # type: ignore[assignment,method-assign]
    answer = await house.call("RejudgeVerification", given)
    assert answer.code in ("", "ResourceNotFound"), answer.response
    assert await house.code("DescribeVerification", given) == "ResourceNotFound"
    for action in ("DescribeEvidenceVideo", "DescribeEvidence"):
        assert await house.code(action, given | {"Reason": "complaint"}) == "ResourceNotFound"
