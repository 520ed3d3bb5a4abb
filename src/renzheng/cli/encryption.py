"""`renzheng encryption`: the key pairs that clients seal fields to."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from renzheng.accounts.keys import Account
from renzheng.cli.local import AccountOption, JsonOption, account_of, print_json, print_table, when, with_store
from renzheng.gateway.encryption import KeyPairs
from renzheng.gateway.public_keys import PublicKeys
from renzheng.server.key_pairs import make_first_key_pairs, sharers
from renzheng.settings import load_settings
from renzheng.store.encryption_keys import FOR_EVER, Generation, Pair
from renzheng.store.open import Store

app = typer.Typer(
    no_args_is_help=True,
    help="Key pairs for sealed fields: clients encrypt names, ID numbers and photos with the public keys.",
)

HELP = """
Python, renzheng.client: pass public_key=, any of the forms above; an RSA key seals by AES-256-CBC, an SM2 key by
SM4-GCM.

Node, faceid-api-crypto-nodejs: the first argument of init(), with the algorithm:
  init("{node_rsa}", Algorithm.AES256CBC)
  init("{node_sm2}", Algorithm.SM4GCM)

Java, faceid-api-crypto-java, and Go, faceid-api-crypto-golang, have the vendor's keys compiled in. Built with these
two constants they seal for this server: RAS_KEY and SM2_KEY of CryptoProvider.java, rsaKey and sm2Key of
faceid/crypto.go. They hold the two texts that Node's init() takes.
"""


@dataclass(frozen=True, slots=True)
class EncryptionView:
    """`generations`: what opens the account's sealed fields. `pairs`: all that it has or had, newest first.

    `shared_until`: when the account's use of the shared pairs ends; None: it uses none. `sharers`: names of the
    accounts that share pairs.
    """

    account: Account
    generations: tuple[Generation, ...]
    pairs: list[Pair]
    shared_until: float | None
    sharers: list[str]

    def plain(self) -> dict[str, Any]:
        public = _public(self.generations)
        until = None if self.shared_until == FOR_EVER else self.shared_until
        return {
            "account": self.account.name,
            "generations": [plain_pair(pair) for pair in self.pairs if pair.retired_at is None],
            "shared": self.shared_until is not None,
            "shared_until": until,
            "sharers": self.sharers,
            "rsa_pem": public.rsa_pem,
            "rsa_spki_pem": public.rsa_spki_pem,
            "sm2_pem": public.sm2_pem,
            "sm2_hex": public.sm2_hex,
            "helpers": public.node,
        }

    def print(self, as_json: bool) -> None:
        if as_json:
            print_json(self.plain())
            return
        public = _public(self.generations)
        older = len(self.generations) - 1
        print(f"For account {self.account.name}.\n")
        print(f"RSA, {public.rsa.key_size} bits, for AES-256-CBC:\n\n{public.rsa_pem}")
        print(f"SM2, for SM4-GCM:\n\n{public.sm2_pem}\nas a point: {public.sm2_hex}")
        print(HELP.format(node_rsa=public.node["AES-256-CBC"], node_sm2=public.node["SM4-GCM"]))
        if older:
            print(f"{older} older {'pair' if older == 1 else 'pairs'} of keys still open what was sealed to them.")
        if self.sharers:
            print(shared_warning(self.sharers))


def shared_warning(names: list[str]) -> str:
    verb = "opens" if len(names) == 1 else "open"
    return (
        f"Warning: {', '.join(names)} still {verb} sealed fields by key pairs that were made for all accounts "
        "together: whoever gets hold of another account's sealed fields can open them. "
        "Move each with: renzheng account own-keys --account NAME"
    )


def plain_pair(pair: Pair) -> dict[str, Any]:
    return {
        "id": pair.id,
        "created_at": pair.created_at,
        "shared": pair.account_id is None,
        "retired_at": pair.retired_at,
    }


def _public(generations: tuple[Generation, ...]) -> PublicKeys:
    return KeyPairs.from_pem(generations[0].pem).public


async def view_of(store: Store, account: Account) -> EncryptionView:
    keys = store.encryption_keys
    return EncryptionView(
        account,
        await keys.usable(account.id),
        await keys.listed(account.id),
        (await keys.sharing()).get(account.id),
        await sharers(store),
    )


async def make_first(store: Store, account_id: int) -> None:
    """Make an account's key pairs if it has none."""
    bits = load_settings().encryption_rsa_bits
    await make_first_key_pairs(store.encryption_keys, account_id, bits, time.time, os.urandom)


@app.command()
def show(account: AccountOption = None, as_json: JsonOption = False) -> None:
    """Print an account's public keys and what each client does with them."""

    async def work(store: Store) -> EncryptionView:
        found = await account_of(store, account)
        await make_first(store, found.id)
        return await view_of(store, found)

    with_store(work).print(as_json)


@app.command()
def rotate(
    account: AccountOption = None,
    rsa_bits: Annotated[
        int | None, typer.Option(min=1024, max=8192, help="Size of the RSA key; left out: the setting.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make new key pairs for an account. The older ones still open fields until they are retired."""

    async def work(store: Store) -> EncryptionView:
        found = await account_of(store, account)
        bits = rsa_bits or load_settings().encryption_rsa_bits
        await store.encryption_keys.add(found.id, KeyPairs.generate(bits).to_pem(), time.time())
        return await view_of(store, found)

    with_store(work).print(as_json)


@app.command("list")
def list_(account: AccountOption = None, as_json: JsonOption = False) -> None:
    """List an account's key pairs: when each was made, whether it still opens, and since when not."""

    async def work(store: Store) -> list[Pair]:
        return await store.encryption_keys.listed((await account_of(store, account)).id)

    _print_pairs(with_store(work), as_json)


@app.command()
def retire(
    number: Annotated[int, typer.Argument(help="The number of the key pairs, as renzheng encryption list shows it.")],
    account: AccountOption = None,
    as_json: JsonOption = False,
) -> None:
    """Destroy older key pairs: fields sealed to them can never be opened again. A running server follows at once."""

    async def work(store: Store) -> list[Pair]:
        found = await account_of(store, account)
        await store.encryption_keys.retire(found.id, number)
        return await store.encryption_keys.listed(found.id)

    _print_pairs(with_store(work), as_json)


def _print_pairs(pairs: list[Pair], as_json: bool) -> None:
    if as_json:
        print_json([plain_pair(pair) for pair in pairs])
        return
    rows = [
        [
            *(str(pair.id), when(pair.created_at), "shared" if pair.account_id is None else "its own"),
            "opens" if pair.retired_at is None else f"retired {when(pair.retired_at)}",
        ]
        for pair in pairs
    ]
    print_table(["Number", "Made", "Whose", "State"], rows)
