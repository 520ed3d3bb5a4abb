"""The enrolled people, with whom BUSINESS verifications compare."""

from __future__ import annotations

import msgspec

from renzheng.actions.photos import from_base64
from renzheng.actions.photos import refusal as photo_refusal
from renzheng.gateway.errors import MissingParameterError
from renzheng.gateway.manifest import Parameter
from renzheng.gateway.parameters import text_of, unescaped
from renzheng.management.desk import EVERYBODY, TENANTS, Desk, ListRequest, Request
from renzheng.management.errors import OperationDeniedError
from renzheng.management.texts import ACCOUNT, LIST, action
from renzheng.store.identities import ListedPerson, NewPerson


class PersonView(msgspec.Struct, rename="pascal", frozen=True):
    """Number and name are masked."""

    id: int
    id_card: str
    name: str
    has_photo: bool
    created_at: float


def _view(person: ListedPerson) -> PersonView:
    return PersonView(person.id, person.id_card, person.name, person.has_photo, person.created_at)


class PutRequest(Request, frozen=True, kw_only=True):
    account_id: int | None = None
    id_card: str
    name: str
    image_base64: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="ImageBase64")
    replace: bool | None = None
    look: bool | None = None


class PersonReply(msgspec.Struct, rename="pascal"):
    identity_id: int


async def put(desk: Desk, request: PutRequest) -> PersonReply:
    account_id = await desk.account(request.account_id)
    photo: bytes | None = None
    if text_of(request.image_base64):
        photo = from_base64(text_of(unescaped(request.image_base64)))
        if (fault := await desk.parts.photos.fault(photo)) is not None:
            raise photo_refusal(*fault)
        if request.look is not False and (reason := await desk.parts.look(photo)) is not None:
            raise OperationDeniedError(reason=f"photo: {reason}")
    person = NewPerson(request.id_card, request.name, photo)
    return PersonReply(await desk.store.identities.add(account_id, person, replace=bool(request.replace)))


class DescribeRequest(ListRequest, frozen=True, kw_only=True):
    account_id: int | None = None
    id_card: str | None = None


class DescribeReply(msgspec.Struct, rename="pascal"):
    total_count: int
    identities: list[PersonView]
    next_cursor: str


async def describe(desk: Desk, request: DescribeRequest) -> DescribeReply:
    account_id = await desk.account(request.account_id)
    store = desk.store
    if request.id_card:
        person = await store.identities.find(account_id, request.id_card)
        return DescribeReply(int(person is not None), [_view(person)] if person else [], "")
    total, after = await store.search.count_people(account_id), request.position
    if after is None:
        first = await store.search.person_at(account_id, request.first)
        after = None if first is None else first - 1
    found = [] if after is None else await store.identities.list(account_id, after, request.most)
    more = len(found) == request.most and bool(await store.identities.list(account_id, found[-1].id, 1))
    return DescribeReply(total, [_view(one) for one in found], str(found[-1].id) if more else "")


class DeleteRequest(Request, frozen=True, kw_only=True):
    account_id: int | None = None
    identity_id: int | None = None
    id_card: str | None = None


async def delete(desk: Desk, request: DeleteRequest) -> PersonReply:
    account_id = await desk.account(request.account_id)
    if request.identity_id is not None:
        await desk.store.identities.remove_by_id(account_id, request.identity_id)
        return PersonReply(request.identity_id)
    if not request.id_card:
        raise MissingParameterError(name="IdentityId")
    return PersonReply(await desk.store.identities.remove(account_id, request.id_card))


_ID_CARD = {"IdCard": Parameter("身份证号码，18 位。", "The ID number, 18 characters.")}
MANIFESTS = (
    action(
        "PutIdentity",
        put,
        PutRequest,
        PersonReply,
        TENANTS,
        ("登记一个人：身份证号、姓名和照片。", "Enrols a person: ID number, name and photo."),
        {
            **ACCOUNT,
            **_ID_CARD,
            "Name": Parameter("姓名。", "The name."),
            "ImageBase64": Parameter("照片，JPEG 或 PNG。", "The photo, JPEG or PNG."),
            "Replace": Parameter("已登记时是否替换。", "Whether to replace who is enrolled already."),
            "Look": Parameter(
                "是否检查照片中恰有一张可比对的人脸，默认检查。",
                "Whether to see that the photo has one face to compare with; it is seen by default.",
            ),
        },
        order=150,
    ),
    action(
        "DescribeIdentities",
        describe,
        DescribeRequest,
        DescribeReply,
        EVERYBODY,
        ("列出已登记的人，号码和姓名已脱敏，按编号排序。", "Lists enrolled people, masked, by number."),
        {**ACCOUNT, **LIST, "IdCard": Parameter("只查询该身份证号。", "Only the one with this ID number.")},
        order=151,
    ),
    action(
        "DeleteIdentity",
        delete,
        DeleteRequest,
        PersonReply,
        TENANTS,
        ("删除一个人：先销毁其数据密钥。", "Erases a person: the key to their data is destroyed first."),
        {**ACCOUNT, **_ID_CARD, "IdentityId": Parameter("人员编号，或用 IdCard。", "Their number; or use IdCard.")},
        order=152,
    ),
)
