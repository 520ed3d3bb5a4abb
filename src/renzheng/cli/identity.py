"""`renzheng identity`: the library of enrolled people, for CompareLib BUSINESS."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from renzheng.cli.local import (
    STDIN_HELP,
    AccountOption,
    JsonOption,
    account_of,
    id_number,
    print_json,
    print_table,
    printable,
    refuse,
    when,
    with_store,
)
from renzheng.cli.photos import look_at
from renzheng.store.accounts import RefusedError
from renzheng.store.enrolment import ImportPlan, carry_out, check_photo, plan
from renzheng.store.identities import ListedPerson, NewPerson
from renzheng.store.open import Store

app = typer.Typer(no_args_is_help=True, help="The library of enrolled people, for CompareLib BUSINESS.")

LookOption = Annotated[
    bool, typer.Option("--look/--no-look", help="Refuse a photo without exactly one face that can be compared.")
]
ReplaceOption = Annotated[
    bool, typer.Option("--replace", help="Erase people who are already enrolled, and enrol them again.")
]
PHOTO_BYTES = 8 * 1024 * 1024


@app.command()
def add(
    id_card: Annotated[
        str,
        typer.Option("--id-card", prompt="ID number", help=f"ID number; asked for if left out; {STDIN_HELP}."),
    ],
    name: Annotated[str, typer.Option("--name", prompt="Name", help="Name; asked for if left out.")],
    photo: Annotated[Path | None, typer.Option(help="A JPEG or PNG.")] = None,
    account: AccountOption = None,
    replace: ReplaceOption = False,
    look: LookOption = True,
    as_json: JsonOption = False,
) -> None:
    """Enrol one person."""
    number = id_number(id_card) or ""
    if photo is not None:
        reason = check_photo(photo, PHOTO_BYTES)
        if not reason and look:
            [reason] = look_at([photo])
        if reason:
            refuse(f"photo: {reason}")

    async def work(store: Store) -> int:
        found = await account_of(store, account)
        person = NewPerson(number, name, photo.read_bytes() if photo else None)
        return await store.identities.add(found.id, person, replace=replace)

    person_id = with_store(work)
    if as_json:
        print_json({"id": person_id})
    else:
        print(f"enrolled as person {person_id}")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A CSV file with the heading id_card,name,photo.")],
    photos: Annotated[Path | None, typer.Option(help="The folder with the photos.")] = None,
    account: AccountOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check each row; store nothing.")] = False,
    replace: ReplaceOption = False,
    look: LookOption = True,
    as_json: JsonOption = False,
) -> None:
    """Enrol many people; all rows are checked first, and nothing is stored if one is wrong."""
    if photos is not None and not photos.is_dir():
        refuse("there is no such folder of photos")

    async def check(store: Store) -> ImportPlan:
        found = await account_of(store, account)
        return await plan(store.identities, found.id, file, photos, replace=replace, most_bytes=PHOTO_BYTES)

    async def store_all(store: Store) -> int:
        return await carry_out(store.identities, (await account_of(store, account)).id, planned, replace=replace)

    planned = with_store(check)
    if look:
        shown = [(line.row, line.photo) for line in planned.lines if line.photo is not None]
        faults = look_at([photo for _, photo in shown])
        planned = planned.without({row: fault for (row, _), fault in zip(shown, faults, strict=True) if fault})
    stored = 0 if dry_run or planned.problems else with_store(store_all)
    if as_json:
        print_json(
            {
                "good": len(planned.lines),
                "replaced": planned.replaced,
                "stored": stored,
                "problems": [asdict(problem) for problem in planned.problems],
            }
        )
    else:
        for problem in planned.problems:
            print(printable(f"row {problem.row}, {problem.field}: {problem.reason}", keep=""))
        wrong = len({problem.row for problem in planned.problems})
        print(f"good rows: {len(planned.lines)}, bad rows: {wrong}, people enrolled: {stored}")
    if planned.problems:
        raise typer.Exit(1)


@app.command("list")
def list_(
    account: AccountOption = None,
    after: Annotated[int, typer.Option(help="List people after this id.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many people.")] = 1000,
    as_json: JsonOption = False,
) -> None:
    """List the people of an account; ID numbers and names are masked."""

    async def work(store: Store) -> list[ListedPerson]:
        return await store.identities.list((await account_of(store, account)).id, after, limit)

    people = with_store(work)
    if as_json:
        print_json([asdict(person) for person in people])
        return
    rows = [[str(p.id), p.id_card, p.name, "yes" if p.has_photo else "no", when(p.created_at)] for p in people]
    print_table(["Id", "ID number", "Name", "Photo", "Enrolled"], rows)


@app.command()
def remove(
    person: Annotated[int | None, typer.Argument(help="The person's id, as `list` shows it.")] = None,
    id_card: Annotated[str | None, typer.Option("--id-card", help=f"Or the ID number; {STDIN_HELP}.")] = None,
    account: AccountOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase a person: first the key to their data is destroyed, then the data is deleted."""
    number = id_number(id_card)

    async def work(store: Store) -> tuple[int, bool]:
        found = await account_of(store, account)
        if person is not None:
            await store.identities.remove_by_id(found.id, person)
            return person, await store.vault.erasures.is_clean()
        if number is None:
            raise RefusedError("name the person: by id, or with --id-card")
        return await store.identities.remove(found.id, number), await store.vault.erasures.is_clean()

    erased, is_whole = with_store(work)
    if as_json:
        print_json({"id": erased, "erased": is_whole})
    elif is_whole:
        print(f"person {erased} is erased")
    else:
        print(f"person {erased} opens no more, and is not wholly erased yet")
