"""What several actions share: the Encryption object and the photo's limits."""

from __future__ import annotations

import msgspec

MOST_IMAGE_BASE64 = 8 * 1024 * 1024
"""Characters of ImageBase64, after encoding (Tencent's documentation)."""

REGIONS = frozenset({"ap-beijing", "ap-chengdu", "ap-guangzhou", "ap-shanghai"})
"""Where GetFaceIdToken is offered (Tencent's documentation)."""


class Encryption(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename="pascal"):
    """How sensitive fields are sealed. All may be left out: official helpers do so for sealed replies."""

    encrypt_list: list[str] | None = None
    ciphertext_blob: str | None = None
    iv: str | None = None
    algorithm: str | None = None
    tag_list: list[str] | None = None
