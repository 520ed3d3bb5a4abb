"""The enrolment library: what is kept, what is shown, what is erased, and imports that are checked as a whole."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from renzheng.store.accounts import NotFoundError, RefusedError
from renzheng.store.enrolment import Problem, carry_out, plan
from renzheng.store.identities import NewPerson
from renzheng.store.sealer import DamagedError, Kind, Subject
from tests.support.stores import vault_of

from .conftest import ID_CARD, NAME, PHOTO, World

OTHER = "110101199003070038"


async def test_a_person_is_found_by_number_whatever_the_case_of_its_x(world: World) -> None:
    await world.store.identities.add(world.account.id, NewPerson(ID_CARD.lower(), f" {NAME} ", PHOTO))
    found = await world.store.identities.lookup(world.account.id, ID_CARD)
    assert found is not None
    assert (found.name, found.photo) == (NAME, PHOTO)
    assert NAME not in repr(found)
    assert await world.store.identities.lookup(world.account.id, OTHER) is None


async def test_a_miss_opens_a_decoy_as_a_hit_opens_a_photo(world: World) -> None:
    identities = world.store.identities
    await identities.add(world.account.id, NewPerson(ID_CARD, NAME, PHOTO))
    await identities.add(world.account.id, NewPerson(OTHER, NAME, None))
    await identities.prepare()
    read: list[str] = []
    opened: list[Subject] = []
    real_get, real_of = world.store.objects.get, world.store.vault.of

    async def get(name: str) -> bytes | None:
        read.append(name)
        return await real_get(name)

    world.store.objects.get = get  # type: ignore[method-assign]
    world.store.vault.of = lambda subject: opened.append(subject) or real_of(subject)  # type: ignore[method-assign, func-returns-value]
    for id_card in (ID_CARD, OTHER, "110101199003070099"):
        read.clear()
        opened.clear()
        await identities.lookup(world.account.id, id_card)
        assert len(read) == 1
        assert {subject.kind for subject in opened} == {Kind.PERSON}


async def test_an_operator_sees_numbers_and_names_masked(world: World) -> None:
    person = await world.store.identities.add(world.account.id, NewPerson(ID_CARD, "韦小宝", PHOTO))
    (listed,) = await world.store.identities.list(world.account.id)
    assert (listed.id, listed.id_card, listed.name, listed.has_photo) == (person, "1****************X", "**宝", True)
    assert await world.store.identities.list(world.account.id, after=person) == []


async def test_a_number_is_enrolled_once_and_replacing_erases_the_old(world: World) -> None:
    identities = world.store.identities
    old = await identities.add(world.account.id, NewPerson(ID_CARD, "old", PHOTO))
    with pytest.raises(RefusedError, match="enrolled already"):
        await identities.add(world.account.id, NewPerson(ID_CARD, "new", None))
    new = await identities.add(world.account.id, NewPerson(ID_CARD, "new", None), replace=True)
    found = await identities.lookup(world.account.id, ID_CARD)
    assert found is not None
    assert (found.id, found.name, found.photo) == (new, "new", None)
    assert not await world.store.vault.has(Subject(Kind.PERSON, old))


async def test_removing_a_person_erases_key_row_and_photo(world: World) -> None:
    identities = world.store.identities
    person = await identities.add(world.account.id, NewPerson(ID_CARD, NAME, PHOTO))
    assert await identities.remove(world.account.id, ID_CARD) == person
    assert await identities.lookup(world.account.id, ID_CARD) is None
    assert not await world.store.vault.has(Subject(Kind.PERSON, person))
    assert world.count("SELECT count(*) FROM persons") == 0
    assert not any(str(person) in str(path) for path in (world.root / "data").rglob("*"))
    with pytest.raises(NotFoundError):
        await identities.remove(world.account.id, ID_CARD)
    assert (await world.store.audit.events())[-1].verb == "person erased"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "good.jpg").write_bytes(PHOTO)
    (folder / "good.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 100)
    (folder / "text.jpg").write_text("no picture")
    (folder / "big.jpg").write_bytes(PHOTO * 100)
    (tmp_path / "outside.jpg").write_bytes(PHOTO)
    return folder


async def test_a_name_has_a_length(world: World) -> None:
    for name, fits in (("x" * 1000, True), ("x" * 1001, False), ("ﷺ" * 2_000_000, False)):
        with contextlib.nullcontext() if fits else pytest.raises(RefusedError, match="more than 1000 characters"):
            await world.store.identities.add(world.account.id, NewPerson(ID_CARD, name, None), replace=True)


async def test_a_dry_run_says_what_is_wrong_by_row_and_field_and_names_nobody(
    world: World, tmp_path: Path, photos: Path
) -> None:
    await world.store.identities.add(world.account.id, NewPerson("110101199003070011", "known", None))
    rows = [
        f"{ID_CARD},{NAME},good.jpg",
        f"1234,{NAME},good.jpg",
        f"{OTHER},,text.jpg",
        f",{NAME},missing.jpg",
        f"110101199003070054,{NAME},../outside.jpg",
        f"{ID_CARD.lower()},{NAME},good.png",
        f"110101199003070062,{NAME},big.jpg",
        f"110101199003070011,{NAME},",
        f"110101199003070070,{NAME},good.jpg,more",
        f'110101199003070089,"{NAME}",good.png',
        f"110101199003070097,{'x' * 1001},",
    ]
    file = tmp_path / "people.csv"
    file.write_text("id_card,name,photo\n" + "\n".join(rows) + "\n", encoding="utf-8")
    planned = await plan(world.store.identities, world.account.id, file, photos, most_bytes=len(PHOTO) * 2)
    assert planned.problems == (
        Problem(3, "id_card", "it has to be 17 digits and a digit or X"),
        Problem(4, "name", "it is empty"),
        Problem(4, "photo", "the file is not a JPEG or PNG"),
        Problem(5, "id_card", "it is empty"),
        Problem(5, "photo", "the file is not in the folder of photos"),
        Problem(6, "photo", "the file is not in the folder of photos"),
        Problem(7, "id_card", "it is the same as in row 2"),
        Problem(8, "photo", f"the file has more than {len(PHOTO) * 2} bytes"),
        Problem(9, "id_card", "this person is enrolled already"),
        Problem(10, "row", "there are more fields than in the heading"),
        Problem(12, "name", "it has more than 1000 characters"),
    )
    assert [line.row for line in planned.lines] == [2, 11]
    for hidden in (NAME, ID_CARD, OTHER, "missing.jpg"):
        assert hidden not in repr(planned)
    with pytest.raises(RefusedError, match="nothing was stored"):
        await carry_out(world.store.identities, world.account.id, planned)
    assert world.count("SELECT count(*) FROM persons") == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
async def test_a_good_file_is_enrolled_whole_in_the_encodings_that_spreadsheets_write(
    world: World, tmp_path: Path, photos: Path, encoding: str
) -> None:
    file = tmp_path / "people.csv"
    file.write_text(f"name,id_card,photo\n韦小宝,{ID_CARD},good.jpg\n双儿,{OTHER},\n", encoding=encoding)
    planned = await plan(world.store.identities, world.account.id, file, photos)
    assert planned.problems == ()
    assert await carry_out(world.store.identities, world.account.id, planned) == 2
    first = await world.store.identities.lookup(world.account.id, ID_CARD)
    second = await world.store.identities.lookup(world.account.id, OTHER)
    assert first is not None
    assert second is not None
    assert (first.name, first.photo, second.name, second.photo) == ("韦小宝", PHOTO, "双儿", None)
    again = await plan(world.store.identities, world.account.id, file, photos, replace=True)
    assert (again.problems, again.replaced) == ((), 2)


@pytest.mark.parametrize("content", [b"", b"name,photo\nx,y\n", b"id_card,name\n\xff\xff\xff"])
async def test_a_file_that_is_no_such_csv_is_refused(world: World, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes(content)
    with pytest.raises(RefusedError):
        await plan(world.store.identities, world.account.id, file, None)
    with pytest.raises(RefusedError, match="cannot be read"):
        await plan(world.store.identities, world.account.id, tmp_path / "none.csv", None)


async def test_a_row_put_under_another_persons_number_is_not_that_person(world: World) -> None:
    identities, own = world.store.identities, world.account.id
    number = "11010119900307003X"
    one = await identities.add(own, NewPerson(ID_CARD, "one"))
    two = await identities.add(own, NewPerson(number, "two"))
    world.force("UPDATE persons SET id_hash = x'00' WHERE id = ?", one)
    world.force("UPDATE persons SET id_hash = ? WHERE id = ?", identities._hash(own, ID_CARD), two)
    with pytest.raises(DamagedError):
        await identities.lookup(own, ID_CARD)


async def test_who_is_listed_is_masked_in_both_and_of_one_account_in_portions(world: World) -> None:
    identities, own = world.store.identities, world.account.id
    other = await world.store.accounts.create("other", world.clock())
    theirs = await identities.add(other.id, NewPerson(ID_CARD, "韦小宝"))
    mine = [await identities.add(own, NewPerson(f"110101199003070{n}X", "韦小宝")) for n in (10, 11, 12)]
    assert [person.id for person in await identities.list(own)] == mine
    assert [person.id for person in await identities.list(own, mine[0], 1)] == [mine[1]]
    (listed,) = await identities.list(other.id)
    assert (listed.id, listed.id_card, listed.name) == (theirs, "1****************X", "**宝")
    assert theirs not in mine


async def test_a_number_is_looked_for_in_one_account_by_its_hash_and_by_its_row(world: World) -> None:
    identities, own = world.store.identities, world.account.id
    other = await world.store.accounts.create("other", world.clock())
    assert identities._hash(own, ID_CARD) != identities._hash(other.id, ID_CARD)
    await identities.add(own, NewPerson(ID_CARD, "one"))
    world.force("UPDATE persons SET id_hash = ?", identities._hash(other.id, ID_CARD))
    assert not await identities.is_enrolled(other.id, ID_CARD)
    assert await identities.lookup(other.id, ID_CARD) is None


@pytest.mark.sqlite
async def test_a_person_who_cannot_be_enrolled_leaves_no_photo(world: World) -> None:
    identities, own = world.store.identities, world.account.id
    real = vault_of(world.store).commit

    def fail() -> None:
        raise OSError("power")

    vault_of(world.store).commit = fail  # type: ignore[method-assign]
    with pytest.raises(OSError, match="power"):
        await identities.add(own, NewPerson(ID_CARD, "one", PHOTO))
    vault_of(world.store).commit = real  # type: ignore[method-assign]
    assert not [path for path in (world.root / "data" / "evidence").rglob("*") if path.is_file()]
    assert await identities.list(own) == []


async def test_ids_of_people_are_never_given_twice_even_when_the_clock_goes_back(world: World) -> None:
    identities, own = world.store.identities, world.account.id
    first = await identities.add(own, NewPerson(ID_CARD, "one"))
    await identities.remove(own, ID_CARD)
    world.clock.now -= 3600
    assert await identities.add(own, NewPerson(ID_CARD, "one")) > first


async def test_who_is_replaced_opens_no_more(world: World) -> None:
    identities, own = world.store.identities, world.account.id
    first = await identities.add(own, NewPerson(ID_CARD, "one", PHOTO))
    second = await identities.add(own, NewPerson(ID_CARD, "two", PHOTO), replace=True)
    assert not await world.store.vault.has(Subject(Kind.PERSON, first))
    photos = [path.parent.name for path in (world.root / "data" / "evidence" / "persons").rglob("photo")]
    assert photos == [f"{second:016d}"]
