"""What the commands about enrolled people do with `--endpoint`: one person, lists, and imports part by part."""

from __future__ import annotations

import base64
import contextlib
import time
from pathlib import Path
from typing import Any

import typer

from renzheng.cli.local import id_number, printable, refuse
from renzheng.cli.remote import Api, CommandResult, Given
from renzheng.store.accounts import RefusedError
from renzheng.store.enrolment import FolderOfPhotos, read_lines

POLL_SECONDS = 0.5
PART_BYTES = 6 * 1024 * 1024
"""Bytes of a part of an import: in Base64, the 8 MiB that the service accepts."""


def _photo(path: Path | None) -> str | None:
    try:
        return None if path is None else base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        refuse(f"photo: the file cannot be read: {error.strerror}")


def put(api: Api, given: Given) -> Any:
    person = {"id_card": id_number(given["id_card"]), "name": given["name"], "image_base64": _photo(given["photo"])}
    how = {"replace": given["replace"], "look": given["look"]}
    number = api.call("PutIdentity", api.account(given["account"]) | person | how)["identity_id"]
    return {"id": number} if given["as_json"] else f"enrolled as person {number}"


def identities(api: Api, given: Given) -> Any:
    own = api.account(given["account"])
    after = {"cursor": str(given["after"])} if given["after"] > 0 else {}
    reply = api.call("DescribeIdentities", own | after, limit=min(100, given["limit"]))
    found = reply["identities"]
    while reply["next_cursor"] and len(found) < given["limit"]:
        most = min(100, given["limit"] - len(found))
        reply = api.call("DescribeIdentities", own, limit=most, cursor=reply["next_cursor"])
        found += reply["identities"]
    return found


def delete(api: Api, given: Given) -> Any:
    number = id_number(given["id_card"])
    if given["person"] is None and number is None:
        refuse("name the person: by id, or with --id-card")
    who = {"identity_id": given["person"]} if given["person"] is not None else {"id_card": number}
    gone = api.call("DeleteIdentity", api.account(given["account"]) | who)["identity_id"]
    return {"id": gone, "erased": True} if given["as_json"] else f"person {gone} is erased"


def import_(api: Api, given: Given) -> Any:
    own = api.account(given["account"])
    one = own | {"import_id": api.call("CreateImport", own, replace=given["replace"])["import_"]["import_id"]}
    try:
        return _carry_out(api, given, one)
    except BaseException:
        # Refused if the import has begun to enrol; it then continues.
        with contextlib.suppress(typer.Exit):
            api.call("CancelImport", one)
        raise


def _carry_out(api: Api, given: Given, one: dict[str, Any]) -> Any:
    _put_parts(api, given, one)
    checked = api.call("CheckImport", one, look=given["look"])
    done = 0
    if given["dry_run"] or checked["total_count"]:
        api.call("CancelImport", one)
    else:
        found = api.call("CommitImport", one, look=given["look"])["import_"]
        while found["state"] == "committing":
            time.sleep(POLL_SECONDS)
            found = api.call("DescribeImport", one)["import_"]
        if found["state"] != "done":
            refuse(f"import {found['import_id']} is {found['state']}: {found['trouble']}")
        done = found["done"]
    faults = checked["faults"]
    if given["as_json"]:
        told: Any = {"good": checked["good"], "replaced": checked["replaced"], "stored": done, "problems": faults}
    else:
        lines = [printable(f"row {one['row']}, {one['field']}: {one['reason']}", keep="") for one in faults]
        lines += ["..."] if checked["total_count"] > len(faults) else []
        wrong = len({fault["row"] for fault in faults})
        told = "\n".join([*lines, f"good rows: {checked['good']}, bad rows: {wrong}, people enrolled: {done}"])
    return CommandResult(told, int(bool(checked["total_count"])))


def _put_parts(api: Api, given: Given, one: dict[str, Any]) -> None:
    """Send the table, and the photos in the folder that it names."""
    try:
        table = given["file"].read_bytes()
    except OSError as error:
        refuse(f"the CSV file cannot be read: {error.strerror}")
    photos = _named_photos(table, given["photos"])
    number = 0
    for begin in range(0, max(1, len(table)), PART_BYTES):
        number += 1
        data = base64.b64encode(table[begin : begin + PART_BYTES]).decode()
        api.call("PutImportPart", one, part_number=number, kind="table", data=data)
    for name, path in photos.items():
        number += 1
        api.call("PutImportPart", one, part_number=number, kind="photo", name=name, data=_photo(path))


def _named_photos(table: bytes, folder: Path | None) -> dict[str, Path]:
    """Return the photos that can be sent, by their names in the table; none without a folder."""
    if folder is None:
        return {}
    if not folder.is_dir():
        refuse("there is no such folder of photos")
    noting = _NotingFolder(FolderOfPhotos(folder, PART_BYTES))
    try:
        list(read_lines(table, noting))
    except RefusedError as error:
        refuse(str(error))
    return noting.named


class _NotingFolder:
    """A folder of photos that records which ones a table names."""

    def __init__(self, folder: FolderOfPhotos) -> None:
        self._folder = folder
        self.named: dict[str, Path] = {}

    def find(self, name: str) -> Path | None:
        found = self._folder.find(name)
        if found is not None and self._folder.fault(found) is None:
            self.named[name] = found
        return found

    def fault(self, photo: Path) -> str | None:
        return None
