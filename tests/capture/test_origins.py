"""A page may be embedded by the server's own origin and by those of the token's account, and by nobody else."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from renzheng.capture.messages import Close
from renzheng.server.capture_accounts import AccountsOfKeys
from tests.capture.inside import world


async def test_an_embedding_page_is_one_of_the_tokens_own_account(tmp_path: Path) -> None:
    async with world(tmp_path, public_url="https://verify.example") as made:
        await made.issue()
        (shop,) = await made.store.accounts.all()
        await made.store.accounts.set_origins(shop.id, ("https://shop.example",))
        await made.store.accounts.create("bank", time.time(), ("https://bank.example",))
        await made.store.keys.refresh()
        channel = made.channel
        channel._parts = replace(channel._parts, accounts=AccountsOfKeys(made.store.keys))
        for strange in ("https://bank.example", "https://evil.example", "https://shop.example.evil.net", "null", ""):
            async with made.person(embedder=strange) as person:
                assert await person.close_code() == Close.ORIGIN, strange
        for listed in ("https://shop.example", "https://verify.example"):
            async with made.person(embedder=listed) as person:
                device = (await person.until("welcome"))["device"]
            made.clock.ahead += 60  # another device may come
            assert device
