"""Imports of many people, in parts that fit a signed call."""

from __future__ import annotations

import msgspec

from renzheng.actions.photos import from_base64
from renzheng.gateway.errors import InvalidParameterValueError, RequestSizeLimitExceededError
from renzheng.gateway.manifest import Parameter
from renzheng.gateway.parameters import text_of, unescaped
from renzheng.management.desk import EVERYBODY, TENANTS, Desk, Request
from renzheng.management.texts import ACCOUNT, action
from renzheng.operations import imports
from renzheng.operations.imports import FaultView, ImportView
from renzheng.store.imports import TAKES_PARTS, ImportState, PartKind

MAX_PART_BASE64 = 8 * 1024 * 1024
"""Characters of a part's Data."""
MAX_FAULTS = 1000
KINDS = tuple(kind.value for kind in PartKind)


class ImportReply(msgspec.Struct, rename="pascal"):
    import_: ImportView = msgspec.field(name="Import")


class CreateRequest(Request, frozen=True, kw_only=True):
    account_id: int | None = None
    replace: bool | None = None


async def create(desk: Desk, request: CreateRequest) -> ImportReply:
    account_id = await desk.account(request.account_id)
    made = await desk.store.imports.create(account_id, bool(request.replace))
    return ImportReply(await imports.view_of(desk.store, made))


class OneRequest(Request, frozen=True, kw_only=True):
    account_id: int | None = None
    import_id: int


class PutRequest(OneRequest, frozen=True, kw_only=True):
    part_number: int
    kind: str
    name: str | None = None
    data: msgspec.Raw = msgspec.field(default=msgspec.Raw())

    def check(self) -> None:
        if self.kind not in KINDS:
            raise InvalidParameterValueError(name="Kind", value=self.kind)
        if len(text_of(self.data)) > MAX_PART_BASE64:
            raise RequestSizeLimitExceededError("part", limit=MAX_PART_BASE64)


class PartReply(msgspec.Struct, rename="pascal"):
    """`sha256`: of the part's bytes, in hex, as they are kept."""

    part_number: int
    size: int
    sha256: str


async def put(desk: Desk, request: PutRequest) -> PartReply:
    account_id = await desk.account(request.account_id)
    data = from_base64(text_of(unescaped(request.data)))
    part = await imports.put(
        desk.store,
        account_id,
        request.import_id,
        request.part_number,
        PartKind(request.kind),
        request.name or "",
        data,
    )
    return PartReply(part.number, part.size, part.digest.hex())


class CheckReply(msgspec.Struct, rename="pascal"):
    """`faults`: the first thousand. `total_count`: how many there are."""

    good: int
    replaced: int
    total_count: int
    faults: list[FaultView]


class CheckRequest(OneRequest, frozen=True, kw_only=True):
    look: bool | None = None


async def check(desk: Desk, request: CheckRequest) -> CheckReply:
    account_id = await desk.account(request.account_id)
    look = desk.parts.look if request.look else None
    plan = await imports.check(desk.store, account_id, request.import_id, look)
    faults = [FaultView(one.row, one.field, one.reason) for one in plan.problems]
    return CheckReply(len(plan.lines), plan.replaced, len(faults), faults[:MAX_FAULTS])


async def commit(desk: Desk, request: CheckRequest) -> ImportReply:
    account_id = await desk.account(request.account_id)
    begun = await imports.begin(desk.store, account_id, request.import_id)
    look = None if request.look is False else desk.parts.look
    desk.parts.spawn(imports.enrol(desk.store, account_id, request.import_id, look))
    return ImportReply(await imports.view_of(desk.store, begun))


async def describe(desk: Desk, request: OneRequest) -> ImportReply:
    account_id = await desk.account(request.account_id)
    found = await desk.store.imports.get(account_id, request.import_id)
    return ImportReply(await imports.view_of(desk.store, found))


async def cancel(desk: Desk, request: OneRequest) -> ImportReply:
    account_id = await desk.account(request.account_id)
    sources = TAKES_PARTS
    ended = await desk.store.imports.move(account_id, request.import_id, sources, ImportState.CANCELLED)
    return ImportReply(await imports.view_of(desk.store, ended))


_ONE = {**ACCOUNT, "ImportId": Parameter("导入编号。", "The import's number.")}
_LOOK = {
    "Look": Parameter(
        "是否逐张检查照片中的人脸；提交时默认检查，CheckImport 默认不检查，因为照片多时较慢。",
        "Whether to see the face on every photo. CommitImport does by default; CheckImport does not, as it takes long.",
    )
}
MANIFESTS = (
    action(
        "CreateImport",
        create,
        CreateRequest,
        ImportReply,
        TENANTS,
        (
            "开始批量导入人员。之后用 PutImportPart 上传表格和照片。",
            "Starts an import of people. Upload the table and photos with PutImportPart.",
        ),
        {**ACCOUNT, "Replace": Parameter("已登记的人是否替换。", "Whether to replace who is enrolled already.")},
        order=160,
    ),
    action(
        "PutImportPart",
        put,
        PutRequest,
        PartReply,
        TENANTS,
        (
            "上传导入的一部分：表格或一张照片。同一序号可以重复上传，以最后一次为准。",
            "Uploads one part of an import: the table, or a photo. A number can be sent again; the last one counts.",
        ),
        {
            **_ONE,
            "PartNumber": Parameter(
                "序号，1 到 100000；表格分多段时按序号拼接。",
                "The part's number, 1 to 100000; a table in several parts is joined in their order.",
            ),
            "Kind": Parameter(
                "table 为表格（CSV，表头 id_card,name,photo），photo 为照片。",
                "table: CSV with the heading id_card,name,photo. photo: a JPEG or PNG.",
                choices=KINDS,
            ),
            "Name": Parameter("照片的文件名，与表格中的一致。", "A photo's file name, as the table has it."),
            "Data": Parameter(
                "内容的 Base64，最长 8388608 个字符。", "The content in Base64, at most 8388608 characters."
            ),
        },
        order=161,
    ),
    action(
        "CheckImport",
        check,
        CheckRequest,
        CheckReply,
        TENANTS,
        ("检查导入的每一行，不保存任何内容。", "Checks every row of an import; stores nothing."),
        {**_ONE, **_LOOK},
        order=162,
    ),
    action(
        "CommitImport",
        commit,
        CheckRequest,
        ImportReply,
        TENANTS,
        (
            "在后台检查并登记导入的人员；任何一行有错则一个也不登记。中断后再次提交会接着进行。",
            "Checks and enrols in the background; a fault in any row enrols nobody. Cut off, it goes on when committed "
            "again.",
        ),
        {**_ONE, **_LOOK},
        order=163,
    ),
    action(
        "DescribeImport",
        describe,
        OneRequest,
        ImportReply,
        EVERYBODY,
        ("查询导入的状态和进度。", "Shows an import’s state and progress."),
        _ONE,
        order=164,
    ),
    action(
        "CancelImport",
        cancel,
        OneRequest,
        ImportReply,
        TENANTS,
        ("放弃导入，并销毁已上传的内容。", "Cancels an import and destroys its parts."),
        _ONE,
        order=165,
    ),
)
