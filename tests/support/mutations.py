"""What a device may get wrong, by accident or on purpose: mutations of frames, of messages and of the line.

Each is named, drawn by a seed, and says which ends a verification may have with it: a close code of the protocol
page, an outcome, or `OVER` where nothing was counted and the device gave up.
"""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from tests.support.photos import cmyk

PASSED, FAILED, OVER, GONE = "passed", "failed", "over", "gone"
End = int | str
Dice = random.Random
Bytes = Callable[[bytes, Dice], bytes]

ANY = frozenset[End]({PASSED, FAILED, OVER})
DAMAGED = ANY | {4400, 4413}


@dataclass(frozen=True)
class Shot:
    """One frame as a device sends it."""

    nonce: bytes
    sequence: int
    jpeg: bytes

    @property
    def message(self) -> bytes:
        return b"\x01" + self.nonce + self.sequence.to_bytes(4, "big") + self.jpeg


@dataclass(frozen=True)
class Mutation:
    """`shots`: what is sent for a frame, given all before it. `text`: for a message. `line`: what befalls the line."""

    ends: frozenset[End]
    shots: Callable[[list[Shot], Dice], list[str | bytes]] | None = None
    text: Callable[[str, str, Dice], list[str | bytes]] | None = None
    line: str = ""


# -- JPEGs --


def flipped(data: bytes, dice: Dice) -> bytes:
    found = bytearray(data)
    for _ in range(dice.randint(1, 12)):
        found[dice.randrange(len(found))] ^= 1 << dice.randrange(8)
    return bytes(found)


def flipped_in_its_head(data: bytes, dice: Dice) -> bytes:
    """Flip bits where sizes, tables and markers are, after the two bytes that make it a JPEG."""
    found = bytearray(data)
    for _ in range(dice.randint(1, 6)):
        found[dice.randrange(2, min(640, len(found)))] = dice.randrange(256)
    return bytes(found)


def without_a_part(data: bytes, dice: Dice) -> bytes:
    at = dice.randrange(2, len(data))
    return data[:at] + data[at + dice.randint(1, 3000) :]


def with_a_part_twice(data: bytes, dice: Dice) -> bytes:
    at = dice.randrange(2, len(data))
    return data[:at] + data[max(2, at - dice.randint(1, 3000)) :]


def cut_off(data: bytes, dice: Dice) -> bytes:
    return data[: dice.randrange(2, len(data))]


def zeroed(data: bytes, dice: Dice) -> bytes:
    at = dice.randrange(2, len(data))
    size = dice.randint(1, 3000)
    return (data[:at] + bytes(size) + data[at + size :])[: len(data)]


def with_foreign_bytes(data: bytes, dice: Dice) -> bytes:
    at = dice.randrange(2, len(data))
    return data[:at] + dice.randbytes(dice.randint(1, 3000)) + data[at:]


def noise(data: bytes, dice: Dice) -> bytes:
    return b"\xff\xd8\xff" + dice.randbytes(dice.randint(20, 20_000))


def head_of(size: tuple[int, int] | None = None, **fields: int) -> Bytes:
    """Claims another size, depth or process in its header."""

    def mutate(data: bytes, dice: Dice) -> bytes:
        found = bytearray(data)
        at = found.index(b"\xff\xc0")
        found[at + 1] = fields.get("marker", 0xC0)
        found[at + 4] = fields.get("bits", 8)
        if size is not None:
            found[at + 5 : at + 9] = struct.pack(">HH", *size)
        return bytes(found)

    return mutate


def segments(count: int, size: int, marker: int = 0xEF) -> Bytes:
    """Application segments before everything else."""

    def mutate(data: bytes, dice: Dice) -> bytes:
        return (
            data[:2] + (bytes((0xFF, marker)) + struct.pack(">H", size + 2) + dice.randbytes(size)) * count + data[2:]
        )

    return mutate


def exif(data: bytes, dice: Dice) -> bytes:
    """Says that the picture lies on its side; every second one with damage in it."""
    body = b"Exif\0\0II" + struct.pack("<HIHHHIHHI", 42, 8, 1, 0x0112, 3, 1, dice.randint(0, 9), 0, 0)
    body = flipped(body, dice) if dice.random() < 0.5 else body
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


@cache
def pixels(data: bytes) -> np.ndarray:
    picture: np.ndarray | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture


def encoded(extension: str = ".jpg", *options: int, grey: bool = False) -> Bytes:
    def mutate(data: bytes, dice: Dice) -> bytes:
        picture = pixels(data)
        picture = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) if grey else picture
        return bytes(cv2.imencode(extension, picture, list(options))[1])

    return mutate


def sized(*sizes: tuple[int, int]) -> Bytes:
    """Another size, width and height, drawn for every frame."""

    def mutate(data: bytes, dice: Dice) -> bytes:
        return bytes(cv2.imencode(".jpg", cv2.resize(pixels(data), dice.choice(sizes)))[1])

    return mutate


def padded(size: int) -> Bytes:
    return lambda data, dice: data + bytes(size)


def jpegs(mutate: Bytes, ends: frozenset[End] = DAMAGED, share: float = 0.3) -> Mutation:
    """`share` of the frames, at least the first, hold a mutated JPEG."""

    def shots(before: list[Shot], dice: Dice) -> list[str | bytes]:
        shot = before[-1]
        if len(before) > 1 and dice.random() >= share:
            return [shot.message]
        return [Shot(shot.nonce, shot.sequence, mutate(shot.jpeg, dice)).message]

    return Mutation(ends, shots)


# -- the order of frames --


def dropped(before: list[Shot], dice: Dice) -> list[str | bytes]:
    return [before[-1].message] if dice.random() < 0.6 else []


def repeated(before: list[Shot], dice: Dice) -> list[str | bytes]:
    return [before[-1].message] * dice.randint(1, 3)


def frozen(before: list[Shot], dice: Dice) -> list[str | bytes]:
    shot = before[-1]
    return [Shot(shot.nonce, shot.sequence, before[len(before) // 8 * 8 - 1 if len(before) >= 8 else 0].jpeg).message]


def shuffled(before: list[Shot], dice: Dice) -> list[str | bytes]:
    """Four at a time, in another order."""
    if len(before) % 4:
        return []
    return [shot.message for shot in dice.sample(before[-4:], 4)]


def replayed(before: list[Shot], dice: Dice) -> list[str | bytes]:
    """An earlier picture under this frame's nonce and sequence, or an earlier frame as it was."""
    now, then = before[-1], dice.choice(before)
    return [Shot(now.nonce, now.sequence, then.jpeg).message if dice.random() < 0.5 else then.message, now.message]


def sequences(draw: Callable[[int, Dice], int]) -> Callable[[list[Shot], Dice], list[str | bytes]]:
    def shots(before: list[Shot], dice: Dice) -> list[str | bytes]:
        shot = before[-1]
        return [Shot(shot.nonce, draw(shot.sequence, dice), shot.jpeg).message]

    return shots


def nonces(
    draw: Callable[[list[Shot], Dice], bytes], first: int = 1
) -> Callable[[list[Shot], Dice], list[str | bytes]]:
    """Change the nonce from the `first` frame on."""

    def shots(before: list[Shot], dice: Dice) -> list[str | bytes]:
        shot = before[-1]
        nonce = draw(before, dice) if len(before) >= first else shot.nonce
        return [Shot(nonce, shot.sequence, shot.jpeg).message]

    return shots


def one_bit_off(before: list[Shot], dice: Dice) -> bytes:
    return (int.from_bytes(before[-1].nonce, "big") ^ (1 << dice.randrange(128))).to_bytes(16, "big")


def messages(
    mutate: Callable[[bytes, Dice], str | bytes], first: int = 3
) -> Callable[[list[Shot], Dice], list[str | bytes]]:
    """Mutate whole messages from the `first` frame on."""
    return lambda before, dice: [mutate(before[-1].message, dice) if len(before) >= first else before[-1].message]


FLOOD = 2000
"""Messages at once: more than a server that reads them slowly, because it is busy, takes for an honest device's."""


def flood(before: list[Shot], dice: Dice) -> list[str | bytes]:
    return [before[-1].message] * (FLOOD if len(before) == 5 else 1)


def chatter(text: str, first: int = 3, count: int = 1) -> Callable[[list[Shot], Dice], list[str | bytes]]:
    """Something said between the frames."""
    return lambda before, dice: [before[-1].message] + ([text] * count if len(before) == first else [])


# -- texts --


def in_text(kind: str, mutate: Callable[[str, Dice], str | bytes]) -> Callable[[str, str, Dice], list[str | bytes]]:
    return lambda said, text, dice: [mutate(text, dice) if said == kind else text]


def fields(**changed: object) -> Callable[[str, Dice], str]:
    return lambda text, dice: json.dumps({**json.loads(text), **changed})


def one_character_off(text: str, dice: Dice) -> str:
    at = dice.randrange(len(text))
    return text[:at] + chr(dice.randrange(32, 0x3000)) + text[at + 1 :]


def cut_short(text: str, dice: Dice) -> str:
    return text[: dice.randrange(1, len(text))]


def twice(kind: str) -> Callable[[str, str, Dice], list[str | bytes]]:
    return lambda said, text, dice: [text, text] if said == kind else [text]


def never(kind: str) -> Callable[[str, str, Dice], list[str | bytes]]:
    return lambda said, text, dice: [] if said == kind else [text]


# Neither a device's secret nor a hand-over code that is not the right one keeps the first device out.
STRANGE = frozenset[End]({4400, 4401, 4406}) | ANY

MUTATIONS: dict[str, Mutation] = {
    "none": Mutation(ANY),
    # pictures
    "bits flipped": jpegs(flipped),
    "bits flipped in every frame": jpegs(flipped, share=1),
    "a damaged head": jpegs(flipped_in_its_head),
    "a part missing": jpegs(without_a_part),
    "a part twice": jpegs(with_a_part_twice),
    "cut off": jpegs(cut_off),
    "zeros within": jpegs(zeroed),
    "foreign bytes within": jpegs(with_foreign_bytes),
    "noise": jpegs(noise),
    "65535 by 65535 by its head": jpegs(head_of((65535, 65535)), frozenset({4413})),
    "no size by its head": jpegs(head_of((0, 0)), frozenset({4400})),
    "another size by its head": jpegs(head_of((900, 1200))),
    "12 bits by its head": jpegs(head_of(bits=12), frozenset({4400})),
    "arithmetic by its head": jpegs(head_of(marker=0xC9), frozenset({4400})),
    "progressive by its head": jpegs(head_of(marker=0xC2), frozenset({4400})),
    "thousands of segments": jpegs(segments(3000, 10), frozenset({4400})),
    "a large segment": jpegs(segments(2, 60_000), ANY, share=1),
    "an EXIF of any kind": jpegs(exif, DAMAGED, share=1),
    "a broken colour profile": jpegs(segments(1, 900, 0xE2), ANY, share=1),
    "grey": jpegs(encoded(grey=True), ANY, share=1),
    "CMYK": jpegs(lambda data, dice: cmyk(pixels(data)), ANY, share=1),
    "progressive": jpegs(encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1), frozenset({4400}), share=1),
    "restart markers": jpegs(encoded(".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 3), ANY, share=1),
    "a PNG": jpegs(encoded(".png"), frozenset({4400})),
    "a WebP": jpegs(encoded(".webp"), frozenset({4400})),
    "an animation": jpegs(lambda data, dice: b"GIF89a" + dice.randbytes(3000), frozenset({4400})),
    "two pictures in one": jpegs(lambda data, dice: data + data, ANY, share=1),
    "changing sizes": jpegs(sized((640, 480), (480, 640), (320, 240), (641, 479)), DAMAGED, share=1),
    "a few pixels": jpegs(sized((1, 1), (8, 8), (3, 200), (16, 16))),
    "a strip": jpegs(sized((1900, 40), (40, 1900))),
    "large": jpegs(sized((1600, 1200)), DAMAGED, share=1),
    "more pixels than allowed": jpegs(sized((1924, 1084)), frozenset({4413})),
    "more bytes than allowed": jpegs(padded(520_000), frozenset({4413})),
    "more bytes than the socket takes": jpegs(padded(2_200_000), frozenset({1009})),
    # their order
    "frames dropped": Mutation(ANY, dropped),
    "frames repeated": Mutation(ANY, repeated),
    "frozen": Mutation(ANY, frozen),
    "shuffled": Mutation(ANY, shuffled),
    "replayed": Mutation(ANY, replayed),
    "sequences drawn": Mutation(ANY, sequences(lambda number, dice: dice.randrange(1 << 32))),
    "sequences falling": Mutation(ANY, sequences(lambda number, dice: 100_000 - number)),
    "one sequence": Mutation(ANY, sequences(lambda number, dice: 7)),
    "the last sequence of all": Mutation(ANY, sequences(lambda number, dice: (1 << 32) - 1)),
    "a foreign nonce": Mutation(frozenset({4422}), nonces(lambda before, dice: dice.randbytes(16), 6)),
    "a nonce one bit off": Mutation(frozenset({4422}), nonces(one_bit_off, 2)),
    "the first nonce always": Mutation(ANY - {PASSED}, nonces(lambda before, dice: before[0].nonce)),
    "an old nonce now and then": Mutation(ANY, nonces(lambda before, dice: dice.choice(before).nonce)),
    "a flood": Mutation(frozenset({4429}), flood),
    # messages
    "cut within the head": Mutation(frozenset({4400}), messages(lambda data, dice: data[: dice.randrange(25)])),
    "without its first bytes": Mutation(frozenset({4400}), messages(lambda data, dice: data[dice.randint(1, 30) :])),
    "another version": Mutation(
        frozenset({4400}), messages(lambda data, dice: bytes([dice.randint(2, 255)]) + data[1:])
    ),
    "an empty message": Mutation(frozenset({4400}), messages(lambda data, dice: b"")),
    "a frame as text": Mutation(frozenset({4400}), messages(lambda data, dice: data.hex())),
    "random bytes": Mutation(
        frozenset({4400, 4422}), messages(lambda data, dice: dice.randbytes(dice.randint(1, 5000)))
    ),
    "hello as bytes": Mutation(frozenset({4400}), text=in_text("hello", lambda text, dice: text.encode())),
    "hello with a character off": Mutation(STRANGE, text=in_text("hello", one_character_off)),
    "hello cut short": Mutation(frozenset({4400}), text=in_text("hello", cut_short)),
    "a token of another type": Mutation(frozenset({4400}), text=in_text("hello", fields(token=7))),
    "a token of another kind": Mutation(frozenset({4401}), text=in_text("hello", fields(token="\x00' OR 1=1 --"))),
    "a token of surrogates": Mutation(frozenset({4400, 4401}), text=in_text("hello", fields(token="\ud800" * 40))),
    "another protocol": Mutation(frozenset({4406}), text=in_text("hello", fields(protocol=1 << 62))),
    "a huge protocol": Mutation(frozenset({4400, 4406}), text=in_text("hello", fields(protocol=1 << 200))),
    "a device that nobody knows": Mutation(ANY, text=in_text("hello", fields(device="\ud83d\ude00 no hex" * 9))),
    "a hand-over that nobody gave": Mutation(ANY, text=in_text("hello", fields(handover="0" * 9999))),
    "unknown fields": Mutation(ANY, text=in_text("hello", fields(unknown={"deep": [[[[1]]]]}))),
    "an embedder that is not listed": Mutation(frozenset({4403}), text=in_text("hello", fields(embedder="x"))),
    "hello twice": Mutation(ANY, text=twice("hello")),
    "start twice": Mutation(ANY, text=twice("start")),
    "no hello": Mutation(frozenset({4408}), text=never("hello")),
    "no start": Mutation(frozenset({4408}), text=never("start")),
    "no pong": Mutation(frozenset({4408, OVER}), text=never("pong")),
    "a pong of nothing": Mutation(frozenset({4408, OVER}), text=in_text("pong", fields(id="x" * 9000))),
    "nothing after start": Mutation(frozenset({4408}), lambda before, dice: []),
    "brackets without end": Mutation(frozenset({4400}), chatter("[" * 15_000)),
    "a long text": Mutation(frozenset({4400}), chatter(json.dumps({"type": "pong", "id": "x" * 1_000_000}))),
    "an unknown type": Mutation(frozenset({4400}), chatter('{"type":"frame","jpeg":"/9j/"}')),
    "an identity that nobody asked for": Mutation(ANY, chatter('{"type":"identity","signature":"AAAA"}')),
    "a hand-over asked for, over and over": Mutation(ANY, chatter('{"type":"handover"}', count=8)),
    "a note of a wrong kind": Mutation(frozenset({4400}), chatter('{"type":"note","camera":"stolen"}')),
    "a cancel on the way": Mutation(frozenset({1000}), chatter('{"type":"cancel"}', first=12)),
    "a flood of messages": Mutation(frozenset({4429}), chatter('{"type":"start"}', count=FLOOD)),
    # the line
    "aborted": Mutation(frozenset({GONE}), line="abort"),
    "cut within a frame": Mutation(frozenset({GONE}), line="half"),
    "cut and come back": Mutation(ANY, line="return"),
    "come back as another": Mutation(frozenset({4409}), line="stranger"),
    "twice at once": Mutation(ANY, line="twice"),
    "closed in good order": Mutation(frozenset({GONE}), line="close"),
    "bytes that are not WebSocket": Mutation(frozenset({1002}), line="garbage"),
    "an unmasked frame": Mutation(frozenset({1002}), line="unmasked"),
    "a reserved opcode": Mutation(frozenset({1002}), line="opcode"),
    "text that is not UTF-8": Mutation(frozenset({1007}), line="utf8"),
    "a message in a thousand parts": Mutation(frozenset({4400}), line="fragments"),
    "pings without end": Mutation(ANY | {4429}, line="pings"),
}
