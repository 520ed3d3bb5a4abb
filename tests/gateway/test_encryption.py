"""Sealed fields: the official helpers' bytes open, everything else is refused in one way."""

import json
import random
import shutil
import subprocess
import tracemalloc
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateNumbers, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from renzheng.gateway.encryption import (
    Encryption,
    FieldNotSealableError,
    KeyPairs,
    SealingKey,
    UndecryptableError,
)
from renzheng.gateway.public_keys import Algorithm, load_public_key
from tests.gateway.support import SEALABLE

GOLDEN = Path(__file__).parent.parent / "golden"
REQUESTS = json.loads((GOLDEN / "crypto_request_vectors.json").read_text())["vectors"]
RESPONSES = json.loads((GOLDEN / "crypto_response_vectors.json").read_text())["vectors"]
ALGORITHMS: list[Algorithm] = ["AES-256-CBC", "SM4-GCM"]
by_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS)
request_vectors = pytest.mark.parametrize("vector", REQUESTS, ids=ALGORITHMS)
response_vectors = pytest.mark.parametrize("vector", RESPONSES, ids=ALGORITHMS)

# The golden vectors' own keys: RSA-1024, which is what is found in the wild, and SM2.
KEYS = KeyPairs.from_pem("".join(vector["private_key_pem"] for vector in REQUESTS))
names = st.text(st.characters(codec="utf-8"), max_size=40)


def encryption(wire: dict[str, Any]) -> Encryption:
    return msgspec.convert(wire, Encryption)


def new_key(algorithm: Algorithm, keys: KeyPairs = KEYS) -> SealingKey:
    return SealingKey.make(keys.public.sm2 if algorithm == "SM4-GCM" else keys.public.rsa)


def swap(text: str, position: int, bit: int = 0x80) -> str:
    content = bytearray(b64decode(text))
    content[position] ^= bit
    return b64encode(content).decode()


@request_vectors
def test_what_the_official_helper_sealed_opens(vector: dict[str, Any]) -> None:
    request = vector["request"]
    opened = KEYS.open(encryption(request["Encryption"]), request)
    assert opened.fields == vector["plaintext"]
    expected = SealingKey(vector["algorithm"], b64decode(vector["key_b64"]), "")
    sealed = opened.key.seal({"Response.Name": "韦小宝"})
    assert expected.open(sealed.values, sealed.encryption) == {"Response.Name": "韦小宝"}
    assert sealed.encryption.ciphertext_blob == request["Encryption"]["CiphertextBlob"]


@request_vectors
@pytest.mark.parametrize("listed", [[], None, ["EncryptionBody"]], ids=["node", "java", "go"])
def test_a_request_that_only_wants_a_sealed_reply_gives_its_key(vector: dict[str, Any], listed: Any) -> None:
    request = vector["response_only_request"]
    opened = KEYS.open(encryption(request["Encryption"] | {"EncryptList": listed}), request)
    assert opened.fields == {}
    expected = SealingKey(vector["algorithm"], b64decode(vector["response_only_key_b64"]), "")
    assert expected.open_body(*opened.key.seal_body("{}")) == "{}"


@response_vectors
def test_the_official_replies_open_and_ours_have_their_form(vector: dict[str, Any]) -> None:
    key = SealingKey(vector["algorithm"], b64decode(vector["key_b64"]), vector["ciphertext_blob"])
    wire = {
        "Algorithm": vector["algorithm"],
        "CiphertextBlob": vector["ciphertext_blob"],
        "EncryptList": vector["encrypt_list"],
        "Iv": vector["iv_b64"],
        "TagList": vector["tag_list"],
    }
    plaintexts = dict(zip(vector["encrypt_list"], vector["plaintext"], strict=True))
    ciphertexts = dict(zip(vector["encrypt_list"], vector["ciphertext"], strict=True))
    assert key.open(ciphertexts, encryption(wire)) == plaintexts

    iv = b64decode(vector["iv_b64"])
    ours = key.seal(plaintexts, randomness=lambda count: iv[:count])
    assert msgspec.to_builtins(ours.encryption) == wire
    assert ours.values == ciphertexts


@by_algorithm
@given(values=st.dictionaries(st.sampled_from(["Name", "IdCard", "ImageBase64"]), names, min_size=1))
@settings(max_examples=25)
def test_any_fields_come_back_as_they_were_sealed(algorithm: Algorithm, values: dict[str, str]) -> None:
    key = new_key(algorithm)
    sealed = key.seal(values)
    opened = KEYS.open(sealed.encryption, {**sealed.values, "CompareLib": "LOCAL"})
    assert opened.fields == values
    reply = opened.key.seal({f"Response.{name}": value for name, value in values.items()})
    assert reply.encryption.iv != sealed.encryption.iv
    assert key.open(reply.values, reply.encryption) == {f"Response.{k}": v for k, v in values.items()}


@by_algorithm
@given(body=st.text(st.characters(codec="utf-8")))
@settings(max_examples=15)
def test_any_whole_body_comes_back_as_it_was_sealed(algorithm: Algorithm, body: str) -> None:
    key = new_key(algorithm)
    encrypted, described = KEYS.open(key.without_fields(), {}).key.seal_body(body)
    assert key.open_body(encrypted, described) == body
    assert len(described.tag_list or []) == (1 if algorithm == "SM4-GCM" else 0)
    # A helper that follows EncryptList alone finds the body too.
    assert key.open({"Response.EncryptedBody": encrypted}, described) == {"Response.EncryptedBody": body}


def test_an_iv_of_sixteen_raw_characters_opens_under_aes() -> None:
    key = new_key("AES-256-CBC")
    sealed = key.seal({"Name": "韦小宝"}, randomness=lambda _: b"aabbccddeeffgghh")
    sealed.encryption.iv = "aabbccddeeffgghh"
    sealed.encryption.algorithm = None
    sealed.encryption.tag_list = None
    assert KEYS.open(sealed.encryption, sealed.values).fields == {"Name": "韦小宝"}


def test_a_listed_field_that_was_not_sent_is_passed_over_and_tags_keep_their_places() -> None:
    sealed = new_key("SM4-GCM").seal({"Name": "韦小宝", "IdCard": "11204416541220243X"})
    assert KEYS.open(sealed.encryption, {"IdCard": sealed.values["IdCard"]}).fields == {"IdCard": "11204416541220243X"}


Change = Callable[[dict[str, Any], dict[str, str]], Any]
BOTH: dict[str, Change] = {
    "blob": lambda e, v: e.update(CiphertextBlob=swap(e["CiphertextBlob"], 40)),
    "blob's last byte": lambda e, v: e.update(CiphertextBlob=swap(e["CiphertextBlob"], -1, 1)),
    "blob's first byte": lambda e, v: e.update(CiphertextBlob=swap(e["CiphertextBlob"], 0)),
    "blob cut": lambda e, v: e.update(CiphertextBlob=b64encode(b64decode(e["CiphertextBlob"])[:-1]).decode()),
    "blob empty": lambda e, v: e.update(CiphertextBlob=""),
    "blob absent": lambda e, v: e.update(CiphertextBlob=None),
    "blob of the key service": lambda e, v: e.update(CiphertextBlob="a1B2-k-c3D4-k-e5F6=="),
    "blob huge": lambda e, v: e.update(CiphertextBlob="A" * 100_000),
    "blob not Base64": lambda e, v: e.update(CiphertextBlob="解密" + e["CiphertextBlob"]),
    "value's end": lambda e, v: v.update(Name=swap(v["Name"], -1, 1)),
    "value cut": lambda e, v: v.update(IdCard=b64encode(b64decode(v["IdCard"])[:-1]).decode()),
    "value not Base64": lambda e, v: v.update(IdCard=v["IdCard"] + "\n"),
    "values exchanged": lambda e, v: v.update(IdCard=v["Name"], Name=v["IdCard"][::-1]),
    "iv": lambda e, v: e.update(Iv=swap(e["Iv"], -1)),
    "iv absent": lambda e, v: e.update(Iv=None),
    "iv short": lambda e, v: e.update(Iv="AAAA"),
    "iv not Base64": lambda e, v: e.update(Iv="*" * 24),
    "algorithm unknown": lambda e, v: e.update(Algorithm="AES-128-ECB"),
    "name twice": lambda e, v: e.update(EncryptList=["Name", "Name"]),
}
GCM_ONLY: dict[str, Change] = {
    "tag": lambda e, v: e.update(TagList=[swap(e["TagList"][0], 0), e["TagList"][1]]),
    "tag short": lambda e, v: e.update(TagList=[e["TagList"][0], e["TagList"][1][:16]]),
    "tag not Base64": lambda e, v: e.update(TagList=[e["TagList"][0], "*"]),
    "tags exchanged": lambda e, v: e.update(TagList=e["TagList"][::-1]),
    "tags missing": lambda e, v: e.update(TagList=e["TagList"][:1]),
    "tags absent": lambda e, v: e.update(TagList=None),
    "algorithm exchanged": lambda e, v: e.update(Algorithm="AES-256-CBC"),
}
CBC_ONLY: dict[str, Change] = {
    "padding": lambda e, v: v.update(IdCard=swap(v["IdCard"], 15)),
    "algorithm exchanged": lambda e, v: e.update(Algorithm="SM4-GCM"),
    "value empty": lambda e, v: v.update(IdCard=""),
}


@pytest.mark.parametrize(
    ("vector", "change"),
    [
        pytest.param(vector, change, id=f"{vector['algorithm']}, {name}")
        for vector, own in zip(REQUESTS, (CBC_ONLY, GCM_ONLY), strict=True)
        for name, change in (BOTH | own).items()
    ],
)
def test_a_change_of_any_part_is_refused_with_one_and_the_same_error(vector: dict[str, Any], change: Change) -> None:
    wire = json.loads(json.dumps(vector["request"]))
    described = wire.pop("Encryption")
    change(described, wire)
    with pytest.raises(UndecryptableError) as refused:
        KEYS.open(encryption(described), wire)
    assert type(refused.value) is UndecryptableError
    assert str(refused.value) == str(UndecryptableError())
    assert refused.value.__cause__ is None


@by_algorithm
def test_a_plaintext_that_is_no_text_is_refused_as_a_wrong_padding_is(algorithm: Algorithm) -> None:
    class Bytes(str):
        __slots__ = ()

        def encode(self, *_: Any) -> bytes:
            return b"\xff\xfe\xfd"

    sealed = new_key(algorithm).seal({"Name": Bytes("")})
    with pytest.raises(UndecryptableError):
        KEYS.open(sealed.encryption, sealed.values)


@pytest.mark.parametrize("listed", [["CompareLib"], ["Name", "name"], ["EncryptionBody", "Name"], [""]])
def test_a_field_that_may_not_be_sealed_is_named_before_any_key_is_used(listed: list[str]) -> None:
    with pytest.raises(FieldNotSealableError):
        KEYS.open(Encryption(encrypt_list=listed, ciphertext_blob="not a blob"), {"CompareLib": "LOCAL"}, SEALABLE)


def test_what_may_be_sealed_is_the_callers_to_say() -> None:
    sealed = new_key("AES-256-CBC").seal({"Phone": "13800000000"})
    assert KEYS.open(sealed.encryption, sealed.values, sealable={"Phone"}).fields == {"Phone": "13800000000"}


@by_algorithm
def test_retired_keys_still_open_and_only_new_ones_are_published(algorithm: Algorithm) -> None:
    first = KeyPairs.generate(rsa_bits=1024)
    third = KeyPairs.from_pem(first.rotated(1024).rotated(1024).to_pem())
    assert third.public.sm2_hex != first.public.sm2_hex
    assert third.public.rsa_pem != first.public.rsa_pem
    for keys in (first, third):
        sealed = new_key(algorithm, keys).seal({"Name": "韦小宝", "IdCard": "11204416541220243X"})
        opened = third.open(sealed.encryption, sealed.values)
        assert opened.fields == {"Name": "韦小宝", "IdCard": "11204416541220243X"}
    with pytest.raises(UndecryptableError):
        first.open(sealed.encryption, sealed.values)


def test_the_library_answers_a_wrong_rsa_padding_with_a_random_key_and_not_with_an_error() -> None:
    key = generate_private_key(65537, 2048)
    blob = b"\x01" * 256
    answer = key.decrypt(blob, PKCS1v15())
    assert key.decrypt(blob, PKCS1v15()) == answer  # the same each time, so asking twice tells nothing
    assert generate_private_key(65537, 2048).decrypt(blob, PKCS1v15()) != answer


@pytest.mark.parametrize("rsa_bits", [1024, 2048, 3072])
def test_every_rsa_size_opens_what_was_sealed_to_it(rsa_bits: int) -> None:
    keys = KeyPairs.generate(rsa_bits)
    sealed = new_key("AES-256-CBC", keys).seal({"Name": "韦小宝"})
    assert keys.open(sealed.encryption, sealed.values).fields == {"Name": "韦小宝"}


def test_a_key_that_was_encrypted_in_several_pieces_is_put_together() -> None:
    key, keys = bytes(range(32)), KeyPairs.generate(1024)
    pieces = b"".join(keys.public.rsa.encrypt(piece, PKCS1v15()) for piece in (key[:20], key[20:]))
    sealed = SealingKey("AES-256-CBC", key, b64encode(pieces).decode()).seal({"Name": "韦小宝"})
    assert keys.open(sealed.encryption, sealed.values).fields == {"Name": "韦小宝"}


def test_every_published_form_of_a_public_key_is_read_back() -> None:
    public = KEYS.public
    for text in (public.rsa_pem, public.rsa_spki_pem, public.node["AES-256-CBC"], public.java["AES-256-CBC"]):
        loaded = load_public_key(text)
        assert not hasattr(loaded, "point")
        assert loaded == public.rsa
    for text in (public.sm2_pem, public.sm2_hex, public.node["SM4-GCM"], public.java["SM4-GCM"]):
        loaded = load_public_key(text)
        assert hasattr(loaded, "point")
        assert loaded.point.hex() == REQUESTS[1]["public_key_hex"]
    for text in ("", "04" * 65, "-----BEGIN PUBLIC KEY-----", "AAAA", "解密", REQUESTS[0]["private_key_pem"]):
        with pytest.raises(ValueError, match=r"."):
            load_public_key(text)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_reads_our_sm2_keys_and_we_read_its(tmp_path: Path) -> None:
    def openssl(*arguments: str, given: str | None = None) -> str:
        return subprocess.run(["openssl", *arguments], input=given, capture_output=True, text=True, check=True).stdout

    rsa_pem, sm2_pem = KEYS.to_pem().split("-----END PRIVATE KEY-----\n", 1)
    assert openssl("pkey", "-pubout", given=sm2_pem) == KEYS.public.sm2_pem
    theirs = openssl("genpkey", "-algorithm", "SM2")
    older = openssl("ecparam", "-name", "SM2", "-genkey", "-noout")
    for pem in (theirs, older):
        keys = KeyPairs.from_pem(rsa_pem + "-----END PRIVATE KEY-----\n" + pem)
        assert openssl("pkey", "-pubout", given=pem) == keys.public.sm2_pem


@pytest.mark.parametrize("bundle", ["", REQUESTS[0]["private_key_pem"], REQUESTS[1]["private_key_pem"]])
def test_key_pairs_without_both_kinds_are_refused(bundle: str) -> None:
    with pytest.raises(ValueError, match="need an RSA and an SM2 key"):
        KeyPairs.from_pem(bundle)


def test_primes_are_checked_but_for_keys_of_our_own() -> None:
    """A check takes a processor so long that whoever is first after a start or a rotation would hold up others."""
    pair = [generate_private_key(65537, 1024) for _ in range(2)]
    # The exponent of one has to be below the modulus of the other.
    other, one = sorted(pair, key=lambda key: key.private_numbers().public_numbers.n)
    own, foreign = one.private_numbers(), other.private_numbers()
    mixed = RSAPrivateNumbers(
        own.p, own.q, foreign.d, foreign.dmp1, foreign.dmq1, foreign.iqmp, own.public_numbers
    ).private_key(unsafe_skip_rsa_key_validation=True)
    bundle = mixed.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    bundle += REQUESTS[1]["private_key_pem"]
    with pytest.raises(ValueError, match=r"."):
        KeyPairs.from_pem(bundle)
    numbers = KeyPairs.from_pem(bundle, are_own=True).public.rsa.public_numbers()
    assert numbers == one.public_key().public_numbers()


def test_no_representation_shows_a_key_or_a_plaintext() -> None:
    request = REQUESTS[1]["request"]
    opened = KEYS.open(encryption(request["Encryption"]), request)
    shown = repr(opened) + str(opened) + repr(opened.key) + repr(KEYS) + repr(vars(KEYS))
    for secret in ("韦小宝", "11204416541220243X", repr(b64decode(REQUESTS[1]["key_b64"]))[2:-1]):
        assert secret not in shown
    assert str(int(REQUESTS[1]["private_key_hex"], 16)) not in shown


@by_algorithm
def test_a_photo_is_opened_with_no_more_than_three_copies_of_it(algorithm: Algorithm) -> None:
    photo = "QUJD" * 500_000
    sealed = new_key(algorithm).seal({"ImageBase64": photo})
    tracemalloc.start()
    try:
        opened = KEYS.open(sealed.encryption, sealed.values)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert opened.fields == {"ImageBase64": photo}
    assert peak < 3.1 * len(photo)  # ciphertext, plaintext, text


def mutated(rng: random.Random, value: Any) -> Any:
    """`value` with one small or large change, of the types that the wire can carry there."""
    if isinstance(value, list):
        return rng.choice([[], value[:1], value * 2, [mutated(rng, item) or "" for item in value], None])
    if not value:
        return rng.choice([None, "", "A", "\x00"])
    position = rng.randrange(len(value))
    return rng.choice(
        [
            None,
            value[:position],
            value[position:] + value[:position],
            value[:position] + rng.choice("A/+=-_ \n\x00é韦\ud800") + value[position + 1 :],
            b64encode(rng.randbytes(rng.choice([0, 1, 12, 16, 32, 112, 113, 128, 129, 256]))).decode(),
            value * rng.choice([2, 3, 50]),
        ]
    )


@pytest.mark.parametrize(("vector", "rounds"), list(zip(REQUESTS, [2000, 400], strict=True)), ids=ALGORITHMS)
def test_a_seeded_fuzz_of_the_opener_finds_no_crash_and_no_unclassified_error(
    vector: dict[str, Any], rounds: int
) -> None:
    rng = random.Random(20180301)
    outcomes = {"opened": 0, "undecryptable": 0, "not sealable": 0}
    for _ in range(rounds):
        wire = json.loads(json.dumps(vector["request"]))
        described = wire.pop("Encryption")
        for _ in range(rng.choice([0, 1, 1, 2])):
            target = rng.choice([described, described, wire])
            name = rng.choice(sorted(target))
            target[name] = mutated(rng, target[name])
        try:
            opened = KEYS.open(Encryption(**{SNAKE[k]: v for k, v in described.items()}), wire, SEALABLE)
            assert all(isinstance(text, str) for text in opened.fields.values())
            outcomes["opened"] += 1
        except UndecryptableError:
            outcomes["undecryptable"] += 1
        except FieldNotSealableError:
            outcomes["not sealable"] += 1
    assert min(outcomes.values()) > 0, outcomes


SNAKE = {
    "EncryptList": "encrypt_list",
    "CiphertextBlob": "ciphertext_blob",
    "Iv": "iv",
    "Algorithm": "algorithm",
    "TagList": "tag_list",
}
