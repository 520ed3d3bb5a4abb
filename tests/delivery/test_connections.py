"""A bucket is a stranger's: whatever it answers, a request ends, and holds no more than its bounds."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from urllib3.exceptions import ReadTimeoutError

from renzheng.accounts.buckets import s3_bucket
from renzheng.base.bounded_http import MAX_ANSWER, AnswerError, Bounds
from renzheng.delivery.client import BOUNDS, BucketError, BucketProblem, Clients
from renzheng.delivery.connections import checked
from renzheng.delivery.deliverer import LEASE_SECONDS
from renzheng.delivery.hosts import AllowedHosts
from tests.delivery.conftest import KEY
from tests.support.stranger import Answer, Stranger, drips, says_nothing

SOON = Bounds(connect=5, read=5, whole=0.4)
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def stranger(request: pytest.FixtureRequest) -> Iterator[Stranger]:
    made = Stranger(request.param)
    yield made
    made.stop()


def asked(stranger: Stranger, bounds: Bounds) -> bytes:
    allowed = AllowedHosts(["127.0.0.0/8"])
    return bytes(checked(allowed, bounds).request("GET", f"http://127.0.0.1:{stranger.port}/key").data)


def sends(data: bytes) -> Answer:
    return lambda line, ends: line.sendall(data)


def redirects(line: socket.socket, ends: threading.Event) -> None:
    line.sendall(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")


DRIPPING = {
    "nothing": says_nothing,
    "a status line": drips(b"HTTP/1.1 200 "),
    "headers": drips(OK, b"a: b\r\n", 0.05),
    "a body of a length": drips(OK + b"Content-Length: 99999\r\n\r\n"),
    "a body that ends with the connection": drips(OK + b"\r\n"),
    "chunks": drips(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
}


@pytest.mark.parametrize("stranger", DRIPPING.values(), ids=DRIPPING, indirect=True)
def test_an_answer_that_does_not_end_is_given_up(stranger: Stranger) -> None:
    with pytest.raises(AnswerError, match=r"no answer in 0\.4 seconds"):
        asked(stranger, SOON)


def answers_once(line: socket.socket, ends: threading.Event) -> None:
    line.sendall(OK + b"Content-Length: 2\r\n\r\nok")
    line.recv(65536)
    drips(OK + b"Content-Length: 99999\r\n\r\n")(line, ends)


@pytest.mark.parametrize("stranger", [answers_once], indirect=True)
def test_a_connection_that_is_used_again_has_the_same_bound(stranger: Stranger) -> None:
    manager = checked(AllowedHosts(["127.0.0.0/8"]), SOON)
    url = f"http://127.0.0.1:{stranger.port}/key"
    assert manager.request("GET", url).data == b"ok"
    with pytest.raises(AnswerError, match="no answer"):
        manager.request("GET", url)
    assert len(stranger.seen) == 1


@pytest.mark.parametrize("stranger", [sends(OK + b"Content-Length: 2\r\n\r\nok")], indirect=True)
def test_nothing_waits_for_the_bound_of_a_request_that_is_over(stranger: Stranger) -> None:
    assert asked(stranger, Bounds(connect=5, read=5, whole=3600)) == b"ok"
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join(20)
            assert not thread.is_alive()


PACKED = gzip.compress(bytes(4 * MAX_ANSWER))


@pytest.mark.parametrize(
    "stranger",
    [sends(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(PACKED) + PACKED)],
    indirect=True,
)
def test_a_packed_answer_is_not_unpacked(stranger: Stranger) -> None:
    assert asked(stranger, BOUNDS) == PACKED


def test_a_whole_delivery_ends_before_its_lease() -> None:
    """Two objects; a second process would take it up otherwise while it is under way."""
    assert 2 * BOUNDS.whole < LEASE_SECONDS
    assert BOUNDS.connect < BOUNDS.read < BOUNDS.whole


@pytest.mark.parametrize("stranger", [says_nothing], indirect=True)
def test_each_wait_is_bounded_too(stranger: Stranger) -> None:
    with pytest.raises(ReadTimeoutError, match=r"read timeout=0\.2"):
        asked(stranger, Bounds(connect=5, read=0.2, whole=60))


ENDLESS = {
    "a length": OK + b"Content-Length: %d\r\n\r\n" % (MAX_ANSWER + 1) + b"a" * (MAX_ANSWER + 1),
    "no length": OK + b"\r\n" + b"a" * (MAX_ANSWER + 1),
}


@pytest.mark.parametrize("stranger", [sends(data) for data in ENDLESS.values()], ids=ENDLESS, indirect=True)
def test_an_answer_has_so_many_bytes_at_most(stranger: Stranger) -> None:
    with pytest.raises(AnswerError, match=f"more than {MAX_ANSWER} bytes"):
        asked(stranger, BOUNDS)


@pytest.mark.parametrize("stranger", [sends(OK + b"\r\n" + b"a" * MAX_ANSWER)], indirect=True)
def test_an_answer_of_the_bound_is_read(stranger: Stranger) -> None:
    assert MAX_ANSWER <= 256 * 1024  # of XML it is 25 ms in which the whole process stands still
    assert asked(stranger, BOUNDS) == b"a" * MAX_ANSWER


@pytest.mark.parametrize(
    "stranger",
    [
        sends(OK + b"Content-Type: application/xml\r\nContent-Length: 3\r\n\r\n<a>"),
        sends(b"HTTP/1.1 500 X\r\nContent-Type: application/xml\r\nContent-Length: 3\r\n\r\n<a>"),
        sends(b"HTTP/1.1 500 X\r\nContent-Type: application/xml\r\nContent-Length: 2\r\n\r\n\xff\xfe"),
        sends(b"HTTP/1.1 500 X\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nno"),
        sends(b"HTTP/1.1 999 X\r\n\r\n"),
        sends(b"SSH-2.0-OpenSSH\r\n"),
        sends(OK + b"Content-Length: -1\r\n\r\n"),
        sends(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        sends(b""),
    ],
    indirect=True,
)
def test_whatever_a_bucket_answers_is_a_trouble_of_the_bucket(stranger: Stranger) -> None:
    bucket = replace(s3_bucket("faces", "https://127.0.0.1"), endpoint=f"127.0.0.1:{stranger.port}", secure=False)
    with pytest.raises(BucketError) as caught:
        Clients(AllowedHosts(["127.0.0.0/8"])).of(bucket, KEY).probe()
    assert caught.value.trouble in (BucketProblem.OTHER, BucketProblem.UNREACHABLE)


@pytest.mark.parametrize("stranger", [redirects], indirect=True)
def test_the_address_that_was_checked_is_the_one_connected_to_and_no_redirect_is_followed(stranger: Stranger) -> None:
    """The name resolves once: what a second answer would be does not matter."""
    answers = [["127.0.0.1"], ["192.0.2.1"]]
    allowed = AllowedHosts(["bucket.example", "127.0.0.0/8"], lambda host, port: answers.pop(0))
    url = f"http://bucket.example:{stranger.port}/key"
    assert checked(allowed, BOUNDS).request("PUT", url, body=b"face").status == 302
    assert len(stranger.seen) == 1
    assert f"Host: bucket.example:{stranger.port}".encode().lower() in stranger.seen[0].lower()
