"""Attempts: what counts, what is limited, and that nothing of an abandoned attempt takes effect."""

from __future__ import annotations

import pytest

from renzheng.store.engine import AwayError
from renzheng.store.sealer import DamagedError
from renzheng.verification.policy import Policy
from renzheng.verification.session import CompareLib, Details, EndReason, FrameRecord

from .conftest import DETAILS, ID_CARD, NONCE, World, jpeg

ACTIONS = ("blink", "turn_left")


async def test_an_attempt_counts_once_its_first_action_is_revealed_and_only_counted_ones_are_limited(
    world: World,
) -> None:
    sessions = world.store.sessions
    session_id = await world.issue(policy=Policy(attempts=2))
    number = 0
    for _ in range(4):  # ended by the network before anything was revealed
        assert await sessions.begin_attempt(session_id, number, ACTIONS, world.clock()) == number + 1
        number += 1
        assert await sessions.reveal(session_id, number, world.step(0), False, None)
    for counted in (1, 2):
        number += counted == 2
        if counted == 2:
            assert await sessions.begin_attempt(session_id, number - 1, ACTIONS, world.clock()) == number
        assert await sessions.reveal(session_id, number, world.step(1), True, None)
        found = await sessions.find("TOKEN")
        assert found is not None
        assert found.counted == counted
    assert await sessions.begin_attempt(session_id, number, ACTIONS, world.clock()) is None


async def test_a_socket_that_lost_the_session_begins_no_attempt(
    world: World,
) -> None:
    sessions = world.store.sessions
    session_id = await world.issue()
    assert await sessions.claim_device(session_id, "device", world.clock(), 10, None, socket=1)
    assert await sessions.return_device(session_id, "device", world.clock(), socket=2)
    assert await sessions.begin_attempt(session_id, 0, ACTIONS, world.clock(), 1) is None
    assert await sessions.begin_attempt(session_id, 0, ACTIONS, world.clock(), 2) == 1


async def test_revealing_the_same_step_again_counts_nothing(world: World) -> None:
    session_id = await world.capture()
    assert not await world.store.sessions.reveal(session_id, 1, world.step(1), True, None)
    assert await world.store.sessions.reveal(session_id, 1, world.step(2), True, None)
    assert world.count("SELECT counted FROM sessions") == 1


async def test_the_day_is_counted_by_account_and_id_number_whatever_the_spelling(world: World) -> None:
    sessions = world.store.sessions
    other = await world.store.accounts.create("other", world.clock())
    id_hash = sessions.id_hash(world.account.id, ID_CARD)
    for token, id_card in (("A", ID_CARD), ("B", ID_CARD.lower())):
        session_id = await world.issue(token, Details(CompareLib.BUSINESS, id_card, "x"))
        await sessions.begin_attempt(session_id, 0, ACTIONS, world.clock())
        assert await sessions.reveal(session_id, 1, world.step(1), True, "2026-11-24")
    assert await sessions.attempts_today(world.account.id, id_hash, "2026-11-24") == 2
    assert await sessions.attempts_today(world.account.id, id_hash, "2026-11-25") == 0
    assert await sessions.attempts_today(other.id, sessions.id_hash(other.id, ID_CARD), "2026-11-24") == 0
    assert sessions.id_hash(other.id, ID_CARD) != id_hash


async def test_a_day_that_was_used_up_meanwhile_reveals_nothing(world: World) -> None:
    sessions = world.store.sessions
    ids = [await world.issue(token, policy=Policy(attempts_a_day=1)) for token in "AB"]
    for session_id in ids:
        await sessions.begin_attempt(session_id, 0, ACTIONS, world.clock())
    assert await sessions.reveal(ids[0], 1, world.step(1), True, "2026-11-24")
    assert not await sessions.reveal(ids[1], 1, world.step(1), True, "2026-11-24")
    found = await sessions.find("B")
    assert found is not None
    assert found.counted == 0
    attempt = await sessions.attempt(ids[1], 1)
    assert attempt is not None
    assert attempt.steps == ()


async def test_no_limit_a_day_is_no_limit(world: World) -> None:
    sessions = world.store.sessions
    for token in "ABC":
        session_id = await world.issue(token, policy=Policy(attempts_a_day=0))
        await sessions.begin_attempt(session_id, 0, ACTIONS, world.clock())
        assert await sessions.reveal(session_id, 1, world.step(1), True, "2026-11-24")


async def test_an_attempt_is_found_again_with_its_steps_nonces_and_deadlines(world: World) -> None:
    session_id = await world.capture()
    attempt = await world.store.sessions.attempt(session_id, 1)
    assert attempt is not None
    assert attempt.actions == ACTIONS
    assert attempt.steps == (world.step(0), world.step(1))
    assert await world.store.sessions.attempt(session_id, 2) is None


async def test_frames_of_an_abandoned_attempt_are_neither_stored_nor_judged(world: World) -> None:
    sessions = world.store.sessions
    session_id = await world.capture()
    assert await sessions.begin_attempt(session_id, 1, ACTIONS, world.clock()) == 2
    assert not await sessions.store_frames(session_id, 1, [world.frame(9)])
    assert not await sessions.reveal(session_id, 1, world.step(2), True, None)
    assert not await sessions.submit(session_id, 1, EndReason.COMPLETED, world.clock())
    assert await sessions.store_frames(session_id, 2, [world.frame(0)])
    assert [record.sequence for record, _ in await sessions.frames(session_id, 2)] == [0]


async def test_frames_of_an_attempt_that_never_counted_go_when_the_next_begins(world: World) -> None:
    """A device may begin any number of those, and would fill the disk with them."""
    sessions = world.store.sessions
    session_id = await world.issue()
    for number in (1, 2):
        assert await sessions.begin_attempt(session_id, number - 1, ACTIONS, world.clock()) == number
        assert await sessions.reveal(session_id, number, world.step(0), False, None)
        assert await sessions.store_frames(session_id, number, [world.frame(number)])
    assert [entry.name[-19:-9] for entry in await world.store.objects.entries("sessions")] == ["0000000002"]
    assert await sessions.frames(session_id, 1) == []
    assert await sessions.reveal(session_id, 2, world.step(1), True, None)
    assert await sessions.begin_attempt(session_id, 2, ACTIONS, world.clock()) == 3
    assert len(await sessions.frames(session_id, 2)) == 1


async def test_an_attempt_begins_where_the_frames_of_the_one_before_cannot_be_deleted_now(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row says that it has begun, so that who asked must not be told otherwise."""
    sessions, session_id = world.store.sessions, await world.issue()
    assert await sessions.begin_attempt(session_id, 0, ACTIONS, world.clock()) == 1
    assert await sessions.reveal(session_id, 1, world.step(0), False, None)
    assert await sessions.store_frames(session_id, 1, [world.frame(1)])
    asked: list[str] = []

    async def fail(name: str) -> None:
        asked.append(name)
        raise AwayError("the object store is away")

    monkeypatch.setattr(world.store.objects, "delete", fail)
    assert await sessions.begin_attempt(session_id, 1, ACTIONS, world.clock()) == 2
    assert len(asked) == 1


async def test_what_a_device_that_comes_back_needs_is_told_without_opening_all_frames(world: World) -> None:
    sessions = world.store.sessions
    session_id = await world.capture(frames=4)
    assert (await sessions.stored_frames(session_id, 1))[:2] == (4, 3)
    assert (await sessions.stored_frames(session_id, 2))[:2] == (0, -1)
    newest = await sessions.newest_frames(session_id, 1, step=1, most=2)
    assert [(record.sequence, content) for record, content in newest] == [(2, jpeg(2)), (3, jpeg(3))]
    assert await sessions.newest_frames(session_id, 1, step=0, most=2) == []


async def test_frames_come_back_as_they_were_in_order_of_sequence(world: World) -> None:
    sessions = world.store.sessions
    session_id = await world.capture(frames=2)
    assert await sessions.store_frames(session_id, 1, [world.frame(7), world.frame(5)])
    stored = await sessions.frames(session_id, 1)
    assert [record.sequence for record, _ in stored] == [0, 1, 5, 7]
    assert all(content == jpeg(record.sequence) for record, content in stored)
    assert stored[3][0] == world.frame(7)[0]
    assert await sessions.frame(session_id, 1, 5) == jpeg(5)
    assert await sessions.frame(session_id, 1, 6) is None


async def test_a_frame_sent_again_after_a_lost_answer_stays_as_it_was(world: World) -> None:
    sessions = world.store.sessions
    session_id = await world.capture(frames=2)
    record, _ = world.frame(1)
    assert await sessions.store_frames(session_id, 1, [(record, b"another"), world.frame(2)])
    assert [content for _, content in await sessions.frames(session_id, 1)] == [jpeg(0), jpeg(1), jpeg(2)]


async def test_no_frame_is_stored_once_the_attempt_was_handed_in(world: World) -> None:
    session_id = await world.hand_in()
    assert not await world.store.sessions.store_frames(session_id, 1, [world.frame(9)])


async def test_what_came_with_the_token_comes_back(world: World) -> None:
    session_id = await world.issue(photo=b"photo")
    found = await world.store.sessions.find("TOKEN")
    assert found is not None
    assert (found.id, found.details, found.has_photo, found.policy) == (session_id, DETAILS, True, Policy())
    for hidden in (DETAILS.id_card, DETAILS.name):
        assert hidden not in repr(found)
    assert await world.store.sessions.photo(session_id) == b"photo"
    assert await world.store.sessions.find("token") is None


async def test_the_video_is_kept_for_the_next_who_asks(world: World) -> None:
    session_id = await world.hand_in()
    assert await world.store.sessions.video(session_id) is None
    await world.store.sessions.keep_video(session_id, b"mp4")
    assert await world.store.sessions.video(session_id) == b"mp4"


async def test_a_last_attempt_that_no_device_came_back_to_is_found_once_its_grace_is_over(world: World) -> None:
    sessions = world.store.sessions
    session_id = await world.issue(policy=Policy(attempts=1))
    assert await sessions.begin_attempt(session_id, 0, ACTIONS, world.clock()) == 1
    step = world.step(1)
    assert await sessions.reveal(session_id, 1, step, True, None)
    assert await sessions.run_out(step.deadline + 9, 10) == []
    assert await sessions.run_out(step.deadline + 11, 10) == [(session_id, 1)]
    assert await sessions.submit(session_id, 1, EndReason.ATTEMPTS_USED, world.clock())
    assert await sessions.run_out(step.deadline + 11, 10) == []


async def test_a_device_that_was_heard_of_within_its_grace_is_not_given_up(world: World) -> None:
    sessions = world.store.sessions
    session_id = await world.issue(policy=Policy(attempts=1))
    assert await sessions.claim_device(session_id, "device", world.clock(), 10, None)
    assert await sessions.begin_attempt(session_id, 0, ACTIONS, world.clock()) == 1
    step = world.step(1)
    assert await sessions.reveal(session_id, 1, step, True, None)
    assert await sessions.touch_device(session_id, "device", step.deadline + 20)
    assert await sessions.run_out(step.deadline + 29, 10) == []
    assert await sessions.run_out(step.deadline + 31, 10) == [(session_id, 1)]


async def test_an_attempt_with_others_left_is_not_ended_for_the_device(world: World) -> None:
    sessions = world.store.sessions
    session_id = await world.issue(policy=Policy(attempts=2))
    assert await sessions.begin_attempt(session_id, 0, ACTIONS, world.clock()) == 1
    step = world.step(1)
    assert await sessions.reveal(session_id, 1, step, True, None)
    assert await sessions.run_out(step.deadline + 60, 10) == []


async def test_nothing_is_revealed_once_the_attempt_was_handed_in(world: World) -> None:
    session_id = await world.hand_in()
    assert not await world.store.sessions.reveal(session_id, 1, world.step(2), True, None)
    assert not await world.store.sessions.spare(session_id, 1, 5)


async def test_frames_of_attempts_before_the_one_that_never_counted_stay(world: World) -> None:
    session_id = await world.capture()
    sessions = world.store.sessions
    assert await sessions.begin_attempt(session_id, 1, ("blink",), world.clock()) == 2
    assert await sessions.reveal(session_id, 2, world.step(0), False, None)
    assert await sessions.store_frames(session_id, 2, [world.frame(0)])
    assert await sessions.begin_attempt(session_id, 2, ("blink",), world.clock()) == 3
    assert (await sessions.stored_frames(session_id, 1))[:2] == (3, 2)
    assert (await sessions.stored_frames(session_id, 2))[:2] == (0, -1)


async def test_the_newest_frames_are_of_one_step_and_the_frames_of_one_attempt(world: World) -> None:
    session_id = await world.capture(frames=2)
    sessions = world.store.sessions
    assert await sessions.reveal(session_id, 1, world.step(2), False, None)
    later = FrameRecord(9, 2, NONCE, world.clock(), b"d" * 32)
    assert await sessions.store_frames(session_id, 1, [(later, jpeg(9))])
    newest = await sessions.newest_frames(session_id, 1, 1, 5)
    assert [record.sequence for record, _ in newest] == [0, 1]
    assert await sessions.begin_attempt(session_id, 1, ("blink",), world.clock()) == 2
    assert await sessions.reveal(session_id, 2, world.step(0), False, None)
    assert await sessions.store_frames(session_id, 2, [world.frame(0)])
    assert [record.sequence for record, _ in await sessions.frames(session_id, 2)] == [0]
    assert [record.sequence for record, _ in await sessions.frames(session_id, 1)] == [0, 1, 9]


async def test_the_days_count_of_a_number_is_an_accounts_own(world: World) -> None:
    """Also where a number's hash is the same, as no two accounts' are."""
    sessions = world.store.sessions
    world.force("INSERT INTO day_counts VALUES (1, x'aa', '2026-01-01', 3), (2, x'aa', '2026-01-01', 7)")
    assert await sessions.attempts_today(1, b"\xaa", "2026-01-01") == 3
    assert await sessions.attempts_today(2, b"\xaa", "2026-01-01") == 7
    assert await sessions.attempts_today(1, b"\xaa", "2026-01-02") == 0
    assert await sessions.attempts_today(1, b"\xab", "2026-01-01") == 0


async def test_a_frame_whose_object_is_gone_is_damage_and_not_a_fault_of_ours(world: World) -> None:
    session_id = await world.capture()
    for path in (world.root / "data" / "evidence").rglob("001-*"):
        path.unlink()
    with pytest.raises(DamagedError, match="is missing"):
        await world.store.sessions.frames(session_id, 1)


async def test_a_frame_opens_only_in_its_own_attempt_and_place(world: World) -> None:
    session_id = await world.capture()
    sessions = world.store.sessions
    assert await sessions.begin_attempt(session_id, 1, ("blink",), world.clock()) == 2
    world.force("UPDATE frames SET attempt = 2 WHERE sequence = 0")
    with pytest.raises(DamagedError):
        await sessions.frames(session_id, 2)
    world.force("UPDATE frames SET sequence = 7 WHERE sequence = 1")
    with pytest.raises(DamagedError):
        await sessions.frame(session_id, 1, 7)
    assert await sessions.frame(session_id, 1, 2) == jpeg(2)
