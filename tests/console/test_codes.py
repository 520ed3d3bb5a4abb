"""Codes of the second factor are long enough, and none is another's."""

from __future__ import annotations

from random import Random

from renzheng.console.codes import is_secret, new_recovery_codes, new_secret


def test_what_opens_the_console_is_long_enough() -> None:
    entropy = Random(1).randbytes
    secret = new_secret(entropy)
    assert (len(secret), is_secret(secret)) == (32, True)
    for other in (secret[:-1], secret + "A", secret.lower(), "1" + secret[1:], ""):
        assert not is_secret(other)
    codes = new_recovery_codes(entropy)
    assert len(set(codes)) == len(codes) == 10
    for code in codes:
        first, _, second = code.partition("-")
        assert (len(first), len(second)) == (5, 5)
        assert set(first + second) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
