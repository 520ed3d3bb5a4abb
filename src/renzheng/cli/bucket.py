"""`renzheng bucket`: the account's own bucket, to which tokens with UseCos deliver their evidence."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any

import msgspec
import typer

from renzheng.accounts.buckets import Bucket, BucketKey, BucketRefusedError
from renzheng.accounts.deliveries import Delivery
from renzheng.cli.local import AccountOption, JsonOption, account_of, print_json, print_table, refuse, when, with_store
from renzheng.delivery.client import BucketError, Clients
from renzheng.delivery.hosts import AllowedHosts
from renzheng.operations import buckets
from renzheng.settings import SettingsError, load_settings
from renzheng.store.customer_buckets import Authorised
from renzheng.store.open import Store

app = typer.Typer(no_args_is_help=True, help="The customer's own bucket, for tokens with UseCos.")


@app.command()
def authorise(
    name: Annotated[str, typer.Argument(help="Name of the bucket; for COS with its APPID, such as faces-1250000000.")],
    region: Annotated[str, typer.Option(help="Such as ap-guangzhou.")],
    key_id: Annotated[
        str, typer.Option("--key-id", help="SecretId or access key id with the rights to put, get and delete.")
    ],
    account: AccountOption = None,
    endpoint: Annotated[
        str | None,
        typer.Option(help="URL of an S3 store other than Tencent COS: https://host or http://host:port."),
    ] = None,
    prefix: Annotated[str, typer.Option(help="Beginning of every object key, such as faceid/prod.")] = "",
    style: Annotated[
        str, typer.Option(help="With --endpoint: path (host/bucket/key) or virtual (bucket.host/key).")
    ] = "path",
    public_base: Annotated[
        str, typer.Option("--public-base", help="Beginning of the returned URLs, such as your own domain.")
    ] = "",
    link_hours: Annotated[
        float,
        typer.Option(
            "--link-hours",
            help="Return presigned URLs that anybody can use for this many hours; 0: unsigned URLs.",
        ),
    ] = 0.0,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Write, read and delete a probe object first.")
    ] = True,
) -> None:
    """Authorise a bucket. The command asks for the key's secret without echo, or reads it from standard input."""
    try:
        if endpoint is not None and style not in ("path", "virtual"):
            refuse("--style is path or virtual", 2)
        bucket = buckets.bucket_of(
            name,
            region,
            endpoint=endpoint,
            prefix=prefix,
            virtual=style == "virtual",
            public_base=public_base,
            link_hours=link_hours,
        )
    except BucketRefusedError as error:
        refuse(str(error), 2)
    key = BucketKey(key_id, secret_of_key())
    shown = _probe(bucket, key) if check else buckets.example_address(bucket)

    async def work(store: Store) -> str:
        found = await account_of(store, account)
        await store.buckets.authorise(found.id, bucket, key, time.time())
        return found.name

    print(f"authorised for the account {with_store(work)}")
    print(f"merchants get addresses such as {shown}")


def secret_of_key() -> str:
    """Read the secret from standard input, without echo at a terminal."""
    if sys.stdin.isatty():
        return str(typer.prompt("Secret of the key", hide_input=True, err=True)).strip()
    return sys.stdin.readline().strip() or refuse("standard input has no secret for the key", 2)


def _probe(bucket: Bucket, key: BucketKey) -> str:
    """Test the bucket and return the form of an address. Ends the command if the bucket cannot be used."""
    try:
        settings = load_settings()
    except SettingsError as error:
        refuse(str(error))
    clients = Clients(AllowedHosts(settings.bucket_hosts), settings.bucket_proxy)
    try:
        return clients.of(bucket, key).probe()
    except BucketError as error:
        refuse(f"{error}. Nothing was changed.")
    finally:
        clients.close()


def _plain(found: Authorised) -> dict[str, Any]:
    plain = msgspec.structs.asdict(buckets.view_of(found))
    return plain | {"authorised": when(plain.pop("authorised_at"))}


async def _find_authorised(store: Store, account: str | None) -> Authorised:
    return await buckets.authorised(store, (await account_of(store, account)).id)


@app.command()
def show(account: AccountOption = None, as_json: JsonOption = False) -> None:
    """Show the bucket that an account has authorised; its key is never shown."""

    async def work(store: Store) -> dict[str, Any]:
        return _plain(await _find_authorised(store, account))

    shown = with_store(work)
    if as_json:
        print_json(shown)
    else:
        print_table(["", ""], [[name, str(value)] for name, value in shown.items()])


@app.command()
def check(account: AccountOption = None) -> None:
    """Write, read and delete a probe object in the bucket that an account has authorised."""

    async def work(store: Store) -> Authorised:
        return await _find_authorised(store, account)

    found = with_store(work)
    _probe(found.bucket, found.key)
    print("written, read and deleted")


@app.command()
def revoke(account: AccountOption = None) -> None:
    """Remove the bucket and its key. Waiting deliveries wait for another bucket until the evidence is deleted."""

    async def work(store: Store) -> bool:
        return await store.buckets.revoke((await account_of(store, account)).id)

    if not with_store(work):
        refuse("the account has authorised no bucket")
    print("revoked")


@app.command()
def deliveries(
    account: Annotated[str | None, typer.Option("--account", help="Only for this account, by name or number.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List what waits to be delivered or deleted, and the result of the last try."""

    async def work(store: Store) -> list[Delivery]:
        account_id = (await account_of(store, account)).id if account else None
        return await store.deliveries.unfinished(account_id)

    rows = [
        {
            "session": str(one.session_id),
            "account": str(one.account_id),
            "state": one.state.value,
            "tries": str(one.tries),
            "next": when(one.due_at),
            "trouble": one.trouble or "-",
        }
        for one in with_store(work)
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(
            ["Session", "Account", "State", "Tries", "Next try", "Trouble"], [list(row.values()) for row in rows]
        )
