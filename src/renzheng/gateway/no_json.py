"""Says what a body is that is not a JSON object, from its first and last bytes, in English and Chinese.

The work does not grow with the body, and the sentences contain nothing of it.
"""

from __future__ import annotations

Sentences = tuple[str, str]

_BEGINNINGS: tuple[tuple[bytes, Sentences], ...] = (
    (b"\x1f\x8b", (
        "The body is compressed (gzip). Send it as plain JSON, without Content-Encoding.",
        "请求体经过 gzip 压缩。请直接发送 JSON，不要带 Content-Encoding。")),
    (b"\xef\xbb\xbf", (
        "The body begins with a byte order mark (BOM). Write UTF-8 without a BOM.",
        "请求体以 BOM 开头。请使用不带 BOM 的 UTF-8。")),
    (b"\xff\xfe", ("The body is UTF-16. Send UTF-8.", "请求体是 UTF-16 编码，请使用 UTF-8。")),
    (b"\xfe\xff", ("The body is UTF-16. Send UTF-8.", "请求体是 UTF-16 编码，请使用 UTF-8。")),
    (b"{'", (
        "The body has single quotes, as Python prints a dict. JSON takes double quotes: use a JSON library.",
        "请求体使用了单引号，像是直接打印的 Python 字典。JSON 须用双引号：请用 JSON 库序列化。")),
    (b'"', (
        "The body is a JSON text that holds JSON: it was serialised twice. Send the object itself.",
        "请求体是一段包含 JSON 的字符串：被序列化了两次。请直接发送对象。")),
    (b"[", (
        "The body is a list. Send one JSON object.", "请求体是数组，请发送一个 JSON 对象。")),
    (b"<", (
        "The body is XML or HTML. Send a JSON object.", "请求体是 XML 或 HTML，请发送 JSON 对象。")),
)  # fmt: skip
_FORM: Sentences = (
    "The body looks like a form, and its Content-Type says JSON. Send a JSON object.",
    "请求体像是表单，而 Content-Type 声明为 JSON。请发送 JSON 对象。",
)
_COMMA: Sentences = (
    "A comma stands before the last bracket. JSON does not allow it.",
    "最后一个括号前有多余的逗号，JSON 不允许。",
)
_CUT: Sentences = (
    "The body does not end with }: a part of it is missing, or more than one object was sent.",
    "请求体没有以 } 结尾：可能不完整，或发送了多个对象。",
)
_OTHER: Sentences = (
    "The body begins and ends like a JSON object, but is none. Check that it is UTF-8 (not GBK), its quotes, its "
    "brackets, and that no line break stands inside a text.",
    "请求体首尾像 JSON 对象，但内容有误。请检查是否为 UTF-8（而非 GBK）、引号和括号是否配对，"
    "以及字符串中是否有未转义的换行。",
)
_NONE: Sentences = ("The body is not a JSON object.", "请求体不是 JSON 对象。")


def what_it_is(body: bytes | bytearray | memoryview) -> Sentences:
    """Return the first description that fits; if none does, that it is not a JSON object."""
    head, tail = bytes(body[:64]).lstrip(b" \t\r\n"), bytes(body[-64:]).rstrip(b" \t\r\n")
    for beginning, sentences in _BEGINNINGS:
        if head.startswith(beginning):
            return sentences
    if not head.startswith(b"{"):
        return _FORM if b"=" in head else _NONE
    if not tail.endswith(b"}"):
        return _CUT
    return _COMMA if tail[:-1].rstrip(b" \t\r\n").endswith(b",") else _OTHER
