"""What the page is told of the API is what the request structs say."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator

import msgspec
import pytest

from renzheng.actions import common, get_face_id_result, get_face_id_token
from renzheng.explorer import texts
from renzheng.explorer.description import Description, Limits, Parameter, describe
from renzheng.gateway.contract import SERVICE, Action
from renzheng.gateway.errors import texts_by_code

LIMITS = Limits(common.MOST_IMAGE_BASE64, 10 * 1024 * 1024, 300)
KIND_OF = {str: "string", bool: "boolean", int: "integer", float: "number", msgspec.Raw: "image"}


class NewInner(msgspec.Struct, rename="pascal"):
    width: float
    tags: list[int] | None = None


class NewRequest(msgspec.Struct, rename="pascal"):
    count: int
    inner: NewInner | None = None


async def nothing(*_: object) -> msgspec.Struct:
    raise AssertionError("a description runs no action")


def actions() -> list[Action]:
    return [
        Action("GetFaceIdToken", get_face_id_token.Request, nothing, regions=common.REGIONS),
        Action("GetFaceIdResult", get_face_id_result.Request, nothing),
    ]


def described() -> Description:
    return describe(SERVICE, actions(), texts_by_code(), LIMITS)


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
    for action, description in zip(actions(), described().actions, strict=True):
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
    action = Action("DoSomethingNew", NewRequest, nothing)
    (description,) = describe(SERVICE, [action], {}, LIMITS).actions
    assert (description.name, description.text, description.regions) == ("DoSomethingNew", None, None)
    count, inner = description.parameters
    assert (count.name, count.kind, count.required) == ("Count", "integer", True)
    assert (inner.name, inner.kind, inner.required) == ("Inner", "object", False)
    assert [(p.name, p.kind, p.item) for p in inner.fields] == [("Width", "number", ""), ("Tags", "list", "integer")]


def test_a_field_that_the_page_has_no_input_for_is_refused_at_start() -> None:
    class Request(msgspec.Struct):
        when: dict[str, int]

    with pytest.raises(TypeError, match="DictType"):
        describe(SERVICE, [Action("X", Request, nothing)], {}, LIMITS)


def paths(action: str, parameters: tuple[Parameter, ...], path: str = "") -> Iterator[tuple[str, str, Parameter]]:
    for parameter in parameters:
        yield action, f"{path}{parameter.name}", parameter
        yield from paths(action, parameter.fields, f"{path}{parameter.name}.")


def test_no_action_and_no_parameter_is_without_a_sentence_in_either_language() -> None:
    for action in described().actions:
        assert action.text, action.name
        for _, path, parameter in paths(action.name, action.parameters):
            assert parameter.text, f"{action.name}.{path}: write one in explorer/texts.py"
            assert parameter.text.zh.endswith("。"), path
            assert parameter.text.en.endswith("."), path


def test_no_sentence_choice_or_example_is_about_something_that_is_not_there() -> None:
    known = {
        name
        for action in described().actions
        for _, path, _ in paths(action.name, action.parameters)
        for name in (path, f"{action.name}.{path}")
    }
    assert texts.PARAMETERS.keys() <= known
    assert texts.CHOICES.keys() <= known
    assert texts.EXAMPLES.keys() <= known
    assert texts.ACTIONS.keys() == {action.name for action in actions()} == set(common.ACTION_NAMES)
    assert texts.ADVICE.keys() == texts_by_code().keys()


def test_every_error_has_the_servers_own_text_and_advice_in_both_languages() -> None:
    errors = described().errors
    for code, (zh, en) in texts_by_code().items():
        assert errors[code].message.zh == zh
        assert errors[code].message.en == (en or zh)
        assert errors[code].advice, f"{code}: write one in explorer/texts.py"
    assert errors["AuthFailure.SignatureFailure"].message.zh == "请求签名验证失败，请检查您的签名计算是否正确。"


def test_every_error_that_can_be_raised_is_in_the_table() -> None:
    def codes(error: type[Exception]) -> Iterator[str]:
        yield error.code  # type: ignore[attr-defined]
        for kind in error.__subclasses__():
            yield from codes(kind)

    from renzheng.gateway.errors import ApiError

    assert set(codes(ApiError)) == texts_by_code().keys()
