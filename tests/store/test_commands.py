"""The commands for accounts, keys and identities, on a real store."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pty
import shutil
import sqlite3
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from renzheng.cli import build, local
from renzheng.cli import vault as cli_vault
from renzheng.cli.account import app as account
from renzheng.cli.audit import app as audit
from renzheng.cli.encryption import app as encryption
from renzheng.cli.identity import app as identity
from renzheng.cli.key import app as key
from renzheng.cli.vault import app as vault
from renzheng.store import erasures
from tests.support.server import PATIENCE

from .commands import folders as folders
from .commands import run
from .conftest import ID_CARD, NAME, PHOTO

pytestmark = pytest.mark.sqlite


def test_an_account_and_its_keys_from_creation_to_disabling() -> None:
    made = json.loads(run(account, "create", "shop", "--origin", "https://shop.example", "--json"))
    assert (made["name"], made["origins"]) == ("shop", ["https://shop.example"])
    first = json.loads(run(key, "create", "--json"))  # the only account need not be named
    assert local.first_key() == (first["secret_id"], first["secret_key"])
    assert first["secret_key"] in run(key, "show")
    listed = json.loads(run(key, "list", "--account", "shop", "--json"))
    assert [entry["secret_id"] for entry in listed] == [first["secret_id"]]
    assert all("secret_key" not in entry for entry in listed)
    assert "disabled" in run(key, "disable", first["secret_id"])
    assert "no enabled key" in run(key, "show", code=1)
    assert json.loads(run(key, "enable", first["secret_id"], "--json"))["enabled"] is True
    assert json.loads(run(account, "show", "--json"))["keys"] == [{"secret_id": first["secret_id"], "enabled": True}]
    assert json.loads(run(account, "origins", "http://localhost:3000", "--json"))["origins"] == [
        "http://localhost:3000"
    ]
    assert json.loads(run(account, "origins", "--clear", "--json"))["origins"] == []


def test_an_account_is_renamed_and_what_people_read_of_it_is_set() -> None:
    run(account, "create", "shop", "--display-name", "青禾银行")
    run(account, "rename", "bank", "--display-name", "en-US=Qinghe Bank")
    shown = json.loads(run(account, "set", "--privacy-url", "https://bank.example/p", "--contact", "95500", "--json"))
    assert shown["name"] == "bank"
    assert shown["display_names"] == {"zh-CN": "青禾银行", "en-US": "Qinghe Bank"}
    assert (shown["privacy_url"], shown["contact"]) == ("https://bank.example/p", "95500")
    assert "Qinghe Bank" in run(account, "show")
    assert "privacy link" in run(account, "set", "--privacy-url", "javascript:alert(1)", code=1)
    assert "--display-name" in run(account, "rename", code=2)


def test_which_account_has_to_be_said_where_there_are_several() -> None:
    assert "none yet" in run(key, "create", code=1)
    run(account, "create", "shop")
    run(account, "create", "bank")
    assert "shop, bank" in run(key, "create", code=1)
    made = json.loads(run(key, "create", "--account", "2", "--json"))
    assert made["account_id"] == 2
    assert "no account nobody" in run(key, "list", "--account", "nobody", code=1)
    assert "no key" in run(key, "disable", made["secret_id"], "--account", "shop", code=1)


def test_people_are_added_listed_masked_imported_and_removed(tmp_path: Path) -> None:
    run(account, "create", "shop")
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(PHOTO)
    added = ("--id-card", ID_CARD, "--name", NAME, "--photo", str(photo), "--no-look", "--json")
    person = json.loads(run(identity, "add", *added))["id"]
    output = run(identity, "list", "--json")
    assert [entry["id"] for entry in json.loads(output)] == [person]
    assert ID_CARD not in output
    assert NAME not in output
    people = tmp_path / "people.csv"
    people.write_text(f"id_card,name,photo\n11010119900307003,{NAME},\n110101199003070062,{NAME},photo.jpg\n")
    arguments = ("import", str(people), "--photos", str(tmp_path), "--no-look")
    said = run(identity, *arguments, "--dry-run", code=1)
    assert "row 2, id_card: it has to be 17 digits and a digit or X" in said
    assert "good rows: 1, bad rows: 1, people enrolled: 0" in said
    assert len(json.loads(run(identity, "list", "--json"))) == 1
    people.write_text(f"id_card,name,photo\n110101199003070062,{NAME},photo.jpg\n")
    assert json.loads(run(identity, *arguments, "--dry-run", "--json"))["stored"] == 0
    assert json.loads(run(identity, *arguments, "--json"))["stored"] == 1
    run(identity, "remove", str(person))
    run(identity, "remove", "--id-card", "110101199003070062")
    assert json.loads(run(identity, "list", "--json")) == []
    assert "nobody" in run(identity, "remove", "--id-card", ID_CARD, code=1)


def test_an_id_number_need_not_stand_among_the_arguments_that_every_user_of_the_machine_can_read() -> None:
    run(account, "create", "shop")
    given = CliRunner().invoke(identity, ["add", "--id-card", "-", "--name", NAME, "--json"], input=f"{ID_CARD}\n")
    assert given.exit_code == 0, given.output
    assert "nobody" in run(identity, "remove", "--id-card", "110101199003070062", code=1)
    assert "has no ID number" in run(identity, "remove", "--id-card", "-", code=2)
    removed = CliRunner().invoke(identity, ["remove", "--id-card", "-", "--json"], input=f"{ID_CARD}\n")
    assert json.loads(removed.output) == {"id": json.loads(given.output)["id"], "erased": True}
    for app in (identity, build()):
        words = ["token", "--help"] if app is not identity else ["remove", "--help"]
        assert "standard input" in " ".join(run(app, *words).replace("│", " ").split())


def test_an_id_number_that_is_typed_at_a_terminal_is_not_shown(tmp_path: Path) -> None:
    run(account, "create", "shop")
    run(identity, "add", "--id-card", ID_CARD, "--name", NAME)
    terminal, its_end = pty.openpty()
    try:
        command = [sys.executable, "-m", "renzheng", "identity", "remove", "--id-card", "-", "--json"]
        child = subprocess.Popen(
            command, stdin=its_end, stdout=subprocess.PIPE, stderr=its_end, start_new_session=True, cwd=tmp_path
        )
        seen = b""
        while b"ID number" not in seen:
            seen += os.read(terminal, 1000)
        while termios.tcgetattr(terminal)[3] & termios.ECHO:  # what is typed before is thrown away
            time.sleep(0.01)
        os.write(terminal, ID_CARD.encode() + b"\n")
        output, _ = child.communicate(timeout=PATIENCE)
        assert json.loads(output)["erased"] is True
        os.set_blocking(terminal, False)
        with contextlib.suppress(BlockingIOError):
            seen += os.read(terminal, 1000)
        assert ID_CARD.encode() not in seen
    finally:
        os.close(terminal)
        os.close(its_end)


def test_a_photo_that_is_none_and_keys_that_others_can_read_end_a_command_with_a_sentence(tmp_path: Path) -> None:
    run(account, "create", "shop")
    (tmp_path / "text.jpg").write_text("text")
    added = ("--id-card", ID_CARD, "--name", NAME, "--photo", str(tmp_path / "text.jpg"))
    assert "not a JPEG or PNG" in run(identity, "add", *added, code=1)
    (tmp_path / "keys" / "master-1.key").chmod(0o644)
    assert "group or others can reach the keys" in run(account, "list", code=1)


def test_a_temporary_key_is_never_the_one_that_is_meant_without_a_name() -> None:
    run(account, "create", "shop")
    made = json.loads(run(key, "temporary", "--seconds", "60", "--address", "10.1.2.3/8", "--json"))
    assert made["addresses"] == ["10.0.0.0/8"]
    assert len(made["token"]) == 64
    assert "no enabled key" in run(key, "show", code=1)
    lasting = json.loads(run(key, "create", "--json"))
    assert json.loads(run(key, "show", "--json"))["secret_id"] == lasting["secret_id"]
    assert local.first_key()[0] == lasting["secret_id"]
    listed = run(key, "list")
    assert made["secret_id"] in listed
    assert lasting["secret_id"] in listed
    assert made["token"] not in listed


def test_a_rotated_vault_opens_what_was_sealed_before_and_says_so_in_the_audit_log(tmp_path: Path) -> None:
    run(account, "create", "shop")
    made = json.loads(run(key, "create", "--json"))
    rotated = json.loads(run(vault, "rotate", "--json"))
    assert rotated["generation"] == 2
    assert rotated["wrapped"] >= 2
    assert [path.name for path in (tmp_path / "keys").glob("master-*")] == ["master-2.key"]
    assert json.loads(run(key, "show", "--json"))["secret_key"] == made["secret_key"]
    assert "master-3.key" in run(vault, "rotate")
    events = json.loads(run(audit, "list", "--json"))
    verbs = [event["verb"] for event in events[-3:]]
    assert verbs == ["master key rotated", "key shown", "master key rotated"]
    assert events[-1]["subject"] == "master 3"


def test_keys_from_an_older_backup_erase_again_what_a_newer_list_says(tmp_path: Path) -> None:
    run(account, "create", "shop")
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(PHOTO)
    added = ("--id-card", ID_CARD, "--name", NAME, "--photo", str(photo), "--no-look", "--json")
    person = json.loads(run(identity, "add", *added))["id"]
    keys, backup, newer = tmp_path / "keys", tmp_path / "backup", tmp_path / "erasures.db"
    data = tmp_path / "data"
    shutil.copytree(keys, backup)
    shutil.copytree(data, tmp_path / "data-backup")
    run(identity, "remove", str(person))
    shutil.copy(keys / "erasures.db", newer)
    for folder, copy in ((keys, backup), (data, tmp_path / "data-backup")):
        shutil.rmtree(folder)
        shutil.copytree(copy, folder)
    assert len(json.loads(run(identity, "list", "--json"))) == 1
    assert json.loads(run(vault, "replay", str(newer), "--json")) == {"erased": 1}
    assert "no erasure was missing" in run(vault, "replay", str(newer))
    assert json.loads(run(identity, "list", "--json")) == []


def test_a_list_that_is_none_or_of_other_keys_erases_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(account, "create", "shop")
    text = tmp_path / "text.db"
    text.write_text("no database, but long enough to be taken for one" * 50)
    assert "cannot be read as a list" in run(vault, "replay", str(text), code=1)
    assert "no list of erasures at" in run(vault, "replay", str(tmp_path / "none.db"), code=1)
    own = tmp_path / "keys" / "erasures.db"
    monkeypatch.setenv("RENZHENG_DATA_DIR", str(tmp_path / "other-data"))
    monkeypatch.setenv("RENZHENG_KEYS_DIR", str(tmp_path / "other-keys"))
    run(account, "create", "bank")
    assert "other keys" in run(vault, "replay", str(own), code=1)
    assert "own list" in run(vault, "replay", str(tmp_path / "other-keys" / "erasures.db"), code=1)


def test_the_audit_log_lists_the_newest_or_those_after_an_id() -> None:
    run(account, "create", "shop")
    secret_id = json.loads(run(key, "create", "--json"))["secret_id"]
    run(key, "disable", secret_id)
    events = json.loads(run(audit, "list", "--json"))
    assert [event["verb"] for event in events] == ["account created", "key pairs made", "key created", "key disabled"]
    assert all(event["actor"].startswith("cli:") for event in events)
    newest = json.loads(run(audit, "list", "--limit", "1", "--json"))
    assert newest == events[-1:]
    assert json.loads(run(audit, "list", "--after", str(events[0]["id"]), "--json")) == events[1:]
    assert "key created" in run(audit, "list")


def test_key_pairs_for_sealed_fields_are_an_accounts_own_shown_listed_rotated_and_retired() -> None:
    run(account, "create", "shop")
    first = json.loads(run(encryption, "show", "--json"))  # made with the account
    run(account, "create", "bank")
    assert "shop, bank" in run(encryption, "show", code=1)
    shop = ("--account", "shop")
    assert json.loads(run(encryption, "show", *shop, "--json")) == first
    assert first["rsa_pem"] not in run(encryption, "show", "--account", "bank")
    rotated = json.loads(run(encryption, "rotate", *shop, "--rsa-bits", "1024", "--json"))
    newest, older = (made["id"] for made in rotated["generations"])
    assert "1 older pair of keys still open" in run(encryption, "show", *shop)
    assert "seal to" in run(encryption, "retire", str(newest), *shop, code=1)
    assert "no key pairs" in run(encryption, "retire", str(older), "--account", "bank", code=1)
    listed = json.loads(run(encryption, "retire", str(older), *shop, "--json"))
    assert [(pair["id"], pair["retired_at"] is None) for pair in listed] == [(newest, True), (older, False)]
    assert "retired 20" in run(encryption, "list", *shop)
    assert [made["id"] for made in json.loads(run(encryption, "show", *shop, "--json"))["generations"]] == [newest]


def test_accounts_that_share_key_pairs_are_warned_of_until_they_are_moved(tmp_path: Path) -> None:
    run(account, "create", "shop")
    records = sqlite3.connect(tmp_path / "data" / "renzheng.db", isolation_level=None)
    records.execute("UPDATE accounts SET shared_until = 9e999")
    run(vault, "adopt")
    assert "Warning" not in run(encryption, "show")  # there is nobody to share with yet
    run(account, "create", "bank")
    assert "Warning: shop still opens" in run(encryption, "show", "--account", "bank")
    said = run(account, "own-keys", "--account", "shop", "--overlap-days", "1")
    assert "opens until 20" in said
    until = json.loads(run(encryption, "show", "--account", "shop", "--json"))["shared_until"]
    assert 0 < until - time.time() <= 86_400
    run(account, "own-keys", "--account", "shop", "--overlap-days", "0")
    assert "Warning" not in run(encryption, "show", "--account", "shop")
    records.close()


def test_who_erases_while_another_process_reads_is_told_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasures, "PATIENCE", 0)
    run(account, "create", "shop")
    people = [
        json.loads(run(identity, "add", "--id-card", number, "--name", NAME, "--json"))["id"]
        for number in (ID_CARD, "11010119900307003X")
    ]
    assert json.loads(run(vault, "status", "--json"))["erased_keys_in_log"] is False
    reader = sqlite3.connect(tmp_path / "keys" / "keys.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM data_keys").fetchone()
    said = CliRunner().invoke(identity, ["remove", str(people[0])])
    assert said.exit_code == 0
    assert "not wholly erased yet" in said.stdout
    assert "still in keys.db-wal" in said.stderr
    monkeypatch.setattr(cli_vault, "PATIENCE", 0)
    assert "no: see the note" in run(vault, "status")
    reader.close()
    assert json.loads(run(vault, "status", "--json"))["erased_keys_in_log"] is False
    assert run(identity, "remove", str(people[1])) == f"person {people[1]} is erased\n"


def test_a_row_that_others_changed_is_named_and_left_out_until_an_operator_vouches_for_it(tmp_path: Path) -> None:
    run(account, "create", "shop")
    made = json.loads(run(key, "create", "--json"))["secret_id"]
    records = sqlite3.connect(tmp_path / "data" / "renzheng.db", isolation_level=None)
    records.execute("UPDATE keys SET unsigned_payload = 1")
    said = CliRunner().invoke(key, ["list", "--json"])
    assert json.loads(said.stdout) == []
    assert f"changed by other means than renzheng, and left out: keys {made}" in said.stderr
    assert "vault adopt" in run(key, "disable", made, "--account", "shop", code=1)
    assert json.loads(run(vault, "adopt", "--json"))["signed"] == 2
    assert [entry["unsigned_payload"] for entry in json.loads(run(key, "list", "--json"))] == [True]
    records.execute("DELETE FROM meta WHERE name = 'signed'")
    assert "not signed, though these keys have signed before" in run(key, "list", code=1)
    records.close()


def test_a_full_disk_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(account, "create", "shop")
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(PHOTO)
    monkeypatch.setenv("RENZHENG_MIN_FREE_BYTES", str(1 << 60))
    added = ("--id-card", ID_CARD, "--name", NAME, "--photo", str(photo), "--no-look")
    assert "are kept free" in run(identity, "add", *added, code=1)
    assert json.loads(run(identity, "list", "--json")) == []
    full = OSError(errno.ENOSPC, "No space left on device")
    assert local.unusable(full) == "the disk is full: make room and try again (builtins.OSError ENOSPC)"
