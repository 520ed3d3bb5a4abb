"""What several actions share: the Encryption object and the photo's limits."""

from __future__ import annotations

from typing import Protocol

from renzheng.accounts.billing import Refusal, Standing
from renzheng.gateway import encryption
from renzheng.gateway.errors import Arrears, Nonactivated

MOST_IMAGE_BASE64 = 8 * 1024 * 1024
"""Characters of ImageBase64, after encoding (Tencent's documentation)."""

REGIONS = frozenset({"ap-beijing", "ap-chengdu", "ap-guangzhou", "ap-shanghai"})
"""Where GetFaceIdToken is offered (Tencent's documentation)."""

ACTION_NAMES = ("GetFaceIdToken", "GetFaceIdResult")


class Standings(Protocol):
    """From memory: it is asked at every request."""

    def standing(self, account_id: int) -> Standing: ...


def refuse(why: Refusal) -> None:
    """Raises Nonactivated or Arrears."""
    raise Nonactivated if why is Refusal.NOT_ACTIVATED else Arrears


class Encryption(encryption.Encryption, forbid_unknown_fields=True):
    """How sensitive fields are sealed. All may be left out: official helpers do so for sealed replies."""
