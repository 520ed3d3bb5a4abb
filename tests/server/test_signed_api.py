"""The official Python SDK, unmodified, against the running server: both actions and their errors."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from typing import Any

import pytest
import simplejpeg
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from renzheng.gateway.signature import sign_tc3
from tests.support.images import base64_of, drawn, sample_picture
from tests.support.photos import cmyk, png_chunk, png_of, png_with, with_exif
from tests.support.server import PATIENCE, REGION, Server, result, token

URL_SAFE = base64_of(drawn()).replace("+", "-").replace("/", "_")
BOMB = png_with(30_000, 30_000, 1, 0, b"\0" * 3_751 * 100)
ANIMATION = png_with(64, 64, 8, 0, b"\0" * 65 * 64, png_chunk(b"acTL", b"\0\0\0\2\0\0\0\0"))
JPEG = bytes(simplejpeg.encode_jpeg(sample_picture(), 90, "BGR"))
BUSINESS = {"CompareLib": "BUSINESS", "IdCard": "11204416541220243X", "Name": "韦小宝"}


def refusal(call: Any, *args: Any, **fields: Any) -> TencentCloudSDKException:
    with pytest.raises(TencentCloudSDKException) as caught:
        call(*args, **fields)
    return caught.value


def test_the_documentations_first_sample_gets_a_token(server: Server, key: tuple[str, str]) -> None:
    issued = token(server.sdk(key), **BUSINESS)
    assert re.fullmatch(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}", issued)


def test_tokens_differ_in_every_group(server: Server, key: tuple[str, str]) -> None:
    client = server.sdk(key)
    groups = [token(client, **BUSINESS).split("-") for _ in range(20)]
    for column in zip(*groups, strict=True):
        assert len(set(column)) > 15


@pytest.mark.parametrize(
    "extra",
    [{"UseCos": False}, {"RuleId": ""}, {"Meta": "m", "MetaData": "{}"}, {"Extra": "x" * 1000}],
    ids=["UseCos false", "RuleId empty", "Meta and MetaData", "Extra of 1000"],
)
def test_what_sdks_send_by_default_is_fine(server: Server, key: tuple[str, str], extra: dict[str, Any]) -> None:
    assert token(server.sdk(key), **BUSINESS, **extra)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "MissingParameter"),
        ({"CompareLib": "REMOTE"}, "InvalidParameter"),
        ({"CompareLib": "BUSINESS", "Name": "韦小宝"}, "InvalidParameter"),
        ({"CompareLib": "BUSINESS", "IdCard": "11204416541220243X"}, "InvalidParameter"),
        ({"CompareLib": "LOCAL"}, "InvalidParameter"),
        ({**BUSINESS, "IdCard": "1120441654122024X"}, "InvalidParameter"),
        ({**BUSINESS, "Extra": "x" * 1001}, "InvalidParameter"),
        ({**BUSINESS, "Name": "x" * 1001}, "InvalidParameter"),
        ({**BUSINESS, "Name": "\u3000\u200b "}, "InvalidParameter"),
        ({**BUSINESS, "Meta": "x" * 65_537}, "InvalidParameter"),
        ({**BUSINESS, "MetaData": "x" * 65_537}, "InvalidParameter"),
        ({"CompareLib": "LOCAL", "ImageBase64": "####"}, "InvalidParameter"),
        ({"CompareLib": "LOCAL", "ImageBase64": base64_of(b"no image at all")}, "InvalidParameter"),
        ({"CompareLib": "LOCAL", "ImageBase64": base64_of(drawn()).rstrip("=") + "A"}, "InvalidParameter"),
        (
            {"CompareLib": "LOCAL", "ImageBase64": base64_of(drawn())[:400] + "\n" + base64_of(drawn())[400:]},
            "InvalidParameter",
        ),
        ({"CompareLib": "LOCAL", "ImageBase64": "data:image/jpeg;base64," + base64_of(drawn())}, "InvalidParameter"),
        ({"CompareLib": "LOCAL", "ImageBase64": base64_of(drawn()) + "\n"}, "InvalidParameter"),
        ({"CompareLib": "LOCAL", "ImageBase64": URL_SAFE}, "InvalidParameter"),
        ({"CompareLib": "LOCAL", "ImageBase64": base64_of(drawn()).rstrip("=")}, "InvalidParameter"),
        ({"CompareLib": "LOCAL", "ImageBase64": base64_of(drawn()[:120])}, "InvalidParameter"),
        ({"CompareLib": "LOCAL", "ImageBase64": base64_of(BOMB)}, "InvalidParameter"),
        ({"CompareLib": "LOCAL", "ImageBase64": base64_of(ANIMATION)}, "InvalidParameter"),
    ],
)
def test_a_bad_request_is_named(server: Server, key: tuple[str, str], fields: dict[str, Any], code: str) -> None:
    assert refusal(token, server.sdk(key), **fields).code == code


@pytest.mark.parametrize(
    "photo",
    [
        cmyk(sample_picture()),
        with_exif(drawn(), 6),
        png_with(64, 64, 8, 0, b"\0" * 65 * 64),
        png_with(64, 64, 16, 2, b"\0" * (1 + 64 * 6) * 64),
    ],
    ids=["CMYK", "on its side", "grey", "16 bits"],
)
def test_unusual_photos_are_taken(server: Server, key: tuple[str, str], photo: bytes) -> None:
    assert token(server.sdk(key), CompareLib="LOCAL", ImageBase64=base64_of(photo))


@pytest.mark.parametrize(
    ("sent", "zh", "en"),
    [
        (base64_of(b"\0\0\0\x24ftypheic" + bytes(90)), "内容为 HEIC", "it is HEIC"),
        (base64_of(b"RIFF\x24\0\0\0WEBPVP8 " + bytes(90)), "内容为 WebP", "it is WebP"),
        (base64_of(b"<!DOCTYPE html><title>404</title>"), "内容为 HTML", "it is HTML"),
        (
            base64_of(JPEG.replace(b"\xff\xc0", b"\xff\xc9", 1)),
            "内容为 JPEG (arithmetic coding)",
            "(arithmetic coding)",
        ),
        (base64_of(base64_of(JPEG).encode()), "编码了两次", "twice"),
        (base64_of(f"data:image/jpeg;base64,{base64_of(JPEG)}".encode()), "编码了两次", "twice"),
        (base64_of(b"no image at all"), "不是可用的 JPEG 或 PNG", "not a JPEG or PNG"),
        (base64_of(JPEG[:-2000]), "图片不完整", "cut off"),
        (base64_of(drawn()[:120]), "图片不完整", "cut off"),
        (base64_of(drawn()[:-12]), "图片不完整", "cut off"),
        (base64_of(BOMB), "像素过多", "too many pixels"),
        (base64_of(ANIMATION), "动图", "animated"),
        (base64_of(png_with(16, 16, 8, 0, b"\0" * 17 * 16)), "像素过少", "too few pixels"),
        ("data:image/jpeg;base64," + base64_of(drawn()), "data: 前缀", "begins with data:"),
        (base64_of(drawn())[:400] + "\n" + base64_of(drawn())[400:], "换行", "line breaks"),
        (URL_SAFE, "URL 安全", "the URL's alphabet"),
        (base64_of(drawn()).rstrip("=")[:-1], "4 的倍数", "multiple of 4"),
        ("https://shop.example/photo.jpg", "网址或路径", "an address"),
        ("/sdcard/DCIM/photo.jpg", "网址或路径", "an address"),
        (f"b'{base64_of(drawn())}'", "其他字符", "other characters"),
        (base64_of(drawn()) + "\u200b", "其他字符", "other characters"),
        (base64_of(drawn()).replace("=", "%3D").replace("+", "%2B"), "URL 编码", "URL-encoded"),
        ("", "必须传入", "LOCAL needs it"),
    ],
)
def test_a_faulty_photo_is_told_by_name_when_it_is_sent(
    server: Server, key: tuple[str, str], sent: str, zh: str, en: str
) -> None:
    for language, words in (("zh-CN", zh), ("en-US", en)):
        client = server.sdk(key)
        client.profile.language = language
        error = refusal(token, client, CompareLib="LOCAL", ImageBase64=sent)
        assert error.code == "InvalidParameter"
        assert words in error.message


def test_a_photo_without_its_end_marker_is_decoded_and_taken(server: Server, key: tuple[str, str]) -> None:
    assert token(server.sdk(key), CompareLib="LOCAL", ImageBase64=base64_of(JPEG[:-2]))


def test_the_biggest_photo_passes_and_four_characters_more_do_not(server: Server, key: tuple[str, str]) -> None:
    client = server.sdk(key)
    biggest = base64_of(png_of(8_388_608 // 4 * 3))
    assert len(biggest) == 8_388_608
    assert token(client, CompareLib="LOCAL", ImageBase64=biggest)
    error = refusal(token, client, CompareLib="LOCAL", ImageBase64=biggest + "AAAA")
    assert (error.code, error.message) == ("FailedOperation.ImageSizeTooLarge", "图片尺寸过大。")


def as_php_writes(server: Server, key: tuple[str, str], image: str) -> dict[str, Any]:
    """The reply to a LOCAL token request whose JSON escapes every slash."""
    body = json.dumps({"CompareLib": "LOCAL", "ImageBase64": image}).replace("/", "\\/").encode()
    headers = {
        "Content-Type": "application/json",
        "Host": f"127.0.0.1:{server.port}",
        "X-TC-Action": "GetFaceIdToken",
        "X-TC-Version": "2018-03-01",
        "X-TC-Region": REGION,
        "X-TC-Timestamp": str(timestamp := int(time.time())),
    }
    headers["Authorization"] = sign_tc3(*key, timestamp=timestamp, host=headers["Host"], payload=body, service="faceid")
    with urllib.request.urlopen(urllib.request.Request(server.url, body, headers), timeout=PATIENCE) as reply:
        answer: dict[str, Any] = json.load(reply)["Response"]
    return answer


def test_a_photo_with_escaped_slashes_is_measured_and_read_without_them(server: Server, key: tuple[str, str]) -> None:
    biggest = base64_of(png_of(8_388_608 // 4 * 3))
    assert "/" in biggest
    assert "FaceIdToken" in as_php_writes(server, key, biggest)
    assert "FaceIdToken" in as_php_writes(server, key, base64_of(drawn()))
    assert as_php_writes(server, key, biggest + "////")["Error"]["Code"] == "FailedOperation.ImageSizeTooLarge"
    assert as_php_writes(server, key, base64_of(drawn()) + "/#/#")["Error"]["Code"] == "InvalidParameter"


def test_errors_speak_the_callers_language(server: Server, key: tuple[str, str]) -> None:
    wrong = (key[0], "x" * 32)
    chinese = refusal(token, server.sdk(wrong), **BUSINESS)
    english = refusal(token, server.sdk(wrong, "en-US"), **BUSINESS)
    assert chinese.code == english.code == "AuthFailure.SignatureFailure"
    assert chinese.message == "请求签名验证失败，请检查您的签名计算是否正确。"
    assert english.message.startswith("The provided credentials could not be validated.")


def test_a_token_without_a_verification_is_unfinished(server: Server, key: tuple[str, str]) -> None:
    client = server.sdk(key)
    fetched = result(client, token(client, **BUSINESS, Extra="order 7"))
    assert (fetched.Result, fetched.Description, fetched.Similarity) == ("17", "本次流程未完成", 0)
    assert (fetched.IdCard, fetched.Name, fetched.Extra) == (BUSINESS["IdCard"], BUSINESS["Name"], "order 7")
    assert fetched.VideoBase64 is None
    assert fetched.BestFrameBase64 is None


def test_an_unknown_token_and_another_accounts_are_answered_alike(server: Server, key: tuple[str, str]) -> None:
    server.command("account", "create", "other")
    made = server.json("key", "create", "--account", "other")
    server.follow()
    mine = token(server.sdk(key), **BUSINESS)
    other = server.sdk((made["secret_id"], made["secret_key"]))
    foreign = refusal(result, other, mine)
    unknown = refusal(result, other, "CE661F1A-0F1E-45BD-BE13-34C05CEA7681")
    assert foreign.code == unknown.code == "InvalidParameterValue.BizTokenIllegal"
    assert foreign.message == unknown.message == "BizToken不合法。"


def test_a_disabled_key_is_refused_within_a_second(server: Server) -> None:
    server.command("account", "create", "short-lived")
    made = server.json("key", "create", "--account", "short-lived")
    server.follow()
    client = server.sdk((made["secret_id"], made["secret_key"]))
    assert token(client, **BUSINESS)
    server.command("key", "disable", made["secret_id"], "--account", "short-lived")
    server.follow()
    assert refusal(token, client, **BUSINESS).code == "AuthFailure.SecretIdNotFound"
