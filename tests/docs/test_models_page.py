"""The guide's command for machines without a network names the packages of the manifest."""

from __future__ import annotations

import pytest

from renzheng.engine import fetching, packs
from tests.support.images import ROOT


@pytest.mark.parametrize("page", ["operating.md", "operating.zh-CN.md"])
def test_the_folder_is_filled_by_the_command_that_the_program_tells(page: str) -> None:
    text = (ROOT / "docs" / page).read_text().replace("\\\n", " ")
    assert fetching.by_hand(packs.requirements(packs.manifest())).split() in [
        line.split() for line in text.splitlines()
    ]
