"""Every error that a caller can be answered with: one tree, code and texts as class attributes.

The codes and, where one has been published, the texts are Tencent Cloud's. `zh` and `en` are templates filled
from the keyword arguments of the constructor; an empty `en` means that the text stays Chinese in both
languages, as FaceID's own do. The public text never carries the private `cause`, which is for the log.
"""

from __future__ import annotations

from typing import ClassVar

_SHOWN = 128


class ApiError(Exception):
    """A caller's mistake, or ours, that becomes `Response.Error`.

    `cause` is for the operator's log: it names what happened and carries no secret. `zh` and `en` replace the
    class's templates for this one instance. `values` fill the template; a value is cut after 128 characters,
    as it may come from the caller.
    """

    code: ClassVar[str] = "InternalError"
    zh: str = "内部服务错误，请稍后重试。"
    en: str = "An internal error has occurred. Retry your request, but if the problem persists, contact us."

    def __init__(self, cause: str = "", *, zh: str | None = None, en: str | None = None, **values: object) -> None:
        super().__init__(cause or self.code)
        self.cause = cause
        if zh is not None:
            self.zh = zh
            self.en = en or ""
        self._values = values

    def message(self, language: str) -> str:
        """The public text in `language`, `zh-CN` or anything else for English."""
        template = self.zh if language == "zh-CN" or not self.en else self.en
        if not self._values:
            return template
        return template.format_map({name: str(value)[:_SHOWN] for name, value in self._values.items()})


class InternalError(ApiError):
    pass


class ServiceUnavailable(ApiError):
    code = "ServiceUnavailable"
    zh = "当前服务暂时不可用，请稍后重试。"
    en = "The service is temporarily unavailable. Please try again later."


def texts_by_code() -> dict[str, tuple[str, str]]:
    """Every code with its Chinese and English text, as templates; an empty English one is answered in Chinese."""
    found: dict[str, tuple[str, str]] = {}
    waiting: list[type[ApiError]] = [ApiError]
    while waiting:
        error = waiting.pop(0)
        found.setdefault(error.code, (error.zh, error.en))  # the first is the one that its variants stand under
        waiting += error.__subclasses__()
    return found


# -- authentication ------------------------------------------------------------------------------------------


class AuthFailure(ApiError):
    """The base of all refusals to believe who is calling; not raised itself."""


class SignatureFailure(AuthFailure):
    code = "AuthFailure.SignatureFailure"
    zh = "请求签名验证失败，请检查您的签名计算是否正确。"
    en = "The provided credentials could not be validated. Please check your signature is correct."


class FormTooLarge(SignatureFailure):
    """The v1 methods take 1 MB at most, and say so with the code of a wrong signature."""

    zh = "请求大小超过限制，无法验证签名，请使用新的签名方法 `TC3-HMAC-SHA256`。"
    en = (
        "The provided credentials could not be validated because of exceeding request size limit, "
        "please use new signature method `TC3-HMAC-SHA256`."
    )


class SignatureExpire(AuthFailure):
    code = "AuthFailure.SignatureExpire"
    zh = "签名已过期，请重新发起请求。"
    en = "The signature is expired, please request again."


class SecretIdNotFound(AuthFailure):
    code = "AuthFailure.SecretIdNotFound"
    zh = "SecretId不存在，请输入正确的密钥。"
    en = "The SecretId is not found, please ensure that your SecretId is correct."


class InvalidAuthorization(AuthFailure):
    code = "AuthFailure.InvalidAuthorization"
    zh = "请求头部的 `Authorization` 不符合腾讯云标准：{reason}"
    en = "The request `Authorization` header does not conform to tencentcloud standards: {reason}"


class TokenFailure(AuthFailure):
    code = "AuthFailure.TokenFailure"
    zh = "Token 验证失败，请检查您的 Token 是否正确。"
    en = "Token verification failed, please check if your Token is correct."


class UnauthorizedKey(AuthFailure):
    code = "AuthFailure.UnauthorizedOperation"
    zh = "操作未授权，请检查CAM策略。"
    en = (
        "You are not authorized to perform this operation. Check your CAM policies, and ensure that you are "
        "using the correct access keys."
    )


class IpNotInWhitelist(ApiError):
    code = "IpNotInWhitelist"
    zh = "IP地址不在白名单中。"
    en = "The IP address is not in the whitelist."


# -- the request's form --------------------------------------------------------------------------------------


class UnsupportedProtocol(ApiError):
    code = "UnsupportedProtocol"
    zh = "http(s)请求协议错误，只支持 GET 和 POST 请求。"
    en = "The HTTP(S) request protocol is not supported; only GET and POST requests are."


class InvalidRequest(ApiError):
    code = "InvalidRequest"
    zh = "请求 body 的 multipart 格式错误。"
    en = "The multipart format of the request body is not valid."


class BodyTooSlow(InvalidRequest):
    zh = "请求 body 未能在规定时间内到达。"
    en = "The request body did not arrive in time."


class RequestSizeLimitExceeded(ApiError):
    code = "RequestSizeLimitExceeded"
    zh = "请求包超过限制大小 `{limit}` 字节。"
    en = "The request exceeds the size limit of `{limit}` bytes."


class InvalidAction(ApiError):
    code = "InvalidAction"
    zh = "请求的接口 `Action` 无效或不存在。"
    en = "The request `Action` is invalid or not found."


class NoSuchVersion(ApiError):
    code = "NoSuchVersion"
    zh = "产品 `{service}` 不存在接口版本 `{version}`。"
    en = "The specified api version=`{version}` does not exist in service=`{service}`."


class UnsupportedRegion(ApiError):
    code = "UnsupportedRegion"
    zh = "接口不支持所传地域。"
    en = "The action not support this region."


class UnsupportedOperation(ApiError):
    code = "UnsupportedOperation"
    zh = "操作不支持。"
    en = "The operation is not supported."


class MissingParameter(ApiError):
    code = "MissingParameter"
    zh = "请求缺少必传参数 `{name}` 。"
    en = "The request is missing a required parameter `{name}`."


class UnknownParameter(ApiError):
    code = "UnknownParameter"
    zh = "未定义参数 `{name}` 。"
    en = "The parameter `{name}` is not recognized."


class InvalidParameter(ApiError):
    """Also what actions raise: with no arguments it is FaceID's own 参数错误。"""

    code = "InvalidParameter"
    zh = "参数错误。"
    en = ""


class ParameterTypeError(InvalidParameter):
    zh = "参数 `{name}` 取值类型错误。参数类型应为 `{type}`。"
    en = "The value type of parameter `{name}` is not valid."


class CommonParameterTypeError(InvalidParameter):
    """A common parameter that is no number, as the v1 methods put it."""

    zh = "参数 `{name}` 取值类型错误。"
    en = "Parameter `{name}` type error."


class RepeatedParameter(InvalidParameter):
    zh = "参数 `{name}` 重复。"
    en = "The parameter `{name}` is given more than once."


class MalformedPair(InvalidParameter):
    zh = "Url 的键和值应以 `=` 分隔。"
    en = "Url key and value should be splited by `=`."


class MalformedEncoding(InvalidParameter):
    zh = "请求参数不是合法的 UTF-8 编码。"
    en = "The request parameters are not valid UTF-8."


class MalformedJson(InvalidParameter):
    zh = "请求 body 不是合法的 JSON 对象。"
    en = "The request body is not a valid JSON object."


class InvalidParameterValue(ApiError):
    code = "InvalidParameterValue"
    zh = "参数 `{name}` 的取值 `{value}` 无效。"
    en = "The value `{value}` specified in the parameter `{name}` is not valid."


class InvalidRegion(InvalidParameterValue):
    """`name` is `X-TC-Region`, or `Region` for the v1 methods."""

    zh = "参数 `{name}` 取值错误。"
    en = "A value specified in `{name}` is not valid, is unsupported, or cannot be used."


# -- how often, how much -------------------------------------------------------------------------------------


class RequestLimitExceeded(ApiError):
    code = "RequestLimitExceeded"
    zh = "您当前每秒请求 `{count}` 次，超过了每秒频率上限 `{limit}`，请稍后重试。"
    en = (
        "Your current request times equals to `{count}` in a second, which exceeds the frequency limit "
        "`{limit}` for a second. Please reduce the frequency of calls."
    )


class AddressLimitExceeded(RequestLimitExceeded):
    code = "RequestLimitExceeded.IPLimitExceeded"
    zh = "该IP地址正在传输的请求过多，请稍后重试。"
    en = "Too many requests of this IP address are being transferred. Please try again later."


class AccountLimitExceeded(RequestLimitExceeded):
    code = "RequestLimitExceeded.UinLimitExceeded"
    zh = "该密钥正在传输的请求过多，请稍后重试。"
    en = "Too many requests of this SecretId are being transferred. Please try again later."


class LimitExceeded(ApiError):
    code = "LimitExceeded"
    zh = "超过配额限制。"
    en = "The quota is exceeded."


class ResponseSizeLimitExceeded(ApiError):
    code = "ResponseSizeLimitExceeded"
    zh = "返回包超过限制大小。"
    en = "The response exceeds the size limit."


# -- FaceID's own --------------------------------------------------------------------------------------------


class FailedOperation(ApiError):
    code = "FailedOperation"
    zh = "操作失败。"
    en = "The operation failed."


class ActionFailed(FailedOperation):
    """Something unforeseen inside an action."""

    code = "FailedOperation.UnKnown"
    zh = "内部未知错误。"
    en = ""


class DecryptSystemError(FailedOperation):
    code = "FailedOperation.DecryptSystemError"
    zh = "解密失败。"
    en = ""


class EncryptSystemError(FailedOperation):
    code = "FailedOperation.EncryptSystemError"
    zh = "加密失败。"
    en = ""


class ImageSizeTooLarge(FailedOperation):
    code = "FailedOperation.ImageSizeTooLarge"
    zh = "图片尺寸过大。"
    en = ""


class UnsupportedEncryptField(InvalidParameter):
    code = "InvalidParameter.UnsupportEncryptField"
    zh = "存在不加密的字段，请参考文档修改。"
    en = ""


class BizTokenIllegal(InvalidParameterValue):
    code = "InvalidParameterValue.BizTokenIllegal"
    zh = "BizToken不合法。"
    en = ""


class BizTokenExpired(InvalidParameterValue):
    code = "InvalidParameterValue.BizTokenExpired"
    zh = "BizToken过期。"
    en = ""


class RuleIdNotExist(InvalidParameterValue):
    code = "InvalidParameterValue.RuleIdNotExist"
    zh = "RuleId不存在，请到人脸核身控制台申请。"
    en = ""


class RuleIdDisabled(InvalidParameterValue):
    code = "InvalidParameterValue.RuleIdDisabled"
    zh = "该ruleid已被您停用，请确认后重试。"
    en = ""


class UnauthorizedOperation(ApiError):
    code = "UnauthorizedOperation"
    zh = "未授权操作。"
    en = "The operation is not authorized."


class Arrears(UnauthorizedOperation):
    code = "UnauthorizedOperation.Arrears"
    zh = "账号已欠费。"
    en = ""


class Nonactivated(UnauthorizedOperation):
    code = "UnauthorizedOperation.Nonactivated"
    zh = "未开通服务。"
    en = ""
