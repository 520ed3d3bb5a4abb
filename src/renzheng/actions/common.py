"""What several actions share: the Encryption object and the photo's limits."""

from __future__ import annotations

from renzheng.gateway import encryption

MOST_IMAGE_BASE64 = 8 * 1024 * 1024
"""Characters of ImageBase64, after encoding (Tencent's documentation)."""

REGIONS = frozenset({"ap-beijing", "ap-chengdu", "ap-guangzhou", "ap-shanghai"})
"""Where GetFaceIdToken is offered (Tencent's documentation)."""


class Encryption(encryption.Encryption, forbid_unknown_fields=True):
    """How sensitive fields are sealed. All may be left out: official helpers do so for sealed replies."""
