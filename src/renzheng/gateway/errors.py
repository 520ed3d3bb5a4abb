"""Every error that a caller can receive, in one tree, with code and texts as class attributes.

The codes and, if one has been published, the texts are Tencent Cloud's. `zh` and `en` are templates, filled from the
keyword arguments of the constructor. If `en` is empty, the text is Chinese in both languages, as those of products
often are. The public text never carries the private `cause`, which is for the log.
"""

from __future__ import annotations

from typing import ClassVar

_SHOWN = 128


class ApiError(Exception):
    """A mistake of the caller's, or of ours, that becomes `Response.Error`.

    `cause` is for the operator's log: it names what happened and carries no secret. `zh` and `en` replace the class's
    templates for this one instance. `values` fill the template; a value is cut after 128 characters, as it may come
    from the caller. `why`: what is wrong and what to do, for the operator and for local developers, in English and
    Chinese, without anything that a caller sent; also an attribute of a class. `advice`: for developers on the
    explorer's page, in Chinese and English; errors of a product have one.
    """

    code: ClassVar[str] = "InternalError"
    why: tuple[str, str] | None = None
    advice: ClassVar[tuple[str, str] | None] = None
    zh: str = "内部服务错误，请稍后重试。"
    en: str = "An internal error has occurred. Retry your request, but if the problem persists, contact us."

    def __init__(
        self,
        cause: str = "",
        *,
        zh: str | None = None,
        en: str | None = None,
        why: tuple[str, str] | None = None,
        **values: object,
    ) -> None:
        super().__init__(cause or self.code)
        self.cause = cause
        if why is not None:
            self.why = why
        if zh is not None:
            self.zh = zh
            self.en = en or ""
        self._values = values

    @property
    def has_values(self) -> bool:
        return bool(self._values)

    def value(self, name: str) -> str:
        """Return one of the values that fill the template; empty if it is not there."""
        return str(self._values.get(name, ""))[:_SHOWN]

    def message(self, language: str) -> str:
        """Return the public text in `language`: `zh-CN`, or anything else for English."""
        template = self.zh if language == "zh-CN" or not self.en else self.en
        if not self._values:
            return template
        return template.format_map({name: str(value)[:_SHOWN] for name, value in self._values.items()})


class InternalError(ApiError):
    pass


class ServiceUnavailableError(ApiError):
    code = "ServiceUnavailable"
    zh = "当前服务暂时不可用，请稍后重试。"
    en = "The service is temporarily unavailable. Please try again later."


class OverloadedError(ServiceUnavailableError):
    zh = "当前请求过多，请稍后重试。"
    en = "There are more requests than the server can carry. Please try again later."


def platform_errors() -> dict[str, type[ApiError]]:
    """Return the errors of the gateway itself by code. Of several with one code, it is the first, most general one."""
    found: dict[str, type[ApiError]] = {}
    waiting: list[type[ApiError]] = [ApiError]
    while waiting:
        error = waiting.pop(0)
        if error.__module__ == __name__:
            found.setdefault(error.code, error)
            waiting += error.__subclasses__()
    return found


# -- authentication ------------------------------------------------------------------------------------------


class AuthFailureError(ApiError):
    """The base class of all authentication errors; not raised itself."""


class SignatureFailureError(AuthFailureError):
    code = "AuthFailure.SignatureFailure"
    zh = "请求签名验证失败，请检查您的签名计算是否正确。"
    en = "The provided credentials could not be validated. Please check your signature is correct."


class FormTooLargeError(SignatureFailureError):
    """A v1 request is larger than 1 MB, which Tencent reports with the code of a wrong signature."""

    zh = "请求大小超过限制，无法验证签名，请使用新的签名方法 `TC3-HMAC-SHA256`。"
    en = (
        "The provided credentials could not be validated because of exceeding request size limit, "
        "please use new signature method `TC3-HMAC-SHA256`."
    )


class V1SignaturesOffError(SignatureFailureError):
    zh = "此服务已停用签名方法 v1（HmacSHA1、HmacSHA256），请使用签名方法 `TC3-HMAC-SHA256`。"
    en = (
        "The signature methods HmacSHA1 and HmacSHA256 are turned off on this server, "
        "please use new signature method `TC3-HMAC-SHA256`."
    )


class SignatureExpireError(AuthFailureError):
    code = "AuthFailure.SignatureExpire"
    zh = "签名已过期，请使用本地时间并开启 NTP 时间同步，避免 `Timestamp` 与服务器时间 {now} 存在偏差。"
    en = (
        "Signature expired. Please use local time and enable NTP service for time synchronization to avoid a deviation "
        "between `Timestamp` and the server time {now}."
    )


class SecretIdNotFoundError(AuthFailureError):
    code = "AuthFailure.SecretIdNotFound"
    zh = "SecretId不存在，请输入正确的密钥。"
    en = "The SecretId is not found, please ensure that your SecretId is correct."


class InvalidAuthorizationError(AuthFailureError):
    code = "AuthFailure.InvalidAuthorization"
    zh = "请求头部的 `Authorization` 不符合腾讯云标准：{reason}"
    en = "The request `Authorization` header does not conform to tencentcloud standards: {reason}"


class TokenFailureError(AuthFailureError):
    code = "AuthFailure.TokenFailure"
    zh = "Token 验证失败，请检查您的 Token 是否正确。"
    en = "Token verification failed, please check if your Token is correct."


class UnauthorizedKeyError(AuthFailureError):
    code = "AuthFailure.UnauthorizedOperation"
    zh = "操作未授权，请检查CAM策略。"
    en = (
        "You are not authorized to perform this operation. Check your CAM policies, and ensure that you are "
        "using the correct access keys."
    )


class IpNotInWhitelistError(ApiError):
    code = "IpNotInWhitelist"
    zh = "IP地址不在白名单中。"
    en = "The IP address is not in the whitelist."


# -- the form of the request -----------------------------------------------------------------------------------


class UnsupportedProtocolError(ApiError):
    code = "UnsupportedProtocol"
    zh = "http(s)请求协议错误，只支持 GET 和 POST 请求。"
    en = "The HTTP(S) request protocol is not supported; only GET and POST requests are."


class InvalidRequestError(ApiError):
    code = "InvalidRequest"
    zh = "请求 body 的 multipart 格式错误。"
    en = "The multipart format of the request body is not valid."


class BodyTooSlowError(InvalidRequestError):
    zh = "请求 body 未能在规定时间内到达。"
    en = "The request body did not arrive in time."


class RequestSizeLimitExceededError(ApiError):
    code = "RequestSizeLimitExceeded"
    zh = "请求包超过限制大小 `{limit}` 字节。"
    en = "The request exceeds the size limit of `{limit}` bytes."


class TooManyHeadersError(RequestSizeLimitExceededError):
    zh = "请求头部超过 `{limit}` 个。"
    en = "The request has more than `{limit}` headers."


class InvalidActionError(ApiError):
    code = "InvalidAction"
    zh = "请求的接口 `Action` 无效或不存在。"
    en = "The request `Action` is invalid or not found."


class NoSuchVersionError(ApiError):
    code = "NoSuchVersion"
    zh = "产品 `{service}` 不存在接口版本 `{version}`。"
    en = "The specified api version=`{version}` does not exist in service=`{service}`."


class UnsupportedRegionError(ApiError):
    code = "UnsupportedRegion"
    zh = "接口不支持所传地域。"
    en = "The action not support this region."


class UnsupportedOperationError(ApiError):
    code = "UnsupportedOperation"
    zh = "操作不支持。"
    en = "The operation is not supported."


class MissingParameterError(ApiError):
    code = "MissingParameter"
    zh = "请求缺少必传参数 `{name}` 。"
    en = "The request is missing a required parameter `{name}`."


class UnknownParameterError(ApiError):
    code = "UnknownParameter"
    zh = "未定义参数 `{name}` 。"
    en = "The parameter `{name}` is not recognized."


class InvalidParameterError(ApiError):
    """A wrong parameter. Actions raise it too: without arguments it only says 参数错误。"""

    code = "InvalidParameter"
    zh = "参数错误。"
    en = ""


class ParameterTypeError(InvalidParameterError):
    zh = "参数 `{name}` 取值类型错误。参数类型应为 `{type}`。"
    en = "The value type of parameter `{name}` is not valid."


class CommonParameterTypeError(InvalidParameterError):
    """A common parameter that is not a number, in the words of the v1 methods."""

    zh = "参数 `{name}` 取值类型错误。"
    en = "Parameter `{name}` type error."


class RepeatedParameterError(InvalidParameterError):
    zh = "参数 `{name}` 重复。"
    en = "The parameter `{name}` is given more than once."


class TooManyParametersError(InvalidParameterError):
    zh = "请求参数超过 `{limit}` 个。"
    en = "The request has more than `{limit}` parameters."


class MalformedPairError(InvalidParameterError):
    zh = "Url 的键和值应以 `=` 分隔。"
    en = "Url key and value should be splited by `=`."


class MalformedEncodingError(InvalidParameterError):
    zh = "请求参数不是合法的 UTF-8 编码。"
    en = "The request parameters are not valid UTF-8."


class MalformedJsonError(InvalidParameterError):
    zh = "请求 body 不是合法的 JSON 对象。"
    en = "The request body is not a valid JSON object."


class InvalidParameterValueError(ApiError):
    code = "InvalidParameterValue"
    zh = "参数 `{name}` 的取值 `{value}` 无效。"
    en = "The value `{value}` specified in the parameter `{name}` is not valid."


class InvalidRegionError(InvalidParameterValueError):
    """`name` is `X-TC-Region`, or `Region` for the v1 methods."""

    zh = "参数 `{name}` 取值错误。"
    en = "A value specified in `{name}` is not valid, is unsupported, or cannot be used."


# -- limits and quotas -------------------------------------------------------------------------------------------


class RequestLimitExceededError(ApiError):
    code = "RequestLimitExceeded"
    zh = "您当前每秒请求 `{count}` 次，超过了每秒频率上限 `{limit}`，请稍后重试。"
    en = (
        "Your current request times equals to `{count}` in a second, which exceeds the frequency limit "
        "`{limit}` for a second. Please reduce the frequency of calls."
    )


class AddressLimitExceededError(RequestLimitExceededError):
    code = "RequestLimitExceeded.IPLimitExceeded"
    zh = "该IP地址正在传输的请求过多，请稍后重试。"
    en = "Too many requests of this IP address are being transferred. Please try again later."


class AccountLimitExceededError(RequestLimitExceededError):
    code = "RequestLimitExceeded.UinLimitExceeded"
    zh = "该密钥正在传输的请求过多，请稍后重试。"
    en = "Too many requests of this SecretId are being transferred. Please try again later."


class LimitExceededError(ApiError):
    code = "LimitExceeded"
    zh = "超过配额限制。"
    en = "The quota is exceeded."


# -- failures inside an action -----------------------------------------------------------------------------------


class FailedOperationError(ApiError):
    code = "FailedOperation"
    zh = "操作失败。"
    en = "The operation failed."


class ActionFailedError(FailedOperationError):
    """An unexpected failure inside an action."""

    code = "FailedOperation.UnKnown"
    zh = "内部未知错误。"
    en = ""


class DecryptSystemError(FailedOperationError):
    code = "FailedOperation.DecryptSystemError"
    zh = "解密失败。"
    en = ""


class EncryptSystemError(FailedOperationError):
    code = "FailedOperation.EncryptSystemError"
    zh = "加密失败。"
    en = ""


class UnsupportedEncryptFieldError(InvalidParameterError):
    code = "InvalidParameter.UnsupportEncryptField"
    zh = "存在不加密的字段，请参考文档修改。"
    en = ""


class UnauthorizedOperationError(ApiError):
    code = "UnauthorizedOperation"
    zh = "未授权操作。"
    en = "The operation is not authorized."
