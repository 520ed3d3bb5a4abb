"""Secrets are as long as they say, and every character of theirs is drawn equally often."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

from renzheng.accounts.keys import new_secret_id, new_secret_key, new_token

LETTERS = string.ascii_letters + string.digits


@pytest.mark.parametrize(
    ("make", "begin", "drawn"), [(new_secret_id, "AKID", 32), (new_secret_key, "", 32), (new_token, "", 64)]
)
def test_ids_keys_and_tokens_are_letters_and_digits_without_a_bias(
    make: Callable[[Callable[[int], bytes]], str], begin: str, drawn: int
) -> None:
    entropy = Random(1).randbytes
    made = [make(entropy) for _ in range(2000)]
    assert {(one[: len(begin)], len(one) - len(begin)) for one in made} == {(begin, drawn)}
    counted = Counter("".join(one[len(begin) :] for one in made))
    assert counted.keys() == set(LETTERS)
    # Bytes above the last multiple of 62 would favour the first eight letters by a quarter.
    favoured, others = (sum(counted[one] for one in some) / len(some) for some in (LETTERS[:8], LETTERS[8:]))
    assert favoured / others == pytest.approx(1, abs=0.05)
