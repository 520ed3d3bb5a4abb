"""The pages over the management API: what each shows and does, and to whom."""

from __future__ import annotations

import base64
import re
from html import unescape
from urllib.parse import quote, urlsplit

import pytest

from renzheng.accounts.buckets import BucketKey, cos_bucket
from renzheng.accounts.operators import Role
from renzheng.accounts.rules import RuleTerms
from renzheng.console.calls import MASK
from renzheng.console.listed import RECORDS, TABLES
from renzheng.console.tables import ROWS
from renzheng.console.words import RESULTS, ROLES
from renzheng.verification import decision
from renzheng.verification.policy import Policy
from renzheng.verification.session import CompareLib, Details, FrameRecord, StepRecord
from tests.support.again import judged

from .conftest import PRODUCT, Browser, House

ACTIONS = {action.name: action for action in PRODUCT.actions}
ID_CARD = "11204416541220243X"


def test_results_and_roles_are_called_what_they_are() -> None:
    known = {one.code: one.description for one in vars(decision).values() if isinstance(one, decision.Result)}
    assert {code: chinese for code, (_, chinese) in RESULTS.items()} == known
    assert set(ROLES) == {role.value for role in Role}


def test_every_list_and_deed_names_what_the_api_has() -> None:
    for table in TABLES:
        action = ACTIONS[table.action]
        parameters = set(action.parameters)
        assert set(table.filters) | set(table.context) <= parameters, table.path
        for button in (*table.first, *table.buttons):
            assert set(button.given) | set(button.asked or ()) <= set(ACTIONS[button.action].parameters), button.action
    for record in RECORDS:
        for button in record.buttons:
            assert set(button.given) <= set(ACTIONS[button.action].parameters), button.action


async def shop(house: House, name: str = "shop") -> int:
    return (await house.store.accounts.create(name, house.clock())).id


async def do(browser: Browser, action: str, expected: int = 303, **fields: object) -> str:
    """Open a button's form, send it, and go where it leads; the page's text."""
    path = f"/console/do/{action}"
    reply = await browser.submit(path, {name: str(value) for name, value in fields.items()})
    assert reply.status == expected, reply.text
    return (await browser.get(reply.place)).text if reply.status == 303 else reply.text


async def test_a_rule_goes_through_review_by_another_person(house: House) -> None:
    await shop(house)
    author, reviewer = await house.signed_in("li.wei"), await house.signed_in("wang.fang", Role.REVIEWER)
    assert "Submit Change Disable" in await do(author, "CreateRule", Name="onboarding", Threshold="75")
    listed = await author.get("/console/rules")
    assert "onboarding" in listed.text
    assert "Draft" in listed.text
    rule_id = re.search(r"RuleId=(\d+)", listed.body)
    assert rule_id
    number = rule_id[1]
    assert "Approve Reject Disable" in await do(author, "SubmitRule", AccountId=1, RuleId=number)
    refused = await do(author, "ApproveRule", 422, AccountId=1, RuleId=number, Note="mine")
    assert "another person has to review it" in refused
    assert "OperationDenied" in refused
    assert "Submit Change" not in await do(reviewer, "ApproveRule", AccountId=1, RuleId=number, Note="fine")
    rule = await house.store.rules.get(1, int(number))
    assert (rule.state, rule.note, rule.terms.policy.threshold) == ("approved", "fine", 75)
    versions = await author.get(f"/console/rules/versions?AccountId=1&RuleId={number}")
    assert "operator:wang.fang" in versions.text
    assert "fine" in versions.text
    again = await do(reviewer, "ApproveRule", 422, AccountId=1, RuleId=number)
    assert "is approved" in again


async def test_a_keys_secret_is_shown_once_and_to_the_inspector_never(house: House) -> None:
    await shop(house)
    browser = await house.signed_in("li.wei")
    shown = await do(browser, "CreateKey", 200)
    secret = re.search(r"SecretKey (\w{32})", shown)
    assert secret
    assert "shown this once" in shown
    listed = await browser.get("/console/keys")
    assert secret[1] not in listed.body
    calls = re.findall(r'href="(/console/calls/[\w-]+)"', listed.body)
    pages = [await browser.get(path) for path in calls]
    assert not [page for page in pages if secret[1] in page.body]
    assert any(MASK in page.body and "CreateKey" in page.body for page in pages)


async def test_a_person_is_added_and_comes_in_by_the_link(house: House) -> None:
    browser = await house.signed_in("li.wei")
    shown = await do(browser, "CreateOperator", 200, Name="zhang.min", Role="auditor")
    link = re.search(r"(http://127\.0\.0\.1:8401/console/welcome/\S+)", shown)
    assert link
    other = house.browser()
    form = {"password": "an unrelated one", "again": "an unrelated one"}
    assert (await other.post(urlsplit(link[1]).path, form)).status == 303
    assert "zhang.min" in (await other.get("/console")).text


async def test_what_is_missing_or_wrong_is_said_beside_the_form_which_keeps_what_was_typed(house: House) -> None:
    await shop(house)
    browser = await house.signed_in("li.wei")
    for fields, said in (
        ({"Name": ""}, "Name is needed"), ({"Name": "kept", "Threshold": "much"}, "Threshold is not a valid number"),
        ({"Name": "kept", "Threshold": "40"}, "60 to 100"),
    ):  # fmt: skip
        reply = await browser.submit("/console/do/CreateRule", fields)
        assert reply.status == 422
        assert said in reply.text
        assert not fields["Name"] or 'value="kept"' in reply.body
    assert await house.store.rules.of_account(1) == []


async def test_people_are_enrolled_listed_masked_and_erased(house: House) -> None:
    await shop(house)
    browser = await house.signed_in("li.wei")
    listed = await do(browser, "PutIdentity", IdCard=ID_CARD, Name="韦小宝")
    assert "韦小宝" not in listed
    assert ID_CARD not in listed
    page = await browser.get("/console/identities")
    erase = re.search(r'href="(/console/do/DeleteIdentity\?[^"]*)"', page.body)
    assert erase
    form = await browser.get(unescape(erase[1]))
    assert "cannot be undone" in form.text
    number = form.hidden("IdentityId")
    assert "Nothing to show" in await do(browser, "DeleteIdentity", IdentityId=number)
    calls = [await browser.get(path) for path in calls_of((await browser.get("/console/identities")).body)]
    assert any("PutIdentity" in call.body for call in calls)
    assert not [call for call in calls if ID_CARD in call.body or "韦小宝" in call.body]


def calls_of(body: str) -> list[str]:
    return re.findall(r'href="(/console/calls/[\w-]+)"', body)


TABLE = "id_card,name,photo\n{},韦小宝,\n"


def multipart(fields: dict[str, str], files: list[tuple[str, str, bytes]]) -> tuple[bytes, str]:
    mark, parts = "MARK", []
    for name, value in fields.items():
        parts.append(f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
    for name, file, content in files:
        head = f'--{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\n\r\n'
        parts.append(head.encode() + content + b"\r\n")
    return b"".join([*parts, f"--{mark}--\r\n".encode()]), f"multipart/form-data; boundary={mark}"


IMPORT = "/console/identities/import"


async def upload(browser: Browser, files: list[tuple[str, str, bytes]], path: str = IMPORT) -> str:
    token = (await browser.get("/console/me")).hidden()
    body, kind = multipart({"token": token, **({"button": "photos"} if path[-1].isdigit() else {})}, files)
    reply = await browser.ask("POST", path, body, {"content-type": kind, "origin": "http://127.0.0.1:8401"})
    return reply.text if reply.status == 200 else f"{reply.status} {reply.text}"


async def test_an_import_shows_every_fault_and_enrols_nobody_before_it_is_told_to(house: House) -> None:
    await shop(house)
    browser = await house.signed_in("li.wei")
    wrong = f"id_card,name,photo\n{ID_CARD},韦小宝,\n123,x,\n{ID_CARD},韦小宝,gone.jpg\n".encode()
    shown = await upload(browser, [("table", "people.csv", wrong), ("photos", "a/b/no.jpg", b"no photo")])
    assert "Photos that were not taken no.jpg" in shown
    assert re.search(r"Rows that are good 1 ", shown)
    assert re.search(r"Faults 2 ", shown)
    assert await house.store.identities.list(1) == []
    good = await upload(browser, [("table", "people.csv", TABLE.format(ID_CARD).encode())])
    assert "Enrol 1 people" in good
    page = await browser.get("/console/identities/import/1/2")
    form = {"token": page.hidden(), "button": "CommitImport"}
    assert (await browser.post("/console/identities/import/1/2", form)).status == 303
    for task in house.tasks:
        await task
    assert "Enrolled" in (await browser.get("/console/identities/import/1/2")).text
    assert len(await house.store.identities.list(1)) == 1
    done = await browser.post("/console/identities/import/1/1", form | {"button": "CancelImport"})
    assert done.status == 303
    assert "Given up" in (await browser.get("/console/identities/import/1/1")).text


async def test_an_upload_without_a_table_or_too_large_stores_nothing(house: House) -> None:
    await shop(house)
    browser = await house.signed_in("li.wei")
    assert "422" in await upload(browser, [("photos", "a.jpg", b"x")])
    assert "415" in await upload(browser, [("photos", "a.jpg", b"x")], "/console/do/CreateRule")
    assert "import begun" not in " ".join(await house.verbs())


async def verification(house: House, account: int = 1) -> int:
    details = Details(CompareLib.BUSINESS, ID_CARD, "韦小宝", "MARKEDEXTRA")
    now = house.clock()
    return await house.store.sessions.create(account, f"TOKEN{account}{now}", details, None, Policy(), now, 600)


async def test_a_verification_is_listed_shown_masked_and_erased(house: House) -> None:
    await shop(house)
    number = await verification(house)
    browser = await house.signed_in("li.wei")
    assert str(number) in (await browser.get("/console/verifications?State=issued")).text
    assert str(number) not in (await browser.get("/console/verifications?State=passed")).text
    page = await browser.get(f"/console/verifications/{number}")
    assert "Token issued" in page.text
    assert ID_CARD not in page.body
    assert "韦小宝" not in page.body
    assert "verification shown" in await house.verbs()
    assert "Nothing to show" in await do(browser, "EraseVerification", VerificationId=number)
    assert (await browser.get(f"/console/verifications/{number}")).status == 404


@pytest.mark.parametrize("number", ["0", "x", "99999999999999999999", "1%27", "..", "TOKEN"])
async def test_what_is_not_there_is_a_page_that_says_so(house: House, number: str) -> None:
    await shop(house)
    browser = await house.signed_in("li.wei")
    for place in ("verifications", "accounts"):
        assert (await browser.get(f"/console/{place}/{number}")).status in (404, 303)


async def test_another_accounts_records_are_as_if_they_were_not_there(house: House) -> None:
    """All that names a record, by a merchant's person of another account."""
    own, other = await shop(house), await shop(house, "other")
    number = await verification(house, other)
    key = await house.store.accounts.create_key(other, house.clock())
    rule = await house.store.rules.create(other, "secret rule", RuleTerms(Policy()), house.clock())
    made = await house.store.imports.create(other, False)
    browser = await house.signed_in("mei", Role.MERCHANT, own)
    for path in (
        f"/console/verifications/{number}", f"/console/accounts/{other}", f"{IMPORT}/{other}/{made.id}",
        f"/console/rules/versions?AccountId={other}&RuleId={rule.id}", f"/console/rules?AccountId={other}",
        *(f"/console/{one}?AccountId={other}" for one in ("keys", "identities", "usage", "verifications", "buckets")),
    ):  # fmt: skip
        reply = await browser.get(path)
        assert reply.status == 404, path
    for path in ("rules", "keys", "accounts", "verifications", "identities", "buckets", "usage"):
        body = (await browser.get(f"/console/{path}")).body
        assert not [secret for secret in ("secret rule", key.secret_id, str(number), "other<") if secret in body], path
    for action, fields in (
        ("DisableKey", {"AccountId": other, "SecretId": key.secret_id}),
        ("SubmitRule", {"AccountId": other, "RuleId": rule.id}),
        ("EraseVerification", {"VerificationId": number}), ("ModifyAccount", {"AccountId": other, "Name": "mine"}),
    ):  # fmt: skip
        reply = await browser.submit(f"/console/do/{action}", {name: str(value) for name, value in fields.items()})
        assert reply.status == 404, action
    assert (await house.store.accounts.key(other, key.secret_id)).enabled
    assert (await house.store.accounts.get(other)).name == "other"


@pytest.mark.parametrize("role", list(Role), ids=str)
async def test_each_role_is_shown_what_it_may_do_and_refused_the_rest(house: House, role: Role) -> None:
    """Every list, record and button of the console, against the roles that the API's manifests name."""
    own = await shop(house)
    browser = await house.signed_in("p", role, own if role is Role.MERCHANT else None)
    shown = (await browser.get("/console")).body
    for table in (*TABLES, *(record.table for record in RECORDS if not record.parameter)):
        may = role.value in ACTIONS[table.action].roles
        query = "?RuleId=1" if table.context else ""
        assert ((await browser.get(table.path + query)).status in (200, 404)) == may, table.path
        if table.above is None:
            assert (f'href="{table.path}"' in shown) == may, table.path
    buttons = [button for table in TABLES for button in (*table.first, *table.buttons)]
    for button in [*buttons, *(button for record in RECORDS for button in record.buttons)]:
        may = role.value in ACTIONS[button.action].roles
        status = (await browser.get(button.page.format(Id=1) or f"/console/do/{button.action}")).status
        assert status == (200 if may else 403), button.action
        if not may and not button.page:
            token = (await browser.get("/console/me")).hidden()
            assert (await browser.post(f"/console/do/{button.action}", {"token": token})).status == 403
    denied = [verb for verb in await house.verbs() if verb.startswith("denied: ")]
    assert denied or role is Role.OWNER


async def test_no_page_offers_a_way_that_leads_nowhere(house: House) -> None:
    """From the overview on, every link and every form's address is there."""
    await shop(house)
    await verification(house)
    browser = await house.signed_in("li.wei")
    await do(browser, "CreateRule", Name="onboarding")
    waiting, seen = ["/console"], set[str]()
    while waiting:
        path = waiting.pop()
        bare = path.partition("?")[0]
        if path in seen or bare.startswith("/console/language"):
            continue
        seen.add(path)
        reply = await browser.get(path)
        assert reply.status == 200, path
        found = re.findall(r'href="(/console[^"#]*)"', reply.body)
        known = {one.partition("?")[0] for one in seen}
        ways = [unescape(one) for one in found if "/calls/" not in one or len(known) < 40]
        waiting += sorted(ways, key=lambda one: "/calls/" in one)  # those first: only the last calls are kept
        for form in re.findall(r'<form[^>]* action="([^"]*)"', reply.body):
            assert form.startswith("/console"), path
    assert {"/console/rules", "/console/settings", "/console/audit", "/console/me"} <= seen


async def test_a_filter_that_cannot_be_read_is_said_and_left_out(house: House) -> None:
    await shop(house)
    browser = await house.signed_in("li.wei")
    for path, said in (
        ("/console/verifications?Since=yesterday", "From cannot be read"),
        ("/console/keys?Enabled=perhaps", "Enabled cannot be read"),
        ("/console/keys?AccountId=abc&page=-3", "Account cannot be read"),
    ):
        reply = await browser.get(path)
        assert (reply.status, said in reply.text) == (200, True), path
    listed = await browser.get("/console/verifications?Since=2026-09-21T22:00&Until=2026-09-21T22:20&State=issued")
    assert "Nothing matches" in listed.text
    await verification(house)
    again = await browser.get("/console/verifications?Since=2026-09-21T22:00&Until=2026-09-21T22:20&State=issued")
    assert "Issued" in again.text
    assert "Nothing matches" not in again.text


async def test_a_verification_is_found_by_an_id_number_that_stands_in_no_address(house: House) -> None:
    await shop(house)
    number = await verification(house)
    browser = await house.signed_in("li.wei")
    path = "/console/verifications"
    plain = await browser.get(f"{path}?IdCard=110101199003070134")
    assert f"{path}/{number}" in plain.body, "the address does not filter by it"
    found = await browser.submit(path, {"IdCard": ID_CARD})
    assert (found.status, found.headers["cache-control"]) == (200, "no-store")
    assert f"{path}/{number}" in found.body
    other = await browser.submit(path, {"IdCard": "110101199003070134"})
    assert "Nothing matches" in other.text

    for reply in (found, other):
        assert ID_CARD not in "".join(re.findall(r'(?:href|action)="([^"]*)"', reply.body))
    calls = [await browser.get(one) for one in calls_of(found.body)]
    assert calls
    assert not [call for call in calls if ID_CARD in call.body]
    assert not [event for event in await house.store.audit.newest() if ID_CARD in "".join(map(str, event))]
    assert (await browser.post(path, {"IdCard": ID_CARD})).status == 403, "not from a page of ours"
    assert (await browser.post(path, {"IdCard": ID_CARD}, origin="https://evil.example")).status == 403


async def test_more_than_one_page_of_what_was_found_is_turned_by_forms(house: House) -> None:
    await shop(house)
    for _ in range(ROWS + 1):
        house.clock.now += 1
        await verification(house)
    browser = await house.signed_in("li.wei")
    first = await browser.submit("/console/verifications", {"IdCard": ID_CARD})
    again = {"token": first.hidden(), "IdCard": first.hidden("IdCard"), "page": "2"}
    second = await browser.post("/console/verifications", again)
    for reply, rows in ((first, ROWS), (second, 1)):
        assert len(set(re.findall(r"/console/verifications/(\d+)", reply.body))) == rows
        assert "page=" not in reply.body


async def test_a_person_is_found_by_an_id_number(house: House) -> None:
    await shop(house)
    browser = await house.signed_in("li.wei")
    await do(browser, "PutIdentity", IdCard=ID_CARD, Name="韦小宝")
    assert "Erase" in (await browser.submit("/console/identities", {"IdCard": ID_CARD})).text
    assert "Nothing matches" in (await browser.submit("/console/identities", {"IdCard": "110101199003070134"})).text


async def test_the_audit_is_read_in_chinese_too(house: House) -> None:
    await shop(house)
    browser = await house.signed_in("li.wei")
    assert "signed in" in (await browser.get("/console/audit")).text
    browser.language = "zh-CN"
    page = (await browser.get("/console/audit")).text
    assert "登录" in page
    assert "signed in" not in page


async def test_a_face_is_seen_by_whoever_may_and_says_why_and_the_audit_knows(house: House) -> None:
    await shop(house)
    number = await captured(house)
    worker, auditor = await house.signed_in("li.wei", Role.REVIEWER), await house.signed_in("eve", Role.AUDITOR)
    assert "See the frames" not in (await auditor.get(f"/console/verifications/{number}")).text
    assert (await auditor.get(f"/console/do/DescribeEvidence?VerificationId={number}")).status == 403
    path = f"/console/do/DescribeEvidence?VerificationId={number}"
    assert "goes into the audit" in (await worker.get(path)).text.replace("go into", "goes into")
    given = {"VerificationId": str(number)}
    for reason in ("", "   ", "why"):
        reply = await worker.submit(path, given | {"Reason": reason}, "/console/do/DescribeEvidence")
        assert reply.status == 422, reason
        assert "data:image" not in reply.body
    reply = await worker.submit(path, given | {"Reason": "complaint 4711"}, "/console/do/DescribeEvidence")
    assert reply.body.count('src="data:image/jpeg;base64,') == 3
    assert "img-src data: 'self'" in reply.headers["content-security-policy"]
    assert "unsafe" not in reply.headers["content-security-policy"]
    seen = [event for event in await house.store.audit.newest() if event.verb == "frames seen"]
    assert [(event.actor, event.subject) for event in seen] == [
        ("operator:li.wei", f"session {number}: complaint 4711")
    ]
    calls = [await worker.get(one) for one in calls_of(reply.body)]
    assert any("DescribeEvidence" in call.body for call in calls)
    frame = base64.b64encode(JPEG).decode()
    assert frame in reply.body
    assert not [call for call in calls if frame in call.body]


async def test_the_video_is_played_once_a_reason_is_typed(house: House) -> None:
    number = await judged(house.store, await shop(house), house.clock())
    path = f"/console/do/DescribeEvidenceVideo?VerificationId={number}"
    worker, auditor = await house.signed_in("li.wei"), await house.signed_in("eve", Role.AUDITOR)
    assert "Play the video" in (await worker.get(f"/console/verifications/{number}")).text
    assert "Play the video" not in (await auditor.get(f"/console/verifications/{number}")).text
    assert (await auditor.get(path)).status == 403
    given = {"VerificationId": str(number)}
    assert (await worker.submit(path, given | {"Reason": "x"}, "/console/do/DescribeEvidenceVideo")).status == 422
    reply = await worker.submit(path, given | {"Reason": "complaint 4711"}, "/console/do/DescribeEvidenceVideo")
    video = await house.store.sessions.video(number)
    assert video is not None
    assert f'src="data:video/mp4;base64,{base64.b64encode(video).decode()}"' in reply.body
    assert "media-src data: 'self'" in reply.headers["content-security-policy"]
    assert "unsafe" not in reply.headers["content-security-policy"]
    assert "video seen" in await house.verbs()
    assert "base64" not in (await worker.get(calls_of(reply.body)[0])).body


async def test_a_verification_is_fetched_judged_and_erased_by_buttons(house: House) -> None:
    number = await judged(house.store, await shop(house), house.clock())
    one, given = f"/console/verifications/{number}", {"VerificationId": str(number)}
    browser = await house.signed_in("li.wei")
    shown = await browser.get(one)
    assert "Deliver again" not in shown.text  # its token was without UseCos
    for button, said in (("DescribeResult", "Base64"), ("RejudgeVerification", "The verdict stands")):
        assert f"/console/do/{button}?VerificationId={number}" in unescape(shown.body)
        page = await browser.submit(f"/console/do/{button}?VerificationId={number}", given, f"/console/do/{button}")
        assert (page.status, said in page.text) == (200, True), page.text
        calls = [await browser.get(call) for call in calls_of(page.body)]
        assert any(button in call.body for call in calls)
    gone = await browser.submit(f"/console/do/EraseVerification?VerificationId={number}", given)
    assert gone.place.startswith("/console/verifications?done=")
    assert (await browser.get(one)).status == 404


async def test_what_goes_to_a_bucket_can_be_delivered_again(house: House) -> None:
    account = await shop(house)
    await house.store.buckets.authorise(
        account, cos_bucket("faces-1250000000", "ap-guangzhou"), BucketKey("AKIDx", "secret"), house.clock()
    )
    number = await judged(house.store, account, house.clock(), to_bucket=True)
    browser = await house.signed_in("li.wei", Role.OPERATOR)
    assert "Waiting" in (await browser.get(f"/console/verifications/{number}")).text
    path = f"/console/do/DeliverVerification?VerificationId={number}"
    done = await browser.submit(path, {"VerificationId": str(number)})
    assert done.place.startswith(f"/console/verifications/{number}?done=")
    assert "delivered again" in await house.verbs()


JPEG = b"\xff\xd8\xffMARKEDFRAME" * 20


async def captured(house: House) -> int:
    number, now = await verification(house), house.clock()
    sessions = house.store.sessions
    assert await sessions.begin_attempt(number, 0, ("blink",), now) == 1
    assert await sessions.reveal(number, 1, StepRecord(0, "neutral", b"n" * 16, now, now + 6), False, None)
    frames = [(FrameRecord(one, 0, b"n" * 16, now, b"d" * 32), JPEG) for one in range(3)]
    assert await sessions.store_frames(number, 1, frames)
    return number


async def test_a_buckets_secret_is_on_no_page_and_a_bucket_is_tested_first(house: House) -> None:
    await shop(house)
    browser = await house.signed_in("li.wei")
    given = {"Bucket": "faces-1250000000", "Region": "ap-guangzhou", "KeyId": "AKIDx", "KeySecret": "wrong"}
    refused = await browser.submit("/console/do/AuthoriseBucket", given)
    assert (refused.status, "does not take this key" in refused.text) == (422, True)
    assert 'value="faces-1250000000"' in refused.body
    assert 'value="wrong"' not in refused.body
    listed = await do(browser, "AuthoriseBucket", **{**given, "KeySecret": "MARKEDSECRET"})  # type: ignore[arg-type]
    assert "faces-1250000000" in listed
    page = await browser.get("/console/buckets")
    assert not [one for one in calls_of(page.body) if "MARKEDSECRET" in (await browser.get(one)).body]
    assert "Nothing to show" in await do(browser, "RevokeBucket")


SCRIPT = "<script>alert(1)</script>"


async def test_no_text_that_people_store_becomes_markup(house: House) -> None:
    """Rule and note, account's display and contact, person and table: whatever is written, pages show it as text."""
    await shop(house)
    browser = await house.signed_in("li.wei")
    await do(browser, "CreateRule", Name=SCRIPT)
    await do(browser, "SubmitRule", RuleId=1)
    await do(browser, "RejectRule", RuleId=1, Note=SCRIPT)
    await do(browser, "ModifyAccount", AccountId=1, Contact=SCRIPT, DisplayNameEn=SCRIPT, DisplayNameZh=SCRIPT)
    await do(browser, "PutIdentity", IdCard=ID_CARD, Name=SCRIPT)
    table = f"id_card,name,photo\n{SCRIPT},{SCRIPT},{SCRIPT}\n".encode()
    assert SCRIPT in await upload(browser, [("table", "t.csv", table), ("photos", f"{SCRIPT}.jpg", b"x")])
    number = await verification(house)
    found = ""
    for path in (
        "/console", "/console/rules", "/console/rules/versions?AccountId=1&RuleId=1", "/console/accounts/1",
        "/console/accounts", "/console/identities", f"{IMPORT}/1/1", f"/console/verifications/{number}",
        "/console/audit", f"/console/rules?Name={quote(SCRIPT)}", f"/console/do/CreateRule?Name={quote(SCRIPT)}",
    ):  # fmt: skip
        reply = await browser.get(path)
        assert reply.status == 200, path
        assert "<script" not in reply.body, path
        found += reply.body
        for call in calls_of(reply.body)[:3]:
            assert "<script" not in (await browser.get(call)).body, call
    assert found.count("&lt;script&gt;") >= 5


async def test_a_merchants_overview_counts_its_own_account_and_shows_nothing_of_the_server(house: House) -> None:
    own, other = await shop(house), await shop(house, "other")
    for account in (own, other, other):
        house.clock.now += 1
        await verification(house, account)
    merchant, owner = await house.signed_in("mei", Role.MERCHANT, own), await house.signed_in("li.wei")
    assert "Issued today 1 " in (await merchant.get("/console")).text
    assert "Issued today 3 " in (await owner.get("/console")).text
    for word in ("Free disk", "Last warnings", "Waiting for a judge", "The server is ready"):
        assert word not in (await merchant.get("/console")).text
        assert word in (await owner.get("/console")).text


async def test_an_owner_gives_somebody_a_new_way_in(house: House) -> None:
    lost, owner = await house.signed_in("wang.fang", Role.AUDITOR), await house.signed_in("li.wei")
    path = re.search(r'href="(/console/people/1/link)"', (await owner.get("/console/people")).body)
    assert path
    assert (await lost.get(path[1])).status == 403
    assert (await lost.post(path[1], {"token": (await lost.get("/console/me")).hidden()})).status == 403
    assert "end now" in (await owner.get(path[1])).text
    assert (await lost.get("/console")).status == 200, "asking does nothing"
    shown = await owner.submit(path[1], {})
    link = re.search(r"http://127\.0\.0\.1:8401(/console/welcome/\S+)", shown.text)
    assert link
    assert (await lost.get("/console")).status == 303
    assert (await lost.sign_in("wang.fang")).status == 401
    form = {"password": "an unrelated one", "again": "an unrelated one"}
    assert (await lost.post(link[1], form)).status == 303
    assert "Auditor" in (await lost.get("/console")).text
    reset = [event for event in await house.store.audit.newest() if event.verb == "sign-in reset"]
    assert [(event.actor, event.subject) for event in reset] == [("operator:li.wei", "operator 1")]
    assert (await owner.get("/console/people/99/link")).status == 404


async def test_an_account_without_a_balance_has_no_limit_and_one_at_zero_has_none_left(house: House) -> None:
    await shop(house)
    browser = await house.signed_in("li.wei")
    assert "Verifications left no limit" in (await browser.get("/console/accounts/1")).text
    assert "Verifications left 0" in await do(browser, "ModifyAccountBilling", AccountId=1, Billing="prepaid")
    assert "Verifications left 7" in await do(browser, "TopUpAccount", AccountId=1, Amount=7)
