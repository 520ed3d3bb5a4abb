"""Signing in as honest people do it, with and without a second factor, by links, and out again."""

from __future__ import annotations

import asyncio

import pyotp

from renzheng.accounts.operators import Role, SignInCredential
from tests.support.stores import sqlite_of

from .conftest import PASSWORD, TOTP, Browser, House

OTHER = "another long password"


async def welcome(house: House, operator_id: int | None = None) -> str:
    secret = await house.store.sign_in.offer_link(operator_id, house.clock() + 60)
    return f"/console/welcome/{secret}"


async def test_the_first_person_becomes_owner_by_a_link_that_is_good_once(house: House) -> None:
    browser, path = house.browser(), await welcome(house)
    for _ in range(3):  # a preview of the link uses nothing up
        assert "become its owner" in (await browser.get(path)).text
    form = {"name": "li.wei", "password": PASSWORD, "again": PASSWORD}
    assert (await browser.post(path, form)).place == "/console"
    assert (await browser.get("/console")).status == 200
    assert (await house.store.operators.named("li.wei")).role is Role.OWNER
    for reply in (await browser.get(path), await house.browser().post(path, form | {"name": "eve"})):
        assert reply.status == 404
        assert "good no longer" in reply.text
    assert len(await house.store.operators.all()) == 1


async def test_a_link_is_kept_while_what_was_typed_is_not_taken(house: House) -> None:
    await house.person("wang.fang")
    browser, path = house.browser(), await welcome(house)
    good = {"name": "li.wei", "password": PASSWORD, "again": PASSWORD}
    for wrong, said in (
        ({"name": "wang.fang"}, "taken"), ({"name": "<script>"}, "taken"), ({"again": OTHER}, "not the same"),
        ({"password": "short", "again": "short"}, "at least 12"), ({"password": "a" * 20, "again": "a" * 20}, "easy"),
        ({"name": "Battery"}, "easy"), ({"password": "x1y2z" * 60, "again": "x1y2z" * 60}, "too long"),
    ):  # fmt: skip
        reply = await browser.post(path, good | wrong)
        assert (reply.status, said in reply.text) == (422, True), wrong
        assert PASSWORD not in reply.body
    assert (await browser.post(path, good)).status == 303


async def test_a_reset_person_chooses_anew_and_keeps_name_and_role(house: House) -> None:
    operator = await house.person("wang.fang", Role.AUDITOR)
    await house.store.sign_in.reset(operator.id)
    browser, path = house.browser(), await welcome(house, operator.id)
    assert (await browser.sign_in("wang.fang")).status == 401
    assert "You sign in as wang.fang" in (await browser.get(path)).text
    given = {"name": "eve", "password": OTHER, "again": OTHER}
    assert (await browser.post(path, given)).status == 303
    assert "Auditor" in (await browser.get("/console")).text
    assert (await house.browser().sign_in("wang.fang", OTHER)).status == 303
    assert len(await house.store.operators.all()) == 1


async def test_a_link_of_somebody_who_was_shut_out_makes_nobody_an_owner(house: House) -> None:
    await house.person("owner")
    operator = await house.store.operators.add("wang.fang", Role.AUDITOR, house.clock())
    browser, path = house.browser(), await welcome(house, operator.id)
    await house.store.operators.modify(operator.id, disabled=True)
    form = {"name": "eve", "password": PASSWORD, "again": PASSWORD}
    for reply in (await browser.get(path), await browser.post(path, form)):
        assert (reply.status, "good no longer" in reply.text) == (404, True)
    assert [one.name for one in await house.store.operators.all()] == ["owner", "wang.fang"]
    assert (await browser.get("/console")).status == 303


async def test_of_many_who_use_the_first_link_at_once_one_becomes_owner(house: House) -> None:
    path, form = await welcome(house), {"password": PASSWORD, "again": PASSWORD}
    tried = [house.browser().post(path, {"name": f"person{n}", **form}) for n in range(6)]
    assert sorted(reply.status for reply in await asyncio.gather(*tried)) == [303] + [404] * 5
    assert len(await house.store.operators.all()) == 1


async def test_whoever_was_on_the_way_to_a_page_gets_there(house: House) -> None:
    await house.person("li.wei")
    browser = house.browser()
    reply = await browser.get("/console/me?done=password")
    assert reply.status == 303
    page = await browser.get(reply.place)
    form = {"name": "li.wei", "password": PASSWORD, "next": page.hidden("next")}
    assert (await browser.post("/console/sign-in", form)).place == "/console/me?done=password"


async def with_factor(house: House) -> Browser:
    operator = await house.person("li.wei", totp=TOTP)
    await house.store.sign_in.set_recovery_codes(operator.id, ["ABCDE-01234"])
    browser = house.browser()
    assert (await browser.sign_in("li.wei")).place == "/console/code?next=/console"
    return browser


def code(house: House, steps: int = 0) -> str:
    return pyotp.TOTP(TOTP).at(house.clock() + 30 * steps)


async def test_the_second_factor_comes_after_the_password_and_each_code_is_good_once(house: House) -> None:
    browser = await with_factor(house)
    assert (await browser.get("/console")).place.startswith("/console/sign-in")
    assert (await browser.get("/console/me")).status == 303
    wrong = "000000" if code(house) != "000000" else "000001"
    assert (await browser.submit("/console/code", {"code": wrong})).status == 401
    assert (await browser.submit("/console/code", {"code": code(house)})).status == 303
    assert (await browser.get("/console")).status == 200
    other = house.browser()
    await other.sign_in("li.wei")
    for steps in (0, -1):  # used, and older than what was used
        assert (await other.submit("/console/code", {"code": code(house, steps)})).status == 401
    assert (await other.submit("/console/code", {"code": code(house, 1)})).status == 303


async def test_a_clock_may_be_off_by_one_step(house: House) -> None:
    for steps, status in ((-2, 401), (2, 401), (-1, 303)):
        browser = house.browser() if steps != -2 else await with_factor(house)
        await browser.sign_in("li.wei")
        assert (await browser.submit("/console/code", {"code": code(house, steps)})).status == status, steps


async def test_a_recovery_code_helps_once_however_it_is_typed(house: House) -> None:
    browser = await with_factor(house)
    assert (await browser.submit("/console/code", {"code": " abcde oi234 "})).status == 303
    await browser.get("/console")
    again = house.browser()
    await again.sign_in("li.wei")
    assert (await again.submit("/console/code", {"code": "ABCDE-01234"})).status == 401
    assert "recovery code used" in await house.verbs()


async def test_a_factor_is_set_up_with_its_first_code_and_gives_recovery_codes(house: House) -> None:
    browser = await house.signed_in("li.wei")
    page = await browser.get("/console/me/factor")
    secret = page.hidden("secret")
    assert "<svg" in page.body
    now = pyotp.TOTP(secret).at(house.clock())
    form = {"token": page.hidden(), "secret": secret, "code": now, "current": PASSWORD}
    short = secret[:24]  # that our page never offered
    weak = {"secret": short, "code": pyotp.TOTP(short).at(house.clock())}
    for wrong, status in (({"code": "12"}, 422), ({"current": "wrong"}, 403), (weak, 303)):
        assert (await browser.post("/console/me/factor", form | wrong)).status == status
    assert (await house.store.sign_in.credential(1)) == SignInCredential((await kept(house)).password)
    done = await browser.post("/console/me/factor", form)
    assert done.status == 200
    assert done.body.count("<li><code>") == 10
    assert (await kept(house)).totp == secret
    assert {"second factor set", "recovery codes made"} <= set(await house.verbs())
    # The page that shows the codes is of the session that goes on.
    assert (await browser.post("/console/sign-out", {"token": done.hidden()})).place == "/console/sign-in"
    assert (await browser.sign_in("li.wei")).place.startswith("/console/code")
    assert (await browser.submit("/console/code", {"code": now})).status == 401, "used when it was set up"


async def kept(house: House) -> SignInCredential:
    credential = await house.store.sign_in.credential(1)
    assert credential is not None
    return credential


async def test_new_codes_and_no_factor_want_the_password(house: House) -> None:
    browser = await with_factor(house)
    await browser.submit("/console/code", {"code": code(house)})
    for path in ("/console/me/codes", "/console/me/factor/remove"):
        assert (await browser.submit("/console/me", {"current": "wrong"}, path)).status == 403
    shown = await browser.submit("/console/me", {"current": PASSWORD}, "/console/me/codes")
    assert shown.body.count("<li><code>") == 10
    assert await house.store.sign_in.recovery_codes(1) == 10
    assert (await browser.submit("/console/me", {"current": PASSWORD}, "/console/me/factor/remove")).status == 303
    assert ((await kept(house)).totp, await house.store.sign_in.recovery_codes(1)) == (None, 0)
    assert "second factor removed" in await house.verbs()
    assert (await browser.get("/console")).status == 200


async def test_who_has_no_second_factor_gets_no_codes_for_it(house: House) -> None:
    browser = await house.signed_in("li.wei")
    token = (await browser.get("/console/me")).hidden()
    shown = await browser.post("/console/me/codes", {"token": token, "current": PASSWORD})
    assert "<li><code>" not in shown.body
    assert await house.store.sign_in.recovery_codes(1) == 0


async def test_a_new_password_ends_all_other_sessions(house: House) -> None:
    browser = await house.signed_in("li.wei")
    other = house.browser()
    await other.sign_in("li.wei")
    form = {"current": PASSWORD, "password": OTHER, "again": OTHER}
    for wrong, status in (
        ({"current": "wrong"}, 403), ({"password": "short", "again": "short"}, 422), ({"again": "other"}, 422),
    ):  # fmt: skip
        assert (await browser.submit("/console/me", form | wrong, "/console/me/password")).status == status, wrong
    assert (await other.get("/console")).status == 200
    assert (await browser.submit("/console/me", form, "/console/me/password")).place == "/console/me?done=password"
    assert "password changed" in await house.verbs()
    assert (await browser.get("/console")).status == 200
    assert (await other.get("/console")).status == 303
    assert (await house.browser().sign_in("li.wei", OTHER)).status == 303


async def test_a_person_ends_another_session_of_the_own_and_nobody_elses(house: House) -> None:
    browser, eve = await house.signed_in("li.wei"), await house.signed_in("eve")
    other = house.browser()
    await other.sign_in("li.wei")
    page = await browser.get("/console/me")
    session = page.hidden("session")
    assert (await eve.submit("/console/me", {"session": session}, "/console/me/sessions/end")).status == 303
    assert (await other.get("/console")).status == 200
    await browser.submit("/console/me", {"session": session}, "/console/me/sessions/end")
    assert (await other.get("/console")).status == 303
    assert (await browser.get("/console")).status == 200


async def test_sessions_end_by_idleness_and_by_age(house: House) -> None:
    browser = await house.signed_in("li.wei")
    for _ in range(30):
        house.clock.now += 29 * 60
        status = (await browser.get("/console")).status
        if status == 303:
            break
    assert house.clock.now - 1_790_000_000.0 == 25 * 29 * 60, "twelve hours"
    await browser.sign_in("li.wei")
    house.clock.now += 31 * 60
    assert (await browser.get("/console")).status == 303


async def test_who_has_signed_out_is_out_whoever_kept_the_cookie(house: House) -> None:
    browser = await house.signed_in("li.wei")
    kept = house.browser(cookies=dict(browser.cookies))
    token = (await browser.get("/console/me")).hidden()
    assert (await browser.post("/console/sign-out", {"token": token})).place == "/console/sign-in"
    assert "renzheng_console" not in browser.cookies
    assert (await kept.get("/console")).status == 303
    assert "signed out" in await house.verbs()


async def test_whoever_is_disabled_is_out_at_once(house: House) -> None:
    browser = await house.signed_in("li.wei")
    connection = sqlite_of(house.store)._writer
    connection.execute("UPDATE operators SET disabled = 1")
    await house.store.authenticity.sign(sqlite_of(house.store)._writing, "operators", 1)
    assert (await browser.get("/console")).status == 303
    assert (await house.browser().sign_in("li.wei")).status == 401


async def test_a_person_chooses_the_language_and_stays_on_the_page(house: House) -> None:
    browser = await house.signed_in("li.wei")
    assert 'lang="en"' in (await browser.get("/console/me")).body
    assert (await browser.get("/console/language/zh?next=/console/me")).place == "/console/me"
    assert 'lang="zh-CN"' in (await browser.get("/console/me")).body
