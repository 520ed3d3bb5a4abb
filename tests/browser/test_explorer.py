"""A developer's first hour on the API explorer: sign, send, understand a refusal, take the code along."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from renzheng.client.signing import Credential, sign
from tests.browser.explorer import BUSINESS, Explorer, explorer
from tests.browser.stage import INSECURE_HOST
from tests.support.images import drawn
from tests.support.server import PATIENCE, Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

TIMESTAMP = 1795497000
SIGN_HERE = """
async ([credential, call]) => {
  const { sign } = await import("/explorer/sign.js");
  const signed = await sign(credential, call);
  let text = "";
  for (let at = 0; at < signed.body.length; at += 8192) {
    text += String.fromCharCode(...signed.body.subarray(at, at + 8192));
  }
  return { headers: Object.fromEntries(signed.headers), body: btoa(text) };
}
"""
AWKWARD: dict[str, dict[str, Any]] = {
    "nothing at all": {},
    "an empty text": {"Name": ""},
    "letters of many scripts": {"Name": "韦小宝 🀄 Ünïcode \u2028 عربي", "Extra": "a/b\\c\"d'e\t\n\u0001\x7f"},
    "objects, lists, numbers": {"Encryption": {"EncryptList": ["Name"], "Iv": ""}, "UseCos": False, "N": [1, -2, 0.5]},
    "a big body": {"CompareLib": "LOCAL", "ImageBase64": "QUJD" * 1_500_000},
}


@pytest.mark.parametrize("parameters", AWKWARD.values(), ids=AWKWARD.keys())
async def test_the_page_signs_byte_for_byte_as_the_client_does(
    server: Server, browser: Browser, parameters: dict[str, Any]
) -> None:
    host, token = server.url.split("/")[2], "temporary-token"
    ours = sign(
        Credential("AKIDexample", "Gu5t9xGARNpq86cd98joQYCN3", token),
        "GetFaceIdToken",
        parameters,
        host=host,
        region="ap-guangzhou",
        language="zh-CN",
        timestamp=TIMESTAMP,
    )
    async with explorer(browser) as page:
        await page.open(server.url)
        theirs = await page.page.evaluate(
            SIGN_HERE,
            [
                {"secretId": "AKIDexample", "secretKey": "Gu5t9xGARNpq86cd98joQYCN3", "token": token},
                {
                    "service": "faceid", "version": "2018-03-01", "action": "GetFaceIdToken", "host": host,
                    "region": "ap-guangzhou", "language": "zh-CN", "timestamp": TIMESTAMP,
                    "body": json.dumps(parameters, ensure_ascii=False, separators=(",", ":")),
                },
            ],
        )  # fmt: skip
    assert base64.b64decode(theirs["body"]) == ours.body
    assert {**theirs["headers"], "Host": host} == ours.headers


async def test_a_first_token_and_its_result_and_nothing_of_the_key_is_sent_or_kept(
    server: Server, key: tuple[str, str], browser: Browser
) -> None:
    async with explorer(browser) as page:
        await page.open(server.url)
        await page.enter_key(key)
        await page.page.click("#example")
        issued = await page.send()
        token = issued["FaceIdToken"]
        link = page.page.locator(".next a")
        assert await link.get_attribute("href") == f"/verify#{token}"

        await page.page.click("#fetch-result")
        await expect(page.page.locator("h1")).to_have_text("GetFaceIdResult")
        await expect(page.page.locator("#parameter-FaceIdToken")).to_have_value(token)
        result = await page.send()
        assert result["IdCard"] == BUSINESS["IdCard"]
        assert result["Name"] == BUSINESS["Name"]
        assert result["Result"]
        assert await page.page.locator(".facts").get_attribute("data-good") == "true"

        posted = [request for request in page.sent if request.method == "POST"]
        assert [request.url for request in posted] == [f"{server.url}/"] * 2
        shown = await page.step("authorization")
        assert shown == (await posted[-1].all_headers())["authorization"]
        for request in page.sent:
            everything = f"{request.url} {await request.all_headers()} {request.post_data}"
            assert key[1] not in everything
        assert {request.url.split("/")[2] for request in page.sent} == {server.url.split("/")[2]}
        assert await page.page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
        assert await page.page.evaluate("indexedDB.databases()") == []
        assert await page.page.context.cookies() == []
        assert not page.errors

        await page.page.reload()
        await page.page.locator("#send").wait_for()
        for field in ("#key-secretId", "#key-secretKey"):
            await expect(page.page.locator(field), "a reload forgets the key").to_have_value("")


@pytest.mark.parametrize(
    ("language", "advice"),
    [("en-US", "what was signed is not what was sent"), ("zh-CN", "签名的内容与实际发送的不一致")],
)
async def test_a_wrong_key_is_refused_with_its_meaning_and_the_way_to_its_cause(
    server: Server, key: tuple[str, str], browser: Browser, language: str, advice: str
) -> None:
    async with explorer(browser, language=language) as page:
        await page.open(server.url)
        await page.enter_key((key[0], key[1][:-1] + "x"))
        await page.enter(**BUSINESS)
        reply = await page.send()
        assert reply["Error"]["Code"] == "AuthFailure.SignatureFailure"
        said = await page.page.locator(".notice[data-code]").inner_text()
        assert "AuthFailure.SignatureFailure" in said
        assert reply["Error"]["Message"] in said
        assert advice in said
        assert "renzheng explain --recent" in said
        assert await page.page.locator(".facts").get_attribute("data-good") == "false"
        await page.page.click(".notice[data-code] button")
        await expect(page.page.locator("[data-tab=signature]")).to_have_attribute("aria-selected", "true")


async def test_an_error_that_the_server_knows_in_chinese_only_is_explained_in_english(
    server: Server, key: tuple[str, str], browser: Browser
) -> None:
    async with explorer(browser) as page:
        await page.open(server.url, "GetFaceIdResult")
        await page.enter_key(key)
        await page.enter(FaceIdToken="CE661F1A-0F1E-45BD-BE13-34C05CEA7681")
        reply = await page.send()
        assert reply["Error"]["Code"] == "InvalidParameterValue.BizTokenIllegal"
        assert "belongs to another account" in await page.page.locator(".notice[data-code]").inner_text()


def run(command: list[str], key: tuple[str, str], folder: Path) -> str:
    environment = {**os.environ, "TENCENTCLOUD_SECRET_ID": key[0], "TENCENTCLOUD_SECRET_KEY": key[1]}
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


async def awkwardly_filled(page: Explorer, folder: Path) -> None:
    """A photo, a text that a literal might stumble on, and a word that is not a shell's."""
    photo = folder / "it's a photo.jpg"
    photo.write_bytes(drawn())
    await page.enter(CompareLib="LOCAL", Name="韦 \"小\" '宝' $HOME `x` \\ #{y}")
    await page.page.set_input_files("#parameter-ImageBase64", photo)
    await page.page.locator(".photo canvas").wait_for()


async def test_the_python_sample_runs_as_it_stands_and_prints_a_token(
    server: Server, key: tuple[str, str], browser: Browser, tmp_path: Path
) -> None:
    async with explorer(browser) as page:
        await page.open(server.url)
        await page.enter(**BUSINESS)
        plain = await page.sample("python")
        await page.page.click("#clear")
        await awkwardly_filled(page, tmp_path)
        awkward = await page.sample("python")
    for text in (plain, awkward):
        assert key[1] not in text
        assert json.loads(run([sys.executable, "-c", text], key, tmp_path))["FaceIdToken"]


async def test_the_curl_sample_runs_as_it_stands_with_a_short_body_and_with_a_file(
    server: Server, key: tuple[str, str], browser: Browser, tmp_path: Path
) -> None:
    async with explorer(browser) as page:
        await page.open(server.url)
        await page.enter(**{**BUSINESS, "Name": "it's 韦小宝 $HOME"})
        await expect(page.page.locator(".sample")).not_to_be_empty()
        await page.page.locator('.chip:has(input[value="curl"])').click()
        await expect(page.page.locator(".sample"), "without a key there is no signature to show").to_be_hidden()
        await page.enter_key(key)
        short = await page.sample("curl")
        await page.page.click("#clear")
        await awkwardly_filled(page, tmp_path)
        long = await page.sample("curl")
        async with page.page.expect_download() as download:
            await page.page.click("#save-body")
        await (await download.value).save_as(tmp_path / "request.json")
        assert not page.errors
    assert "--data-raw" in short
    assert "@request.json" in long
    for text in (short, long):
        assert key[1] not in text
        assert json.loads(run(["sh", "-c", text], key, tmp_path))["Response"]["FaceIdToken"]


async def test_a_photo_is_weighed_before_it_is_sent(server: Server, browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "small.jpg").write_bytes(drawn())
    (tmp_path / "large.jpg").write_bytes(drawn() + bytes(7 * 1024 * 1024))
    (tmp_path / "text.txt").write_text("no photo")
    async with explorer(browser) as page:
        await page.open(server.url)
        about = page.page.locator(".photo-about")
        await expect(about).to_contain_text("at most 8 MB")
        for name, said in (
            ("small.jpg", "of 8 MB at most"),
            ("large.jpg", "9.3 MB as Base64 is over the limit of 8 MB"),
            ("text.txt", "neither JPEG nor PNG"),
        ):
            await page.page.set_input_files("#parameter-ImageBase64", tmp_path / name)
            await expect(about).to_contain_text(said)
        await page.page.locator(".photo .quiet").click()
        await expect(about).to_contain_text("JPEG or PNG, at most 8 MB")


async def test_the_steps_are_those_that_the_server_takes_and_a_difference_is_found(
    server: Server, key: tuple[str, str], browser: Browser, tmp_path: Path
) -> None:
    host = server.url.split("/")[2]
    async with explorer(browser) as page:
        await page.open(server.url)
        await page.enter_key(key)
        await page.enter(**BUSINESS)
        await page.page.click("[data-tab=signature]")
        await page.page.fill("#timestamp", str(TIMESTAMP))
        await page.settled()
        ours = sign(Credential(*key), "GetFaceIdToken", BUSINESS, host=host, timestamp=TIMESTAMP, region="ap-guangzhou")
        assert await page.step("authorization") == ours.headers["Authorization"]
        canonical = await page.step("canonical")
        assert canonical.split("\n")[:5] == ["POST", "/", "", "content-type:application/json", f"host:{host}"]
        verdict = page.page.locator(".verdict")
        await page.page.fill("#theirs", canonical.replace("\n", "\r\n") + "\n")
        await expect(verdict).to_have_attribute("data-same", "true")
        await page.page.fill("#theirs", canonical.replace(f"host:{host}", "host:127.0.0.1"))
        await expect(verdict).to_contain_text("Line 5 differs")
        await page.page.fill("#theirs", (await page.step("toSign")).replace(str(TIMESTAMP), str(TIMESTAMP + 1)))
        await expect(verdict).to_contain_text("Line 2 differs")
        whole = tmp_path / "request.txt"
        whole.write_text(await page.step("request"))
        assert "valid" in server.command("explain", str(whole), "--json")
        # Sent with that old timestamp, it is refused for it.
        reply = await page.send()
        assert reply["Error"]["Code"] == "AuthFailure.SignatureExpire"


async def test_a_clock_that_is_off_is_named_as_the_cause(
    server: Server, key: tuple[str, str], browser: Browser
) -> None:
    async with explorer(browser) as page:
        await page.page.clock.set_fixed_time(time.time() + 600)
        await page.open(server.url)
        await page.enter_key(key)
        await page.enter(**BUSINESS)
        assert (await page.send())["Error"]["Code"] == "AuthFailure.SignatureExpire"
        said = await page.page.locator(".notice[data-code]").inner_text()
        (seconds,) = map(int, re.findall(r"clock is (\d+) seconds off", said))
        assert 560 < seconds <= 602


async def test_the_region_is_one_that_the_action_is_offered_in(
    server: Server, key: tuple[str, str], browser: Browser
) -> None:
    async with explorer(browser) as page:
        await page.open(server.url, "GetFaceIdResult")
        await page.enter_key(key)
        await page.page.select_option("#region", "")
        await page.settled()
        assert "X-TC-Region" not in await page.sample("curl")
        assert "new FaceidClient(credential, null, profile)" in await page.sample("java")
        await page.page.click('.actions a[href="#GetFaceIdToken"]')
        await expect(page.page.locator("#region")).to_have_value("ap-guangzhou")
        await page.enter(**BUSINESS)
        assert (await page.send())["FaceIdToken"]


async def test_what_cannot_be_sent_as_it_is_is_said_beside_its_field(
    server: Server, key: tuple[str, str], browser: Browser
) -> None:
    async with explorer(browser) as page:
        await page.open(server.url, "GetFaceIdResult")
        await page.page.click("#send")
        await expect(page.page.locator(".complaint")).to_contain_text("SecretId")
        await expect(page.page.locator("#key-secretId")).to_be_focused()
        await page.enter_key(key)
        await page.enter(Encryption='{"Algorithm": ')
        await page.page.click("#send")
        field = page.page.locator("#parameter-Encryption")
        await expect(field).to_have_attribute("aria-invalid", "true")
        await expect(page.page.locator("#parameter-Encryption-problem")).to_have_text("This is not valid JSON")
        await expect(field).to_be_focused()
        assert not [request for request in page.sent if request.method == "POST"]


async def test_where_the_browser_gives_no_cryptography_the_page_says_why_and_what_to_do(
    server: Server, browser: Browser
) -> None:
    async with explorer(browser) as page:
        await page.open(f"http://{INSECURE_HOST}:{server.port}")
        said = await page.page.locator("#insecure").inner_text()
        assert f"ssh -L {server.port}:127.0.0.1:{server.port} {INSECURE_HOST}" in said
        assert "renzheng serve --lan" in said
        await expect(page.page.locator("#send")).to_be_disabled()
        await page.enter(**BUSINESS)
        assert f"{INSECURE_HOST}:{server.port}" in await page.sample("java")
        notes = await page.page.locator(".notes").inner_text()
        assert "RENZHENG_LOCAL_SERVICES" in notes, "this SDK signs the host's first label as the service"


async def test_a_server_that_has_gone_is_said_to_be_gone(
    server: Server, key: tuple[str, str], browser: Browser
) -> None:
    async with explorer(browser) as page:
        await page.open(server.url)
        await page.enter_key(key)
        await page.page.route(f"{server.url}/", lambda route: route.abort("connectionrefused"))
        await page.page.click("#send")
        await page.page.locator(".facts").wait_for()
        await expect(page.page.locator(".notice")).to_contain_text("No connection")
        await expect(page.page.locator("#send")).to_be_enabled()
