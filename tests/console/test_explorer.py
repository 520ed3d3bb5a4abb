"""The Explorer of the console: what it finds, what it calls with whose key, and what it does not give away."""

from __future__ import annotations

import re

import pytest

from renzheng.accounts.operators import Role

from .conftest import FACEID, PRODUCT, Browser, House, Reply

PERSON = {"CompareLib": "BUSINESS", "IdCard": "11204416541220243X", "Name": "韦小宝"}
TOKEN = "/console/explorer/faceid/GetFaceIdToken"


async def key_of(house: House, account: str) -> tuple[int, str, str]:
    """A new account with a key: its number, SecretId and SecretKey."""
    made = await house.store.accounts.create(account, house.clock())
    key = await house.store.accounts.create_key(made.id, house.clock())
    await house.store.keys.refresh()
    return made.id, key.secret_id, key.secret_key


async def issue(browser: Browser, secret_id: str, **more: str) -> Reply:
    given = {**PERSON, "key": secret_id, "region": "ap-guangzhou", **more}
    sent = await browser.submit(TOKEN, given)
    return await browser.get(sent.place) if sent.status == 303 else sent


async def test_every_action_of_both_services_has_its_form(house: House) -> None:
    await key_of(house, "shop")
    owner = await house.signed_in("li.wei")
    shown = await owner.get("/console/explorer")
    for product in (FACEID, PRODUCT):
        for action in product.actions:
            path = f"/console/explorer/{product.service}/{action.name}"
            assert f'href="{path}"' in shown.body
            form = await owner.get(path)
            assert form.status == 200, path
            for name in (one for one in action.parameters if "." not in one):
                assert f'name="{name}"' in form.body, f"{path} does not ask for {name}"


async def test_a_search_finds_actions_parameters_and_error_codes(house: House) -> None:
    owner = await house.signed_in("li.wei")
    found = await owner.get("/console/explorer?q=ruleid")
    assert re.search(r'<b>RuleId</b> <span class="whose">GetFaceIdToken<', found.body)
    assert "UnauthorizedOperation.RoleDenied" in (await owner.get("/console/explorer?q=roledenied")).text
    assert "Nothing matches" in (await owner.get("/console/explorer?q=no+such+thing")).text


async def test_a_token_is_issued_with_a_key_whose_secret_nobody_sees(house: House) -> None:
    account, secret_id, secret = await key_of(house, "shop")
    owner = await house.signed_in("li.wei")
    assert secret_id in (await owner.get(TOKEN)).body
    shown = await issue(owner, secret_id)
    token = re.search(r"&#34;FaceIdToken&#34;: &#34;([0-9A-F-]{36})&#34;", shown.body)
    assert token
    session = await house.store.sessions.find(token[1])
    assert session is not None
    assert session.account_id == account
    for hidden in (secret, PERSON["IdCard"], PERSON["Name"]):
        assert hidden not in shown.body
    events = await house.store.audit.newest(50)
    noted = [event for event in events if event.verb == "called GetFaceIdToken in the console"]
    assert [(event.actor, event.subject) for event in noted] == [("operator:li.wei", f"key {secret_id}")]


async def test_a_call_is_opened_again_with_what_was_not_masked(house: House) -> None:
    _, secret_id, _ = await key_of(house, "shop")
    owner = await house.signed_in("li.wei")
    shown = await issue(owner, secret_id, Extra="order 4711")
    again = re.search(r'href="(/console/explorer/faceid/GetFaceIdToken\?again=[^"]+)"', shown.body)
    assert again
    form = await owner.get(again[1])
    assert 'name="Extra" value="order 4711"' in form.body
    assert 'name="IdCard" value=""' in form.body


async def test_a_refusal_of_the_service_is_shown_as_its_reply(house: House) -> None:
    _, secret_id, _ = await key_of(house, "shop")
    owner = await house.signed_in("li.wei")
    assert "InvalidParameter" in (await issue(owner, secret_id, IdCard="12")).text
    sent = await owner.submit("/console/explorer/renzheng/DescribeAccount", {"AccountId": "999"})
    assert "ResourceNotFound" in (await owner.get(sent.place)).text
    wrong = await owner.submit("/console/explorer/renzheng/DescribeAccount", {"AccountId": "many"})
    assert (wrong.status, "AccountId is not a valid integer" in wrong.text) == (422, True)


async def test_only_keys_that_the_person_sees_are_called_with(house: House) -> None:
    mine, own, _ = await key_of(house, "shop")
    _, foreign, _ = await key_of(house, "bank")
    merchant = await house.signed_in("shopkeeper", Role.MERCHANT, mine)
    form = (await merchant.get(TOKEN)).body
    assert own in form
    assert foreign not in form
    assert (await issue(merchant, foreign)).status == 404
    accounts, now = house.store.accounts, house.clock()
    ending, off = await accounts.create_temporary_key(mine, now, 900), await accounts.create_key(mine, now)
    await accounts.set_enabled(mine, off.secret_id, False)
    for other in (ending, off):
        assert (await issue(merchant, other.secret_id)).status == 404
    assert (await issue(merchant, own, region="ap-nowhere")).status == 404
    assert "FaceIdToken" in (await issue(merchant, own)).text


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.AUDITOR])
async def test_who_may_make_no_key_calls_with_none(house: House, role: Role) -> None:
    await key_of(house, "shop")
    browser = await house.signed_in("somebody", role)
    assert "GetFaceIdToken" not in (await browser.get("/console/explorer")).text
    assert (await browser.get(TOKEN)).status == 403
    assert (await browser.post(TOKEN, {})).status == 403
    assert (await browser.get("/console/explorer/renzheng/CreateKey")).status == 403
    assert "denied: CreateKey" in await house.verbs()


async def test_what_is_shown_once_is_not_called_here(house: House) -> None:
    account, _, _ = await key_of(house, "shop")
    owner = await house.signed_in("li.wei")
    keys = len(await house.store.accounts.list_keys(account))
    path = "/console/explorer/renzheng/CreateKey"
    assert (await owner.submit(path, {"AccountId": str(account)})).status == 404
    assert len(await house.store.accounts.list_keys(account)) == keys


async def test_a_form_of_another_page_calls_nothing(house: House) -> None:
    _, secret_id, _ = await key_of(house, "shop")
    owner = await house.signed_in("li.wei")
    given = {**PERSON, "key": secret_id, "region": "ap-guangzhou"}
    assert (await owner.post(TOKEN, given)).status == 403
    token = (await owner.get(TOKEN)).hidden()
    assert (await owner.post(TOKEN, {"token": token, **given}, origin="https://evil.example")).status == 403
