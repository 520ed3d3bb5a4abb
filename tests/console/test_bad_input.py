"""What bad input gets from the console: forms sent twice, reviewers at once, foreign numbers, tables with faults."""

from __future__ import annotations

import asyncio
import re
from html import unescape
from urllib.parse import quote, urlencode

import pytest

from renzheng.accounts.buckets import BucketKey, cos_bucket
from renzheng.accounts.keys import AccountProfile
from renzheng.accounts.operators import Role
from renzheng.accounts.rules import RuleTerms
from renzheng.server.logs import RequestLine
from renzheng.store.identities import NewPerson
from renzheng.verification.policy import Policy
from renzheng.verification.session import CompareLib, Details
from tests.support.again import judged

from .conftest import ORIGIN, PRODUCT, Browser, House, Reply
from .test_attacks import routes


async def test_a_form_that_is_sent_again_does_nothing_again(house: House) -> None:
    account = (await house.store.accounts.create("shop", house.clock())).id
    await house.store.billing.set_prepaid(account)
    browser = await house.signed_in("li.wei")
    page = await browser.get("/console/do/TopUpAccount")
    form = {"token": page.hidden(), "once": page.hidden("once"), "AccountId": str(account), "Amount": "5"}
    sent = await asyncio.gather(*(browser.post("/console/do/TopUpAccount", form) for _ in range(8)))
    assert sorted(reply.status for reply in sent) == [303, *[409] * 7]
    assert (await browser.post("/console/do/TopUpAccount", form)).status == 409
    assert "sent before" in (await browser.post("/console/do/TopUpAccount", form)).text
    for wrong in ("", "x", "ü" * 16, form["once"] + "x"):
        assert (await browser.post("/console/do/TopUpAccount", form | {"once": wrong})).status == 409
    assert (await house.store.billing.standing(account)).balance == 5
    # What could not be read was not sent: the form goes on with what was typed.
    page = await browser.get("/console/do/TopUpAccount")
    form |= {"token": page.hidden(), "once": page.hidden("once"), "Amount": "many"}
    assert (await browser.post("/console/do/TopUpAccount", form)).status == 422
    assert (await browser.post("/console/do/TopUpAccount", form | {"Amount": "2"})).status == 303
    assert (await house.store.billing.standing(account)).balance == 7


async def test_a_reviewer_decides_what_the_page_showed(house: House) -> None:
    """A rule that was rejected, changed and submitted again is not approved by a page from before."""
    account = (await house.store.accounts.create("shop", house.clock())).id
    author = await house.signed_in("li.wei")
    first, second = [await house.signed_in(name, Role.REVIEWER) for name in ("wang.fang", "zhang.min")]
    await author.submit("/console/do/CreateRule", {"Name": "loans", "Threshold": "90"})
    one = {"AccountId": str(account), "RuleId": "1"}
    await author.submit("/console/do/SubmitRule", one)
    link = re.search(r'href="(/console/do/ApproveRule[^"]*)"', (await first.get("/console/rules")).body)
    assert link
    shown = await first.get(unescape(link[1]))
    form = {name: shown.hidden(name) for name in ("token", "once", "AccountId", "RuleId", "ChangedAt")}
    house.clock.now += 1
    await second.submit("/console/do/RejectRule", one)
    await author.submit("/console/do/ModifyRule", one | {"Threshold": "61"})
    await author.submit("/console/do/SubmitRule", one)
    reply = await first.post("/console/do/ApproveRule", form)
    assert (reply.status, "changed since you saw it" in reply.text) == (422, True)
    assert (await house.store.rules.get(account, 1)).state == "submitted"


async def test_of_reviewers_at_once_one_decides_and_the_others_are_told(house: House) -> None:
    account = (await house.store.accounts.create("shop", house.clock())).id
    author = await house.signed_in("li.wei")
    reviewers = [await house.signed_in(f"reviewer{n}", Role.REVIEWER) for n in range(4)]
    await author.submit("/console/do/CreateRule", {"Name": "loans"})
    one = {"AccountId": str(account), "RuleId": "1"}
    await author.submit("/console/do/SubmitRule", one)
    buttons = ["ApproveRule", "RejectRule"] * 2
    replies = await asyncio.gather(
        *(who.submit(f"/console/do/{button}", one) for who, button in zip(reviewers, buttons, strict=True))
    )
    assert sorted(reply.status for reply in replies) == [303, 422, 422, 422]
    for reply in replies:
        assert reply.status == 303 or "rule 1 is" in reply.text or "changed since" in reply.text
    (version,) = await house.store.rules.versions(account, 1)
    decided = [verb for verb in await house.verbs() if verb in ("rule approved", "rule rejected")]
    assert len(decided) == 1
    assert version.decision == decided[0].split()[1]


async def foreign(house: House) -> dict[str, str]:
    """Another account's things by the names of the parameters that name them; every text in them is marked."""
    store, now = house.store, house.clock()
    other = (await store.accounts.create("MARKEDbank", now)).id
    await store.accounts.set_face(other, AccountProfile(name_zh="MARKEDname", name_en="MARKEDname"))
    key = await store.accounts.create_key(other, now)
    rule = await store.rules.create(other, "MARKEDrule", RuleTerms(Policy()), now)
    person = await store.identities.add(other, NewPerson("11204416541220243X", "MARKEDperson", None))
    begun = await store.imports.create(other, False)
    bucket = cos_bucket("markedfaces-1250000000", "ap-guangzhou")
    await store.buckets.authorise(other, bucket, BucketKey("MARKEDid", "MARKEDsecret"), now)
    number = await judged(store, other, now, to_bucket=True)
    await store.keys.refresh()
    return {
        "AccountId": str(other), "SecretId": key.secret_id, "RuleId": rule.rule_id, "IdentityId": str(person),
        "ImportId": str(begun.id), "VerificationId": str(number), "OperatorId": "1",
    }  # fmt: skip


TYPED = {
    "Name": "韦小宝", "IdCard": "110101199003070134", "Amount": "1", "Bucket": "b-1250000000", "Region": "ap-guangzhou",
    "KeyId": "k", "KeySecret": "s", "Services": "faceid", "Reason": "because",
}  # fmt: skip
"""What the forms ask for beside the numbers."""


async def test_no_route_leads_a_merchants_person_to_another_account(house: House) -> None:
    """Every page by foreign numbers in path and query, and every button's form, shown and sent."""
    own = (await house.store.accounts.create("shop", house.clock())).id
    things = await foreign(house)
    browser = await house.signed_in("shopkeeper", Role.MERCHANT, own)
    query = urlencode(things)
    marks = ("MARKED", "markedfaces")
    paths = {path for method, path in routes(house) if method == "GET" and "sign-out" not in path}
    for path in paths:
        for number in things.values():
            there = "/".join(number if part == "1" else part for part in path.split("/"))
            reply = await browser.get(f"{there}?{query}&All=1")
            found = [mark for mark in marks if mark in reply.body]
            assert not found, (there, found)
            if there == path:
                break
    before = max(event.id for event in await house.store.audit.newest(1000))
    buttons = [action.name for action in PRODUCT.actions]
    for button in buttons:
        shown = await browser.get(f"/console/do/{button}?{query}")
        if shown.status != 200:
            assert shown.status in (403, 404), button
            continue
        form = {"token": shown.hidden(), "once": shown.hidden("once"), **TYPED, **things}
        reply = await browser.post(f"/console/do/{button}", form)
        assert reply.status in (403, 404), (button, reply.status, reply.text)
        assert not [mark for mark in marks if mark in reply.body], button
    denied = [event for event in await house.store.audit.newest(1000) if event.id > before]
    assert {event.verb.partition(":")[0] for event in denied} <= {"denied"}, denied
    assert len(denied) > 10
    # and nothing of it was touched
    outcome = await house.store.sessions.outcome(int(things["VerificationId"]))
    assert outcome is not None
    assert (await house.store.rules.get(int(things["AccountId"]), 1)).state == "draft"
    assert (await house.store.accounts.list_keys(int(things["AccountId"])))[0].enabled


async def test_a_table_of_many_faulty_rows_is_told_on_a_small_page(house: House) -> None:
    await house.store.accounts.create("shop", house.clock())
    browser = await house.signed_in("li.wei")
    rows = "".join(f"{number},{'' if number % 3 else '韦小宝'},missing.jpg\n" for number in range(5000))
    token = (await browser.get("/console/identities/import")).hidden()
    reply = await upload(browser, token, "id_card,name,photo\n" + rows)
    assert reply.status == 200
    assert "The first 200 of" in reply.text
    assert len(reply.body) < 150_000
    assert 'value="CommitImport" disabled' in reply.body
    place = re.search(r'action="(/console/identities/import/\d+/\d+)"', reply.body)
    assert place
    # Who sends the button's form all the same enrols nobody.
    forced = await browser.post(place[1], {"token": token, "button": "CommitImport"})
    assert forced.status == 303
    for task in house.tasks:
        await task
    assert "faults" in (await browser.get(place[1])).text
    assert await house.store.search.count_people(1) == 0


async def upload(browser: Browser, token: str, table: str, cut: int | None = None) -> Reply:
    """The form of an import with this table; `cut`: the connection is lost after so many bytes."""
    parts = [f'--b\r\nContent-Disposition: form-data; name="token"\r\n\r\n{token}\r\n']
    head = 'Content-Disposition: form-data; name="table"; filename="people.csv"\r\nContent-Type: text/csv'
    parts += [f"--b\r\n{head}\r\n\r\n{table}\r\n--b--\r\n"]
    body = "".join(parts).encode()[:cut]
    kind = {"content-type": "multipart/form-data; boundary=b", "origin": ORIGIN}
    return await browser.ask("POST", "/console/identities/import", body, kind)


@pytest.mark.parametrize("typed", ["nan", "inf", "-inf", "1e999", "9" * 5000])
async def test_a_number_that_json_cannot_have_is_a_wrong_one_and_not_left_out(house: House, typed: str) -> None:
    await house.store.billing.set_prepaid((await house.store.accounts.create("shop", house.clock())).id)
    browser = await house.signed_in("li.wei")
    assert (await browser.submit("/console/do/CreateRule", {"Name": "r", "Threshold": typed})).status == 422
    assert (await browser.submit("/console/do/TopUpAccount", {"Amount": typed})).status == 422


async def test_a_parameter_nested_without_end_is_a_wrong_one(house: House) -> None:
    browser = await house.signed_in("li.wei")
    page = "/console/explorer/faceid/GetFaceIdToken"
    token = (await browser.get(page)).hidden()
    reply = await browser.post(page, {"token": token, "CompareLib": "LOCAL", "Encryption": "[" * 20_000})
    assert reply.status == 422


async def test_an_account_of_too_many_digits_is_no_account(house: House) -> None:
    await house.store.accounts.create("shop", house.clock())
    browser = await house.signed_in("li.wei")
    token = (await browser.get("/console/identities/import")).hidden()
    for digits in ("9" * 19, "9" * 5000):
        table = f'id_card,name,photo\r\n--b\r\nContent-Disposition: form-data; name="AccountId"\r\n\r\n{digits}'
        assert (await upload(browser, token, table)).status == 200


async def test_an_upload_that_breaks_off_stores_nothing(house: House) -> None:
    await house.store.accounts.create("shop", house.clock())
    browser = await house.signed_in("li.wei")
    token = (await browser.get("/console/identities/import")).hidden()
    for cut in (10, 100, 200, 230):
        reply = await upload(browser, token, "id_card,name,photo\n11204416541220243X,韦小宝,\n" * 5, cut)
        assert (reply.status, "cannot be read" in reply.text or "not of this session" in reply.text) in (
            (400, True), (403, True),
        ), cut  # fmt: skip
    assert "import begun" not in " ".join(await house.verbs())
    assert await house.store.search.count_people(1) == 0


async def test_a_photo_that_is_too_large_gets_a_page_that_says_so(house: House) -> None:
    await house.store.accounts.create("shop", house.clock())
    browser = await house.signed_in("li.wei")
    token = (await browser.get("/console/do/PutIdentity")).hidden()
    head = f'--b\r\nContent-Disposition: form-data; name="token"\r\n\r\n{token}\r\n--b\r\n'
    head += 'Content-Disposition: form-data; name="ImageBase64"; filename="a.jpg"\r\n\r\n'
    body = head.encode() + b"\xff\xd8\xff" + bytes(20_000_000) + b"\r\n--b--\r\n"
    kind = {"content-type": "multipart/form-data; boundary=b", "origin": ORIGIN}
    reply = await browser.ask("POST", "/console/do/PutIdentity", body, kind)
    assert (reply.status, "too large" in reply.text) == (413, True)
    assert await house.store.search.count_people(1) == 0


SCRIPT = '"><script>alert(1)</script>'


async def test_no_text_that_somebody_stored_becomes_markup_anywhere(house: House) -> None:
    """Every text that the API takes and keeps, on every page that a crawl from the overview reaches."""
    store, now = house.store, house.clock()
    account = (await store.accounts.create("shop", now)).id
    owner, reviewer = await house.signed_in("li.wei"), await house.signed_in("wang.fang", Role.REVIEWER)
    one = {"AccountId": str(account)}
    shown = {"DisplayNameZh": SCRIPT, "DisplayNameEn": SCRIPT, "Contact": SCRIPT}
    assert (await owner.submit("/console/do/ModifyAccount", one | shown)).status == 303
    assert (await owner.submit("/console/do/ModifyAccount", one | {"PrivacyUrl": "javascript:alert(1)"})).status == 422
    assert (await owner.submit("/console/do/CreateRule", one | {"Name": SCRIPT})).status == 303
    await owner.submit("/console/do/SubmitRule", one | {"RuleId": "1"})
    note = one | {"RuleId": "1", "Note": SCRIPT}
    assert (await reviewer.submit("/console/do/RejectRule", note)).status == 303
    assert (
        await owner.submit("/console/do/PutIdentity", one | {"IdCard": "11204416541220243X", "Name": SCRIPT})
    ).status == 303
    details = Details(CompareLib.BUSINESS, "11204416541220243X", SCRIPT, SCRIPT, SCRIPT, SCRIPT)
    number = await store.sessions.create(account, "T", details, None, Policy(), now, 600)
    store.calls.note(number, now, "GetFaceIdToken", SCRIPT, SCRIPT)
    seen = {"VerificationId": str(number), "Reason": SCRIPT}
    assert (await owner.submit("/console/do/DescribeEvidence", seen)).status == 200
    house.lines = [
        RequestLine(now, "error", SCRIPT, SCRIPT, account, {"cause": SCRIPT, "action": SCRIPT, "code": SCRIPT})
    ]
    token = (await owner.get("/console/identities/import")).hidden()
    faulty = await upload(owner, token, f"id_card,name,photo\n{SCRIPT},{SCRIPT},{SCRIPT}\n")
    pages = {"import": faulty.body, **await crawl(owner)}
    for wrong in (f"?RequestId={quote(SCRIPT)}", f"?All={quote(SCRIPT)}"):
        pages[wrong] = (await owner.get(f"/console/requests{wrong}")).body
    for path in ("verifications", "explorer", "keys", "rules"):
        query = urlencode(dict.fromkeys(("q", "State", "Result", "RequestId", "page", "done", "Name"), SCRIPT))
        pages[path] = (await owner.get(f"/console/{path}?{query}")).body
    assert len(pages) > 40
    assert sum("&lt;script&gt;" in body for body in pages.values()) > 8
    for path, body in pages.items():
        assert "<script" not in body.replace('<script src="/console/static/', ""), path
        assert not re.search(r'(?:href|src|action)="\s*(?:javascript|data:text)', body, re.IGNORECASE), path


async def crawl(browser: Browser) -> dict[str, str]:
    """Every page that links lead to from the overview, forms of buttons too; of the calls behind pages the first."""
    waiting, found = ["/console"], dict[str, str]()
    while waiting and len(found) < 150:
        path = waiting.pop()
        if path in found or "/language/" in path or (sum("/calls/" in one for one in found) > 12 and "/calls/" in path):
            continue
        found[path] = (await browser.get(path)).body
        waiting += [unescape(one) for one in re.findall(r'href="(/console[^"#]*)"', found[path])]
    return found
