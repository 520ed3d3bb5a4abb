"""What the page is told of the API is what the request structs say."""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Iterator

import msgspec
import pytest

from renzheng.actions import common, get_face_id_token
from renzheng.actions.product import make_product
from renzheng.explorer import texts
from renzheng.explorer.description import ActionDescription, Description, Limits, Parameter, describe
from renzheng.gateway.errors import ApiError, platform_errors
from renzheng.gateway.manifest import Manifest, Product, error_texts
from renzheng.gateway.manifest import Parameter as Told

LIMITS = Limits(common.MAX_IMAGE_BASE64, 10 * 1024 * 1024, 300)
KIND_OF = {str: "string", bool: "boolean", int: "integer", float: "number", msgspec.Raw: "image"}


class NewInner(msgspec.Struct, rename="pascal"):
    width: float
    tags: list[int] | None = None


class NewRequest(msgspec.Struct, rename="pascal"):
    count: int
    inner: NewInner | None = None


def make(parts: object) -> typing.Any:
    raise AssertionError("a description makes no action")


def described() -> Description:
    return describe([make_product()], error_texts([make_product()]), LIMITS)


def described_alone(request: type[msgspec.Struct], **parameters: Told) -> ActionDescription:
    """The description of an action that is its product's only one."""
    action = Manifest(
        name="DoSomethingNew", request=request, reply=request, make=make, text=("新。", "New."), parameters=parameters
    )
    regions: frozenset[str] = frozenset()
    product = Product(
        service="new", version="1", title=("新", "New"), regions=regions, example_region="", actions=(action,)
    )
    (description,) = describe([product], {}, LIMITS).actions
    return description


def kind_of(annotation: typing.Any) -> str:
    """The kind by Python's own types, with another reading of them than the description's."""
    if isinstance(annotation, types.UnionType):
        (annotation,) = (part for part in typing.get_args(annotation) if part is not type(None))
    if typing.get_origin(annotation) is list:
        return "list"
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return "object"
    return KIND_OF[annotation]


def test_every_field_of_every_request_is_described_with_its_kind_and_whether_it_is_needed() -> None:
    for action, description in zip(make_product().actions, described().actions, strict=True):
        hints = typing.get_type_hints(action.request)
        fields = msgspec.structs.fields(action.request)
        assert description.name == action.name
        assert [p.name for p in description.parameters] == [f.encode_name for f in fields]
        assert [p.required for p in description.parameters] == [f.required for f in fields]
        assert [p.kind for p in description.parameters] == [kind_of(hints[f.name]) for f in fields]


def test_the_fields_of_an_object_are_described_too() -> None:
    (sealed,) = (p for p in described().actions[0].parameters if p.kind == "object")
    fields = msgspec.structs.fields(get_face_id_token.SealedFields)
    assert [p.name for p in sealed.fields] == [f.encode_name for f in fields]
    assert [p.required for p in sealed.fields] == [f.required for f in fields]
    assert [p.item for p in sealed.fields if p.kind == "list"] == ["string", "string"]


def test_an_action_of_tomorrow_appears_by_itself() -> None:
    told = Told("字。", "Text.")
    description = described_alone(NewRequest, Count=told, Inner=told, **{"Inner.Width": told, "Inner.Tags": told})
    assert (description.name, description.service, description.regions) == ("DoSomethingNew", "new", None)
    assert (description.text.zh, description.text.en) == ("新。", "New.")
    count, inner = description.parameters
    assert (count.name, count.kind, count.required) == ("Count", "integer", True)
    assert (inner.name, inner.kind, inner.required) == ("Inner", "object", False)
    assert [(p.name, p.kind, p.item) for p in inner.fields] == [("Width", "number", ""), ("Tags", "list", "integer")]


def test_a_field_that_the_page_has_no_input_for_is_refused_at_start() -> None:
    class Request(msgspec.Struct):
        when: dict[str, int]

    with pytest.raises(TypeError, match="DictType"):
        described_alone(Request, when=Told("字。", "Text."))


def test_a_parameter_without_a_sentence_is_refused_at_start() -> None:
    with pytest.raises(KeyError, match=r"DoSomethingNew\.Inner has no sentence"):
        described_alone(NewRequest, Count=Told("字。", "Text."))


def paths(action: str, parameters: tuple[Parameter, ...], path: str = "") -> Iterator[tuple[str, str, Parameter]]:
    for parameter in parameters:
        yield action, f"{path}{parameter.name}", parameter
        yield from paths(action, parameter.fields, f"{path}{parameter.name}.")


def test_every_sentence_is_one_in_both_languages() -> None:
    for action in described().actions:
        assert action.text.zh.endswith("。"), action.name
        for _, path, parameter in paths(action.name, action.parameters):
            assert parameter.text.zh.endswith("。"), path
            assert parameter.text.en.endswith("."), path


def test_no_sentence_is_about_a_parameter_that_is_not_there() -> None:
    for manifest, description in zip(make_product().actions, described().actions, strict=True):
        assert set(manifest.parameters) == {path for _, path, _ in paths("", description.parameters)}


def test_every_error_has_the_servers_own_text_and_advice_in_both_languages() -> None:
    errors = described().errors
    for code, (zh, en, _) in error_texts([make_product()]).items():
        assert errors[code].message.zh == zh
        assert errors[code].message.en == (en or zh)
        assert "{service}" not in errors[code].advice.en
    assert errors["AuthFailure.SignatureFailure"].message.zh == "请求签名验证失败，请检查您的签名计算是否正确。"
    assert "the service is faceid" in errors["AuthFailure.InvalidAuthorization"].advice.en
    assert texts.ADVICE.keys() == platform_errors().keys()


def test_every_error_that_can_be_raised_is_in_the_table() -> None:
    def codes(error: type[ApiError]) -> Iterator[str]:
        room = sys.modules.get(error.__module__)  # None where another test made the file and took it away
        if room is not None and error.__module__.startswith(("renzheng.gateway.", "renzheng.actions.")):
            yield error.code
        for kind in error.__subclasses__():
            yield from codes(kind)

    assert set(codes(ApiError)) == error_texts([make_product()]).keys()
