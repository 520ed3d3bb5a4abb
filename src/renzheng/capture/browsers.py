"""The family of a browser, for counting: never more of a User-Agent than that."""

from __future__ import annotations

# In this order: most browsers name others' families too, and WeChat's names nearly all.
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
    """One of a few names; `other` for what is not known, and for native clients."""
    return next((name for mark, name in FAMILIES if mark in user_agent), "other")
