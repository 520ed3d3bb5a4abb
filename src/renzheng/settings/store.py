"""Where records, keys and evidence are, and how long they are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field, SecretStr, model_validator

from renzheng.base import defaults
from renzheng.settings.kinds import Folder, PostgresAddress, home


class StoreSection(BaseModel):
    """Read when the store is opened, and by the sweeper."""

    data_dir: Folder = Field(home("data"), description="Folder of records and evidence.")
    keys_dir: Folder = Field(
        home("keys"), description="Folder of the master key and the data keys; never inside the data folder."
    )
    master_key: SecretStr = Field(
        SecretStr(""),
        description="Secret that seals the master key's files, 64 hex digits; several, separated by commas: the first "
        "seals, the others still open. It leaves the process's environment when it has been read.",
    )
    master_key_file: Path | None = Field(
        None, description="File with the same secret, as systemd, Docker and Kubernetes hand one in."
    )
    master_key_kms: str = Field(
        "", description="Key of AWS KMS, or of what speaks its protocol, that seals the master key's files: id or ARN."
    )
    database_url: PostgresAddress = Field(
        SecretStr(""),
        description="PostgreSQL database of the records, such as postgresql://user@host/renzheng; empty keeps them in "
        "SQLite, in the data folder. Goes with RENZHENG_KEYS_URL.",
    )
    keys_url: PostgresAddress = Field(
        SecretStr(""),
        description="PostgreSQL database of the wrapped data keys: another one, with rights and backups of its own.",
    )
    database_readers: int = Field(
        4, ge=1, le=100, description="Connections that one process reads the records by; one more writes."
    )
    database_connect_seconds: float = Field(
        5, ge=1, le=60, description="Seconds to wait for a connection of PostgreSQL."
    )
    database_statement_seconds: float = Field(
        30, ge=1, le=3600, description="Seconds after which PostgreSQL ends a statement."
    )
    database_lock_seconds: float = Field(
        5, ge=0.1, le=60, description="Seconds that a statement waits for a row that another node has locked."
    )
    evidence_url: str = Field(
        "", description="Object store for evidence, such as s3://bucket/prefix; empty keeps it in the data folder."
    )
    evidence_seconds: float = Field(
        10,
        ge=1,
        le=60,
        description="Seconds in which the object store must answer one request; what fails is tried again, for no "
        "longer than twice that in all.",
    )
    min_free_bytes: int | None = Field(
        None,
        ge=0,
        description="Bytes of the disk that stay free: below it new photos and attempts are refused, and results "
        "still work; unset is the smaller of 1 GiB and 5 % of the disk.",
    )
    evidence_days: float = Field(
        defaults.EVIDENCE_DAYS, ge=0, description="Days that frames, photos and videos are kept."
    )
    tombstone_days: float = Field(
        defaults.TOMBSTONE_DAYS, ge=0, description="Days that the server still answers “expired” for an erased token."
    )
    start_seconds: float = Field(
        60,
        ge=0,
        le=3600,
        description="Seconds for which a server or judge that starts waits for PostgreSQL, the object store and the "
        "KMS, where they do not answer yet; 0 does not wait.",
    )
    sweep_seconds: float = Field(10, gt=0, description="Seconds between two rounds of the sweeper.")

    @model_validator(mode="after")
    def _has_both_databases(self) -> Self:
        records, keys = self.database_url.get_secret_value(), self.keys_url.get_secret_value()
        if bool(records) != bool(keys):
            raise ValueError(
                "RENZHENG_DATABASE_URL and RENZHENG_KEYS_URL go together: give both, or neither for SQLite"
            )
        if records and records == keys:
            raise ValueError(
                "RENZHENG_KEYS_URL is the records' database: a copy of the records must not bring the keys"
            )
        return self
