"""A client of FaceID's API, for both renzheng and Tencent Cloud."""

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec
import pybase64
import urllib3

from renzheng.client.errors import ApiError, ReplyError, TransportError
from renzheng.client.replies import FaceIdResult, FaceIdToken
from renzheng.client.sealing import open_reply, seal_request
from renzheng.client.signing import SERVICE, VERSION, Credential, HttpMethod, SignatureMethod, sign
from renzheng.gateway.encryption import SealingKey
from renzheng.gateway.public_keys import load_public_key

DEFAULT_ENDPOINT = "https://faceid.tencentcloudapi.com"

Reply = TypeVar("Reply", bound=msgspec.Struct)


class Client:
    """Calls FaceID. Several threads may share one client.

    secret_id, secret_key, token: the account's key; `token` is for temporary keys only.
    endpoint: scheme, host and port; without a scheme it is https.
    region: such as ap-guangzhou; GetFaceIdToken needs one.
    language: of error messages, zh-CN or en-US.
    service, version: of the product; a renzheng server also has the service `renzheng`, for management.
    signature_method, http_method: TC3-HMAC-SHA256 over JSON by default.
    public_key: seals `sealed_fields` in requests and has results sealed; any form that load_public_key reads.
    timeout: seconds to connect, and again for each read.
    max_reply_bytes: a larger reply raises ReplyError; a result with its video has a few megabytes.
    ca_file: PEM certificates to trust in place of the system's.
    clock, randomness: unix seconds; that many random bytes.

    Raises ValueError if the endpoint or the public key is not valid.
    """

    def __init__(
        self,
        secret_id: str,
        secret_key: str,
        *,
        token: str | None = None,
        endpoint: str = DEFAULT_ENDPOINT,
        region: str | None = None,
        language: str | None = "zh-CN",
        service: str = SERVICE,
        version: str = VERSION,
        signature_method: SignatureMethod = "TC3-HMAC-SHA256",
        http_method: HttpMethod = "POST",
        public_key: str | None = None,
        sealed_fields: tuple[str, ...] = ("Name", "IdCard"),
        timeout: float = 10.0,
        max_reply_bytes: int = 64 * 1024 * 1024,
        ca_file: str | None = None,
        clock: Callable[[], float] = time.time,
        randomness: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._credential = Credential(secret_id, secret_key, token)
        self._origin, self._host = _read_endpoint(endpoint)
        self._region = region
        self._language = language
        self._service = service
        self._version = version
        self._signature_method: SignatureMethod = signature_method
        self._http_method: HttpMethod = http_method
        self._public_key = load_public_key(public_key) if public_key else None
        self._sealed_fields = sealed_fields
        self._max_reply_bytes = max_reply_bytes
        self._clock = clock
        self._randomness = randomness
        self._pool = urllib3.PoolManager(
            maxsize=16,  # connections kept for as many threads
            timeout=urllib3.Timeout(connect=timeout, read=timeout),
            retries=False,
            ca_certs=ca_file,
        )

    def get_face_id_token(
        self,
        *,
        name: str | None = None,
        id_card: str | None = None,
        image: bytes | None = None,
        compare_lib: Literal["LOCAL", "BUSINESS"] | None = None,
        extra: str | None = None,
        meta: str | None = None,
        meta_data: str | None = None,
        rule_id: str | None = None,
        use_cos: bool | None = None,
    ) -> FaceIdToken:
        """Get a token for one verification.

        The face is compared with `image` (bytes of a JPEG or PNG) or with the person enrolled under name and id_card.
        compare_lib: by default LOCAL with an image and BUSINESS without. extra: up to 1000 characters that come back
        with the result.
        """
        parameters = {
            "CompareLib": compare_lib or ("BUSINESS" if image is None else "LOCAL"),
            "Name": name,
            "IdCard": id_card,
            "ImageBase64": None if image is None else pybase64.b64encode_as_string(image),
            "Extra": extra,
            "Meta": meta,
            "MetaData": meta_data,
            "RuleId": rule_id,
            "UseCos": use_cos,
        }
        if self._public_key and any(parameters.get(field) is not None for field in self._sealed_fields):
            parameters, _ = seal_request(parameters, self._public_key, self._sealed_fields)
        return _convert(self.call("GetFaceIdToken", parameters), FaceIdToken)

    def get_face_id_result(
        self,
        token: FaceIdToken | str,
        *,
        video: bool = False,
        best_frame: bool = False,
        whole_body: bool = False,
    ) -> FaceIdResult:
        """Get the result of a verification, available for three days after its token was issued.

        video, best_frame: include them in the reply. whole_body: seal the reply as a whole, not field by field;
        ValueError without a public key.
        """
        parameters: dict[str, Any] = {"FaceIdToken": str(token)}
        parameters |= {"IsNeedVideo": video or None, "IsNeedBestFrame": best_frame or None}
        if whole_body and self._public_key is None:
            raise ValueError("a sealed body needs a public key")
        key: SealingKey | None = None
        if self._public_key is not None:
            parameters["IsEncryptResponse"] = whole_body or None
            parameters, key = seal_request(parameters, self._public_key, ())
        content = self.call("GetFaceIdResult", parameters)
        return _convert(content if key is None else open_reply(content, key), FaceIdResult)

    def call(self, action: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Call any action of the product. Returns the content of `Response` as it arrived.

        Raises ApiError if that is an error, and TransportError, ReplyError or RequestTooLargeError if there is no
        reply. No request is sent twice.
        """
        request = sign(
            self._credential,
            action,
            parameters,
            host=self._host,
            signature_method=self._signature_method,
            http_method=self._http_method,
            region=self._region,
            language=self._language,
            service=self._service,
            version=self._version,
            timestamp=int(self._clock()),
            nonce=int.from_bytes(self._randomness(4), "big") or 1,
        )
        return _content(self._send(request.method, request.target, request.headers, request.body))

    def _send(self, method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
        try:
            response = self._pool.request(
                method,
                self._origin + target,
                body=body or None,
                headers=headers,
                redirect=False,
                preload_content=False,
            )
            content = response.read(self._max_reply_bytes + 1)
            whole = len(content) <= self._max_reply_bytes
            if whole:
                response.release_conn()
            else:
                response.close()
        except urllib3.exceptions.HTTPError as cause:
            raise TransportError(f"no reply from {self._origin}: {type(cause).__name__}") from cause
        if response.status != 200:
            raise TransportError(f"{self._origin} answered with HTTP status {response.status}")
        if not whole:
            raise ReplyError(f"the reply is larger than {self._max_reply_bytes} bytes")
        return content

    def close(self) -> None:
        """Close the connections that are kept for later calls."""
        self._pool.clear()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._credential.secret_id!r}, endpoint={self._origin!r})"


def _read_endpoint(endpoint: str) -> tuple[str, str]:
    sentence = "an endpoint is a host with an optional port, behind http:// or https://"
    try:
        parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
        _ = parts.port
    except ValueError:
        raise ValueError(sentence) from None
    extras = parts.query or parts.fragment or parts.username or parts.password
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or extras:
        raise ValueError(sentence)
    return f"{parts.scheme}://{parts.netloc}", parts.netloc


class _Envelope(msgspec.Struct, rename="pascal"):
    response: dict[str, Any]


class _Error(msgspec.Struct, rename="pascal"):
    code: str
    message: str


def _content(body: bytes) -> dict[str, Any]:
    try:
        content = msgspec.json.decode(body, type=_Envelope).response
        if content.get("Error") is None:
            return content
        error = msgspec.convert(content["Error"], _Error)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise ReplyError("what came is not a reply of this API") from None
    raise ApiError(error.code, error.message, str(content.get("RequestId", "")))


def _convert(content: dict[str, Any], kind: type[Reply]) -> Reply:
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError:
        raise ReplyError(f"the reply does not have the form of {kind.__name__}") from None
