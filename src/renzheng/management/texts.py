"""Sentences that several actions share, and the function with which this service declares an action."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from renzheng.gateway.errors import InvalidParameterValueError, MissingParameterError
from renzheng.gateway.manifest import Manifest, Parameter, Sentences
from renzheng.management.desk import Act, carry_out
from renzheng.management.errors import NotPrivateError, OperationDeniedError

ACCOUNT = {
    "AccountId": Parameter(
        "账号编号。只有一个账号时可不填；商户人员只能填自己的账号。",
        "The account's number. Optional where there is only one; a merchant's person has their own alone.",
    )
}
ACCOUNT_FILTER = {
    "AccountId": Parameter(
        "只列出该账号的；不填则列出全部可见的。", "Only of this account; left out: of all that you may see."
    )
}
LIST = {
    "Offset": Parameter("偏移量，默认 0，最大 10000。", "How many to skip: 0 by default, at most 10000."),
    "Limit": Parameter("返回数量，默认 20，最大 100。", "How many to return: 20 by default, at most 100."),
    "Cursor": Parameter(
        "上一页返回的 NextCursor；超过 10000 条时用它翻页。",
        "NextCursor of the page before; the way beyond 10000.",
    ),
}
TIMES = {
    "Since": Parameter("起始时间（含），Unix 秒。", "From this time on, unix seconds."),
    "Until": Parameter("结束时间（不含），Unix 秒。", "Before this time, unix seconds."),
}


def action(
    name: str,
    act: Act,
    request: type[msgspec.Struct],
    reply: type[msgspec.Struct],
    roles: frozenset[str],
    text: Sentences,
    parameters: Mapping[str, Parameter] | None = None,
    *,
    order: int,
    secret: bool = False,
) -> Manifest:
    """Declare one action. `secret`: its reply contains a secret, so it is sent over protected connections only."""
    errors = (InvalidParameterValueError, MissingParameterError, OperationDeniedError)
    return Manifest(
        name=name,
        request=request,
        reply=reply,
        make=carry_out(act),
        text=text,
        parameters=parameters or {},
        errors=(*errors, NotPrivateError) if secret else errors,
        order=order,
        roles=roles,
        secret=secret,
    )
