"""The handlers that open sealed fields on the way in and seal replies on the way out, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Any, TypeVar

import msgspec

from renzheng.gateway.context import Request
from renzheng.gateway.encryption import (
    Encryption,
    FieldNotSealableError,
    KeyPairs,
    Opened,
    SealingKey,
    UndecryptableError,
)
from renzheng.gateway.errors import (
    DecryptSystemError,
    EncryptSystemError,
    ServiceUnavailable,
    UnsupportedEncryptField,
)
from renzheng.gateway.parameters import text_of

Result = TypeVar("Result")
_ENCODER = msgspec.json.Encoder()


class Sealing:
    """Opens and seals for the actions that say what may be sealed.

    `key_pairs`: the server's keys as they are now; None where nothing can be opened, and an Encryption then
    reaches the action as it came. `most_pending`: requests that may wait for private-key work at one time.
    """

    def __init__(
        self,
        key_pairs: Callable[[], KeyPairs] | None,
        entropy: Callable[[int], bytes],
        executor: Executor | None = None,
        most_pending: int = 64,
    ) -> None:
        self._key_pairs = key_pairs
        self._entropy = entropy
        self._executor = executor
        self._most_pending = most_pending
        self._pending = 0

    def open_fields(self, request: Request) -> Awaitable[None] | None:
        """Put plaintexts in the place of sealed fields, and keep the caller's key for the reply."""
        action, given = request.action, getattr(request.message, "encryption", None)
        if given is None or self._key_pairs is None or not (action.sealable or action.sealed_reply):
            return None
        return self._open(request, given, self._key_pairs())

    async def _open(self, request: Request, given: Any, key_pairs: KeyPairs) -> None:
        action = request.action
        encryption = msgspec.convert(given, Encryption, from_attributes=True)
        if not (encryption.encrypt_list or encryption.ciphertext_blob):
            return  # the zero value of an SDK's struct
        request.reader.unescape(request.message)
        if action.check_sealed is not None:
            action.check_sealed(request.message)
        values = self._sealed_values(request, encryption.encrypt_list or [])
        try:
            opened = await self._apart(lambda: key_pairs.open(encryption, values, action.sealable))
        except FieldNotSealableError:
            raise UnsupportedEncryptField from None
        except UndecryptableError:
            raise DecryptSystemError from None
        request.sealing_key = opened.key
        self._put(request, opened)

    def _sealed_values(self, request: Request, names: list[str]) -> dict[str, str | None]:
        attributes = request.reader.attributes
        values: dict[str, str | None] = {}
        for name in names:
            value = getattr(request.message, attributes[name], None) if name in attributes else None
            if isinstance(value, msgspec.Raw):
                try:
                    values[name] = str(text_of(value), "utf-8") or None
                except UnicodeDecodeError:
                    raise DecryptSystemError from None
            elif isinstance(value, str):
                values[name] = value
        return values

    def _put(self, request: Request, opened: Opened) -> None:
        changes: dict[str, Any] = {}
        for name, text in opened.fields.items():
            attribute = request.reader.attributes[name]
            is_raw = isinstance(getattr(request.message, attribute), msgspec.Raw)
            changes[attribute] = msgspec.Raw(_ENCODER.encode(text)) if is_raw else text
        if changes:
            request.message = msgspec.structs.replace(request.message, **changes)

    def seal_reply(self, request: Request) -> Awaitable[None] | None:
        """Seal the whole reply where IsEncryptResponse asks for it, else the action's sensitive fields."""
        if request.sealing_key is None or not request.action.sealed_reply:
            return None
        return self._seal(request, request.sealing_key)

    async def _seal(self, request: Request, key: SealingKey) -> None:
        whole = getattr(request.message, "is_encrypt_response", None)
        try:
            if whole:
                request.reply = await self._apart(lambda: self._whole_body(key, request.reply))
            else:
                names = request.action.sealed_reply
                request.reply = await self._apart(lambda: self._by_field(key, request.reply, names))
        except (ValueError, TypeError) as error:
            raise EncryptSystemError(type(error).__name__) from None

    def _whole_body(self, key: SealingKey, reply: Any) -> dict[str, Any]:
        body, encryption = key.seal_body(_ENCODER.encode(reply).decode(), self._entropy)
        # The Java and Go helpers read the first tag whatever the algorithm is, and fail where there is none.
        encryption.tag_list = encryption.tag_list or [""]
        return {"Encryption": encryption, "EncryptedBody": body}

    def _by_field(self, key: SealingKey, reply: Any, names: frozenset[str]) -> dict[str, Any]:
        fields: dict[str, Any] = msgspec.to_builtins(reply)
        values = {f"Response.{name}": fields[name] for name in fields if name in names and fields[name]}
        sealed = key.seal(values, self._entropy)
        for path, text in sealed.values.items():
            fields[path.removeprefix("Response.")] = text
        return fields | {"Encryption": sealed.encryption}

    async def _apart(self, work: Callable[[], Result]) -> Result:
        """Run in a thread; a full queue answers at once."""
        if self._pending >= self._most_pending:
            raise ServiceUnavailable("too many sealed requests are waiting")
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._pending -= 1
