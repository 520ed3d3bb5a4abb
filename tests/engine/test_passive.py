"""A passive network of an operator's own: what it needs to be taken in, and what becomes of its score."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from renzheng.cli.models import app
from renzheng.engine import packs
from renzheng.engine.judging import measure
from renzheng.engine.limits import JudgingLimits
from renzheng.engine.manifests import PARTS, PackError, parse_manifest
from renzheng.engine.measurement import Frame, Measurement
from renzheng.engine.observation import FaceModels
from renzheng.engine.passive import PassiveNetwork, network
from renzheng.engine.reasons import REASONS, reasons
from renzheng.engine.runtimes import Image, TfliteModel
from renzheng.evaluation.appearances import find
from renzheng.evaluation.presentations import judge_key, measured_layers, stopped_by
from renzheng.evaluation.sequences import FORMAT, SequenceTranscript
from tests.support.onnx import mean_colour_network

SIDE = 16
BOX = (20.0, 20.0, 60.0, 60.0)
WARM = [[-20.0, 20.0], [0.0, 0.0], [20.0, -20.0]]
"""Number 1 is high where red outweighs blue, and number 0 where it does not."""

MANIFEST = """
[[pack]]
name = "warmth"
part = "passive"
title = "Warm faces are alive"
package = ""
version = "1"
member = "warmth.onnx"
sha256 = "{digest}"
bytes = {size}
licence = "{licence}"
source = "this test"
runtime = "opencv"
preprocessing = {{ colour = "RGB", scale = 255.0, width = 16, height = 16, activation = "softmax", live = 1 }}
"""
RATES = """
[pack.rates]
detects = "{detects}"
threshold = 0.5
data = "colours of this test"
genuine = 100
attacks = 100
apcer = 0.05
bpcer = 0.02
"""


def pack_folder(folder: Path, *, licence: str = "our own", detects: str = "synthetic", rates: str = RATES) -> Path:
    """A folder with the network and its manifest."""
    content = mean_colour_network(WARM, [0.0, 0.0], SIDE)
    folder.mkdir(exist_ok=True)
    (folder / "warmth.onnx").write_bytes(content)
    text = MANIFEST.format(digest=sha256(content).hexdigest(), size=len(content), licence=licence)
    (folder / "pack.toml").write_text(text + rates.format(detects=detects), encoding="utf-8")
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder of its own with renzheng's files in it."""
    folder = tmp_path / "cache"
    for pack in packs.manifest():
        pack.path(folder).parent.mkdir(parents=True, exist_ok=True)
        pack.path(folder).symlink_to(pack.path().resolve())
    monkeypatch.setenv("RENZHENG_MODELS_DIR", str(folder))
    return folder


def command(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words))
    return done.exit_code, done.output


def add(folder: Path) -> tuple[int, str]:
    return command("add", str(folder / "pack.toml"), "--from", str(folder))


def loaded(folder: Path, **changes: object) -> PassiveNetwork:
    pack = parse_manifest((pack_folder(folder) / "pack.toml").read_text())[0]
    feed = {**pack.preprocessing, **changes}
    return PassiveNetwork(replace(pack, preprocessing=feed), folder / "warmth.onnx")


def flat(colour: tuple[int, int, int]) -> Image:
    return np.full((100, 100, 3), colour, np.uint8)


def test_the_score_is_the_networks_own_of_the_live_number(tmp_path: Path) -> None:
    warm, cold = flat((100, 100, 110)), flat((110, 100, 100))  # BGR
    expected = 1 / (1 + np.exp(-2 * 20 * 10 / 255))
    assert loaded(tmp_path).score(warm, BOX) == pytest.approx(expected, abs=1e-4)
    assert loaded(tmp_path).score(cold, BOX) == pytest.approx(1 - expected, abs=1e-4)


def test_colour_order_class_and_meaning_of_the_output_are_the_packs(tmp_path: Path) -> None:
    warm = flat((100, 100, 110))
    score = loaded(tmp_path).score(warm, BOX)
    assert loaded(tmp_path, colour="BGR").score(warm, BOX) == pytest.approx(1 - score, abs=1e-5)
    assert loaded(tmp_path, live=0).score(warm, BOX) == pytest.approx(1 - score, abs=1e-5)
    assert loaded(tmp_path, live=0, attack=True).score(warm, BOX) == pytest.approx(score, abs=1e-5)
    shifted = loaded(tmp_path, mean=[10.0, 0.0, 0.0])
    assert shifted.score(warm, BOX) == pytest.approx(0.5, abs=1e-5)


def test_the_crop_is_the_square_around_the_face_and_repeats_the_edge_beyond_the_image(tmp_path: Path) -> None:
    image = flat((110, 100, 100))
    image[30:70, 30:70] = (100, 100, 110)
    face = (30.0, 30.0, 40.0, 40.0)
    assert loaded(tmp_path).score(image, face) > 0.8
    assert loaded(tmp_path, crop=2.5).score(image, face) < 0.3
    corner = flat((110, 100, 100))
    corner[:10, :10] = (100, 100, 110)
    assert loaded(tmp_path).score(corner, (-20.0, -20.0, 30.0, 30.0)) > 0.8


def test_a_tflite_file_serves_as_well(models: FaceModels) -> None:
    iris = packs.pack_for("iris")
    feed = {"colour": "RGB", "scale": 255.0, "width": 64, "height": 64, "activation": "sigmoid", "live": 2}
    rates = parse_manifest(text_with())[0].rates
    assert rates is not None
    pack = replace(iris, part="passive", preprocessing=feed, rates=rates)
    image = flat((90, 120, 150))
    direct = TfliteModel(iris.path())(np.full((1, 64, 64, 3), (150 / 255, 120 / 255, 90 / 255), np.float32))[0]
    expected = 1 / (1 + np.exp(-float(direct.reshape(-1)[2])))
    assert PassiveNetwork(pack, iris.path()).score(image, BOX) == pytest.approx(expected, abs=1e-5)


def text_with(**changes: str) -> str:
    return MANIFEST.format(digest="0" * 64, size=1, licence="our own") + RATES.format(detects="recapture")


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ('licence = "our own"', 'licence = " "', "pack warmth: licence is empty"),
        ('licence = "our own"\n', "", "pack warmth: the manifest does not say: licence"),
        (RATES.format(detects="recapture"), "", "pack warmth: a passive network needs .pack.rates."),
        ("apcer = 0.05\n", "", "pack warmth: rates does not say: apcer"),
        ("bpcer = 0.02\n", "", "pack warmth: rates does not say: bpcer"),
        ("attacks = 100", "attacks = 0", "on how many genuine and attack presentations"),
        ('data = "colours of this test"', 'data = ""', "on what data"),
        ("threshold = 0.5", "threshold = 50", "threshold must lie between 0 and 1"),
        ("apcer = 0.05", "apcer = 5", "shares, 0 to 1"),
        ('detects = "recapture"', 'detects = "magic"', "not one of recapture, synthetic"),
    ],
)
def test_a_pack_that_does_not_say_what_it_is_worth_is_refused(before: str, after: str, sentence: str) -> None:
    text = text_with()
    assert before in text
    with pytest.raises(PackError, match=sentence):
        parse_manifest(text.replace(before, after))


def test_the_command_refuses_a_pack_without_licence_or_rates_in_one_sentence(cache: Path, tmp_path: Path) -> None:
    code, said = add(pack_folder(tmp_path / "a", licence=""))
    assert (code, "licence is empty" in said) == (1, True)
    code, said = add(pack_folder(tmp_path / "b", rates=""))
    assert (code, "needs [pack.rates]" in said.replace("\n", " ")) == (1, True)
    assert packs.added(cache) == ()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"live": 7}, "does not run"),
        ({"zoom": 2}, "preprocessing does not know zoom"),
        ({"width": 0}, "does not run"),
        ({"activation": "relu"}, "activation"),
    ],
)
def test_a_network_that_cannot_be_run_is_refused_before_it_is_used(
    changes: dict[str, object], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(PackError, match=sentence):
        loaded(tmp_path, **changes)


def test_a_file_that_is_no_network_cannot_be_used(cache: Path, tmp_path: Path) -> None:
    folder = pack_folder(tmp_path / "mine")
    (folder / "warmth.onnx").write_bytes(b"no network")
    text = (folder / "pack.toml").read_text()
    digest = sha256(b"no network").hexdigest()
    (folder / "pack.toml").write_text(text.replace(text.split('sha256 = "')[1][:64], digest))
    assert add(folder)[0] == 0
    code, said = command("use", "warmth")
    assert code == 1
    assert "does not run" in said.replace("\n", " ")
    assert packs.passive() is None


def test_nothing_passive_is_shipped_and_none_is_in_use(measured: Measurement) -> None:
    assert "passive" in PARTS
    assert [pack for pack in packs.manifest() if pack.part == "passive"] == []
    assert network() is None
    assert measured.passive is None


@pytest.fixture
def in_use(cache: Path, tmp_path: Path) -> Path:
    assert add(pack_folder(tmp_path / "mine"))[0] == 0
    assert packs.passive() is None
    assert command("use", "warmth")[0] == 0
    return cache


def frames(recording: list[Frame], blue: bool) -> list[Frame]:
    """The recording, or the same under blue light."""

    def tinted(jpeg: bytes) -> bytes:
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        return bytes(cv2.imencode(".jpg", np.ascontiguousarray(image[:, :, ::-1]))[1].tobytes())

    return [replace(frame, jpeg=tinted(frame.jpeg)) for frame in recording] if blue else recording


def test_a_network_is_advice_until_the_operator_lets_it_decide(
    in_use: Path,
    recording: list[Frame],
    measured: Measurement,
) -> None:
    key = judge_key(JudgingLimits())
    found = measure(frames(recording, blue=True), None, FaceModels())
    assert found.passive is not None
    assert found.passive.score is not None
    assert found.passive.score < 0.5
    assert len(found.passive.scores) == len(found.compared)
    assert not found.passive.passed
    assert not found.passive.refuses
    assert "04" not in found.tags
    assert "passive" not in measured_layers(found)
    assert found.packs[-1].startswith("warmth@")

    assert "as advice" in command("list")[1]
    assert command("use", "warmth", "--decides")[0] == 0
    assert judge_key(JudgingLimits()) != key
    found = measure(frames(recording, blue=True), None, FaceModels())
    assert found.passive is not None
    assert found.passive.refuses
    assert "04" in found.tags
    assert measured_layers(found)["passive"] is False
    transcript = SequenceTranscript(FORMAT, "attack", "p", [], [])
    assert "passive" in stopped_by(transcript, found)

    alive = measure(recording, None, FaceModels())
    assert alive.passive is not None
    assert alive.passive.passed
    assert alive.tags == measured.tags

    assert command("stop", "passive")[0] == 0
    assert network() is None


@pytest.mark.parametrize(
    ("detects", "tag"),
    [("recapture", "03"), ("synthetic", "04"), ("template", "07"), ("watermark", "08"), ("adversarial", "13")],
)
def test_what_a_pack_says_that_it_detects_is_the_tag(
    detects: str,
    tag: str,
    measured: Measurement,
    tmp_path: Path,
) -> None:
    net = loaded(tmp_path)
    net.rates, net.decides = replace(net.rates, detects=detects), True
    refused = replace(net.measure([]), scores=(0.1,), score=0.1)
    assert reasons(replace(measured, passive=refused)) == tuple(sorted({*measured.tags, tag}))
    for harmless in (
        replace(refused, decides=False),
        replace(refused, passed=True),
        replace(refused, score=None, fault="it broke"),
        None,
    ):
        assert reasons(replace(measured, passive=harmless)) == measured.tags


def test_a_deciding_network_without_a_score_refuses_and_makes_up_no_tag(
    measured: Measurement,
    tmp_path: Path,
) -> None:
    net = loaded(tmp_path)
    net.decides = True
    found = net.measure([])
    assert found.score is None
    assert found.refuses
    assert reasons(replace(measured, passive=found)) == measured.tags


def test_a_fault_of_the_network_is_named_and_ends_no_judgement(tmp_path: Path, selfie: Image) -> None:
    net = loaded(tmp_path, activation="none")
    mesh = find(selfie, FaceModels())
    assert mesh is not None
    found = net.measure([(selfie, mesh)])
    assert (found.score, found.refuses) == (None, False)
    assert found.fault is not None
    assert "not a probability" in found.fault


def test_every_tag_value_is_known_with_its_reason() -> None:
    assert [value for value, _, _ in REASONS] == [f"{number:02d}" for number in range(1, 14)]


def test_packs_that_are_no_networks_against_attacks_always_decide(cache: Path) -> None:
    with pytest.raises(PackError, match="always counts"):
        packs.use("mediapipe-iris", decides=True)
