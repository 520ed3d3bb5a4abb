"""Reading labelled lists and folders of people."""

from __future__ import annotations

from pathlib import Path

import pytest

from renzheng.evaluation.pairs import DataError, find_list, read_pairs, read_people


def folder_with(tmp_path: Path, names: list[str], text: str = "", name: str = "pairs.csv") -> Path:
    for image in names:
        (tmp_path / image).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / image).write_bytes(b"")
    if text:
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


@pytest.mark.parametrize(
    ("header", "labels"),
    [
        ("a,b,same", ("1", "0")),
        ("file_x,file_y,Decision", ("Yes", "No")),
        ("probe,reference,verdict", ("same", "different")),
    ],
)
def test_known_headers_and_labels_are_read(tmp_path: Path, header: str, labels: tuple[str, str]) -> None:
    text = f"{header}\nx.jpg,y.jpg,{labels[0]}\nx.jpg,z.jpg,{labels[1]}\n"
    pairs = read_pairs(folder_with(tmp_path, ["x.jpg", "y.jpg", "z.jpg"], text))
    assert pairs.same is not None
    assert pairs.same.tolist() == [True, False]
    assert [image.name for image in pairs.images] == ["x.jpg", "y.jpg", "z.jpg"]
    assert pairs.person_of[0] == pairs.person_of[1] != pairs.person_of[2]
    assert (pairs.people, pairs.mode, pairs.contradictions) == (2, "pairs", 0)


def test_names_that_differ_in_their_number_are_one_person(tmp_path: Path) -> None:
    text = "a,b,same\nAda_0001.jpg,Bob_0001.jpg,0\nAda_0002.jpg,Bob_0001.jpg,0\n"
    pairs = read_pairs(folder_with(tmp_path, ["Ada_0001.jpg", "Ada_0002.jpg", "Bob_0001.jpg"], text))
    assert pairs.people == 2
    assert pairs.person_of[0] == pairs.person_of[2]


def test_labels_that_contradict_each_other_are_counted(tmp_path: Path) -> None:
    text = "a,b,same\nx.jpg,y.jpg,1\ny.jpg,z.jpg,1\nx.jpg,z.jpg,0\n"
    assert read_pairs(folder_with(tmp_path, ["x.jpg", "y.jpg", "z.jpg"], text)).contradictions == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a,b,same\nx.jpg,gone.jpg,1\n", "names 1 images that are not there"),
        ("a,b,same\nx.jpg,x.jpg,perhaps\n", "line 2: 'perhaps' is not a label"),
        ("a,b\nx.jpg,x.jpg\n", "has the header 'a,b'"),
        ("a,b,same\n", "no pair"),
    ],
)
def test_a_list_that_cannot_be_read_gets_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = folder_with(tmp_path, ["x.jpg"], text)
    with pytest.raises(DataError, match=sentence):
        read_pairs(path)


def test_the_list_of_a_folder_is_found_or_asked_for(tmp_path: Path) -> None:
    assert find_list(tmp_path) is None
    only = folder_with(tmp_path, [], "a,b,same\n", "mine.csv")
    assert find_list(tmp_path) == only
    folder_with(tmp_path, [], "a,b,same\n", "other.csv")
    with pytest.raises(DataError, match="holds 2 CSV files"):
        find_list(tmp_path)
    assert find_list(folder_with(tmp_path, [], "a,b,same\n")) == tmp_path / "pairs.csv"


def test_folders_of_people_come_as_sub_folders_or_by_name(tmp_path: Path) -> None:
    folder_with(tmp_path / "sub", ["Ada/1.jpg", "Ada/2.png", "Bob/1.jpeg", "Bob/notes.txt"])
    folder_with(tmp_path / "named", ["Ada_0001.jpg", "Ada_0002.jpg", "Bob_0001.jpg"])
    for folder in ("sub", "named"):
        pairs = read_people(tmp_path / folder)
        assert pairs.person_of.tolist() == [0, 0, 1]
        assert (pairs.people, pairs.mode) == (2, "all-pairs")
    assert read_people(tmp_path / "named", most=1).person_of.tolist() == [0, 1]


def test_a_folder_that_does_not_say_who_is_who_is_refused(tmp_path: Path) -> None:
    folder_with(tmp_path, ["holiday.jpg", "Ada_0001.jpg", "Bob_0001.jpg"])
    with pytest.raises(DataError, match=r"1 images in .* belong to nobody"):
        read_people(tmp_path)
    folder_with(tmp_path / "one", ["Ada_0001.jpg"])
    with pytest.raises(DataError, match="1 people"):
        read_people(tmp_path / "one")


def test_a_list_of_people_says_who_is_who_whatever_the_files_are_called(tmp_path: Path) -> None:
    """One person under two spellings of a name would count as two strangers."""
    images = ["Dai_Chul_0001.jpg", "Chul_Dai_0001.jpg", "Other_0001.jpg"]
    text = "image,person\nDai_Chul_0001.jpg,Dai Chul\nChul_Dai_0001.jpg,Dai Chul\nOther_0001.jpg,Other\n"
    listed = folder_with(tmp_path, images, text, "people.csv")
    assert find_list(tmp_path) is None  # it is no list of pairs
    assert read_people(tmp_path).person_of.tolist() == [0, 0, 1]
    (tmp_path / "Nobody_0001.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"1 images in .* belong to nobody"):
        read_people(tmp_path)
    listed.write_text("file,who\n", encoding="utf-8")
    with pytest.raises(DataError, match="the columns image and person"):
        read_people(tmp_path)
