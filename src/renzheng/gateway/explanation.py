"""What an explanation of a signature is made of: the mistakes and their sentences, the texts, the masks."""

from __future__ import annotations

import hashlib

import msgspec

# The mistakes, each with its sentence in English and Chinese.
CAUSES: dict[str, tuple[str, str]] = {
    "date-not-utc": (
        "The date is not the UTC date of X-TC-Timestamp; a local date differs for some hours of each day.",
        "日期不是 X-TC-Timestamp 对应的 UTC 日期；使用本地日期时，每天有几个小时会签名失败。",
    ),
    "charset": (
        "The Content-Type that was signed and the one that was sent differ in their charset.",
        "参与签名的 Content-Type 与实际发送的 Content-Type 的 charset 不一致。",
    ),
    "port-in-host": (
        "A port was signed as part of the host, and the Host header was sent without it.",
        "参与签名的 host 带有端口，而实际发送的 Host 头不带该端口。",
    ),
    "scheme-in-host": (
        "The host was signed with http:// or https:// in front of it, and sent without.",
        "参与签名的 host 带有 http:// 或 https:// 前缀，而实际发送的 Host 头没有。",
    ),
    "body-reserialised": (
        "The body that was signed is another form of the same JSON than the one that was sent: sign the bytes "
        "that you send.",
        "参与签名的请求体与实际发送的请求体是同一 JSON 的不同序列化结果：请对实际发送的字节签名。",
    ),
    "space-around-key": (
        "White space stands before or behind the SecretKey that was used.",
        "所用 SecretKey 的前面或后面有空白字符。",
    ),
    "wrong-service": (
        "The signature was made for another service; it is `faceid`, in the scope and in the key.",
        "签名使用了其他产品名；凭证范围和派生密钥中的产品名都应为 `faceid`。",
    ),
    "key-of-another": (
        "The request was signed with the SecretKey of another SecretId.",
        "签名使用了另一个 SecretId 的 SecretKey。",
    ),
    "encoded-before-signing": (
        "The parameters' values were URL-encoded before signing; HmacSHA1 and HmacSHA256 sign them decoded.",
        "参数值在签名前被 URL 编码；HmacSHA1 和 HmacSHA256 应对未编码的原始值签名。",
    ),
    "query-order": (
        "The parameters were signed in another order than the method asks for: TC3 signs the query as it is sent, "
        "HmacSHA1 and HmacSHA256 sort by ASCII.",
        "参数的排序方式不对：TC3 对实际发送的查询串原样签名，HmacSHA1 和 HmacSHA256 按 ASCII 排序。",
    ),
    "value-case": (
        "A header's value was signed in another case than it was sent in.",
        "参与签名的头部取值与实际发送的取值大小写不一致。",
    ),
    "payload-unsigned": (
        "Whether the body is part of the signature is not agreed: UNSIGNED-PAYLOAD was signed where it was not "
        "announced by X-TC-Content-SHA256 or is not allowed for this key, or the other way round.",
        "请求体是否参与签名不一致：签名使用了 UNSIGNED-PAYLOAD，但未通过 X-TC-Content-SHA256 声明或该密钥不允许；"
        "或者相反。",
    ),
}
VALID = "valid"
MALFORMED = "malformed"
UNKNOWN_KEY = "unknown-key"
NONE_OF_THESE = "none-of-these"
_OTHERS: dict[str, tuple[str, str]] = {
    VALID: ("The signature is right.", "签名正确。"),
    MALFORMED: ("The request is no signed request in a form that can be read.", "请求不是可识别的已签名请求。"),
    UNKNOWN_KEY: ("The SecretId is not known here.", "SecretId 不存在。"),
    NONE_OF_THESE: (
        "None of the known mistakes gives the client's signature: compare the SecretKey and the signed texts.",
        "不属于任何一种已知错误：请核对 SecretKey 和参与签名的文本。",
    ),
}

_OPEN_PARAMETERS = frozenset(
    {"Action", "Version", "Region", "Timestamp", "Nonce", "SignatureMethod", "Language", "RequestClient"}
)


class Captured(msgspec.Struct, frozen=True):
    """A request as it came: `query` is the raw text behind the `?`, `headers` in their order.

    `payload_hash`: the hex SHA-256 of a body that is too large to be handed around; `body` is then empty.
    """

    method: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    payload_hash: str | None = None

    @property
    def sent_hash(self) -> str:
        """The hex SHA-256 of the body as it was sent."""
        return self.payload_hash or hashlib.sha256(self.body).hexdigest()


class Difference(msgspec.Struct, frozen=True):
    """The first place where the texts differ; `line` counts from 1, for v1 the parameters do."""

    where: str
    line: int
    ours: str
    theirs: str


class Explanation(msgspec.Struct, frozen=True):
    """`cause`: a key of `CAUSES`, or valid, malformed, unknown-key, none-of-these. The texts are those of the server.

    `difference` is None where nothing or only the key differs.
    """

    method: str
    cause: str
    canonical_request: str = ""
    string_to_sign: str = ""
    difference: Difference | None = None
    detail: str = ""

    def sentence(self, language: str = "en-US") -> str:
        """What is wrong, in `zh-CN` or else in English."""
        english, chinese = (CAUSES | _OTHERS)[self.cause]
        return (chinese if language == "zh-CN" else english) + (f" ({self.detail})" if self.detail else "")


def digest_of(value: str) -> str:
    """What stands for a value that may not be kept."""
    raw = value.encode("utf-8", "replace")
    return f"sha256:{hashlib.sha256(raw).hexdigest()[:16]} ({len(raw)} bytes)"


def mask_id(secret_id: str) -> str:
    """Enough of a SecretId to recognise one's own."""
    return f"{secret_id[:4]}…{secret_id[-4:]}" if len(secret_id) > 12 else "…"


def masked_value(name: str, value: str) -> str:
    """A v1 parameter's value as it may be kept."""
    if name in _OPEN_PARAMETERS:
        return value
    return mask_id(value) if name == "SecretId" else digest_of(value)
