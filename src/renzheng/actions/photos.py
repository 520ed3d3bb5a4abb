"""The photo of a request: decodes its Base64, and names what is wrong with it in the reply."""

from __future__ import annotations

import re

import pybase64

from renzheng.gateway.errors import InvalidParameterError

FAULTS: dict[str, tuple[str, str]] = {
    "format": ("不是可用的 JPEG 或 PNG 图片", "it is not a JPEG or PNG that can be used"),
    "foreign": ("内容为 {name}，请使用普通的 JPEG 或 PNG 图片", "it is {name}; send an ordinary JPEG or PNG"),
    "corrupt": ("图片已损坏，无法解码", "the image is damaged and cannot be decoded"),
    "truncated": ("图片不完整，文件被截断", "the image is cut off: a part of the file is missing"),
    "too_many_bytes": ("图片文件过大", "the image has too many bytes"),
    "too_many_pixels": ("图片像素过多", "the image has too many pixels"),
    "too_small": ("图片像素过少，无法容纳人脸", "the image has too few pixels for a face"),
    "animated": ("图片为动图，请使用静态图片", "the image is animated; send a still picture"),
    "address": ("带有 data: 前缀，请只传 Base64 内容", "it begins with data: and has to be the Base64 text alone"),
    "lines": (
        "Base64 中含有空格或换行；以表单提交时，+ 须编码为 %2B",
        "its Base64 holds line breaks or spaces; in a form, + has to be sent as %2B",
    ),
    "alphabet": (
        "使用了 URL 安全的 Base64 字符集，请使用标准字符集",
        "it is in the URL's alphabet of Base64, not the standard one",
    ),
    "padding": (
        "Base64 长度不是 4 的倍数，可能被截断或缺少填充",
        "its Base64 is cut off or not padded: its length is not a multiple of 4",
    ),
    "location": ("是一个网址或路径，请传图片内容的 Base64", "it is an address; send the picture itself in Base64"),
    "percent": (
        "经过了 URL 编码（含有 %），请传 Base64 原文",
        "it is URL-encoded: it holds %; send the Base64 text as it is",
    ),
    "base64": (
        "不是 Base64：含有其他字符，如引号",
        "it is not Base64: it holds other characters, such as quotation marks",
    ),
    "twice": ("Base64 编码了两次", "it is encoded in Base64 twice"),
    "empty": ("LOCAL 方式必须传入图片", "LOCAL needs it"),
}
"""Kind -> Chinese and English. What is wrong with an image is named as `engine.media` names it."""
ENCODED = (b"/9j/", b"iVBOR", b"data:")
"""The first characters of the Base64 of a JPEG and of a PNG, and of a data URL with one."""

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_LOOKED_AT = 4096  # of these characters, of which a text may have millions
_MARKS = (("lines", frozenset(b" \t\r\n\\")), ("alphabet", frozenset(b"-_")), ("percent", frozenset(b"%")))
"""Other characters in a text that is almost Base64. The backslash comes from JSON, which escapes line breaks."""
_PATH = re.compile(rb"[^\0]{1,1000}\.(jpe?g|png|heic|webp)", re.IGNORECASE)


def refusal(kind: str, name: str = "") -> InvalidParameterError:
    """Return the error that names a fault."""
    zh, en = FAULTS["foreign" if kind == "format" and name else kind]
    zh, en = zh.format(name=name), en.format(name=name)
    return InvalidParameterError(
        f"ImageBase64: {en}", zh=f"参数错误。`ImageBase64`：{zh}。", en=f"`ImageBase64`: {en}."
    )


def from_base64(text: memoryview) -> bytes:
    """Decode standard, padded Base64. InvalidParameterError that says what is wrong."""
    if not text:
        raise refusal("empty")
    if len(text) % 4 == 0:
        try:
            photo: bytes = pybase64.b64decode(text, validate=True)
        except ValueError:
            pass
        else:
            if photo.startswith(ENCODED):
                raise refusal("twice")
            return photo
    raise refusal(_mistake_in(bytes(text)))


def _mistake_in(text: bytes) -> str:
    if text[:5].lower() == b"data:":
        return "address"
    if b"://" in text[:16] or _PATH.fullmatch(text):
        return "location"
    if others := frozenset(text.translate(None, _ALPHABET)[:_LOOKED_AT]):
        return next((kind for kind, marks in _MARKS if others <= marks), "base64")
    return "padding" if len(text) % 4 else "base64"
