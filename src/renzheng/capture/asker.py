"""The account that asks for a verification, and the origins whose pages may run it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Asker:
    """The account that asks for a verification, as people see it. `names`: by language."""

    names: Mapping[str, str]
    privacy_url: str = ""
    contact: str = ""


class Accounts(Protocol):
    def origins(self, account_id: int) -> Sequence[str]: ...
    def asker(self, account_id: int) -> Asker: ...
