"""The browser family of a User-Agent, for counting. Nothing else of the User-Agent is kept."""

from __future__ import annotations

# The order matters: most browsers also name other families, and WeChat's names nearly all of them.
FAMILIES = (
    ("MicroMessenger", "wechat"),
    ("AlipayClient", "alipay"),
    ("HuaweiBrowser", "huawei"),
    ("MiuiBrowser", "xiaomi"),
    ("UCBrowser", "uc"),
    ("QQBrowser", "qq"),
    ("SamsungBrowser", "samsung"),
    ("; wv)", "android_webview"),
    ("Edg", "edge"),
    ("Firefox", "firefox"),
    ("FxiOS", "firefox"),
    ("CriOS", "chrome"),
    ("Chrome", "chrome"),
    ("Safari", "safari"),
    ("AppleWebKit", "ios_webview"),
)


def family(user_agent: str) -> str:
    """Return one of a few names; `other` for unknown browsers and native clients."""
    return next((name for mark, name in FAMILIES if mark in user_agent), "other")
