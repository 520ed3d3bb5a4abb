"""The whole server on PostgreSQL: records and keys in two databases, and nothing in the folders but the master key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from renzheng.settings import SettingsError, load_settings
from tests.support.images import base64_of, sample
from tests.support.postgres import cluster
from tests.support.server import Server, result, token

PASSWORD = "a-secret-of-the-address"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    records, keys = (cluster().create().replace("postgres@", f"postgres:{PASSWORD}@") for _ in range(2))
    made = Server(tmp_path_factory.mktemp("postgres"), database_url=records, keys_url=keys).start()
    yield made
    made.stop()


def test_tokens_rules_and_results_are_there_after_a_restart(server: Server) -> None:
    key = server.key()
    issued = token(server.sdk(key), CompareLib="LOCAL", ImageBase64=base64_of(sample()), Extra="kept")
    with pytest.raises(TencentCloudSDKException) as refused:
        result(server.sdk(key), "0F0F0F0F-0000-0000-0000-000000000000")
    assert refused.value.code == "InvalidParameterValue.BizTokenIllegal"
    server.kill()
    server.start()
    assert server.key() == key
    assert result(server.sdk(key), issued).Extra == "kept"


def test_commands_work_beside_the_server(server: Server) -> None:
    assert [account["name"] for account in server.json("account", "list")] == ["default"]
    made = server.json("account", "create", "second")
    assert {account["id"] for account in server.json("account", "list")} == {1, made["id"]}
    assert server.json("vault", "status")["data_keys"] > 0


def test_copying_is_left_to_postgresql(server: Server, tmp_path: Path) -> None:
    for half in ("records", "keys"):
        with pytest.raises(AssertionError, match="pg_dump"):
            server.command("backup", half, str(tmp_path / half))
        assert not (tmp_path / half).exists()


def test_no_record_and_no_wrapped_key_is_in_a_folder_and_no_password_in_the_log(server: Server) -> None:
    assert sorted(path.name for path in server.keys_dir.iterdir()) == ["master-1.key"]
    assert not list(server.data_dir.rglob("*.db"))
    assert PASSWORD not in server.log.read_text()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"database_url": "postgresql://a@b/c"}, "go together"),
        ({"keys_url": "postgresql://a@b/c"}, "go together"),
        ({"database_url": "mysql://a:hidden@b/c", "keys_url": "postgresql://a@b/c"}, "address of PostgreSQL"),
        ({"database_url": "postgresql://a@b/c", "keys_url": "postgresql://a@b/c"}, "must not bring the keys"),
    ],
)
def test_addresses_that_cannot_work_are_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as refused:
        load_settings(**given)
    assert "hidden" not in str(refused.value)


def test_a_database_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    address = f"postgresql://li:{PASSWORD}@127.0.0.1:9/records"
    server = Server(tmp_path, database_url=address, keys_url=address.replace("records", "keys"), start_seconds=0)
    said = server.command("account", "list", check=False)
    with pytest.raises(AssertionError, match=r"PostgreSQL at 127\.0\.0\.1:9/keys cannot be used") as refused:
        server.start()
    assert PASSWORD not in said + str(refused.value)
    assert "Traceback" not in str(refused.value)
