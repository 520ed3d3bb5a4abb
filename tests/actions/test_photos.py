"""What is wrong with the Base64 of a photo is told by the first of its other characters."""

from __future__ import annotations

import pytest

from renzheng.actions.photos import from_base64
from renzheng.gateway.errors import InvalidParameterError


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"-" * 8, "the URL's alphabet"),
        (b"-" * 7 + b"!", "not Base64"),
        # A text may have millions of other characters; to tell each from the others takes a tenth of a second.
        (b"-" * 4096 + b"!" * 4, "the URL's alphabet"),
        (b"QUJD" * 2000 + b"%" * 4096 + b"!" * 4, "URL-encoded"),
    ],
)
def test_the_first_other_characters_say_what_is_wrong(text: bytes, told: str) -> None:
    with pytest.raises(InvalidParameterError) as raised:
        from_base64(memoryview(text))
    assert told in raised.value.message("en-US")
