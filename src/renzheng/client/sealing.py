"""Sealed fields on the caller's side, for this client or any other."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from renzheng.client.errors import ReplyError
from renzheng.gateway.encryption import Encryption, SealingKey, UndecryptableError
from renzheng.gateway.public_keys import PublicKey, load_public_key


def seal_request(
    parameters: Mapping[str, Any], public_key: PublicKey | str, fields: Iterable[str] = ("Name", "IdCard")
) -> tuple[dict[str, Any], SealingKey]:
    """Seal `fields` of the parameters and add Encryption. Returns them, and the key that opens the reply.

    A field that is absent or None is skipped; if none is left, the request only asks for a sealed reply. Each call
    makes a new key. public_key: AES-256-CBC for an RSA key, SM4-GCM for an SM2 key; text in any form that
    load_public_key reads. TypeError if a field is not text.
    """
    key = SealingKey.make(load_public_key(public_key) if isinstance(public_key, str) else public_key)
    plaintexts = {name: parameters[name] for name in fields if parameters.get(name) is not None}
    if not all(isinstance(text, str) for text in plaintexts.values()):
        raise TypeError("only text can be sealed")
    sealed = key.seal(plaintexts)
    described = sealed.encryption if plaintexts else key.without_fields()
    wire = {name: value for name, value in msgspec.to_builtins(described).items() if value is not None}
    return {**parameters, **sealed.values, "Encryption": wire}, key


def open_reply(response: Mapping[str, Any], key: SealingKey) -> dict[str, Any]:
    """Return the content of `Response` with all sealed parts opened; unchanged if nothing is sealed.

    response: the content of `Response`, or the whole reply around it. A body sealed as a whole replaces the rest, and
    keeps the RequestId. ReplyError if it was sealed under another key, or its lists do not match it.
    """
    content = _content_of(response)
    if content.get("Encryption") is None:
        return content
    try:
        encryption = msgspec.convert(content["Encryption"], Encryption)
        if content.get("EncryptedBody"):
            body = msgspec.json.decode(key.open_body(content["EncryptedBody"], encryption), type=dict[str, Any])
            request_id = {"RequestId": content["RequestId"]} if "RequestId" in content else {}
            return request_id | _content_of(body)
        paths = {path: _parent(content, path) for path in encryption.encrypt_list or []}
        values = {path: parent[place] for path, (parent, place) in paths.items()}
        for path, plaintext in key.open(values, encryption).items():
            parent, place = paths[path]
            parent[place] = plaintext
    except (UndecryptableError, msgspec.MsgspecError, LookupError, TypeError, ValueError):
        raise ReplyError("the sealed reply cannot be opened") from None
    return content


def _content_of(reply: Mapping[str, Any]) -> dict[str, Any]:
    inner = reply.get("Response")
    content = inner if isinstance(inner, Mapping) else reply
    return {name: _copy(value) for name, value in content.items()}


def _copy(value: Any) -> Any:
    """Copy the containers, but not the texts: a reply can hold a video, and the caller's object must not change."""
    if isinstance(value, Mapping):
        return {name: _copy(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_copy(item) for item in value]
    return value


def _parent(content: dict[str, Any], path: str) -> tuple[Any, Any]:
    """Return the container of the last step of a dotted path such as `Response.Text.IdCard`, and that step."""
    steps = path.split(".")
    value: Any = {"Response": content} if steps[0] == "Response" else content
    for step in steps[:-1]:
        value = value[int(step) if isinstance(value, list) else step]
    last = int(steps[-1]) if isinstance(value, list) else steps[-1]
    if not isinstance(value, dict | list):
        raise TypeError("a step into something that is not a container")
    return value, last
