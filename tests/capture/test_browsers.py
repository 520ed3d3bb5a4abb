"""Families for counting, from real User-Agent strings."""

from __future__ import annotations

import pytest

from renzheng.capture.browsers import family

KIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (f"Mozilla/5.0 (Linux; Android 14; M2102 Build/UKQ1; wv) {KIT} Version/4.0 Chrome/126.0 Mobile Safari/537.36 "
         "MMWEBID/1 MicroMessenger/8.0.50.2701(0x28003253) WeChat/arm64", "wechat"),
        (f"Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) {KIT} Version/4.0 Chrome/126.0 Mobile Safari/537.36",
         "android_webview"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
         "Version/17.5 Mobile/15E148 Safari/604.1", "safari"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
         "Mobile/15E148", "ios_webview"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {KIT} Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0", "edge"),
        (f"Mozilla/5.0 (X11; Linux x86_64) {KIT} Chrome/126.0.0.0 Safari/537.36", "chrome"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "firefox"),
        ("Python/3.11 websockets/15.0", "other"),
        ("", "other"),
    ],
)  # fmt: skip
def test_a_browser_is_counted_under_its_family(user_agent: str, name: str) -> None:
    assert family(user_agent) == name
