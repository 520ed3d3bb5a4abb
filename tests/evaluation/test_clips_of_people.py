"""A folder of clips: its list and labels, and the presentations that are composed of a clip."""

from __future__ import annotations

from pathlib import Path

import av
import msgspec
import numpy as np
import pytest
import simplejpeg
from typer.testing import CliRunner

from renzheng.cli import build
from renzheng.engine.measurement import Measurement
from renzheng.engine.video import mux
from renzheng.evaluation.clips import as_jpeg
from renzheng.evaluation.labels import Item, LabelledClip, parse_actions, read_clips
from renzheng.evaluation.pairs import DataError
from renzheng.evaluation.presentations import transcript_holds
from renzheng.evaluation.recorded_people import Sent, judge
from renzheng.evaluation.results import Listed
from renzheng.evaluation.sequences import Shot
from renzheng.evaluation.tables import reasons_of
from renzheng.evaluation.takes import compose, sample, single_actions, takes_of

HEAD = "file,kind,person,actions,group\n"


def folder(tmp_path: Path, *rows: str) -> Path:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "clips.csv").write_text(HEAD + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return tmp_path


def clip(actions: str, attack: str = "") -> LabelledClip:
    return LabelledClip(Path("x.mp4"), "P1", attack, *parse_actions(actions, "here"))


def test_actions_are_read_with_their_times_and_the_rest_is_a_distractor() -> None:
    items, distractors, busy = parse_actions(
        "turn_left 1.3-4.8; blink 0.4; still 0-1.2; look_up 5-6 (nod 2); small turns; talk 0-6.7; turn_left, nod 2 s",
        "here",
    )
    assert items == (Item("turn_left", 1.3, 4.8), Item("blink", 0.4, 0.4), Item("still", 0.0, 1.2))
    assert distractors == ("nod 2", "look_up 5-6", "small turns", "talk 0-6.7", "turn_left, nod 2 s")
    assert busy == (Item("look_up", 5.0, 6.0), Item("talk", 0.0, 6.7))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a.mp4,real,P1,turn_left,", "line 3: 'turn_left' is not of the form `name start"),
        ("a.mp4,real,P1,nod soon,", "line 3: 'nod soon'"),
        ("a.mp4,real,P1,nod -1-2,", "line 3: 'nod -1-2'"),
        ("a.mp4,real,P1,nod nan,", "line 3: 'nod nan'"),
        ("a.mp4,real,P1,nod 1-2-3,", "line 3: 'nod 1-2-3'"),
        ("a.mp4,real,P1,nod 3-2,", "line 3: 'nod 3-2' ends before"),
        ("a.mp4,real,P1,nod 3 (twice,", "line 3: a bracket"),
        ("a.mp4,,P1,nod 3,", "line 3: kind is empty"),
        ("a.mp4,real, ,nod 3,", "line 3: person is empty"),
        ("../a.mp4,real,P1,nod 3,", "line 3: the file '../a.mp4'"),
        ("c.mp4,real,P1,nod 3,", "line 3: the file 'c.mp4'"),
        ("b.mp4,real,P1,nod 3,", "line 3: b.mp4 is listed twice"),
        ("a.mp4,real,P1", "line 3: 3 cells under 5 columns"),
        ('a.mp4,real,P1,"nod 3,', "clips.csv: "),
    ],
)
def test_a_bad_line_is_an_error_with_its_number(tmp_path: Path, row: str, said: str) -> None:
    where = folder(tmp_path, "b.mp4,real,P1,blink 1,", row)
    with pytest.raises(DataError) as found:
        read_clips(where)
    assert said in str(found.value)


def test_a_missing_column_and_an_empty_list_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lists no clip"):
        read_clips(folder(tmp_path))
    (tmp_path / "clips.csv").write_text("file,kind,actions\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 1: the column 'person' is missing"):
        read_clips(tmp_path)


def test_labels_of_ones_own_replace_times_and_leave_out_with_a_reason(tmp_path: Path) -> None:
    where = folder(tmp_path, "a.mp4,real,P1,nod 1,", "b.mp4,replay_screen,P2,turn_left 2-3,")
    own = tmp_path / "own.csv"
    own.write_text(
        "file,actions,reason\na.mp4,turn_left 1-2; blink 3,\na.mp4,blink 3,eyes half shut\nb.mp4,,blurred\n", "utf-8"
    )
    first, second = read_clips(where, own)
    assert [item.name for item in first.actions] == ["turn_left", "blink"]
    assert first.reason_against(first.actions[:1]) == ""
    assert first.reason_against(first.actions) == "eyes half shut"
    assert (second.attack, second.reason_against(second.actions)) == ("replay_screen", "blurred")
    own.write_text("file,actions,reason\na.mp4,blink 9,why\n", "utf-8")
    with pytest.raises(DataError, match=r"own\.csv: line 2: the clip has no blink at 9"):
        read_clips(where, own)


def test_pairs_follow_the_order_of_the_clip_and_have_a_turn() -> None:
    found = takes_of(clip("still 0-1; nod 2-3; turn_left 4-6; blink 8; blink 9; turn_right 10-12"), 13.0)
    assert [take.asked for take in found] == [
        ("turn_left",),
        ("turn_right",),
        ("nod", "turn_left"),
        ("nod", "turn_right"),
        ("turn_left", "blink"),
        ("turn_left", "blink"),
        ("turn_left", "turn_right"),
        ("blink", "turn_right"),
        ("blink", "turn_right"),
    ]
    assert takes_of(clip("still 0-1; nod 2-3; blink 4"), 6.0) == []
    assert [take.asked for take in single_actions(clip("still 0-1; nod 2-3; blink 4"), 6.0)] == [("nod",), ("blink",)]


def test_without_a_still_time_the_time_before_serves_and_without_that_nothing_is_composed() -> None:
    (take,) = takes_of(clip("turn_left 2-3"), 4.0)
    assert take.neutral == pytest.approx((0.4, 1.6))
    assert takes_of(clip("turn_left 0-3"), 4.0) == []
    assert takes_of(clip("talk 0-1.9; turn_left 2-3"), 4.0) == []
    assert takes_of(clip("talk 0-4; turn_left 2-3"), 4.0) == [take]


def test_an_attack_without_a_turn_is_sent_as_an_answer_all_the_same() -> None:
    (take,) = takes_of(clip("still 0-4", attack="replay_screen"), 4.4)
    assert (take.asked, take.answers) == (("turn_left", "nod"), False)


def test_a_label_behind_the_end_of_its_clip_is_an_error() -> None:
    with pytest.raises(DataError, match="nod 5-6 is behind"):
        takes_of(clip("nod 5-6"), 4.0)


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_presentation_keeps_its_times_and_sends_no_frame_twice(mirrored: bool) -> None:
    labelled = clip("still 0-1.5; turn_left 1.6-3; nod 4-5")
    shots = [Shot(k / 10, b"%d" % k) for k in range(60)]
    take = takes_of(labelled, 6.0)[-1]
    transcript, jpegs = compose(take, shots, labelled, mirrored)
    assert [step.action for step in transcript.steps] == ["neutral", "turn_right" if mirrored else "turn_left", "nod"]
    assert len(set(jpegs)) == len(jpegs) == len(transcript.frames)
    assert transcript_holds(transcript)
    assert {frame.step for frame in transcript.frames} == {0, 1, 2}
    turn = [int(jpeg) for jpeg, frame in zip(jpegs, transcript.frames, strict=True) if frame.step == 1]
    assert turn[0] <= 16
    assert turn[-1] >= 30


def test_a_video_is_sampled_ten_times_a_second_and_mirrored(tmp_path: Path) -> None:
    image = np.zeros((64, 1280, 3), np.uint8)
    image[:, :640] = 200
    path = tmp_path / "a.mp4"
    path.write_bytes(mux([(as_jpeg(image), k / 30) for k in range(31)]))
    shots = sample(path)
    assert [round(shot.at, 1) for shot in shots] == [round(k / 10, 1) for k in range(11)]
    first, other = (
        simplejpeg.decode_jpeg(found[0].jpeg, colorspace="BGR") for found in (shots, sample(path, 0.05, mirrored=True))
    )
    assert first.shape == (32, 640, 3)
    assert first[:, :300].mean() > 150 > first[:, 340:].mean()
    assert other[:, :300].mean() < 50 < other[:, 340:].mean()
    path.write_bytes(b"no video")
    with pytest.raises(DataError, match=r"a\.mp4 is not a video"):
        sample(path)


def test_a_clip_of_a_phone_held_upright_is_sampled_upright(tmp_path: Path) -> None:
    image = np.zeros((64, 96, 3), np.uint8)
    image[:, :48] = 200  # the camera lies on its side: its left is what is seen below
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.set_display_rotation(90)
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))
    upright = simplejpeg.decode_jpeg(sample(path)[0].jpeg, colorspace="BGR")
    assert upright.shape == (96, 64, 3)
    assert upright[:40].mean() < 50 < 150 < upright[56:].mean()


def test_the_command_says_which_line_is_bad(tmp_path: Path) -> None:
    where = folder(tmp_path, "a.mp4,real,P1,nod 3-2,")
    said = CliRunner().invoke(build(["evaluate", "attack"]), ["evaluate", str(where), "--out", str(tmp_path / "run")])
    assert said.exit_code == 1
    assert "clips.csv: line 2: 'nod 3-2' ends before it begins" in said.output


def presented(clip_actions: str, **values: float) -> Listed:
    return Listed(clip_actions, "P1", "replay_screen", "refused", ["doubt"], [], values)


def test_reasons_are_layers_and_weak_measures_that_each_say_enough() -> None:
    two = {"doubt.borders": 0.9, "doubt.blur": 0.5, "doubt.gap": 0.1, "doubt.total": 1.5}
    assert reasons_of(presented("a", **two)) == 2
    assert reasons_of(msgspec.structs.replace(presented("a", **two), stopped_by=["challenge", "doubt"])) == 3
    assert reasons_of(msgspec.structs.replace(presented("a", **two), stopped_by=["challenge"])) == 1


def test_a_covered_face_is_told_and_never_judged() -> None:
    labelled = clip("still 0-1.5; turn_left 1.6-3")
    take = takes_of(labelled, 4.0)[-1]
    transcript, jpegs = compose(take, [Shot(k / 10, b"%d" % k) for k in range(40)], labelled)

    def never(frames: object) -> Measurement:
        raise AssertionError("it was judged")

    row, one = judge(Sent(take, transcript, jpegs), never, covered=True)
    assert (row.verdict, row.causes, one.usable, one.passed) == ("no response", ["face_covered"], False, False)
