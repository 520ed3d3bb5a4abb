"""Evidence in an object store: S3, COS or another that speaks S3. Only sealed bytes are stored there."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from renzheng.store.engine import AwayError, StoreError
from renzheng.store.objects import Content, Made, ObjectEntry, checked_name

T = TypeVar("T")

SCHEMES = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss")
CHECK_SECONDS = 20.0
"""Time limit for the check at start. Without credentials the library asks the cloud's metadata service, for minutes if
there is none."""
ANSWER_SECONDS = 10.0
"""Time limit for one request. The largest object is some megabytes."""
TRIES = 3
HINT = (
    "Credentials, endpoint and region come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL and "
    "AWS_REGION in the environment"
)


class BucketObjects:
    """An object store of the obstore library, by an address such as `s3://bucket/prefix`.

    Credentials and endpoint come from `options` (obstore's names, such as `endpoint`, `region`, `access_key_id`,
    `secret_access_key`, `allow_http`) or from the environment (`AWS_...`). A refusal of the store becomes a StoreError;
    after the address was understood, an AwayError.
    """

    def __init__(
        self, url: str, options: Mapping[str, str] | None = None, answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        """`answer_seconds`: time limit for one request. A failed request is repeated, for at most twice that in all."""
        # Imported here, as it loads megabytes of code that an installation with a folder does not need.
        from obstore.exceptions import BaseError
        from obstore.store import from_url

        self._url = url
        self._errors: tuple[type[Exception], ...] = (BaseError, FileNotFoundError)
        scheme, _, rest = url.partition("://")
        if scheme not in SCHEMES or not rest.strip("/"):
            raise StoreError(f"{url} is not an address of an object store, such as s3://bucket/prefix")
        given: dict[str, Any] = dict(options or {})
        allow_http = given.pop("allow_http", "") == "true" or os.environ.get("AWS_ALLOW_HTTP", "") == "true"
        try:
            self._store: Any = from_url(url, **_bounds(answer_seconds, allow_http), **given)
        except (BaseError, ValueError) as error:
            raise StoreError(f"{url} is not an address of an object store: {_first_line(error)}") from None

    @contextlib.contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Turn the library's errors, which contain pages of its own notation, into a sentence."""
        try:
            yield
        except self._errors as error:
            # A missing bucket differs from a missing object only in the error's text.
            if "NoSuchBucket" in str(error):
                raise AwayError(f"the bucket of {self._url} does not exist") from None
            if isinstance(error, FileNotFoundError):
                raise
            raise AwayError(f"the object store {self._url} cannot be used: {_first_line(error)}. {HINT}") from None

    async def check(self) -> None:
        """Write a small object and delete it. Raises AwayError if that cannot be done within seconds."""
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self.put("check", b"")
                await self.delete("check")
        except TimeoutError:
            said = f"the object store {self._url} does not answer within {CHECK_SECONDS:g} s. {HINT}"
            raise AwayError(said) from None

    async def put(self, name: str, content: Content) -> None:
        made = await asyncio.to_thread(_build, content) if isinstance(content, Made) else content
        with self._translate_errors():
            await self._store.put_async(checked_name(name), made)

    async def get(self, name: str) -> bytes | None:
        try:
            with self._translate_errors():
                result = await self._store.get_async(checked_name(name))
                return bytes(await result.bytes_async())
        except FileNotFoundError:
            return None

    async def delete(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError), self._translate_errors():
            await self._store.delete_async(checked_name(name))

    async def delete_all(self, folder: str) -> None:
        while entries := await self.entries(folder):
            for entry in entries:
                await self.delete(entry.name)

    async def entries(self, folder: str, after: str = "", limit: int = 1000) -> list[ObjectEntry]:
        found: list[ObjectEntry] = []
        with self._translate_errors():
            stream = self._store.list(checked_name(folder) + "/", offset=after or None, chunk_size=min(limit, 1000))
            async for chunk in stream:
                found += [ObjectEntry(item["path"], item["last_modified"].timestamp()) for item in chunk]
                if len(found) >= limit:
                    break
        return sorted(found)[:limit]

    async def identity(self) -> str:
        return hashlib.sha256(self._url.rstrip("/").encode()).hexdigest()[:32]

    async def close(self) -> None:
        return None


def _bounds(seconds: float, allow_http: bool) -> dict[str, Any]:
    """Return time limits. Without them the library retries for minutes, and the caller waits as long."""
    client = {
        "allow_http": allow_http,
        "timeout": timedelta(seconds=seconds),
        "connect_timeout": timedelta(seconds=min(3.0, seconds)),
    }
    backoff = {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=2), "base": 2}
    return {
        "client_options": client,
        "retry_config": {"max_retries": TRIES, "retry_timeout": timedelta(seconds=2 * seconds), "backoff": backoff},
    }


def _build(content: Made) -> memoryview:
    buffer = memoryview(bytearray(content.size))
    content.fill(buffer)
    return buffer


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(". :{")
