"""Imports in parts: put, checked, committed, cut off, gone on with, given up."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from renzheng.operations import imports
from renzheng.store import imports as imports_of_store
from renzheng.store.accounts import RefusedError
from renzheng.store.imports import ImportState, PartKind
from renzheng.store.nodes import SERVER
from renzheng.store.sealer import Kind, Sealer, Subject
from renzheng.verification.identity import is_id_card
from tests.management.conftest import House
from tests.support.stores import sqlite_of

PHOTO = b"\xff\xd8\xff" + bytes(64)


def number(n: int) -> str:
    return f"110101{n:011d}X"


def table(rows: list[tuple[str, str, str]]) -> bytes:
    return ("id_card,name,photo\n" + "".join(f"{','.join(row)}\n" for row in rows)).encode()


async def begin(house: House, **given: Any) -> dict[str, Any]:
    made = await house.do("CreateImport", {"AccountId": house.account.id, **given})
    return {"AccountId": house.account.id, "ImportId": made["Import"]["ImportId"]}


async def put(house: House, one: dict[str, Any], part: int, data: bytes, name: str = "") -> Any:
    kind = {"Kind": "photo", "Name": name} if name else {"Kind": "table"}
    given = {**one, **kind, "PartNumber": part, "Data": base64.b64encode(data).decode()}
    return await house.do("PutImportPart", given)


async def committed(house: House, one: dict[str, Any]) -> Any:
    await house.do("CommitImport", one)
    await asyncio.gather(*house.tasks)
    return (await house.do("DescribeImport", one))["Import"]


def test_the_made_up_numbers_have_the_form_of_id_numbers() -> None:
    assert is_id_card(number(7))


async def test_people_are_imported_from_a_table_in_two_parts_and_their_photos(house: House) -> None:
    one = await begin(house)
    whole = table([(number(1), "甲", "a.jpg"), (number(2), "乙", ""), (number(3), "丙", "")])
    await put(house, one, 1, whole[:30])
    await put(house, one, 3, PHOTO + b"another", "a.jpg")
    first = await put(house, one, 2, b"not this one")
    again = await put(house, one, 2, whole[30:])  # a number may be put again
    assert first["Sha256"] != again["Sha256"]
    await put(house, one, 3, PHOTO, "a.jpg")
    checked = await house.do("CheckImport", one)
    assert (checked["Good"], checked["TotalCount"], checked["Faults"]) == (3, 0, [])
    assert (await house.do("DescribeIdentities", {"AccountId": house.account.id}))["TotalCount"] == 0
    done = await committed(house, one)
    assert (done["State"], done["Total"], done["Done"], done["Parts"]) == ("done", 3, 3, 0)
    people = (await house.do("DescribeIdentities", {"AccountId": house.account.id}))["Identities"]
    assert [person["HasPhoto"] for person in people] == [True, False, False]
    assert await house.code("CommitImport", one) == "OperationDenied"
    assert await house.code("CancelImport", one) == "OperationDenied"


async def test_every_fault_is_told_by_row_and_nobody_is_enrolled(house: House) -> None:
    await house.do("PutIdentity", {"AccountId": house.account.id, "IdCard": number(9), "Name": "戊"})
    one = await begin(house)
    rows = [
        (number(1), "甲", ""),
        ("15", "", ""),
        (number(1), "甲", ""),
        (number(2), "乙", "gone.jpg"),
        (number(9), "戊", ""),
    ]
    await put(house, one, 1, table(rows))
    checked = await house.do("CheckImport", one)
    assert [(fault["Row"], fault["Field"]) for fault in checked["Faults"]] == [
        (3, "id_card"), (3, "name"), (4, "id_card"), (5, "photo"), (6, "id_card"),
    ]  # fmt: skip
    failed = await committed(house, one)
    assert (failed["State"], failed["Done"]) == ("failed", 0)
    assert "5 faults" in failed["Trouble"]
    assert (await house.do("DescribeIdentities", {"AccountId": house.account.id}))["TotalCount"] == 1
    await put(house, one, 1, table(rows[:1]))  # mended
    assert (await committed(house, one))["State"] == "done"
    replacing = await begin(house, Replace=True)
    await put(house, replacing, 1, table([rows[4]]))
    assert (await house.do("CheckImport", replacing))["Replaced"] == 1
    assert (await committed(house, replacing))["State"] == "done"


async def test_a_photo_that_the_judge_could_not_use_is_a_fault_of_its_row(house: House) -> None:
    one = await begin(house)
    await put(house, one, 1, table([(number(1), "甲", "a.jpg")]))
    await put(house, one, 2, PHOTO, "a.jpg")
    house.look_fault = "no face is found in it"
    (fault,) = (await house.do("CheckImport", {**one, "Look": True}))["Faults"]
    assert fault == {"Row": 2, "Field": "photo", "Reason": "no face is found in it"}
    assert (await committed(house, one))["State"] == "failed"
    await house.do("CommitImport", {**one, "Look": False})
    await asyncio.gather(*house.tasks)
    assert (await house.do("DescribeImport", one))["Import"]["State"] == "done"


async def test_an_import_that_was_cut_off_goes_on_where_it_ended(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    one = await begin(house)
    await put(house, one, 1, table([(number(n), "甲", "") for n in range(6)]))
    enrol, left = house.store.identities.add.__func__, [4]  # type: ignore[attr-defined]

    async def breaking(self: Any, *given: Any, **named: Any) -> int:
        if not left[0]:
            raise ConnectionError
        left[0] -= 1
        number: int = await enrol(self, *given, **named)
        return number

    monkeypatch.setattr(type(house.store.identities), "add", breaking)
    await house.do("CommitImport", one)
    with pytest.raises(ConnectionError):
        await asyncio.gather(*house.tasks)
    house.tasks.clear()
    monkeypatch.setattr(type(house.store.identities), "add", enrol)
    cut = (await house.do("DescribeImport", one))["Import"]
    assert (cut["State"], cut["Done"], cut["Total"]) == ("failed", 4, 6)
    assert "goes on where it ended" in cut["Trouble"]
    await imports.begin(house.store, house.account.id, one["ImportId"])  # and the server ends in the middle
    assert await house.code("CommitImport", one) == "OperationDenied"
    assert await house.store.imports.interrupt() == 1  # the next start
    # the row at which it ended was enrolled, and not counted any more
    await house.store.imports.progress(house.account.id, one["ImportId"], 3)
    done = await committed(house, one)
    assert (done["State"], done["Done"]) == ("done", 6)
    assert (await house.do("DescribeIdentities", {"AccountId": house.account.id}))["TotalCount"] == 6


async def test_an_import_that_goes_on_at_another_node_is_not_interrupted(house: House) -> None:
    node = await house.store.nodes.add(SERVER, "E")
    house.store._use(node)
    one = await begin(house)
    await put(house, one, 1, table([(number(1), "甲", "")]))
    await imports.begin(house.store, house.account.id, one["ImportId"])
    assert await house.store.imports.interrupt() == 0
    await house.store.nodes.remove(node.id)
    assert await house.store.imports.interrupt() == 1


async def test_a_part_that_a_crash_left_half_put_has_to_be_sent_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await begin(house)
    whole = table([(number(1), "甲", "")])
    await put(house, one, 1, whole)

    async def die(*_: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(house.store.database, "write", die)  # between the object and its row
        with pytest.raises(ConnectionError):
            await imports.put(house.store, house.account.id, one["ImportId"], 1, PartKind.TABLE, "", whole + b"x,y,\n")
    assert await house.code("CheckImport", one) == "OperationDenied"
    await put(house, one, 1, whole)
    assert (await house.do("CheckImport", one))["Good"] == 1


async def test_a_part_that_comes_while_the_import_is_committed_is_no_part_of_it(house: House) -> None:
    one = await begin(house)
    await put(house, one, 1, table([(number(1), "甲", "")]))
    objects, account, import_id = house.store.objects, house.account.id, one["ImportId"]
    keep = objects.put

    async def commit_meanwhile(name: str, content: Any) -> None:
        await keep(name, content)
        await imports.begin(house.store, account, import_id)

    objects.put = commit_meanwhile  # type: ignore[method-assign]
    part = {**one, "PartNumber": 2, "Kind": "table", "Data": "QQ=="}
    assert await house.code("PutImportPart", part) == "OperationDenied"
    objects.put = keep  # type: ignore[method-assign]
    assert [part.number for part in await house.store.imports.parts(account, import_id)] == [1]


async def test_who_gives_an_import_up_leaves_nothing_of_it(house: House) -> None:
    one = await begin(house)
    await put(house, one, 1, PHOTO, "张三.jpg")
    stored = [
        path for path in sqlite_of(house.store).path.parent.rglob("*") if "imports" in path.parts and path.is_file()
    ]
    assert len(stored) == 1
    assert PHOTO not in stored[0].read_bytes()
    assert "张三".encode() not in sqlite_of(house.store).path.read_bytes()
    assert (await house.do("CancelImport", one))["Import"]["State"] == "cancelled"
    assert not stored[0].exists()
    assert (
        await house.code("PutImportPart", {**one, "PartNumber": 2, "Kind": "table", "Data": "QQ=="})
        == "OperationDenied"
    )
    forgotten = await begin(house)
    await put(house, forgotten, 1, table([]))
    assert await house.store.imports.end_stale(house.clock() - 1) == 0
    assert await house.store.imports.end_stale(house.clock() + 1) == 1
    assert (await house.do("DescribeImport", forgotten))["Import"]["State"] == "cancelled"


async def test_of_an_import_that_ends_the_key_goes_first(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    one = await begin(house)
    await put(house, one, 1, PHOTO, "a.jpg")
    subject, vault, objects = Subject(Kind.IMPORT, one["ImportId"]), house.store.vault, house.store.objects
    gone: list[bool] = []
    delete = objects.delete_all

    async def watched(folder: str) -> None:
        gone.append(not await vault.has(subject))
        await delete(folder)

    monkeypatch.setattr(objects, "delete_all", watched)
    assert await vault.has(subject)
    await house.do("CancelImport", one)
    assert gone == [True]
    assert not await vault.has(subject)


async def test_an_import_is_described_while_it_ends(house: House) -> None:
    """The key goes first, and the rows a moment later: who looks in between sees no parts, and no fault of ours."""
    one = await begin(house)
    await put(house, one, 1, PHOTO, "a.jpg")
    await house.store.vault.erasures.destroy([Subject(Kind.IMPORT, one["ImportId"])], listed=False)
    described = (await house.do("DescribeImport", one))["Import"]
    assert (described["State"], described["Parts"], described["Bytes"]) == ("open", 0, 0)


async def test_wrong_parts_are_refused_by_name(house: House) -> None:
    one = await begin(house)
    part = {**one, "PartNumber": 1, "Kind": "table", "Data": "QQ=="}
    assert await house.code("CheckImport", one) == "OperationDenied"  # no table
    for change, code in (
        ({"PartNumber": 0}, "OperationDenied"),
        ({"PartNumber": 100_001}, "OperationDenied"),
        ({"Kind": "film"}, "InvalidParameterValue"),
        ({"Data": "!"}, "InvalidParameter"),
        ({"Data": ""}, "InvalidParameter"),
        ({"Kind": "photo", "Name": "a.jpg"}, "OperationDenied"),  # no JPEG
        ({"Kind": "photo", "Name": "", "Data": base64.b64encode(PHOTO).decode()}, "OperationDenied"),
        ({"ImportId": 77}, "ResourceNotFound"),
        ({"Data": "QUJD" * (2 * 1024 * 1024 + 1)}, "RequestSizeLimitExceeded"),
    ):
        assert await house.code("PutImportPart", part | change) == code, change
    await put(house, one, 1, b"\xff\xfe\x00 no text")
    assert await house.code("CheckImport", one) == "OperationDenied"


async def test_a_table_that_would_fill_the_memory_is_refused_before_it_is_read(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert imports.MAX_ROWS <= 100_000
    monkeypatch.setattr(imports, "MAX_ROWS", 1000)
    one = await begin(house)
    await put(house, one, 1, b"id_card,name\n" + b",\n" * 1000)
    checked = await house.do("CheckImport", one)
    assert (checked["TotalCount"], len(checked["Faults"])) == (2000, 1000)
    await put(house, one, 2, b",\n")
    assert await house.code("CheckImport", one) == "OperationDenied"
    failed = await committed(house, one)
    assert (failed["State"], failed["Trouble"]) == (
        "failed",
        "the table has more than 1000 rows: split it into several imports",
    )
    for part in range(1, 4):
        await put(house, one, part, b"x" * (6 * 1024 * 1024))
    read: list[int] = []
    monkeypatch.setattr(type(house.store.imports), "data", lambda *_: read.append(1))
    assert await house.code("CheckImport", one) == "OperationDenied"
    assert not read


async def test_of_an_account_one_table_is_read_at_a_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    one = await begin(house)
    await put(house, one, 1, table([(number(1), "甲", "")]))
    under_way, most = 0, 0
    data = type(house.store.imports).data

    async def counted(*given: Any) -> bytes:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        content = await data(*given)
        under_way -= 1
        return content

    monkeypatch.setattr(type(house.store.imports), "data", counted)
    for checked in await asyncio.gather(*(house.do("CheckImport", one) for _ in range(8))):
        assert checked["Good"] == 1
    assert most == 1


async def test_describing_an_import_opens_none_of_its_names(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for again and again while it goes on, and may have 100,000 parts."""
    one = await begin(house)
    for part in range(1, 4):
        await put(house, one, part, PHOTO, f"{part}.jpg")
    monkeypatch.setattr(imports_of_store, "_PAGE", 2)
    assert [part.name for part in await house.store.imports.parts(house.account.id, one["ImportId"])] == [
        "1.jpg", "2.jpg", "3.jpg",
    ]  # fmt: skip
    monkeypatch.setattr(Sealer, "open", None)
    described = (await house.do("DescribeImport", one))["Import"]
    assert (described["Parts"], described["Bytes"]) == (3, 3 * len(PHOTO))


async def test_two_who_commit_at_once_enrol_once(house: House) -> None:
    one = await begin(house)
    await put(house, one, 1, table([(number(1), "甲", "")]))
    account, import_id = house.account.id, one["ImportId"]
    tries = await asyncio.gather(
        *(imports.begin(house.store, account, import_id) for _ in range(16)), return_exceptions=True
    )
    won = [one for one in tries if not isinstance(one, BaseException)]
    assert len(won) == 1
    assert won[0].state is ImportState.COMMITTING
    assert all(isinstance(one, RefusedError) for one in tries if isinstance(one, BaseException))


async def test_a_table_of_fifty_thousand_rows_fits_and_is_checked(house: House) -> None:
    one = await begin(house)
    content = table([(number(n), "甲乙丙", "") for n in range(50_000)] + [("x", "y", "")])
    assert len(content) < 6 * 1024 * 1024
    await put(house, one, 1, content)
    checked = await house.do("CheckImport", one)
    assert (checked["Good"], [fault["Row"] for fault in checked["Faults"]]) == (50_000, [50_002])
