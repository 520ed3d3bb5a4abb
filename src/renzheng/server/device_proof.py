"""The device that a token's Meta binds it to, and the check of that device's signature."""

from __future__ import annotations

import base64
import binascii
import functools
import json
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

_COORDINATE = 32


def device_key(meta: str) -> ec.EllipticCurvePublicKey | None:
    """Return the public key in a Meta made by the JavaScript SDK; None for any other Meta, which binds nothing."""
    try:
        jwk = json.loads(meta)["key"]
        if jwk["kty"] != "EC" or jwk["crv"] != "P-256":
            return None
        x, y = (int.from_bytes(_from_base64url(jwk[name]), "big") for name in ("x", "y"))
        return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def device_proof(meta: str) -> Callable[[str, str, str], bool] | None:
    """Return the check of the device that a Meta binds its token to; see `capture.parts.DeviceProof`."""
    key = device_key(meta)
    return None if key is None else functools.partial(_device_proves, key)


def _device_proves(key: ec.EllipticCurvePublicKey, nonce: str, token: str, signature: str) -> bool:
    """Return whether `signature` (Base64 of r and s, 32 bytes each) is the device's over this nonce and token."""
    try:
        raw = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    if len(raw) != 2 * _COORDINATE:
        return False
    r, s = int.from_bytes(raw[:_COORDINATE], "big"), int.from_bytes(raw[_COORDINATE:], "big")
    message = f"renzheng device identity v1\n{nonce}\n{token}".encode()
    try:
        key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True
