"""Explains to the operator, or to a local developer, why a request was refused and what to do, in English and Chinese.

Every text is made in constant time. Of what a caller sent, it holds only names of parameters.
"""

from __future__ import annotations

import re

from renzheng.gateway import errors
from renzheng.gateway.causes import CAUSES
from renzheng.gateway.context import Request
from renzheng.gateway.errors import ApiError
from renzheng.gateway.explain import former_hosts
from renzheng.gateway.signature import host_readings

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}", re.ASCII)
_DIGITS = re.compile(r"\d{6}")
_ZONES = frozenset(sign * hours for sign in (1, -1) for hours in (*range(1, 15), 3.5, 4.5, 5.5, 5.75, 6.5, 9.5))
_MAX_NAMES = 4


def why(request: Request, error: ApiError) -> tuple[str, str]:
    """Return why the request was refused and what to do, in English and Chinese."""
    en, zh = _why(request, error)
    if "{" not in en:
        return en, zh
    words = _words(request)
    for mark, (in_english, in_chinese) in words.items():
        en, zh = en.replace(mark, in_english), zh.replace(mark, in_chinese)
    return en, zh


def _words(request: Request) -> dict[str, tuple[str, str]]:
    """Return the product's names for the placeholders of the sentences, in English and Chinese."""
    product = request.product
    sealable = next((one for one in product.actions if one.sealable), None)
    action = request.action.manifest if hasattr(request, "action") else None
    regions = sorted(action.regions or ()) if action else []
    return {
        "{service}": (product.service, product.service),
        "{version}": (product.version, product.version),
        "{region}": (product.example_region, product.example_region),
        "{action}": (action.name, action.name) if action else ("", ""),
        "{regions}": (", ".join(regions), "、".join(regions)),
        "{actions}": _join([one.name for one in product.actions[:_MAX_NAMES]]),
        "{sealable}": _join(sorted(sealable.sealable), zh_and="、") if sealable else ("", ""),
        "{sealing}": (sealable.name, sealable.name) if sealable else ("", ""),
    }


def _join(names: list[str], zh_and: str = " 和 ") -> tuple[str, str]:
    if len(names) < 2:
        return "".join(names), "".join(names)
    *first, last = names
    return f"{', '.join(first)} and {last}", f"{'、'.join(first)}{zh_and}{last}"


def _unknown_action(request: Request) -> tuple[str, str]:
    return _SENTENCES["action" if len(request.product.actions) <= _MAX_NAMES else "one-of-many"]


def _why(request: Request, error: ApiError) -> tuple[str, str]:
    if error.why:
        return error.why
    if isinstance(error, errors.SignatureExpireError):
        return _clock(request)
    if isinstance(error, errors.InvalidAuthorizationError):
        return _authorization(request, error)
    if isinstance(error, errors.MissingParameterError):
        return _missing(request, error)
    if isinstance(error, errors.SecretIdNotFoundError):
        return _SENTENCES["disabled" if error.cause == "disabled" else "unknown"]
    if isinstance(error, errors.TokenFailureError):
        return _token(request, error)
    if isinstance(error, errors.InvalidActionError):
        return _unknown_action(request)
    for kind, sentences in _BY_KIND:
        if isinstance(error, kind):
            return sentences
    if type(error) is errors.InvalidParameterValueError and error.value("name") == "Content-Type":
        return _SENTENCES["content-type"]
    if type(error) in _NAMED:
        name = _plain_name(error.value("name"))
        en, zh = _NAMED[type(error)]
        wanted = error.value("type")
        return en.format(name=name, type=wanted), zh.format(name=name, type=wanted)
    cause = f" ({error.cause})" if error.cause else ""
    if error.has_values:  # which may be the caller's
        return f"{error.code}{cause}", f"{error.code}{cause}"
    return error.en or f"{error.code}{cause}", error.zh


def _plain_name(name: str) -> str:
    """Return a name that the caller sent, if it has the form of a parameter's or header's name."""
    return name if _PLAIN.fullmatch(name) and not _DIGITS.search(name) else "…"


def _clock(request: Request) -> tuple[str, str]:
    now, off = int(request.wall), request.seconds - int(request.wall)
    for unit, en, zh in (
        (1000, "milliseconds", "毫秒"),
        (1_000_000, "microseconds", "微秒"),
        (10**9, "nanoseconds", "纳秒"),
    ):
        if abs(request.seconds / unit - now) < 366 * 86400:
            return (
                f"The timestamp is in {en}; it counts seconds. Divide it by {unit}.",
                f"时间戳的单位是{zh}，应为秒。请除以 {unit}。",
            )
    amount = abs(off)
    hours = round(off / 3600 * 4) / 4
    ahead_en, ahead_zh = ("ahead of", "快") if off > 0 else ("behind", "慢")
    en = f"The timestamp {request.seconds} is {amount} s {ahead_en} the server's clock ({now})."
    zh = f"时间戳 {request.seconds} 比服务器时间（{now}）{ahead_zh} {amount} 秒。"
    if hours in _ZONES and abs(off - hours * 3600) <= 300:
        en += f" That looks like a time zone of {hours:+g} h: unix seconds count in UTC, whatever the local time is."
        zh += f"看起来是 {hours:+g} 小时的时区差：Unix 时间戳以 UTC 计，与本地时区无关。"
    else:
        en += " Set the client's clock by NTP, sign each request just before you send it, and do not resend an old one."
        zh += "请用 NTP 同步客户端时钟；每次请求都应重新签名，不要重发旧请求。"
    return en, zh


def _authorization(request: Request, error: ApiError) -> tuple[str, str]:
    given = request.headers.get(b"authorization", b"")
    reason = error.value("reason")
    if "Service" in reason and "Credential" in reason and "not valid" in reason and b"/tc3_request" in given:
        service = given.partition(b"/tc3_request")[0].rpartition(b"/")[2].decode("latin-1")
        if service in _labels([request.headers.get(b"host", b"").strip()]):
            return CAUSES["service-from-endpoint"]
        if service in _labels(former_hosts(list(request.headers.items()), ())):  # and a proxy rewrote the Host
            rewritten, endpoint = CAUSES["host-rewritten"], CAUSES["service-from-endpoint"]
            return f"{endpoint[0]} {rewritten[0]}", endpoint[1] + rewritten[1]
        return CAUSES["wrong-service"]
    if not given:
        return _SENTENCES["no-authorization"]
    if "SignedHeaders` names" in reason:
        name = _plain_name(reason.split("`")[3])
        return (
            f"SignedHeaders names {name}, which did not arrive exactly once: the client signs it and does not send it, "
            "or a proxy drops it.",
            f"SignedHeaders 中的 {name} 没有恰好收到一次：客户端对它签名却没有发送，或被代理丢弃。",
        )
    scheme = given.split(None, 1)[0].upper()
    if scheme == b"SKIP":
        return _SENTENCES["skip"]
    if scheme != b"TC3-HMAC-SHA256":
        return _SENTENCES["scheme"]
    return f"Authorization cannot be read: {reason}", f"Authorization 无法解析：{reason}"


def _labels(hosts: list[bytes]) -> set[str]:
    """Return the first labels of hosts, as clients cut them off."""
    return {name.split(b".", 1)[0].decode("latin-1") for host in hosts for name in host_readings(host)}


def _missing(request: Request, error: ApiError) -> tuple[str, str]:
    name = error.value("name")
    if name in ("Timestamp", "Version", "Action"):
        if request.is_tc3 and b"authorization" in request.headers:
            return (
                f"Authorization arrived, but the header X-TC-{name} did not: it is not set, or a proxy drops it.",
                f"收到了 Authorization，但没有收到请求头 X-TC-{name}：可能未设置，或被代理丢弃。",
            )
        if request.is_tc3 and request.content_type == b"application/json":
            return _SENTENCES["json-unsigned"]
        return _SENTENCES["unsigned"]
    if name == "Region":
        return _SENTENCES["region"]
    if name:
        name = _plain_name(name)
        return (
            f"The parameter {name} is missing, empty or null. Names are case-sensitive.",
            f"缺少参数 {name}，或其值为空、为 null。参数名区分大小写。",
        )
    return _SENTENCES["unsigned"]


def _token(request: Request, error: ApiError) -> tuple[str, str]:
    if "ended" in error.cause:
        return _SENTENCES["token-ended"]
    if request.key.token is None:
        return _SENTENCES["token-of-permanent"]
    return _SENTENCES["token-missing" if request.token is None else "token-wrong"]


_SENTENCES: dict[str, tuple[str, str]] = {
    "disabled": (
        "The SecretId is disabled. `renzheng key list` shows it; use another key or enable it.",
        "该 SecretId 已被禁用。可用 `renzheng key list` 查看；请改用其他密钥或重新启用。",
    ),
    "unknown": (
        "The SecretId is not known here. `renzheng key list` shows those that are; "
        "a key of Tencent Cloud does not work here.",
        "SecretId 不存在。可用 `renzheng key list` 查看现有的 SecretId；腾讯云的密钥在这里无效。",
    ),
    "no-authorization": (
        "There are headers of TC3-HMAC-SHA256 but no Authorization: the request is not signed, or a proxy drops it.",
        "带有 TC3-HMAC-SHA256 的请求头，但没有 Authorization：可能未签名，或被代理丢弃。",
    ),
    "skip": (
        "The client sent Authorization: SKIP, which means no signature. Every action here needs a signature.",
        "客户端发送了 Authorization: SKIP，即不签名。这里的接口都必须签名。",
    ),
    "scheme": (
        "Authorization uses another scheme than TC3-HMAC-SHA256; a proxy or an HTTP library may have set it.",
        "Authorization 不是 TC3-HMAC-SHA256，可能由代理或 HTTP 库设置。",
    ),
    "json-unsigned": (
        "JSON came without the headers of TC3-HMAC-SHA256. HmacSHA1 and HmacSHA256 take a form or a query, not JSON.",
        "发送了 JSON，但没有 TC3-HMAC-SHA256 的请求头。HmacSHA1 和 HmacSHA256 只支持表单或查询串，不支持 JSON。",
    ),
    "unsigned": (
        "The request is not signed. An official SDK, `renzheng token` or the API explorer makes signed ones.",
        "请求没有签名。请使用官方 SDK、`renzheng token` 或 API 调试台发起签名请求。",
    ),
    "content-type": (
        "Under TC3 a POST is application/json or multipart/form-data, and a GET application/x-www-form-urlencoded.",
        "TC3 签名的 POST 请求使用 application/json 或 multipart/form-data，"
        "GET 请求使用 application/x-www-form-urlencoded。",
    ),
    "region": (
        "{action} needs a region, such as {region}. RENZHENG_REGION_REQUIRED=false makes it optional.",
        "{action} 必须传地域，例如 {region}；设置 RENZHENG_REGION_REQUIRED=false 可放宽。",
    ),
    "action": (
        "The action is not offered: only {actions} are. Names are case-sensitive.",
        "不提供该接口：只有 {actions}，接口名区分大小写。",
    ),
    "one-of-many": (
        "The service {service} has no such action. Names are case-sensitive.",
        "产品 {service} 没有该接口，接口名区分大小写。",
    ),
    "token-ended": (
        "The temporary credentials have expired. Request new ones.",
        "临时密钥已过期，请重新申请。",
    ),
    "token-of-permanent": (
        "A Token was sent with a permanent key, which has none. Leave it out.",
        "永久密钥不应携带 Token，请去掉。",
    ),
    "token-missing": (
        "The key is a temporary one, and its Token was not sent.",
        "所用的是临时密钥，但没有携带 Token。",
    ),
    "token-wrong": (
        "The Token is not the one of this temporary key: id, key and Token belong together.",
        "Token 与该临时密钥不匹配：SecretId、SecretKey 和 Token 必须配套使用。",
    ),
}
_BY_KIND: tuple[tuple[type[ApiError], tuple[str, str]], ...] = (
    (errors.IpNotInWhitelistError, (
        "The key may be used from listed networks only, and this address is not in them. Behind a proxy, "
        "RENZHENG_TRUSTED_PROXIES names it.",
        "该密钥限定了来源网段，当前地址不在其中。若前面有代理，请设置 RENZHENG_TRUSTED_PROXIES。")),
    (errors.NoSuchVersionError, ("Send version {version}.", "请使用接口版本 {version}。")),
    (errors.InvalidRegionError, (
        "The region is unknown or empty. Set one, such as {region}; the .NET SDK sends an empty one if none is set.",
        "地域未知或为空。.NET SDK 不指定地域时会发送空值：请指定，例如 {region}。")),
    (errors.UnsupportedRegionError, (
        "{action} is offered in {regions} only.", "{action} 只支持 {regions}。")),
    (errors.UnsupportedProtocolError, ("Only GET and POST are accepted.", "只支持 GET 和 POST 请求。")),
    (errors.UnsupportedOperationError, (
        "No action here takes application/octet-stream.", "这里的接口不支持 application/octet-stream。")),
    (errors.FormTooLargeError, (
        "A form under HmacSHA1 or HmacSHA256 may have 1 MB. Use TC3-HMAC-SHA256 for photos.",
        "HmacSHA1 和 HmacSHA256 的表单最大 1 MB。上传照片请使用 TC3-HMAC-SHA256。")),
    (errors.BodyTooSlowError, ("The body did not arrive in time.", "请求体未能按时到达。")),
    (errors.MalformedJsonError, (
        "The body is not a JSON object: check its encoding, its quotes, and whether it is JSON at all.",
        "请求体不是 JSON 对象：请检查编码、引号，以及是否被序列化了两次。")),
    (errors.MalformedEncodingError, ("The text is not UTF-8.", "文本不是 UTF-8 编码。")),
    (errors.MalformedPairError, (
        "A pair of the query or form has no `=`. The Ruby SDK sends a bare Region if none is set: set one.",
        "查询串或表单中有一项缺少 `=`。Ruby SDK 不指定地域时会发送空的 Region：请指定地域。")),
    (errors.UnsupportedEncryptFieldError, (
        "EncryptList names what may not be sealed here: only {sealable} may, in {sealing}.",
        "EncryptList 里有不能加密的字段：{sealing} 中只能加密 {sealable}。")),
    (errors.RequestSizeLimitExceededError, (
        "The body or the query is larger than its limit: 10 MB for a TC3 POST, 32 KB for a GET.",
        "请求体或查询串超过上限：TC3 POST 为 10 MB，GET 为 32 KB。")),
    (errors.RequestLimitExceededError, (
        "Too many requests at one time or in one second. Send fewer, or raise RENZHENG_REQUESTS_PER_SECOND.",
        "并发或每秒请求数过多。请降低频率，或调大 RENZHENG_REQUESTS_PER_SECOND。")),
    (errors.ServiceUnavailableError, (
        "The server cannot do this now: it holds as many bytes of requests as it may, or its disk, database or object "
        "store cannot be used. The log has the cause. Send again later.",
        "服务暂时无法处理：正在接收的数据量已达上限，或者磁盘、数据库、对象存储暂时无法使用（原因见日志）。请稍后重试。")),
    (errors.InvalidRequestError, ("The multipart form is not well-formed.", "multipart 格式错误。")),
    (errors.DecryptSystemError, (
        "A sealed field cannot be opened: it was sealed with another key than this server's, or its Iv or tag is "
        "wrong. `renzheng encryption show` prints the key.",
        "加密字段无法解密：使用的不是本服务的公钥，或者 Iv、Tag 有误。可用 `renzheng encryption show` 查看公钥。")),
)  # fmt: skip
_NAMED: dict[type[ApiError], tuple[str, str]] = {
    errors.UnknownParameterError: (
        "The action has no parameter {name}. Names are case-sensitive.",
        "接口没有参数 {name}。参数名区分大小写。",
    ),
    errors.ParameterTypeError: (
        'The parameter {name} has another type than {type}. In JSON, 7 is a number, true is a boolean, and "7" and '
        '"true" are texts.',
        '参数 {name} 的类型应为 {type}。JSON 中 7 是数字，true 是布尔值，"7" 和 "true" 是字符串。',
    ),
    errors.RepeatedParameterError: ("{name} is given more than once.", "{name} 出现了多次。"),
    errors.CommonParameterTypeError: ("{name} is not a whole number.", "{name} 不是整数。"),
    errors.InvalidParameterValueError: (
        "The value of {name} is not one of the allowed values.",
        "{name} 的取值无效。",
    ),
}
