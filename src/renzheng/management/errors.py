"""The management service's own errors, in addition to the platform's."""

from __future__ import annotations

from renzheng.gateway.errors import ApiError, UnauthorizedOperationError
from renzheng.management.reasons import in_chinese


class RoleDeniedError(UnauthorizedOperationError):
    """Raised with `role` and `action`."""

    code = "UnauthorizedOperation.RoleDenied"
    zh = "角色 `{role}` 无权调用接口 `{action}`。"
    en = "The role `{role}` may not call `{action}`."
    advice = (
        "该密钥所属人员的角色不能执行此操作，请由其他角色的人员执行，或请所有者修改角色。",
        "The role of this key's person does not include this. Ask a person of another role, or an owner for the role.",
    )


class NotPrivateError(UnauthorizedOperationError):
    code = "UnauthorizedOperation.NotPrivate"
    zh = "该接口的返回内容含有密钥，只能通过 HTTPS 或在本机调用。"
    en = "The reply holds a secret: call this action over HTTPS, or on the machine itself."
    advice = (
        "请通过 HTTPS 访问管理接口，或在服务所在机器上访问 127.0.0.1。",
        "Reach the management service over HTTPS, or by 127.0.0.1 on its own machine.",
    )


class ReasonedError(ApiError):
    """Raised with `reason`, an English sentence without its full stop. A Chinese message contains its translation."""

    def message(self, language: str) -> str:
        if language == "zh-CN":
            return self.zh.format(reason=in_chinese(self.value("reason")))
        return super().message(language)


class ResourceNotFoundError(ReasonedError):
    code = "ResourceNotFound"
    zh = "资源不存在：{reason}。"
    en = "The resource is not found: {reason}."
    advice = (
        "编号错误，或资源属于其他账号，或已删除。",
        "The number is wrong, or it is another account's, or it has been deleted.",
    )


class OperationDeniedError(ReasonedError):
    code = "OperationDenied"
    zh = "操作被拒绝：{reason}。"
    en = "The operation was refused: {reason}."
    advice = (
        "错误信息说明了原因；更正后重试。",
        "The message says why. Put it right and call again.",
    )
