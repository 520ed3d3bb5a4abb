"""A customer's bucket over S3: put, get, delete, and what is wrong with it, in a sentence."""

from __future__ import annotations

import enum
import io
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from renzheng.accounts.buckets import Bucket, BucketKey
from renzheng.base.bounded_http import Bounds
from renzheng.delivery.connections import checked, proxied
from renzheng.delivery.hosts import AllowedHosts, HostRefusedError

if TYPE_CHECKING:  # importing it takes a seventh of a server's start, and most servers have no bucket
    from minio.error import InvalidResponseError, S3Error

T = TypeVar("T")
BOUNDS = Bounds(connect=5, read=20, whole=60)
MIN_PART = 5 << 20
"""The library's own bound for a part, bytes."""


class BucketProblem(enum.StrEnum):
    """What can be wrong with a bucket. Each problem is solved in another place."""

    NO_BUCKET = "no_bucket"
    WRONG_KEY = "wrong_key"
    NO_RIGHT = "no_right"
    PATH_STYLE = "path_style"
    UNREACHABLE = "unreachable"
    HOST_REFUSED = "host_refused"
    REDIRECTED = "redirected"
    NOT_AUTHORISED = "not_authorised"
    OTHER = "other"


class BucketError(Exception):
    """A request to the bucket failed. `trouble` says what to correct; the text is a sentence for the operator."""

    def __init__(self, trouble: BucketProblem, sentence: str) -> None:
        super().__init__(sentence)
        self.trouble = trouble


_BY_CODE = {
    "NoSuchBucket": BucketProblem.NO_BUCKET,
    "InvalidAccessKeyId": BucketProblem.WRONG_KEY,
    "SignatureDoesNotMatch": BucketProblem.WRONG_KEY,
    "InvalidSecretId": BucketProblem.WRONG_KEY,
    "AccessDenied": BucketProblem.NO_RIGHT,
    "PathStyleDomainForbidden": BucketProblem.PATH_STYLE,
}
_BY_STATUS = {401: BucketProblem.WRONG_KEY, 403: BucketProblem.NO_RIGHT}


class BucketClient:
    """One bucket with one key. Its calls block, so they belong in a thread."""

    def __init__(self, bucket: Bucket, key: BucketKey, http: urllib3.PoolManager, hosts: AllowedHosts) -> None:
        import minio

        self._bucket = bucket
        self._hosts = hosts
        client: Any = cast(Any, minio.Minio)(
            bucket.endpoint,
            access_key=key.access_id,
            secret_key=key.secret,
            secure=bucket.secure,
            region=bucket.region,
            http_client=http,
        )
        (client.enable_virtual_style_endpoint if bucket.virtual else client.disable_virtual_style_endpoint)()
        self._client = client

    def put(self, key: str, content: bytes, media_type: str) -> None:
        """Write one object, over an existing one. Raises BucketError."""
        one_part = max(len(content), MIN_PART)  # several parts would need more rights than PutObject
        self._call(
            lambda: self._client.put_object(
                self._bucket.name, key, io.BytesIO(content), len(content), media_type, part_size=one_part
            )
        )

    def get(self, key: str) -> bytes | None:
        """Return an object's bytes; None if there is none. Raises BucketError."""

        def read() -> bytes:
            response = self._client.get_object(self._bucket.name, key)
            try:
                return bytes(response.read())
            finally:
                response.close()
                response.release_conn()

        try:
            return self._call(read)
        except _MissingObjectError:
            return None

    def delete(self, key: str) -> None:
        """Delete an object. It is no error if there is none. Raises BucketError."""
        try:
            self._call(lambda: self._client.remove_object(self._bucket.name, key))
        except _MissingObjectError:
            return

    def signed_address(self, key: str, hours: float) -> str:
        """Return an address with which anybody can read the object for so long. Sends no request."""
        return str(self._client.presigned_get_object(self._bucket.name, key, expires=timedelta(hours=hours)))

    def probe(self) -> str:
        """Write, read and delete an object of our own. Returns its address, in the form that merchants will get.

        Raises BucketError that names the failed step.
        """
        key = self._bucket.key("renzheng-probe", secrets.token_hex(16))
        content = secrets.token_bytes(32)
        steps: tuple[tuple[str, Callable[[], None]], ...] = (
            ("written", lambda: self.put(key, content, "application/octet-stream")),
            ("read", lambda: self._check_read(key, content)),
            ("deleted", lambda: self.delete(key)),
        )
        for step, work in steps:
            try:
                work()
            except BucketError as error:
                raise BucketError(error.trouble, f"a probe object cannot be {step}: {error}") from None
        return self._bucket.address(self._bucket.key("20260101/0f1e2d3c4b5a69788796a5b4c3d2e1f0", "video.mp4"))

    def _check_read(self, key: str, content: bytes) -> None:
        if self.get(key) != content:
            raise BucketError(BucketProblem.OTHER, "what comes back is not what was written")

    def _call(self, work: Callable[[], T]) -> T:
        from minio.error import InvalidResponseError, MinioException, S3Error

        bucket = self._bucket
        try:
            self._hosts.check(urlsplit(f"//{bucket.host}").hostname or "")
            return work()
        except HostRefusedError as error:
            raise BucketError(BucketProblem.HOST_REFUSED, str(error)) from None
        except S3Error as error:
            raise self._s3_error(error) from None
        except InvalidResponseError as error:
            raise self._odd_answer(error) from None
        except MinioException as error:
            raise BucketError(BucketProblem.OTHER, f"{bucket.host} answers unusably: {_one_line(error)}") from None
        except (ValueError, SyntaxError):  # the library lets through bodies that are not text, or not XML
            raise BucketError(BucketProblem.OTHER, f"{bucket.host} answers unusably: is this an S3 endpoint?") from None
        except (HTTPError, OSError) as error:
            raise BucketError(BucketProblem.UNREACHABLE, f"{bucket.host} cannot be reached: {_cause(error)}") from None

    def _s3_error(self, error: S3Error) -> Exception:
        code, name = str(error.code), self._bucket.name
        status = getattr(error.response, "status", 0)
        if code in ("NoSuchKey", "ResourceNotFound"):
            return _MissingObjectError(code)
        if 300 <= status < 400:
            return self._redirect(status)
        trouble = _BY_CODE.get(code) or _BY_STATUS.get(status, BucketProblem.OTHER)
        sentence = {
            BucketProblem.NO_BUCKET: f"there is no bucket {name} at {self._bucket.endpoint}",
            BucketProblem.WRONG_KEY: f"the key is not one of {self._bucket.endpoint} ({code})",
            BucketProblem.NO_RIGHT: f"the key may not do this in the bucket {name} ({code})",
            BucketProblem.PATH_STYLE: f"the bucket {name} needs its name in the host: use --style virtual",
        }.get(trouble, f"{self._bucket.host} answers {status} {_one_line(code)}")
        return BucketError(trouble, sentence)

    def _odd_answer(self, error: InvalidResponseError) -> BucketError:
        status = int(getattr(error, "_code", 0) or 0)
        if 300 <= status < 400:
            return self._redirect(status)
        trouble = _BY_STATUS.get(status, BucketProblem.OTHER)
        return BucketError(trouble, f"{self._bucket.host} answers {status} and no S3 error: is this an S3 endpoint?")

    def _redirect(self, status: int) -> BucketError:
        return BucketError(
            BucketProblem.REDIRECTED,
            f"{self._bucket.host} redirects ({status}), which is not followed: check the region and the endpoint",
        )


class _MissingObjectError(Exception):
    """There is no such object."""


def _one_line(error: object) -> str:
    """Return a stranger's text in one printable line."""
    return "".join(character if character.isprintable() else " " for character in str(error))[:200]


def _cause(error: BaseException) -> str:
    reason = getattr(error, "reason", None)
    inner = reason if isinstance(reason, BaseException) else error.__cause__ or error
    return _one_line(getattr(inner, "strerror", None) or inner).rpartition(">: ")[2] or type(inner).__name__


class Clients:
    """Makes clients that share their connections. `proxy`: the operator's outgoing proxy; empty: none."""

    def __init__(self, hosts: AllowedHosts, proxy: str = "", bounds: Bounds = BOUNDS) -> None:
        self._hosts = hosts
        self._http = proxied(proxy, bounds) if proxy else checked(hosts, bounds)

    def of(self, bucket: Bucket, key: BucketKey) -> BucketClient:
        return BucketClient(bucket, key, self._http, self._hosts)

    def close(self) -> None:
        self._http.clear()
