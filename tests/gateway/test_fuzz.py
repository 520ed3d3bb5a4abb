"""Damaged requests: seeded and bounded. Each must end as a classified error of the caller's, and nothing else."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest

from renzheng.accounts.keys import Key
from renzheng.gateway.encryption import KeyPairs, SealingKey
from renzheng.gateway.public_keys import PublicKey
from tests.gateway.signing import signed_json
from tests.gateway.support import GOLDEN, SECRET_ID, SECRET_KEY, Vector, build, call, vectors

SEED = 20261124
PIECES = [
    b"",
    b"\x00",
    b"\xff",
    b"%",
    b"%zz",
    b"&",
    b"=",
    b"{",
    b"[",
    b'"',
    b"\\u",
    b"null",
    b"1e999",
    b"-",
    b"\r\n",
    b";",
]
NOT_THE_CALLERS = {"InternalError", "FailedOperation.UnKnown"}
CRYPTO = json.loads((GOLDEN / "crypto_request_vectors.json").read_text())["vectors"]
KEYS = KeyPairs.from_pem("".join(vector["private_key_pem"] for vector in CRYPTO))


def damaged(content: bytes, chance: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        place = chance.randint(0, len(data))
        kind = chance.randrange(4)
        if kind == 0 and data:
            data[place - 1] = chance.randrange(256)
        elif kind == 1:
            data[place:place] = chance.choice(PIECES)
        elif kind == 2:
            del data[place : place + chance.randint(1, 20)]
        else:
            data[place:place] = data[place : place + chance.randint(1, 20)]
    return bytes(data)


@pytest.mark.parametrize("part", range(4))
async def test_damaged_golden_requests_are_answered_with_an_error_of_the_callers(part: int) -> None:
    chance = random.Random(SEED + part)
    house = build()
    codes: Counter[str] = Counter()
    pool = [vector for vector in vectors() if not vector.id.startswith("doc_")]
    for _ in range(400):
        vector: Vector = chance.choice(pool)
        house.clock.now = vector.clock
        headers = [
            (damaged(name, chance).lower() if chance.random() < 0.05 else name, value)
            if chance.random() < 0.8
            else (name, damaged(value, chance))
            for name, value in vector.headers
        ]
        target = damaged(vector.target.encode(), chance).decode("latin-1") if chance.random() < 0.5 else vector.target
        target = target.encode("ascii", "ignore").decode() or "/"
        body = damaged(vector.body, chance) if chance.random() < 0.5 else vector.body
        answer = await call(house.gateway, vector.method, target, headers, body)
        assert answer.status == 200
        assert answer.code not in NOT_THE_CALLERS
        assert answer.response["RequestId"]
        codes[answer.code] += 1
    assert len(codes) > 5, codes
    assert not house.lines("gateway failed")
    assert house.gateway.authentication.bytes_in_flight == 0


def a_value(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(9 if depth < 3 else 6)
    if kind == 0:
        return None
    if kind == 1:
        return chance.choice([True, False])
    if kind == 2:
        return chance.choice([0, -1, 2**70, 1.5, 1e300])
    if kind < 6:
        return chance.choice(["", "x", "Name", "韦小宝", "\x00", "a" * 1001, "QUJD", "%", "AES-256-CBC", "SM4-GCM"])
    if kind == 6:
        return [a_value(chance, depth + 1) for _ in range(chance.randint(0, 3))]
    return {chance.choice(FIELDS): a_value(chance, depth + 1) for _ in range(chance.randint(0, 4))}


FIELDS = [
    "CompareLib", "IdCard", "Name", "ImageBase64", "Meta", "Extra", "UseCos", "Encryption", "RuleId", "EncryptList",
    "CiphertextBlob", "Iv", "Algorithm", "TagList", "Foo", "",
]  # fmt: skip


@pytest.mark.parametrize("part", range(2))
async def test_signed_messages_of_every_shape_are_read_or_refused_and_opened_or_refused(part: int) -> None:
    chance = random.Random(SEED + 100 + part)
    house = build(Key(SECRET_ID, SECRET_KEY, 1), key_pairs=lambda _: KEYS, quota=_NoQuota())
    codes: Counter[str] = Counter()
    for _ in range(500):
        if chance.random() < 0.5:
            vector = chance.choice(CRYPTO)
            content = json.loads(json.dumps(vector["request"]))
            inside = content["Encryption"] if chance.random() < 0.7 else content
            name = chance.choice(list(inside))
            given = inside[name]
            if isinstance(given, str) and chance.random() < 0.6:
                inside[name] = damaged(given.encode(), chance).decode("utf-8", "ignore")
            else:
                inside[name] = a_value(chance)
            body = json.dumps(content).encode()
        else:
            body = json.dumps({chance.choice(FIELDS): a_value(chance) for _ in range(4)}).encode()
            body = damaged(body, chance) if chance.random() < 0.3 else body
        answer = await call(house.gateway, **signed_json(body))
        assert answer.code not in NOT_THE_CALLERS, body
        codes[answer.code] += 1
    for expected in ("UnknownParameter", "MissingParameter", "InvalidParameter", "FailedOperation.DecryptSystemError"):
        assert codes[expected], codes
    assert not house.lines("gateway failed")


class _NoQuota:
    async def hit(self, account_id: int, action: str, now: float) -> int:
        return 1


async def test_sealed_replies_are_given_for_any_key_that_opens() -> None:
    chance = random.Random(SEED)
    house = build(key_pairs=lambda _: KEYS)
    for _ in range(20):
        both: list[PublicKey] = [KEYS.public.rsa, KEYS.public.sm2]
        public = chance.choice(both)
        key = SealingKey.make(public)
        content = {
            "FaceIdToken": "t",
            "IsEncryptResponse": chance.choice([True, False, None]),
            "Encryption": {"CiphertextBlob": key.ciphertext_blob, "Algorithm": key.algorithm, "EncryptList": None},
        }
        answer = await call(house.gateway, **signed_json(content, action="GetFaceIdResult"))
        assert answer.code == ""
        assert "11204416541220243X" not in answer.body.decode()
