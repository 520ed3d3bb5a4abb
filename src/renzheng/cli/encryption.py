"""`renzheng encryption`: the key pairs that clients seal fields to."""

from __future__ import annotations

import os
import time
from typing import Annotated, Any

import typer

from renzheng.adapters import make_first_key_pairs
from renzheng.cli.local import JsonOption, print_json, with_store
from renzheng.gateway.encryption import KeyPairs
from renzheng.gateway.public_keys import PublicKeys
from renzheng.settings import load_settings
from renzheng.store.encryption_keys import Generation
from renzheng.store.open import Store

app = typer.Typer(no_args_is_help=True, help="Key pairs: what clients seal names, ID numbers and photos to.")

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


def _plain(generations: tuple[Generation, ...]) -> dict[str, Any]:
    public = _public(generations)
    return {
        "generations": [{"id": made.id, "created_at": made.created_at} for made in generations],
        "rsa_pem": public.rsa_pem,
        "rsa_spki_pem": public.rsa_spki_pem,
        "sm2_pem": public.sm2_pem,
        "sm2_hex": public.sm2_hex,
        "helpers": public.node,
    }


def _public(generations: tuple[Generation, ...]) -> PublicKeys:
    return KeyPairs.from_pem(generations[0].pem).public


def _print(generations: tuple[Generation, ...], as_json: bool) -> None:
    if as_json:
        print_json(_plain(generations))
        return
    public = _public(generations)
    older = len(generations) - 1
    print(f"RSA, {public.rsa.key_size} bits, for AES-256-CBC:\n\n{public.rsa_pem}")
    print(f"SM2, for SM4-GCM:\n\n{public.sm2_pem}\nas a point: {public.sm2_hex}")
    print(HELP.format(node_rsa=public.node["AES-256-CBC"], node_sm2=public.node["SM4-GCM"]))
    if older:
        print(f"{older} older {'pair' if older == 1 else 'pairs'} of keys still open what was sealed to them.")


@app.command()
def show(as_json: JsonOption = False) -> None:
    """Print the public keys and what each client does with them."""

    async def work(store: Store) -> tuple[Generation, ...]:
        bits = load_settings().encryption_rsa_bits
        await make_first_key_pairs(store.encryption_keys, bits, time.time, os.urandom)
        return await store.encryption_keys.all()

    _print(with_store(work), as_json)


@app.command()
def rotate(
    rsa_bits: Annotated[
        int | None, typer.Option(min=1024, max=8192, help="Size of the RSA key; none: as the setting says.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make new key pairs. Clients get the new public keys; the old private keys stay for what is sealed to them."""

    async def work(store: Store) -> tuple[Generation, ...]:
        bits = rsa_bits or load_settings().encryption_rsa_bits
        await store.encryption_keys.add(KeyPairs.generate(bits).to_pem(), time.time())
        return await store.encryption_keys.all()

    _print(with_store(work), as_json)
