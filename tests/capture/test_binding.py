"""A token whose Meta carries a device's public key is only accepted from the device that holds the private one."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.capture.conftest import BUSINESS
from tests.support.server import Server
from tests.support.server import token as issue
from tests.support.wire import Wire

PRIVATE = ec.generate_private_key(ec.SECP256R1())


def meta_of(private: ec.EllipticCurvePrivateKey) -> str:
    numbers = private.public_key().public_numbers()
    x, y = (base64.urlsafe_b64encode(n.to_bytes(32, "big")).decode().rstrip("=") for n in (numbers.x, numbers.y))
    return json.dumps({"sdk": "test", "key": {"kty": "EC", "crv": "P-256", "x": x, "y": y}})


def signature(private: ec.EllipticCurvePrivateKey, nonce: str, token: str) -> str:
    r, s = decode_dss_signature(
        private.sign(f"renzheng device identity v1\n{nonce}\n{token}".encode(), ec.ECDSA(hashes.SHA256()))
    )
    return base64.b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).decode()


@pytest.fixture
def bound(server: Server, key: tuple[str, str]) -> str:
    return issue(server.sdk(key), **BUSINESS, Meta=meta_of(PRIVATE))


def test_the_device_that_holds_the_key_is_welcome_and_cannot_hand_over(server: Server, bound: str) -> None:
    with Wire(server) as wire:
        wire.hello(bound)
        nonce = wire.until("identify")["nonce"]
        wire.say("identity", signature=signature(PRIVATE, nonce, bound))
        assert wire.until("welcome")["handover"] is False
        wire.say("handover")
        assert wire.closed() == 4400


@pytest.mark.parametrize("kind", ["another key", "another nonce", "another token", "rubbish", "short"])
def test_a_wrong_signature_closes_with_4414(server: Server, bound: str, kind: str) -> None:
    with Wire(server) as wire:
        wire.hello(bound)
        nonce = wire.until("identify")["nonce"]
        proofs = {
            "another key": signature(ec.generate_private_key(ec.SECP256R1()), nonce, bound),
            "another nonce": signature(PRIVATE, "00" * 16, bound),
            "another token": signature(PRIVATE, nonce, bound[:-1]),
            "rubbish": "not base64 at all",
            "short": base64.b64encode(b"short").decode(),
        }
        wire.say("identity", signature=proofs[kind])
        assert wire.closed() == 4414


@pytest.mark.parametrize(
    "meta", ["plain", "{}", '{"key":1}', '{"key":{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}}', "["]
)
def test_any_other_meta_binds_nothing(server: Server, key: tuple[str, str], meta: str) -> None:
    with Wire(server) as wire:
        wire.hello(issue(server.sdk(key), **BUSINESS, Meta=meta))
        assert wire.next()["type"] == "welcome"
