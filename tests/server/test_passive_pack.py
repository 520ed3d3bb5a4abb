"""An operator's passive network in the running server: added, used, decisive, and shown."""

from __future__ import annotations

import asyncio
from pathlib import Path

from renzheng.engine import packs
from renzheng.evaluation.device import Device, DeviceEvent, DeviceLimits
from renzheng.evaluation.performance import Performance
from tests.engine.test_passive import pack_folder
from tests.support.images import base64_of, sample
from tests.support.puppets import sample_puppet
from tests.support.server import Server, result
from tests.support.server import token as issue


def test_a_network_that_decides_refuses_a_complying_head_and_its_tag_is_in_the_result(tmp_path: Path) -> None:
    models = tmp_path / "models"
    for pack in packs.manifest():
        pack.path(models).parent.mkdir(parents=True)
        pack.path(models).symlink_to(pack.path().resolve())
    mine = pack_folder(tmp_path / "mine", detects="watermark")
    text = (mine / "pack.toml").read_text()
    (mine / "pack.toml").write_text(text.replace("live = 1", "live = 0"))  # skin is warm: everybody is refused
    server = Server(tmp_path / "server", models_dir=models, attempts=1)
    server.folder.mkdir()
    server.command("models", "add", str(mine / "pack.toml"), "--from", str(mine))
    server.command("models", "use", "warmth", "--decides")
    server.start()
    try:
        token = issue(server.sdk(), CompareLib="LOCAL", ImageBase64=base64_of(sample()))
        told: list[DeviceEvent] = []
        scene = Performance(sample_puppet())
        device = Device(server.url, token, scene, limits=DeviceLimits(seconds=120), tell=told.append)
        assert asyncio.run(device.run()).passed is False
        assert [one.fields for one in told if one.kind == "outcome"] == [
            {"passed": False, "retry": "never", "advice": "light"}
        ]
        fetched = result(server.sdk(), token)
        shown = server.json("session", "show", token)["measurement"]["presentation"]
        assert shown["passive"]["decides"]
        assert shown["passive"]["score"] < shown["passive"]["threshold"]
        assert 0 <= shown["appearance"]["blur"] <= 1
        assert fetched.Result == "1005"
        assert "08" in fetched.LivenessInfoTag.split(",")
        assert "the same numbers" in server.command("rejudge", token)
        told_to_operators = server.command("session", "show", token)
        assert "passive: " in told_to_operators
        assert "appearance: " in told_to_operators
    finally:
        server.stop()
