"""A FaceID client: sign, seal, call, open. Needs none of the server's packages."""

from renzheng.client.client import DEFAULT_ENDPOINT, Client
from renzheng.client.errors import ApiError, ClientError, ReplyError, RequestTooLargeError, TransportError
from renzheng.client.replies import FaceIdResult, FaceIdToken
from renzheng.client.sealing import open_reply, seal_request
from renzheng.client.signing import Credential, SignedRequest, sign
from renzheng.gateway.encryption import SealingKey
from renzheng.gateway.public_keys import load_public_key

__all__ = [
    "DEFAULT_ENDPOINT",
    "ApiError",
    "Client",
    "ClientError",
    "Credential",
    "FaceIdResult",
    "FaceIdToken",
    "ReplyError",
    "RequestTooLargeError",
    "SealingKey",
    "SignedRequest",
    "TransportError",
    "load_public_key",
    "open_reply",
    "seal_request",
    "sign",
]
