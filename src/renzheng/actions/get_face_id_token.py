"""GetFaceIdToken: a token that lives ten minutes and serves one verification."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec
import pybase64

from renzheng.accounts.rules import Rule
from renzheng.actions.common import MOST_IMAGE_BASE64, Standings, refuse
from renzheng.gateway.contract import Caller
from renzheng.gateway.encryption import SEALABLE_FIELDS
from renzheng.gateway.errors import ImageSizeTooLarge, InvalidParameter
from renzheng.gateway.parameters import text_of, unescaped
from renzheng.verification.identity import is_id_card
from renzheng.verification.policy import Policy
from renzheng.verification.session import CompareLib, Details

MOST_CHARACTERS = {"extra": 1000, "name": 1000, "meta": 65536, "meta_data": 65536}
"""Extra's is documented. The others are sealed into the session and read each time that its device comes; what Meta
holds was made on that device, whoever owns it."""
SEALABLE = SEALABLE_FIELDS
"""What may come sealed: Name, IdCard, ImageBase64."""


class SealedFields(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename="pascal"):
    """Encryption of a request: what was sealed, and how. Nothing of it can be left out but the algorithm's parts."""

    encrypt_list: list[str]
    ciphertext_blob: str
    iv: str
    algorithm: str | None = None
    tag_list: list[str] | None = None


class Request(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename="pascal", gc=False):
    compare_lib: str
    id_card: str | None = None
    name: str | None = None
    image_base64: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="ImageBase64")
    meta: str | None = None
    extra: str | None = None
    use_cos: bool | None = None
    encryption: SealedFields | None = None
    rule_id: str | None = None
    meta_data: str | None = None


class Reply(msgspec.Struct, rename="pascal", gc=False):
    face_id_token: str


class Sessions(Protocol):
    async def create(
        self,
        account_id: int,
        token: str,
        details: Details,
        photo: bytes | None,
        policy: Policy,
        now: float,
        lifetime: float,
        rule_id: int | None = None,
        evidence_days: float | None = None,
    ) -> int: ...


class Accounts(Standings, Protocol):
    def rule(self, account_id: int, rule_id: str) -> Rule | None: ...


class GetFaceIdToken:
    """`is_photo(bytes)`: whether the header is that of a JPEG or PNG that a judge will be able to open.

    `policy`: what applies without a RuleId.
    """

    def __init__(
        self,
        sessions: Sessions,
        accounts: Accounts,
        is_photo: Callable[[bytes], bool],
        entropy: Callable[[int], bytes],
        policy: Policy,
        lifetime: float,
    ) -> None:
        self._sessions = sessions
        self._accounts = accounts
        self._is_photo = is_photo
        self._entropy = entropy
        self._policy = policy
        self._lifetime = lifetime

    async def __call__(self, caller: Caller, request: Request) -> Reply:
        _refuse_what_is_not_offered(request)
        details = _details(request)
        if (why := self._accounts.standing(caller.account_id).to_issue) is not None:
            refuse(why)
        rule = self._rule(caller.account_id, request.rule_id)
        photo = self._photo(request.image_base64) if details.compare_lib is CompareLib.LOCAL else None
        # The text has done its work: it would hold the whole body until the photo is stored.
        msgspec.structs.force_setattr(request, "image_base64", msgspec.Raw())
        token = new_token(self._entropy)
        account_id, now, lifetime = caller.account_id, caller.now, self._lifetime
        if rule is None:
            await self._sessions.create(account_id, token, details, photo, self._policy, now, lifetime)
        else:
            terms = rule.terms
            await self._sessions.create(
                account_id, token, details, photo, terms.policy, now, lifetime, rule.id, terms.evidence_days
            )
        return Reply(token)

    def _rule(self, account_id: int, rule_id: str | None) -> Rule | None:
        """The approved rule that a RuleId names, None without one. InvalidParameter."""
        if not rule_id:
            return None
        rule = self._accounts.rule(account_id, rule_id)
        if rule is None:
            raise InvalidParameter("RuleId names no approved rule of this account")
        return rule

    def _photo(self, raw: msgspec.Raw) -> bytes:
        """The uploaded photo's bytes. InvalidParameter, or ImageSizeTooLarge."""
        try:
            return self._decoded(text_of(raw))
        except (InvalidParameter, ImageSizeTooLarge):
            plain = unescaped(raw)  # looked for only now: it is another pass over megabytes
            if plain is raw:
                raise
            return self._decoded(text_of(plain))

    def _decoded(self, text: memoryview) -> bytes:
        if not text:
            raise InvalidParameter("no ImageBase64 under LOCAL")
        _check_size(text)
        if len(text) % 4:
            raise InvalidParameter("ImageBase64 is not padded")
        try:
            photo = pybase64.b64decode(text, validate=True)
        except ValueError:
            raise InvalidParameter("ImageBase64 is not Base64") from None
        if not self._is_photo(photo):
            raise InvalidParameter("ImageBase64 is neither JPEG nor PNG")
        return photo


def check_sealed(request: Request) -> None:
    """Called before a sealed photo is opened, so that the limit also bounds what is opened. ImageSizeTooLarge."""
    _check_size(text_of(request.image_base64))


def _check_size(image_base64: memoryview) -> None:
    if len(image_base64) > MOST_IMAGE_BASE64:
        raise ImageSizeTooLarge


def new_token(entropy: Callable[[int], bytes]) -> str:
    """128 random bits as upper-case hex in groups of 8, 4, 4, 4 and 12, as the documented ones look."""
    digits = entropy(16).hex().upper()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _details(request: Request) -> Details:
    """The request as the domain keeps it. InvalidParameter where its CompareLib lacks what it needs."""
    try:
        compare_lib = CompareLib(request.compare_lib)
    except ValueError:
        raise InvalidParameter("CompareLib is neither LOCAL nor BUSINESS") from None
    if compare_lib is CompareLib.BUSINESS and not (request.id_card and request.name):
        raise InvalidParameter("no IdCard or Name under BUSINESS")
    if request.id_card and not is_id_card(request.id_card):
        raise InvalidParameter("IdCard is not of the form of an ID number")
    for name, most in MOST_CHARACTERS.items():
        if len(getattr(request, name) or "") > most:
            raise InvalidParameter(f"{name} has more than {most} characters")
    return Details(
        compare_lib,
        request.id_card or "",
        request.name or "",
        request.extra or "",
        request.meta or "",
        request.meta_data or "",
    )


def _refuse_what_is_not_offered(request: Request) -> None:
    if request.use_cos:
        raise _not_offered("UseCos", "结果不能存入 COS", "results cannot be kept in COS")


def _not_offered(name: str, zh: str, en: str) -> InvalidParameter:
    return InvalidParameter(
        f"{name} is not supported",
        zh=f"参数错误。暂不支持参数 `{name}`：{zh}。",
        en=f"The parameter `{name}` is not supported yet: {en}.",
    )
