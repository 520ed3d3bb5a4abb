"""FaceID's own errors: codes and texts as in its documentation."""

from __future__ import annotations

from renzheng.gateway.errors import (
    FailedOperationError,
    InvalidParameterValueError,
    UnauthorizedOperationError,
)


class ImageSizeTooLargeError(FailedOperationError):
    code = "FailedOperation.ImageSizeTooLarge"
    zh = "图片尺寸过大。"
    en = ""
    advice = (
        "照片转为 Base64 后超过上限，请缩小后再上传。",
        "The photo is too large in Base64. Send a smaller one.",
    )
    why = (
        "ImageBase64 has more than 8,388,608 characters. Send a smaller photo.",
        "ImageBase64 超过 8388608 个字符，请压缩照片。",
    )


class BizTokenIllegalError(InvalidParameterValueError):
    code = "InvalidParameterValue.BizTokenIllegal"
    zh = "BizToken不合法。"
    en = ""
    advice = (
        "Token 不存在，或属于其他账号。请检查是否遗漏字符。",
        "There is no such token, or it belongs to another account. Check that no character is missing.",
    )
    why = (
        "This server did not issue the token, or not to this key's account.",
        "该 Token 不是本服务签发的，或不属于该密钥的账号。",
    )


class BizTokenExpiredError(InvalidParameterValueError):
    code = "InvalidParameterValue.BizTokenExpired"
    zh = "BizToken过期。"
    en = ""
    advice = (
        "该 Token 的结果已过保存期，或数据已删除。请重新发起核身。",
        "The result of this token has expired or was erased. Start a new verification.",
    )
    why = (
        "The token is older than three days: its result can no longer be fetched.",
        "Token 已超过三天，结果不再提供查询。",
    )


class ArrearsError(UnauthorizedOperationError):
    code = "UnauthorizedOperation.Arrears"
    zh = "账号已欠费。"
    en = ""
    advice = (
        "账号余额不足，充值命令：renzheng account topup。",
        "The account has no balance left. To top up: renzheng account topup.",
    )
    why = (
        "The account's prepaid balance is used up: `renzheng account --help` names how to top it up.",
        "账号的预付余额已用完：充值方法见 `renzheng account --help`。",
    )


class NonactivatedError(UnauthorizedOperationError):
    code = "UnauthorizedOperation.Nonactivated"
    zh = "未开通服务。"
    en = ""
    advice = (
        "账号未开通，开通命令：renzheng account activate。",
        "The account is not activated. To activate it: renzheng account activate.",
    )
    why = ("The account is not activated.", "账号未开通服务。")
