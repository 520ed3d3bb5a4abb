"""The second factor: codes of an authenticator app, and recovery codes for people who have lost it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pyotp

TOTP_SECONDS = 30
MAX_DRIFT = 1
"""Time steps that a phone's clock may be off, in either direction (RFC 6238, section 5.2)."""
RECOVERY_CODES = 10
_TOTP_BYTES = 20
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's alphabet: no character looks like another
_LETTERS_A_CODE = 10


class Enrolment(NamedTuple):
    """`secret`: Base32, to be typed into an app. `address`: an `otpauth:` address for a QR code."""

    secret: str
    address: str


def new_secret(entropy: Callable[[int], bytes]) -> str:
    """Return 160 random bits in Base32."""
    return "".join(_BASE32[byte % 32] for byte in entropy(_TOTP_BYTES * 8 // 5))


_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def is_secret(text: str) -> bool:
    return len(text) == _TOTP_BYTES * 8 // 5 and not set(text) - set(_BASE32)


def enrolment(secret: str, name: str) -> Enrolment:
    return Enrolment(secret, pyotp.TOTP(secret, name=name, issuer="renzheng").provisioning_uri())


def matching_step(secret: str, code: str, now: float) -> int | None:
    """Return the time step of this code, within the drift; None if there is none. Use it up at once."""
    given = "".join(code.split())
    if len(given) != 6 or not given.isascii() or not given.isdigit():
        return None
    totp = pyotp.TOTP(secret)
    step = int(now) // TOTP_SECONDS
    steps = range(step - MAX_DRIFT, step + MAX_DRIFT + 1)
    return next((one for one in steps if pyotp.utils.strings_equal(totp.generate_otp(one), given)), None)


def new_recovery_codes(entropy: Callable[[int], bytes]) -> list[str]:
    """Make ten codes of fifty random bits each."""
    drawn = ("".join(_LETTERS[byte % 32] for byte in entropy(_LETTERS_A_CODE)) for _ in range(RECOVERY_CODES))
    return [f"{code[:5]}-{code[5:]}" for code in drawn]


def plain_recovery_code(given: str) -> str:
    """Return a typed code in the form in which it was made."""
    letters = "".join(given.upper().replace("-", "").split()).translate(str.maketrans("OIL", "011"))
    return f"{letters[:5]}-{letters[5:]}"
