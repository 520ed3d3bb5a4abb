"""That another device tried is left for the merchant, and no other device's token is touched by it."""

from __future__ import annotations

from tests.capture.conftest import BUSINESS
from tests.capture.test_binding import PRIVATE, meta_of, signature
from tests.support.server import Server, result
from tests.support.server import token as issue
from tests.support.wire import Wire


def test_a_mismatch_leaves_its_tag_and_level_in_the_result(server: Server, key: tuple[str, str]) -> None:
    client = server.sdk(key)
    tried, untouched = (issue(client, **BUSINESS, Meta=meta_of(PRIVATE)) for _ in range(2))
    with Wire(server) as wire:
        wire.hello(tried)
        nonce = wire.until("identify")["nonce"]
        wire.say("identity", signature=signature(PRIVATE, nonce, untouched))
        assert wire.closed() == 4414
    with Wire(server) as wire:
        wire.hello(untouched)
        nonce = wire.until("identify")["nonce"]
        wire.say("identity", signature=signature(PRIVATE, nonce, untouched))
        wire.until("welcome")
    found = result(client, tried)
    assert (found.DeviceInfoTag, found.DeviceInfoLevel) == ("04", "3")
    found = result(client, untouched)
    assert (found.DeviceInfoTag, found.DeviceInfoLevel) == (None, None)
