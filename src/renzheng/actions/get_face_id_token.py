"""GetFaceIdToken: a token that lives ten minutes and serves one verification."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from renzheng.accounts.rules import Rule
from renzheng.actions.common import ENCRYPTION_FIELDS, MAX_IMAGE_BASE64, refuse
from renzheng.actions.errors import ImageSizeTooLargeError
from renzheng.actions.photos import from_base64
from renzheng.actions.photos import refusal as photo_refusal
from renzheng.actions.ports import Parts
from renzheng.gateway.contract import Caller
from renzheng.gateway.errors import InvalidParameterError, LimitExceededError
from renzheng.gateway.manifest import Manifest, Message, Parameter
from renzheng.gateway.parameters import text_of, unescaped
from renzheng.verification.identity import is_id_card, normal_id_card, normal_name
from renzheng.verification.records import EvidenceLimitError
from renzheng.verification.session import CompareLib, Details

MAX_CHARACTERS = {"Extra": 1000, "Name": 1000, "Meta": 65536, "MetaData": 65536}
"""Extra's limit is documented. The other fields are sealed into the session and read each time that its device
connects; the device itself made the content of Meta."""
_COMPARE_LIBS = {one.value: one for one in CompareLib}
_ID_CARD_FORM = (
    "IdCard is 18 characters: 17 digits and a digit or X, without spaces. The 15 digits of first-generation cards, "
    "which ended in 2013, are not taken.",
    "IdCard 应为 18 位：17 位数字加 1 位数字或 X，不含空格。不支持第一代身份证的 15 位号码（2013 年起已停用）。",
)
_ID_CARD_SPELLING = (
    "IdCard would be an ID number, but it has full-width characters, spaces, invisible characters or another letter "
    "that looks like X. Send 17 ASCII digits and a digit or the letter X.",
    "IdCard 位数正确，但含有全角字符、空格、不可见字符，或与 X 形似的其他字母。"
    "请以 17 位半角数字加 1 位半角数字或字母 X 传入。",
)


class SealedFields(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename="pascal"):
    """The Encryption of a request: what was sealed, and how. Only the algorithm's parts may be omitted."""

    encrypt_list: list[str]
    ciphertext_blob: str
    iv: str
    algorithm: str | None = None
    tag_list: list[str] | None = None


class Request(Message, forbid_unknown_fields=True, frozen=True, rename="pascal", gc=False):
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

    def check(self) -> None:
        """Check that CompareLib has what it needs, and each text's form and length. Raises InvalidParameterError."""
        business = self.compare_lib == "BUSINESS"
        if not business and self.compare_lib not in _COMPARE_LIBS:
            raise InvalidParameterError(
                "CompareLib is neither LOCAL nor BUSINESS",
                why=("CompareLib is LOCAL or BUSINESS, in capitals.", "CompareLib 只能是 LOCAL 或 BUSINESS，须大写。"),
            )
        if business and not (self.id_card and self.name):
            raise InvalidParameterError(
                "no IdCard or Name under BUSINESS",
                why=(
                    "Under BUSINESS both Name and IdCard are needed.",
                    "CompareLib 为 BUSINESS 时必须同时传 Name 和 IdCard。",
                ),
            )
        if business and self.name and not normal_name(self.name):
            raise InvalidParameterError(
                "Name holds nothing that can be seen",
                why=("Name holds nothing but spaces and invisible characters.", "Name 只含空格和不可见字符。"),
            )
        if self.id_card and not is_id_card(self.id_card):
            if is_id_card(normal_id_card(self.id_card)):
                raise InvalidParameterError("IdCard is spelled with other characters than ASCII", why=_ID_CARD_SPELLING)
            raise InvalidParameterError("IdCard is not of the form of an ID number", why=_ID_CARD_FORM)
        for name, value in (
            ("Extra", self.extra),
            ("Name", self.name),
            ("Meta", self.meta),
            ("MetaData", self.meta_data),
        ):
            if value is not None and len(value) > (most := MAX_CHARACTERS[name]):
                raise InvalidParameterError(
                    f"{name} has more than {most} characters",
                    why=(f"{name} may have {most} characters.", f"{name} 最长 {most} 个字符。"),
                )

    def details(self) -> Details:
        """Return the checked request in the domain's form."""
        return Details(
            _COMPARE_LIBS[self.compare_lib],
            self.id_card or "",
            self.name or "",
            self.extra or "",
            self.meta or "",
            self.meta_data or "",
        )


class Reply(msgspec.Struct, rename="pascal", gc=False):
    face_id_token: str


class GetFaceIdToken:
    def __init__(self, parts: Parts) -> None:
        self._sessions = parts.sessions
        self._accounts = parts.accounts
        self._photos = parts.photos
        self._calls = parts.calls
        self._entropy = parts.entropy
        self._policy = parts.policy
        self._lifetime = parts.token_seconds

    async def __call__(self, caller: Caller, request: Request) -> Reply:
        details = request.details()
        if (why := self._accounts.standing(caller.account_id).to_issue) is not None:
            refuse(why)
        rule = self._rule(caller.account_id, request.rule_id)
        to_bucket = self._to_bucket(caller.account_id, request.use_cos)
        photo = await self._photo(request.image_base64) if details.compare_lib is CompareLib.LOCAL else None
        # The text is no longer needed, and would keep the whole body in memory until the photo is stored.
        msgspec.structs.force_setattr(request, "image_base64", msgspec.Raw())
        token = new_token(self._entropy)
        try:
            session_id = await self._sessions.create(
                caller.account_id,
                token,
                details,
                photo,
                rule.terms.policy if rule else self._policy,
                caller.now,
                self._lifetime,
                rule_id=rule.id if rule else None,
                evidence_days=rule.terms.evidence_days if rule else None,
                to_bucket=to_bucket,
            )
        except EvidenceLimitError as error:
            raise LimitExceededError(str(error)) from None
        self._calls.note(session_id, caller.now, MANIFEST.name, caller.secret_id, caller.request_id)
        return Reply(token)

    def _to_bucket(self, account_id: int, use_cos: bool | None) -> bool:
        """Return whether the evidence goes to the account's bucket. InvalidParameterError if it has authorised none."""
        if not use_cos:
            return False
        if not self._accounts.has_bucket(account_id):
            raise InvalidParameterError(
                "UseCos without an authorised bucket",
                zh="参数错误。该账号尚未授权存储桶，不能使用 `UseCos`。",
                en="The account has authorised no bucket, so `UseCos` cannot be used.",
            )
        return True

    def _rule(self, account_id: int, rule_id: str | None) -> Rule | None:
        """Return the approved rule with a RuleId; None without a RuleId. InvalidParameterError."""
        if not rule_id:
            return None
        rule = self._accounts.rule(account_id, rule_id)
        if rule is None:
            raise InvalidParameterError(
                "RuleId names no approved rule of this account",
                why=(
                    "RuleId names no approved rule of this account: `renzheng rule list` shows them.",
                    "RuleId 不是本账号已审核通过的规则：可用 `renzheng rule list` 查看。",
                ),
            )
        return rule

    async def _photo(self, raw: msgspec.Raw) -> bytes:
        """Return the uploaded photo's bytes. InvalidParameterError, or ImageSizeTooLargeError."""
        photo = _decode(raw)
        if (fault := await self._photos.fault(photo)) is not None:
            raise photo_refusal(*fault)
        return photo


def _decode(raw: msgspec.Raw) -> bytes:
    try:
        return _decoded_text(text_of(raw))
    except (InvalidParameterError, ImageSizeTooLargeError):
        plain = unescaped(raw)  # checked only now, as it is another pass over megabytes
        if plain is raw:
            raise
        return _decoded_text(text_of(plain))


def _decoded_text(text: memoryview) -> bytes:
    _check_size(text)
    return from_base64(text)


def check_sealed(request: Request) -> None:
    """Check the size of a sealed photo before it is opened, so that opening is bounded too. ImageSizeTooLargeError."""
    _check_size(text_of(request.image_base64))


def _check_size(image_base64: memoryview) -> None:
    if len(image_base64) > MAX_IMAGE_BASE64:
        raise ImageSizeTooLargeError


def new_token(entropy: Callable[[int], bytes]) -> str:
    """Make a token of 128 random bits: upper-case hex in groups of 8, 4, 4, 4 and 12, like the documented ones."""
    digits = entropy(16).hex().upper()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


MANIFEST = Manifest(
    name="GetFaceIdToken",
    request=Request,
    reply=Reply,
    make=GetFaceIdToken,
    text=(
        "开始一次人脸核身：获取 Token，交给用户的手机或浏览器使用。",
        "Begins a verification: gets a token for the person’s phone or browser.",
    ),
    parameters={
        "CompareLib": Parameter(
            "比对源类型：LOCAL 为随请求上传的照片，BUSINESS 为商业库，即登记在本服务中的照片。",
            "What to compare with. LOCAL: a photo in this request. BUSINESS: the photo enrolled on this server.",
            choices=("LOCAL", "BUSINESS"),
            example="BUSINESS",
        ),
        "IdCard": Parameter(
            "身份证号码，18 位；不支持第一代身份证的 15 位号码。BUSINESS 必填。",
            "The ID number: 18 characters, not the 15 of first-generation cards. Needed under BUSINESS.",
            example="11204416541220243X",
        ),
        "Name": Parameter(
            "姓名，与登记的一致。BUSINESS 必填。",
            "The name, as it is enrolled. Needed under BUSINESS.",
            example="韦小宝",
        ),
        "ImageBase64": Parameter(
            "作为比对源的照片，JPEG 或 PNG。LOCAL 必填。",
            "The photo to compare with, JPEG or PNG. Needed under LOCAL.",
        ),
        "Meta": Parameter(
            "设备上 SDK 的 getMeta() 返回的文本，请原样传入；Token 将只能在该设备上使用。",
            "The text that getMeta() of the SDK returned on the device, unchanged. The token then works only there.",
        ),
        "Extra": Parameter(
            "您自己的备注，最长 1000 个字符，查询结果时原样返回。",
            "A note of your own, up to a thousand characters; it comes back with the result.",
        ),
        "UseCos": Parameter(
            "把视频和最佳帧存入账号已授权的存储桶，结果中返回地址。未授权存储桶时填 true 会被拒绝。",
            "Deliver video and best frame to the account's bucket; the result has addresses. Needs an authorised "
            "bucket.",
        ),
        "Encryption": Parameter(
            "Name、IdCard 或 ImageBase64 加密传输时的加密信息。",
            "How Name, IdCard or ImageBase64 are encrypted, if they are.",
        ),
        "RuleId": Parameter(
            "已审核通过的规则编号，决定动作、阈值和保存期。不填则使用服务的默认配置。",
            "The number of an approved rule, which sets actions, threshold and retention. Without it the defaults "
            "apply.",
        ),
        "MetaData": Parameter(
            "移动端 SDK 返回的设备信息，请原样传入；本服务只保存，不使用。",
            "Device information from a mobile SDK, unchanged. This server stores it and does not use it.",
        ),
        **ENCRYPTION_FIELDS,
    },
    errors=(ImageSizeTooLargeError, LimitExceededError),
    order=1,
    regions=frozenset({"ap-beijing", "ap-chengdu", "ap-guangzhou", "ap-shanghai"}),
    sealable=frozenset({"Name", "IdCard", "ImageBase64"}),
    check_sealed=check_sealed,
)
