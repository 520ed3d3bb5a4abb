"""What is due in a customer's bucket arrives there once, whatever fails in between, and is deleted when asked."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from urllib.request import ProxyHandler, build_opener

import pytest

from renzheng.accounts.buckets import Bucket, BucketKey, s3_bucket
from renzheng.accounts.deliveries import DeliveryState
from renzheng.capture.evidence import EvidenceShelf, NotMuxedError
from renzheng.delivery.client import BucketClient, BucketError, BucketProblem, Clients
from renzheng.delivery.deliverer import MAX_ERASURE_TRIES, MAX_VIDEO_TRIES, NO_ADDRESSES, Deliverer
from renzheng.delivery.hosts import AllowedHosts
from renzheng.store.identities import NewPerson
from renzheng.store.sweeper import Retention
from tests.store.conftest import ID_CARD
from tests.support.cos import KEY_ID, NAME, REGION, CosFront
from tests.support.images import drawn

from .conftest import KEY, Scene, plain


async def test_a_verdict_is_delivered_to_the_bucket_under_the_address_that_its_result_has(scene: Scene) -> None:
    number = await scene.judge()
    assert await scene.deliverer.step()
    assert not await scene.deliverer.step()
    found = await scene.deliverer.addresses(scene.world.account.id, number, 0)
    folder = scene.row(number)["folder"]
    base = f"http://{NAME}.cos.{REGION}.myqcloud.com/faceid/test/{folder}"
    assert found == (f"{base}/video.mp4", f"{base}/best_frame.jpg")
    objects = scene.front.objects()
    assert objects[f"faceid/test/{folder}/best_frame.jpg"] == drawn()
    assert objects[f"faceid/test/{folder}/video.mp4"] == await scene.world.store.sessions.video(number)
    assert len(objects) == 2
    assert scene.counted.outcomes == {"delivered": 1}


async def test_no_address_holds_the_token_or_the_id_number(scene: Scene) -> None:
    number = await scene.judge("CE661F1A-0F1E-45BD-BE13-34C05CEA7681")
    await scene.deliverer.step()
    found = await scene.deliverer.addresses(scene.world.account.id, number, 0)
    assert "CE661F1A" not in str(found).upper()
    assert ID_CARD not in str(found)


async def test_without_use_cos_nothing_is_due(scene: Scene) -> None:
    await scene.judge(to_bucket=False)
    assert not await scene.deliverer.step()
    assert scene.front.objects() == {}


async def test_another_accounts_delivery_is_nobodys(scene: Scene) -> None:
    number = await scene.judge()
    await scene.deliverer.step()
    assert await scene.deliverer.addresses(scene.world.account.id + 1, number, 0) == NO_ADDRESSES


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        ("down", BucketProblem.UNREACHABLE),
        ("AccessDenied", BucketProblem.NO_RIGHT),
        ("SlowDown", BucketProblem.NO_RIGHT),
        ("redirect", BucketProblem.REDIRECTED),
    ],
)
async def test_a_bucket_that_fails_loses_nothing_and_one_object_comes_of_many_tries(
    scene: Scene, fault: str, trouble: BucketProblem
) -> None:
    number = await scene.judge()
    scene.front.fault = fault
    delays = []
    for tries in range(1, 4):
        assert await scene.deliverer.step()
        row = scene.row(number)
        assert (row["state"], row["tries"], row["trouble"]) == ("waiting", tries, trouble.value)
        assert not await scene.deliverer.step()  # not before it is due again
        delays.append(row["due_at"] - scene.world.clock())
        scene.world.clock.now = row["due_at"]
    assert delays[0] < delays[1] < delays[2]
    scene.front.fault = ""
    assert await scene.deliverer.step()
    assert scene.row(number)["state"] == "delivered"
    assert len(scene.front.objects()) == 2
    assert set(scene.front.puts.values()) == {1}


async def test_a_try_that_broke_off_between_its_two_objects_is_made_again_under_the_same_keys(scene: Scene) -> None:
    number = await scene.judge()
    taken = await scene.world.store.deliveries.claim(scene.world.clock(), 180, 2)
    assert taken is not None
    client = scene.deliverer._parts.clients.of(plain(), KEY)
    await asyncio.to_thread(client.put, plain().key(taken.folder, "video.mp4"), b"half", "video/mp4")
    scene.world.clock.now += 181  # its process died; the lease runs out
    assert await scene.deliverer.step()
    objects = scene.front.objects()
    assert len(objects) == 2
    assert objects[plain().key(taken.folder, "video.mp4")] == await scene.world.store.sessions.video(number)


async def test_what_is_delivered_again_is_written_over_and_an_erasure_finds_it(scene: Scene) -> None:
    number, store = await scene.judge(), scene.world.store
    assert await scene.deliverer.step()
    before = scene.front.objects()
    key = next(key for key in before if key.endswith("best_frame.jpg"))
    client = scene.deliverer._parts.clients.of(plain(), KEY)
    await asyncio.to_thread(client.put, key, b"spoiled by the customer", "image/jpeg")
    assert await store.deliveries.again(scene.world.account.id, number, scene.world.clock())
    assert await scene.deliverer.step()
    assert (scene.row(number)["state"], scene.front.objects()) == ("delivered", before)
    # Its evidence is gone by the next time: what was delivered is still known, and deleted with the rest.
    assert await store.deliveries.again(scene.world.account.id, number, scene.world.clock())
    assert await store.sweeper._erase_evidence([number]) == 1
    assert await scene.deliverer.step()
    assert (scene.row(number)["state"], scene.front.objects()) == ("delivered", before)
    await store.sweeper.erase(number, scene.world.account.id, scene.world.clock())
    assert not await store.deliveries.again(scene.world.account.id, number, scene.world.clock())
    assert await scene.deliverer.step()
    assert scene.front.objects() == {}


async def test_one_delivery_has_one_taker(scene: Scene) -> None:
    await scene.judge()
    deliveries, now = scene.world.store.deliveries, scene.world.clock()
    taken = await asyncio.gather(*(deliveries.claim(now, 180, 16) for _ in range(16)))
    assert sum(one is not None for one in taken) == 1


async def test_a_try_that_has_lost_its_lease_changes_nothing(scene: Scene) -> None:
    number, account = await scene.judge(), scene.world.account.id
    deliveries, now = scene.world.store.deliveries, scene.world.clock()
    lost = await deliveries.claim(now, 180, 2)
    assert lost is not None
    assert not await deliveries.again(account, number, now + 179), "a try is under way"
    taken = await deliveries.claim(now + 180, 180, 2)
    assert taken is not None
    assert not await deliveries.put_off(lost, now + 999, "other")
    assert not await deliveries.finish(lost, DeliveryState.NOTHING, now + 181)
    assert (scene.row(number)["state"], scene.row(number)["due_at"]) == ("waiting", now)
    assert await deliveries.finish(taken, DeliveryState.NOTHING, now + 181)
    assert not await deliveries.finish(taken, DeliveryState.DELIVERED, now + 182), "it has ended"
    assert not await deliveries.again(account + 1, number, now + 183), "of another account"
    assert await deliveries.again(account, number, now + 183)


async def test_what_was_delivered_is_written_over_and_deleted_where_it_lies(scene: Scene) -> None:
    """Though the account has authorised another bucket meanwhile."""
    number, store = await scene.judge(), scene.world.store
    assert await scene.deliverer.step()
    before = scene.front.objects()
    await scene.authorise(replace(plain(), name="elsewhere-1250000000"))
    assert await store.deliveries.again(scene.world.account.id, number, scene.world.clock())
    assert await scene.deliverer.step()
    assert (scene.row(number)["state"], scene.front.objects()) == ("delivered", before)
    await store.sweeper.erase(number, scene.world.account.id, scene.world.clock())
    assert await scene.deliverer.step()
    assert (scene.row(number)["state"], scene.front.objects()) == ("erased", {})


async def test_a_video_that_cannot_be_made_holds_up_the_best_frame_for_some_tries_only(scene: Scene) -> None:
    class Unable:
        async def mux(self, frames: object) -> bytes:
            raise NotMuxedError("not of these frames")

    number = await scene.judge()
    parts = replace(scene.deliverer._parts, shelf=EvidenceShelf(scene.world.store.sessions, Unable()))
    deliverer = Deliverer(parts)
    for _ in range(MAX_VIDEO_TRIES):
        assert await deliverer.step()
        assert (scene.row(number)["state"], scene.front.objects()) == ("waiting", {})
        scene.world.clock.now = scene.row(number)["due_at"]
    assert await deliverer.step()
    assert scene.row(number)["state"] == "delivered"
    assert [key.rpartition("/")[2] for key in scene.front.objects()] == ["best_frame.jpg"]
    deliverer._threads.shutdown()


async def another(scene: Scene) -> Scene:
    """The same with an account of its own, whose bucket is not authorised yet."""
    world = scene.world
    account = await world.store.accounts.create("another", world.clock())
    return replace(scene, world=replace(world, account=account))


async def test_one_account_has_so_many_under_way_and_others_go_on(scene: Scene) -> None:
    world = scene.world
    mine = [await scene.judge(f"TOKEN-{number}") for number in range(4)]
    other = await (await another(scene)).judge("OTHER")
    deliveries, now = world.store.deliveries, world.clock()

    async def claimed(at: float) -> int | None:
        found = await deliveries.claim(at, 180, 2)
        return None if found is None else found.session_id

    assert [await claimed(now) for _ in range(4)] == [*mine[:2], other, None]
    assert [await claimed(now + 180) for _ in range(4)] == [*mine[:2], other, None], "their leases have ended"


async def test_a_bucket_that_takes_long_to_fail_rests_and_what_is_under_way_does_not(scene: Scene) -> None:
    numbers = [await scene.judge(f"TOKEN-{number}") for number in range(3)]
    deliveries, now = scene.world.store.deliveries, scene.world.clock()
    under_way = await deliveries.claim(now, 180, 2)
    assert under_way is not None
    await deliveries.rest(under_way.account_id + 1, now, now + 999)
    await deliveries.rest(under_way.account_id, now, now + 240)
    assert [scene.row(number)["due_at"] - now for number in numbers] == [0, 240, 240]
    assert await deliveries.claim(now + 179, 180, 2) is None
    await deliveries.rest(under_way.account_id, now, now + 100)
    assert [scene.row(number)["due_at"] - now for number in numbers] == [0, 240, 240], "never sooner"


async def test_a_silent_bucket_of_one_account_holds_up_no_other(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever delivered one after another would wait for the silent ones."""
    clients = scene.deliverer._parts.clients
    mine = [await scene.judge(f"TOKEN-{number}") for number in range(4)]
    elsewhere = await another(scene)
    other = await elsewhere.judge("OTHER")
    silent = replace(plain(), name="silent-1250000000")
    await scene.authorise(silent)
    await elsewhere.authorise()
    made, ends, begun = clients.of, threading.Event(), list[str]()

    def put(key: str, *given: object) -> None:
        begun.append(key)
        ends.wait()

    def of(bucket: Bucket, key: BucketKey) -> BucketClient:
        client = made(bucket, key)
        if bucket == silent:
            monkeypatch.setattr(client, "put", put)
        return client

    monkeypatch.setattr(clients, "of", of)
    running = asyncio.create_task(scene.deliverer.run())
    try:
        found = await scene.deliverer.addresses(elsewhere.world.account.id, other, 30)
        assert found.video is not None
        assert len(begun) == 2
        assert {scene.row(number)["state"] for number in mine} == {"waiting"}
    finally:
        ends.set()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_bucket_that_was_deleted_or_a_key_that_was_rotated_waits_for_a_new_authorisation(scene: Scene) -> None:
    await scene.authorise(key=BucketKey(KEY_ID, "another secret"))
    number = await scene.judge()
    await scene.deliverer.step()
    assert scene.row(number)["trouble"] == "wrong_key"
    await scene.world.store.buckets.revoke(scene.world.account.id)
    await scene.world.store.keys.refresh()
    scene.world.clock.now += 3600
    await scene.deliverer.step()
    assert scene.row(number)["trouble"] == "not_authorised"
    await scene.authorise()
    assert await scene.deliverer.step()  # at once: its next try would have been later
    assert scene.row(number)["state"] == "delivered"


async def test_what_is_due_ends_with_the_days_of_evidence(scene: Scene) -> None:
    number = await scene.judge()
    scene.front.fault = "down"
    await scene.deliverer.step()
    scene.world.clock.now += Retention().evidence_days * 86400 + 3600
    await scene.world.store.sweeper.sweep(scene.world.clock())
    scene.front.fault = ""
    await scene.deliverer.step()
    assert scene.row(number)["state"] == "nothing"
    assert scene.front.objects() == {}


async def test_a_verdict_without_frames_has_nothing_to_deliver(scene: Scene) -> None:
    number = await scene.judge(frames=0)
    await scene.deliverer.step()
    assert scene.row(number)["state"] == "nothing"
    assert await scene.deliverer.addresses(scene.world.account.id, number, 0) == NO_ADDRESSES


async def test_a_result_waits_for_a_delivery_that_is_under_way_and_not_for_ever(scene: Scene) -> None:
    number = await scene.judge()
    account = scene.world.account.id
    assert await scene.deliverer.addresses(account, number, 0.01) == NO_ADDRESSES
    waiting = asyncio.create_task(scene.deliverer.addresses(account, number, 30))
    await asyncio.sleep(0)
    await scene.deliverer.step()
    assert (await waiting).video is not None


async def test_signed_addresses_are_read_by_anybody(scene: Scene) -> None:
    await scene.authorise(replace(plain(), link_hours=1))
    number = await scene.judge()
    await scene.deliverer.step()
    found = await scene.deliverer.addresses(scene.world.account.id, number, 0)
    assert found.best_frame is not None
    opener = build_opener(ProxyHandler({"http": scene.front.proxy}))
    read = await asyncio.to_thread(lambda: opener.open(found.best_frame or "", timeout=5).read())
    assert read == drawn()


# -- erasure


async def test_erasing_a_session_deletes_what_was_delivered_of_it_alone(scene: Scene) -> None:
    number, other = await scene.judge(), await scene.judge("OTHER")
    while await scene.deliverer.step():
        pass
    store, account = scene.world.store, scene.world.account.id
    assert await store.sweeper.erase(number, account, scene.world.clock()) == 1
    await scene.deliverer.step()
    assert scene.row(number)["state"] == "erased"
    assert {key.split("/")[3] for key in scene.front.objects()} == {scene.row(other)["folder"].split("/")[1]}
    assert await store.sessions.find("TOKEN") is None
    assert await store.sessions.video(number) is None
    assert await scene.deliverer.addresses(account, number, 0) == NO_ADDRESSES


async def test_erasing_what_waits_keeps_it_from_being_delivered(scene: Scene) -> None:
    number = await scene.judge()
    await scene.world.store.sweeper.erase(number, scene.world.account.id, scene.world.clock())
    while await scene.deliverer.step():
        pass
    assert scene.front.objects() == {}
    assert scene.row(number)["state"] == "erased"


async def test_erasing_finds_what_a_try_that_broke_off_has_put_there(scene: Scene) -> None:
    number, store = await scene.judge(), scene.world.store
    taken = await store.deliveries.claim(scene.world.clock(), 180, 2)
    assert taken is not None
    client = scene.deliverer._parts.clients.of(plain(), KEY)
    await asyncio.to_thread(client.put, plain().key(taken.folder, "video.mp4"), b"half", "video/mp4")
    await store.sweeper.erase(number, scene.world.account.id, scene.world.clock())
    assert await scene.deliverer.step()
    assert (scene.row(number)["state"], scene.front.objects()) == ("erased", {})


async def test_a_session_erased_while_it_is_delivered_leaves_nothing_in_the_bucket(scene: Scene) -> None:
    number = await scene.judge()
    outbox = scene.world.store.deliveries
    finish = outbox.finish

    async def erased_first(*given: object, **named: object) -> bool:
        outbox.finish = finish  # type: ignore[method-assign]
        await scene.world.store.sweeper.erase(number, scene.world.account.id, scene.world.clock())
        return await finish(*given, **named)  # type: ignore[arg-type]

    outbox.finish = erased_first  # type: ignore[method-assign]
    await scene.deliverer.step()
    assert scene.front.objects() == {}
    while await scene.deliverer.step():
        pass
    assert scene.row(number)["state"] == "erased"


async def test_removing_a_person_deletes_what_was_delivered_under_their_id_number(scene: Scene) -> None:
    store, account = scene.world.store, scene.world.account.id
    await store.identities.add(account, NewPerson(ID_CARD, "韦小宝", None))
    await scene.judge()
    await scene.deliverer.step()
    assert len(scene.front.objects()) == 2
    await store.identities.remove(account, ID_CARD)
    await scene.deliverer.step()
    assert scene.front.objects() == {}
    assert scene.world.count("SELECT count(*) FROM deliveries WHERE id_hash IS NOT NULL") == 0


async def test_a_copy_that_cannot_be_deleted_is_left_after_some_tries_and_told(scene: Scene) -> None:
    number = await scene.judge()
    await scene.deliverer.step()
    await scene.world.store.sweeper.erase(number, scene.world.account.id, scene.world.clock())
    scene.front.fault = "AccessDenied"
    for _ in range(MAX_ERASURE_TRIES):
        scene.world.clock.now += 3600
        await scene.deliverer.step()
    assert (scene.row(number)["state"], scene.row(number)["trouble"]) == ("left", "no_right")
    scene.front.fault = ""
    store = scene.world.store
    assert await store.sweeper.erase(number, scene.world.account.id, scene.world.clock()) == 1, "asked for once more"
    assert await scene.deliverer.step()
    assert (scene.row(number)["state"], scene.front.objects()) == ("erased", {})


# -- what is wrong with a bucket, in words


@pytest.mark.parametrize(
    ("change", "trouble", "words"),
    [
        ({"name": "other-1250000000"}, BucketProblem.NO_BUCKET, "there is no bucket other-1250000000"),
        ({"secret": "wrong"}, BucketProblem.WRONG_KEY, "the key is not one of"),
        ({"id": "AKIDother"}, BucketProblem.WRONG_KEY, "the key is not one of"),
        ({"fault": "AccessDenied"}, BucketProblem.NO_RIGHT, "the key may not do this"),
        ({"style": "path"}, BucketProblem.PATH_STYLE, "--style virtual"),
        ({"fault": "down"}, BucketProblem.UNREACHABLE, "cannot be reached"),
        ({"fault": "redirect"}, BucketProblem.REDIRECTED, "redirects (307)"),
        ({"hosts": "*.example.com"}, BucketProblem.HOST_REFUSED, "RENZHENG_BUCKET_HOSTS"),
    ],
)
def test_each_trouble_has_a_sentence_of_its_own(
    front: CosFront, change: dict[str, str], trouble: BucketProblem, words: str
) -> None:
    bucket = replace(plain(), name=change.get("name", NAME), virtual="style" not in change)
    key = BucketKey(change.get("id", KEY_ID), change.get("secret", KEY.secret))
    front.fault = change.get("fault", "")
    clients = Clients(AllowedHosts([change.get("hosts", "*.myqcloud.com")]), front.proxy)
    with pytest.raises(BucketError, match="a probe object cannot be written") as caught:
        clients.of(bucket, key).probe()
    assert caught.value.trouble is trouble
    assert words in str(caught.value)
    assert KEY.secret not in str(caught.value)


def test_a_bucket_that_gives_back_something_else_is_none_to_keep_evidence_in(front: CosFront) -> None:
    front.fault = "changed"
    clients = Clients(AllowedHosts(["*.myqcloud.com"]), front.proxy)
    with pytest.raises(BucketError, match="cannot be read: what comes back is not what was written"):
        clients.of(plain(), KEY).probe()


def test_a_host_that_has_no_address_is_unreachable() -> None:
    def nowhere(host: str, port: int) -> list[str]:
        raise OSError(-2, "Name or service not known")

    clients = Clients(AllowedHosts(["s3.example.com"], nowhere))
    with pytest.raises(BucketError, match="Name or service not known") as caught:
        clients.of(s3_bucket("faces", "https://s3.example.com"), KEY).probe()
    assert caught.value.trouble is BucketProblem.UNREACHABLE


def test_a_probe_leaves_nothing_behind_and_shows_the_address(front: CosFront) -> None:
    clients = Clients(AllowedHosts(["*.myqcloud.com"]), front.proxy)
    shown = clients.of(plain(), KEY).probe()
    assert shown.startswith(f"http://{NAME}.cos.{REGION}.myqcloud.com/faceid/test/")
    assert front.objects() == {}
