"""The enrolment library: what is kept, what is shown, what is erased, and imports that are checked as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from renzheng.store.accounts import Refused, Unknown
from renzheng.store.enrolment import Problem, carry_out, plan
from renzheng.store.identities import NewPerson
from renzheng.store.sealer import Kind, Subject

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
    with pytest.raises(Refused, match="enrolled already"):
        await identities.add(world.account.id, NewPerson(ID_CARD, "new", None))
    new = await identities.add(world.account.id, NewPerson(ID_CARD, "new", None), replace=True)
    found = await identities.lookup(world.account.id, ID_CARD)
    assert found is not None
    assert (found.id, found.name, found.photo) == (new, "new", None)
    assert not world.store.vault.has(Subject(Kind.PERSON, old))


async def test_removing_a_person_erases_key_row_and_photo(world: World) -> None:
    identities = world.store.identities
    person = await identities.add(world.account.id, NewPerson(ID_CARD, NAME, PHOTO))
    assert await identities.remove(world.account.id, ID_CARD) == person
    assert await identities.lookup(world.account.id, ID_CARD) is None
    assert not world.store.vault.has(Subject(Kind.PERSON, person))
    assert world.count("SELECT count(*) FROM persons") == 0
    assert not any(str(person) in str(path) for path in (world.root / "data").rglob("*"))
    with pytest.raises(Unknown):
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
    ]
    file = tmp_path / "people.csv"
    file.write_text("id_card,name,photo\n" + "\n".join(rows) + "\n", encoding="utf-8")
    planned = await plan(world.store.identities, world.account.id, file, photos, most_bytes=len(PHOTO) * 2)
    assert planned.problems == (
        Problem(3, "id_card", "it has to be 17 digits and a digit or X"),
        Problem(4, "name", "it is empty"),
        Problem(4, "photo", "the file is no JPEG or PNG"),
        Problem(5, "id_card", "it is empty"),
        Problem(5, "photo", "the file is not in the folder of photos"),
        Problem(6, "photo", "the file is not in the folder of photos"),
        Problem(7, "id_card", "it is the same as in row 2"),
        Problem(8, "photo", f"the file has more than {len(PHOTO) * 2} bytes"),
        Problem(9, "id_card", "this person is enrolled already"),
        Problem(10, "row", "there are more fields than in the heading"),
    )
    assert [line.row for line in planned.lines] == [2, 11]
    for hidden in (NAME, ID_CARD, OTHER, "missing.jpg"):
        assert hidden not in repr(planned)
    with pytest.raises(Refused, match="nothing was stored"):
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
    with pytest.raises(Refused):
        await plan(world.store.identities, world.account.id, file, None)
    with pytest.raises(Refused, match="cannot be read"):
        await plan(world.store.identities, world.account.id, tmp_path / "none.csv", None)
