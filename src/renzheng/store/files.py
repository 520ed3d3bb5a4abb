"""The names of a store's files: records and evidence in the data folder, keys and erasures in the other."""

from __future__ import annotations

RECORDS_FILE = "renzheng.db"
KEYS_FILE = "keys.db"
ERASURES_FILE = "erasures.db"
EVIDENCE_FOLDER = "evidence"
