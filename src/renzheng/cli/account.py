"""`renzheng account`: who calls the signed API."""

from __future__ import annotations

import os
import shlex
import time
from dataclasses import replace
from typing import Annotated, Any

import msgspec
import typer

from renzheng.accounts.billing import BillingStatus
from renzheng.accounts.keys import Account, AccountProfile
from renzheng.cli import encryption, money
from renzheng.cli.local import AccountOption, JsonOption, account_of, print_json, print_table, refuse, when, with_store
from renzheng.operations import accounts
from renzheng.server.key_pairs import move_to_own_key_pairs
from renzheng.settings import load_settings
from renzheng.store.evidence_use import LIMIT
from renzheng.store.open import Store
from renzheng.verification.session import DAY_SECONDS

app = typer.Typer(no_args_is_help=True, help="Accounts: who calls the signed API.")
money.add_to(app)


LANGUAGES = {"zh-CN": "name_zh", "en-US": "name_en"}
DisplayNameOption = Annotated[
    list[str] | None,
    typer.Option(
        help="The name that people see: zh-CN=青禾银行 and en-US=Qinghe Bank, or one name for both languages.",
        metavar="[LANGUAGE=]NAME",
    ),
]


def _plain(account: Account) -> dict[str, Any]:
    return msgspec.structs.asdict(accounts.line_of(account))


def with_names(face: AccountProfile, given: list[str]) -> AccountProfile:
    """Set names: `en-US=Qinghe Bank` sets one language's name, `Qinghe Bank` both."""
    for text in given:
        language, mark, name = text.partition("=")
        if mark and language in LANGUAGES:
            face = replace(face, **{LANGUAGES[language]: name})
        else:
            face = replace(face, name_zh=text, name_en=text)
    return face


def _print_one(account: Account, as_json: bool) -> None:
    if as_json:
        print_json(_plain(account))
    else:
        rows = [
            [
                str(account.id),
                account.name,
                *account.shown_names().values(),
                account.face.privacy_url,
                account.face.contact,
            ]
        ]
        print_table(["Id", "Name", "In Chinese", "In English", "Privacy link", "Contact"], rows)


def _show(accounts: list[Account]) -> None:
    rows = [[str(a.id), a.name, when(a.created_at), "\n".join(a.origins)] for a in accounts]
    print_table(["Id", "Name", "Created", "Origins"], rows)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="A name of its own; 1 to 64 letters, digits, blanks, dots, hyphens.")],
    origin: Annotated[list[str] | None, typer.Option(help="A web origin whose pages may run captures.")] = None,
    prepaid: Annotated[
        int | None, typer.Option(min=0, help="How many verifications it may make; left out: no limit.", metavar="N")
    ] = None,
    display_name: DisplayNameOption = None,
    inactive: Annotated[bool, typer.Option("--inactive", help="Do not serve it until it is activated.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make an account. It has no key yet: renzheng key create makes one."""

    async def work(store: Store) -> tuple[Account, BillingStatus]:
        return await accounts.create(
            store,
            name,
            time.time(),
            encryption.make_first,
            origins=tuple(origin or ()),
            face=with_names(AccountProfile(), display_name) if display_name else None,
            active=not inactive,
            prepaid=prepaid,
        )

    account, standing = with_store(work)
    if as_json:
        print_json(_plain(account))
    else:
        _show([account])
        print(f"{money.standing_text(standing)}; renzheng key create --account {shlex.quote(name)} makes its first key")


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List all accounts."""
    found = with_store(lambda store: store.accounts.all())
    if as_json:
        print_json([_plain(account) for account in found])
    else:
        _show(found)


@app.command()
def show(account: AccountOption = None, as_json: JsonOption = False) -> None:
    """Show one account: its origins, its keys and its balance."""

    async def work(store: Store) -> dict[str, Any]:
        found = await account_of(store, account)
        view = msgspec.structs.asdict(await accounts.describe(store, found))
        keys = await store.accounts.list_keys(found.id)
        listed = [{"secret_id": key.secret_id, "enabled": key.enabled} for key in keys]
        rest = {name: view[name] for name in ("billed", "active", "balance", "limits", "evidence_bytes")}
        return {**_plain(found), "keys": listed, **rest}

    shown = with_store(work)
    if as_json:
        print_json(shown)
        return
    rows = [[name.capitalize().replace("_", " "), str(shown[name])] for name in ("id", "name", "billed")]
    standing = BillingStatus(shown["active"], shown["balance"])
    rows.append(["Standing", money.standing_text(standing)])
    limits = [f"{name}: {most}{'' if name == LIMIT else ' a second'}" for name, most in shown["limits"].items()]
    rows.append(["Evidence", f"{shown['evidence_bytes']} bytes"])
    rows.append(["Limits", "\n".join(limits) or "the server's own"])
    rows.append(["Created", when(shown["created_at"])])
    rows += [
        [f"Shown as ({language})", text or "nobody in particular"] for language, text in shown["display_names"].items()
    ]
    rows += [["Privacy link", shown["privacy_url"] or "none"], ["Contact", shown["contact"] or "none"]]
    rows.append(["Origins", "\n".join(shown["origins"]) or "none"])
    keys = [f"{key['secret_id']}{'' if key['enabled'] else ' (disabled)'}" for key in shown["keys"]]
    rows.append(["Keys", "\n".join(keys) or "none"])
    print_table(["", "Account"], rows)


@app.command()
def origins(
    origin: Annotated[
        list[str] | None,
        typer.Argument(help="The whole new list, such as https://shop.example; left out: show the list."),
    ] = None,
    account: AccountOption = None,
    clear: Annotated[bool, typer.Option("--clear", help="Empty the list.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show or set the web origins whose pages may run this account's captures, besides the server's own."""

    async def work(store: Store) -> Account:
        found = await account_of(store, account)
        if origin or clear:
            return await store.accounts.set_origins(found.id, tuple(origin or ()))
        return found

    found = with_store(work)
    if as_json:
        print_json(_plain(found))
    else:
        _show([found])


@app.command()
def rename(
    name: Annotated[str | None, typer.Argument(help="The new name for commands and logs; left out: no change.")] = None,
    account: AccountOption = None,
    display_name: DisplayNameOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give an account another name: to commands and logs, to the people whom it asks for a verification, or to both."""
    if name is None and display_name is None:
        refuse("give a new name, or --display-name for the people who see it", 2)

    async def work(store: Store) -> Account:
        found = await account_of(store, account)
        if name is not None and name != found.name:
            found = await store.accounts.rename(found.id, name)
        if display_name is not None:
            found = await store.accounts.set_face(found.id, with_names(found.face, display_name))
        return found

    _print_one(with_store(work), as_json)


@app.command("set")
def set_(
    account: AccountOption = None,
    display_name: DisplayNameOption = None,
    privacy_url: Annotated[str | None, typer.Option(help="URL of your privacy notice; empty: none.")] = None,
    contact: Annotated[
        str | None, typer.Option(help="How a person can reach you, such as a phone number; empty: none.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Set what people see of an account before they agree. A running server uses it within a second."""

    async def work(store: Store) -> Account:
        found = await account_of(store, account)
        face = with_names(found.face, display_name or [])
        given = {"privacy_url": privacy_url, "contact": contact}
        face = replace(face, **{name: text for name, text in given.items() if text is not None})
        return await store.accounts.set_face(found.id, face)

    _print_one(with_store(work), as_json)


@app.command("own-keys")
def own_keys(
    account: AccountOption = None,
    overlap_days: Annotated[
        float, typer.Option(min=0, max=366, help="Days in which data sealed to the shared keys can still be opened.")
    ] = 7,
    as_json: JsonOption = False,
) -> None:
    """Move an account from the key pairs that all accounts shared to pairs of its own, and print the public keys."""

    async def work(store: Store) -> encryption.EncryptionView:
        found = await account_of(store, account)
        now, bits = time.time(), load_settings().encryption_rsa_bits
        until = now + overlap_days * DAY_SECONDS
        await move_to_own_key_pairs(store.encryption_keys, found.id, until, bits, os.urandom, now)
        return await encryption.view_of(store, found)

    shown = with_store(work)
    shown.print(as_json)
    if not as_json and shown.shared_until is not None:
        print(
            f"What is sealed to the shared keys opens until {when(shown.shared_until)}: hand out the new ones by then."
        )
