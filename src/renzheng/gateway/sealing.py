"""The handlers that open sealed fields of requests and seal replies, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import msgspec

from renzheng.gateway.context import Request
from renzheng.gateway.encryption import (
    Encryption,
    FieldNotSealableError,
    KeyPairs,
    OpenedFields,
    SealingKey,
    UndecryptableError,
)
from renzheng.gateway.errors import (
    DecryptSystemError,
    EncryptSystemError,
    ServiceUnavailableError,
    UnsupportedEncryptFieldError,
)
from renzheng.gateway.parameters import text_of
from renzheng.gateway.processes import ProcessPool, WorkLostError
from renzheng.gateway.shares import FairShares
from renzheng.gateway.sm2 import decrypt_all

Result = TypeVar("Result")
_ENCODER = msgspec.json.Encoder()


class Sealing:
    """Opens and seals for the actions that say what may be sealed.

    `key_pairs`: returns the current keys of an account, or None if it has none. Instead of the function, None means
    that nothing can be opened; an Encryption then reaches the action as it came. `executor`: threads for compiled work.
    `processes`: for SM2, which is not compiled; without them the threads do it. `places`: requests at one time, over
    all accounts.
    """

    def __init__(
        self,
        key_pairs: Callable[[int], KeyPairs | None] | None,
        entropy: Callable[[int], bytes],
        executor: Executor | None = None,
        processes: ProcessPool | None = None,
        places: int = 32,
    ) -> None:
        self._key_pairs = key_pairs
        self._entropy = entropy
        self._executor = executor
        self._processes = processes
        self._shares = FairShares(places)

    def open_fields(self, request: Request) -> Awaitable[None] | None:
        """Replace sealed fields by their plaintexts, and keep the caller's key for the reply."""
        action, given = request.action.manifest, getattr(request.message, "encryption", None)
        if given is None or self._key_pairs is None or not (action.sealable or action.sealed_reply):
            return None
        return self._open(request, given, self._key_pairs)

    async def _open(self, request: Request, given: Any, pairs_of: Callable[[int], KeyPairs | None]) -> None:
        action = request.action.manifest
        encryption = msgspec.convert(given, Encryption, from_attributes=True)
        if not (encryption.encrypt_list or encryption.ciphertext_blob):
            return  # an SDK's empty struct
        request.reader.unescape(request.message)
        if action.check_sealed is not None:
            action.check_sealed(request.message)
        values = self._sealed_values(request, encryption.encrypt_list or [])
        key_pairs = await asyncio.to_thread(pairs_of, request.key.account_id)  # parsing them again takes a while
        if key_pairs is None:
            raise DecryptSystemError
        try:
            with self._place(request):
                opened = await self._open_values(key_pairs, encryption, values, action.sealable)
        except FieldNotSealableError:
            raise UnsupportedEncryptFieldError from None
        except UndecryptableError:
            raise DecryptSystemError from None
        request.sealing_key = opened.key
        self._put(request, opened)

    async def _open_values(
        self, pairs: KeyPairs, encryption: Encryption, values: dict[str, str | None], sealable: frozenset[str]
    ) -> OpenedFields:
        work = pairs.sm2_work(encryption, sealable) if self._processes is not None else None
        keys: list[bytes | None] | None = None
        if work is not None and self._processes is not None:
            try:
                keys = await self._processes.run(decrypt_all, *work)
            except WorkLostError:
                raise ServiceUnavailableError("the process for sealed fields died twice") from None
        return await self._apart(lambda: pairs.open(encryption, values, sealable, keys))

    def _sealed_values(self, request: Request, names: list[str]) -> dict[str, str | None]:
        """Return the sealed values by name. DecryptSystemError if there are more names than parameters, as each takes a
        copy."""
        attributes = request.reader.attributes
        if len(names) > len(attributes):
            raise DecryptSystemError
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

    def _put(self, request: Request, opened: OpenedFields) -> None:
        changes: dict[str, Any] = {}
        for name, text in opened.fields.items():
            attribute = request.reader.attributes[name]
            is_raw = isinstance(getattr(request.message, attribute), msgspec.Raw)
            changes[attribute] = msgspec.Raw(_ENCODER.encode(text)) if is_raw else text
        if changes:
            request.message = msgspec.structs.replace(request.message, **changes)

    def seal_reply(self, request: Request) -> Awaitable[None] | None:
        """Seal the whole reply if IsEncryptResponse asks for it, else the action's sensitive fields."""
        if request.sealing_key is None or not request.action.manifest.sealed_reply:
            return None
        return self._seal(request, request.sealing_key)

    async def _seal(self, request: Request, key: SealingKey) -> None:
        whole = getattr(request.message, "is_encrypt_response", None)
        try:
            with self._place(request):
                if whole:
                    request.reply = await self._apart(lambda: self._whole_body(key, request.reply))
                else:
                    names = request.action.manifest.sealed_reply
                    request.reply = await self._apart(lambda: self._by_field(key, request.reply, names))
        except (ValueError, TypeError) as error:
            raise EncryptSystemError(type(error).__name__) from None

    def _whole_body(self, key: SealingKey, reply: Any) -> dict[str, Any]:
        body, encryption = key.seal_body(_ENCODER.encode(reply).decode(), self._entropy)
        # The Java and Go helpers read the first tag whatever the algorithm is, and fail if there is none.
        encryption.tag_list = encryption.tag_list or [""]
        return {"Encryption": encryption, "EncryptedBody": body}

    def _by_field(self, key: SealingKey, reply: Any, names: frozenset[str]) -> dict[str, Any]:
        fields: dict[str, Any] = msgspec.to_builtins(reply)
        values = {f"Response.{name}": fields[name] for name in fields if name in names and fields[name]}
        sealed = key.seal(values, self._entropy)
        for path, text in sealed.values.items():
            fields[path.removeprefix("Response.")] = text
        return fields | {"Encryption": sealed.encryption}

    def _place(self, request: Request) -> AbstractContextManager[None]:
        """Take one place of the account's share. If none is free, the request is refused at once."""
        refusal = ServiceUnavailableError("too many sealed requests are waiting")
        return self._shares.place(request.key.account_id, refusal)

    async def _apart(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)
