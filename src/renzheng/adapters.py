"""Where rooms that do not know each other are joined: engine and capture, keys and accounts, devices and proofs."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence

import segno
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from renzheng.store.accounts import KeyCache

_COORDINATE = 32


class AccountsOfKeys:
    """What the capture asks of accounts, from the keys in memory."""

    def __init__(self, keys: KeyCache) -> None:
        self._keys = keys

    def origins(self, account_id: int) -> Sequence[str]:
        account = self._keys.account(account_id)
        return account.origins if account else ()

    def name(self, account_id: int) -> str:
        account = self._keys.account(account_id)
        return account.name if account else ""


def device_key(meta: str) -> ec.EllipticCurvePublicKey | None:
    """The public key in a Meta that the JavaScript SDK made; None for any other Meta, which binds nothing."""
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


def device_proves(key: ec.EllipticCurvePublicKey, nonce: str, token: str, signature: str) -> bool:
    """Whether `signature` (Base64 of r and s, 32 bytes each) is the device's over this nonce and token."""
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


def qr_rows(text: str) -> list[str]:
    """A QR code as rows of 0 and 1, without its quiet zone."""
    return ["".join("1" if module else "0" for module in row) for row in segno.make(text, error="m").matrix]
