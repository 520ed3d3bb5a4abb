"""The client on a real socket: what is sent is what was meant, and every failure has its exception."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from renzheng.client import (
    ApiError,
    Client,
    FaceIdResult,
    ReplyError,
    RequestTooLargeError,
    TransportError,
)
from renzheng.client.signing import HttpMethod, SignatureMethod
from renzheng.gateway.encryption import KeyPairs

if TYPE_CHECKING:
    from tests.client.conftest import Peer

SECRET_ID, SECRET_KEY = "AKIDEXAMPLE0000000000000000000000000", "GoldenSecretKey000000000000000000"
PERSON: dict[str, Any] = {"name": "韦小宝", "id_card": "11204416541220243X"}
METHODS: list[tuple[SignatureMethod, HttpMethod]] = [
    ("TC3-HMAC-SHA256", "POST"),
    ("TC3-HMAC-SHA256", "GET"),
    ("HmacSHA1", "GET"),
    ("HmacSHA1", "POST"),
    ("HmacSHA256", "GET"),
    ("HmacSHA256", "POST"),
]
every_method = pytest.mark.parametrize(("signature_method", "http_method"), METHODS)


def client_of(peer: Peer, **settings: Any) -> Client:
    return Client(SECRET_ID, SECRET_KEY, endpoint=peer.endpoint, region="ap-guangzhou", **settings)


@every_method
def test_every_signature_method_mints_and_fetches(
    peer: Peer, signature_method: SignatureMethod, http_method: HttpMethod
) -> None:
    client = client_of(peer, signature_method=signature_method, http_method=http_method, token="temporary")
    token = client.get_face_id_token(**PERSON, extra="a b&c=d/e+f~*", use_cos=True)
    result = client.get_face_id_result(token)
    assert (result.passed, result.similarity, result.extra) == (True, 97.5, "a b&c=d/e+f~*")
    assert (result.name, result.id_card) == tuple(PERSON.values())
    assert peer.seen[0][2]["UseCos"] is True


@every_method
@pytest.mark.parametrize("whole_body", [False, True], ids=["by field", "whole body"])
@pytest.mark.parametrize("algorithm", ["AES-256-CBC", "SM4-GCM"])
def test_sealed_both_ways_in_every_signature_method(
    peer: Peer,
    keys: KeyPairs,
    signature_method: SignatureMethod,
    http_method: HttpMethod,
    whole_body: bool,
    algorithm: str,
) -> None:
    public_key = keys.public.rsa_pem if algorithm == "AES-256-CBC" else keys.public.sm2_hex
    client = client_of(peer, signature_method=signature_method, http_method=http_method, public_key=public_key)
    token = client.get_face_id_token(**PERSON)
    result = client.get_face_id_result(token, whole_body=whole_body)
    assert (result.name, result.id_card, result.result) == (*PERSON.values(), "0")
    _, sent, opened = peer.seen[0]
    assert (opened["Name"], opened["IdCard"]) == tuple(PERSON.values())
    assert sent["Encryption"]["Algorithm"] == algorithm
    assert sent["Name"] != opened["Name"]
    assert peer.seen[1][1]["Encryption"]["CiphertextBlob"] != sent["Encryption"]["CiphertextBlob"]


def test_a_photo_is_sent_as_base64_and_may_be_sealed(peer: Peer, keys: KeyPairs) -> None:
    photo = bytes(range(256)) * 16
    client_of(peer).get_face_id_token(image=photo)
    fields = ("ImageBase64",)
    client_of(peer, public_key=keys.public.rsa_pem, sealed_fields=fields).get_face_id_token(image=photo)
    (_, plain, clear), (_, sealed, opened) = peer.seen
    assert clear["CompareLib"] == opened["CompareLib"] == "LOCAL"
    assert clear["ImageBase64"] == opened["ImageBase64"] == plain["ImageBase64"]
    assert sealed["ImageBase64"] != opened["ImageBase64"]


def test_an_error_reply_is_an_exception_with_code_message_and_request_id(peer: Peer) -> None:
    with pytest.raises(ApiError) as unknown:
        client_of(peer).get_face_id_result("00000000-0000-0000-0000-000000000000")
    assert unknown.value.code == "InvalidParameterValue.BizTokenIllegal"
    assert unknown.value.message == "BizToken不合法。"
    assert len(unknown.value.request_id) == 36
    with pytest.raises(ApiError, match=r"AuthFailure\.SignatureFailure") as unsigned:
        Client(SECRET_ID, SECRET_KEY + "x", endpoint=peer.endpoint).get_face_id_result("token")
    assert SECRET_KEY not in str(unsigned.value)


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"Response":[]}',
        b'{"Response":{"Error":{"Code":1}}}',
        b'{"Response":{"Error":[]}}',
        b'{"Response":{"RequestId":"r"}}',
        b'{"Response":{"FaceIdToken":7,"RequestId":"r"}}',
        b'{"Response":{"FaceIdToken":"\xff","RequestId":"r"}}',
    ],
)
def test_what_is_no_reply_is_a_reply_error(peer: Peer, reply: bytes) -> None:
    peer.raw = (200, reply)
    with pytest.raises(ReplyError):
        client_of(peer).get_face_id_token(**PERSON)


def test_an_http_status_other_than_200_is_a_transport_error(peer: Peer) -> None:
    for status in (302, 404, 502):
        peer.raw = (status, b'{"Response":{"FaceIdToken":"t","RequestId":"r"}}')
        with pytest.raises(TransportError, match=str(status)):
            client_of(peer).get_face_id_token(**PERSON)


def test_a_reply_over_the_limit_is_refused_and_one_at_the_limit_is_read(peer: Peer) -> None:
    reply = b'{"Response":{"FaceIdToken":"t","RequestId":"r"}}'
    peer.raw = (200, reply)
    assert str(client_of(peer, max_reply_bytes=len(reply)).get_face_id_token(**PERSON)) == "t"
    with pytest.raises(ReplyError, match="larger than"):
        client_of(peer, max_reply_bytes=len(reply) - 1).get_face_id_token(**PERSON)


def test_a_request_over_its_methods_limit_is_not_sent(peer: Peer) -> None:
    for signature_method, http_method, size in (
        ("TC3-HMAC-SHA256", "POST", 10 * 2**20),
        ("TC3-HMAC-SHA256", "GET", 32 * 2**10),
        ("HmacSHA1", "POST", 2**20),
        ("HmacSHA256", "GET", 32 * 2**10),
    ):
        client = client_of(peer, signature_method=signature_method, http_method=http_method)
        with pytest.raises(RequestTooLargeError):
            client.get_face_id_token(image=bytes(size))
    assert peer.seen == []


def test_the_biggest_photo_that_the_api_takes_is_sent(peer: Peer) -> None:
    client_of(peer).get_face_id_token(image=bytes(6 * 2**20))
    assert len(peer.seen[0][1]["ImageBase64"]) == 8 * 2**20


def test_nobody_listening_and_a_silent_server_are_transport_errors() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(TransportError, match="Timeout"):
            Client(SECRET_ID, SECRET_KEY, endpoint=endpoint, timeout=0.05).get_face_id_result("t")
    with pytest.raises(TransportError):
        Client(SECRET_ID, SECRET_KEY, endpoint=endpoint).get_face_id_result("t")


def test_a_reply_that_breaks_off_is_a_transport_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def break_off() -> None:
            with server.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"Response":')

        thread = threading.Thread(target=break_off)
        thread.start()
        with pytest.raises(TransportError):
            Client(SECRET_ID, SECRET_KEY, endpoint=f"http://127.0.0.1:{server.getsockname()[1]}").get_face_id_result(
                "t"
            )
        thread.join()


def test_sixteen_threads_share_one_client(peer: Peer) -> None:
    client = client_of(peer)
    tokens: list[str] = []
    threads = [
        threading.Thread(target=lambda: tokens.append(str(client.get_face_id_token(**PERSON)))) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(tokens)) == 16


@pytest.mark.parametrize(
    "endpoint",
    ["", "ftp://h", "http://", "http://h/path", "http://h?q", "http://u:p@h", "h/p", "http://[", "h:99999", "h:x"],
)
def test_an_endpoint_that_is_none_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match="endpoint"):
        Client(SECRET_ID, SECRET_KEY, endpoint=endpoint)


def test_the_default_is_the_clouds_endpoint_over_tls() -> None:
    assert "endpoint='https://faceid.tencentcloudapi.com'" in repr(Client(SECRET_ID, SECRET_KEY))


def test_no_representation_shows_a_secret_or_a_person(peer: Peer) -> None:
    client = client_of(peer, token="temporary-token")
    result = client.get_face_id_result(client.get_face_id_token(**PERSON))
    assert isinstance(result, FaceIdResult)
    shown = repr(client) + repr(vars(client)) + repr(result) + str(result)
    for secret in (SECRET_KEY, "temporary-token", *PERSON.values()):
        assert secret not in shown
