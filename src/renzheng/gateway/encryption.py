"""The Encryption object: fields of a request or a reply sealed under one symmetric key, both sides.

The caller makes a symmetric key, encrypts it to the server's public key (CiphertextBlob) and seals fields under it;
the server seals its reply under the same key. AES-256-CBC goes with RSA (PKCS#1 v1.5), SM4-GCM with SM2 (C1C3C2).

What the format gives, and what it does not, whoever implements it:

- A request carries one Iv. Under SM4-GCM its fields therefore share key *and* nonce: who sees them learns the XOR of
  their plaintexts, and can forge under that key. Seal one field, or the whole body, when that matters; AES-256-CBC
  shows no more than equal first blocks.
- AES-256-CBC carries no authentication. The request's signature and TLS have to give it.
- That an unsealable request is refused at all tells a caller that it was. Padding, tag, key and format are never told
  apart in the error.

What this module promises about time: a wrong RSA padding, a wrong key length and a wrong SM2 check go on with a random
key in the real one's place, so they do the work of a wrong padding or tag. OpenSSL from 3.2 on answers a wrong
PKCS#1 v1.5 padding with a random plaintext (implicit rejection), in the time of a right one. PKCS#7 and GCM tags are
checked by OpenSSL and cryptography in constant time. Not promised: constant time of SM2 (see sm2.py), of Base64 and
UTF-8 decoding, and of forms that the caller sees anyway (lengths, lists, an Iv that is none).
"""

import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, cast

import msgspec
import pybase64
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES, SM4
from cryptography.hazmat.primitives.ciphers.modes import CBC, GCM
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from renzheng.gateway.public_keys import Algorithm, PublicKey, PublicKeys
from renzheng.gateway.sm2 import WRAPPING_BYTES, Randomness, Sm2PrivateKey, Sm2PublicKey, pem_blocks, to_pem

Buffer = bytes | bytearray | memoryview

# What the Go helper lists when no field, or a whole body, is sealed.
WHOLE_BODY_MARK = "EncryptionBody"
# Where a sealed whole reply is found; the Node helper opens what EncryptList points at.
WHOLE_BODY_PATH = "Response.EncryptedBody"

_KEY_BYTES = {"AES-256-CBC": 32, "SM4-GCM": 16}
_IV_BYTES = {"AES-256-CBC": 16, "SM4-GCM": 12}
_BLOCK = 16
_TAG_BYTES = 16


class UndecryptableError(Exception):
    """A sealed value cannot be opened. Says nothing about why, on purpose."""

    def __init__(self) -> None:
        super().__init__("the sealed values cannot be opened")


class FieldNotSealableError(Exception):
    """EncryptList names a field that may not be sealed."""

    def __init__(self) -> None:
        super().__init__("EncryptList names a field that may not be sealed")


class Encryption(msgspec.Struct, rename="pascal", kw_only=True):
    """The Encryption object as it is on the wire.

    encrypt_list: names of sealed fields, dotted paths in a reply. ciphertext_blob: the Base64 of the symmetric key
    encrypted to the server. iv: Base64 of 16 bytes (AES-256-CBC) or 12 (SM4-GCM), or 16 raw characters under
    AES-256-CBC. algorithm: absent means AES-256-CBC. tag_list: the Base64 of one 16-byte tag a name, SM4-GCM only.
    """

    encrypt_list: list[str] | None = None
    ciphertext_blob: str | None = None
    iv: str | None = None
    algorithm: str | None = None
    tag_list: list[str] | None = None


class SealedFields(NamedTuple):
    """`values`: Base64 of each ciphertext under its name; `encryption`: what has to travel with them."""

    values: dict[str, str]
    encryption: Encryption


class SealingKey:
    """One symmetric key and its encrypted form, as both sides hold it: the caller makes it, the server opens it."""

    __slots__ = ("_key", "algorithm", "ciphertext_blob")

    def __init__(self, algorithm: Algorithm, key: bytes, ciphertext_blob: str) -> None:
        if len(key) != _KEY_BYTES[algorithm]:
            raise ValueError(f"{algorithm} takes a key of {_KEY_BYTES[algorithm]} bytes")
        self.algorithm = algorithm
        self.ciphertext_blob = ciphertext_blob
        self._key = key

    @classmethod
    def make(cls, public_key: PublicKey, randomness: Randomness = secrets.token_bytes) -> "SealingKey":
        """A new key encrypted to `public_key`: AES-256-CBC for an RSA key, SM4-GCM for an SM2 key."""
        algorithm: Algorithm = "SM4-GCM" if isinstance(public_key, Sm2PublicKey) else "AES-256-CBC"
        key = randomness(_KEY_BYTES[algorithm])
        if isinstance(public_key, Sm2PublicKey):
            blob = public_key.encrypt(key, randomness)
        else:
            blob = public_key.encrypt(key, PKCS1v15())
        return cls(algorithm, key, pybase64.b64encode_as_string(blob))

    def without_fields(self) -> Encryption:
        """The Encryption of a request that seals nothing itself and wants a sealed reply."""
        return Encryption(encrypt_list=[], ciphertext_blob=self.ciphertext_blob, algorithm=self.algorithm, tag_list=[])

    def seal(self, values: Mapping[str, str], randomness: Randomness = secrets.token_bytes) -> SealedFields:
        """Seals every value under a fresh Iv. Names are kept as they are: `Name`, or `Response.Name` in a reply."""
        iv = randomness(_IV_BYTES[self.algorithm])
        sealed: dict[str, str] = {}
        tags: list[str] = []
        for name, value in values.items():
            if self.algorithm == "AES-256-CBC":
                ciphertext = _cbc_encrypt(self._key, iv, value.encode())
            else:
                ciphertext, tag = _gcm_encrypt(self._key, iv, value.encode())
                tags.append(pybase64.b64encode_as_string(tag))
            sealed[name] = pybase64.b64encode_as_string(ciphertext)
        encryption = Encryption(
            encrypt_list=list(sealed),
            ciphertext_blob=self.ciphertext_blob,
            iv=pybase64.b64encode_as_string(iv),
            algorithm=self.algorithm,
            tag_list=tags,
        )
        return SealedFields(sealed, encryption)

    def seal_body(self, text: str, randomness: Randomness = secrets.token_bytes) -> tuple[str, Encryption]:
        """Seals a whole reply: the value of EncryptedBody, and the Encryption beside it."""
        sealed, encryption = self.seal({WHOLE_BODY_PATH: text}, randomness)
        return sealed[WHOLE_BODY_PATH], encryption

    def open(self, values: Mapping[str, str | None], encryption: Encryption) -> dict[str, str]:
        """Opens a reply: `values` holds the ciphertext of every path in EncryptList, or None where the reply has null.

        The nulls are left out of what is returned. UndecryptableError for anything that is not sealed under this key.
        """
        names = encryption.encrypt_list or []
        if any(name not in values for name in names):
            raise UndecryptableError
        return _open_all(_decode_fields(self.algorithm, names, values, encryption), self._key)

    def open_body(self, encrypted_body: str, encryption: Encryption) -> str:
        """The text of EncryptedBody, whatever EncryptList says. UndecryptableError if it cannot be opened."""
        named = msgspec.structs.replace(encryption, encrypt_list=[WHOLE_BODY_PATH])
        return self.open({WHOLE_BODY_PATH: encrypted_body}, named)[WHOLE_BODY_PATH]

    def __repr__(self) -> str:
        return f"SealingKey({self.algorithm})"


class OpenedFields(NamedTuple):
    """`fields`: the plaintexts of a request by name; `key`: what the reply may be sealed under."""

    fields: dict[str, str]
    key: SealingKey

    def __repr__(self) -> str:
        return f"Opened({len(self.fields)} fields, {self.key})"


class KeyPairs:
    """The server's private keys, newest first: the newest is published, all of them open.

    rsa: one key or more, of any size from 1024 bits. sm2: one key or more. Opening is plain synchronous work of the
    CPU (1 ms for RSA-2048, 15 ms for SM2, for each key that is tried), to be kept off an event loop.

    PKCS#1 v1.5 with implicit rejection does not say whether a key fitted, so every RSA key whose size fits the blob is
    tried until one opens all fields. A request that seals no field gives nothing to try on: the newest key that yields
    a key of 32 bytes is taken, and a retired key of the same size is then mistaken about once in 250 requests. The
    caller sees a reply that it cannot open, and asks again with a new key.
    """

    def __init__(self, rsa: Sequence[RSAPrivateKey], sm2: Sequence[Sm2PrivateKey], *, max_rsa_chunks: int = 4) -> None:
        if not rsa or not sm2:
            raise ValueError("sealed fields need an RSA and an SM2 key")
        self._rsa = tuple(rsa)
        self._sm2 = tuple(sm2)
        self._max_rsa_chunks = max_rsa_chunks

    @classmethod
    def generate(cls, rsa_bits: int = 2048, randomness: Randomness = secrets.token_bytes) -> "KeyPairs":
        """New keys. RSA's randomness is OpenSSL's own."""
        return cls([generate_private_key(65537, rsa_bits)], [Sm2PrivateKey.generate(randomness)])

    @classmethod
    def from_pem(cls, bundle: str, *, are_own: bool = False) -> "KeyPairs":
        """Reads what to_pem wrote, or any row of unencrypted RSA (PKCS#1, PKCS#8) and SM2 keys, newest first.

        `are_own`: they come from to_pem by a place that nobody else writes to, so that RSA keys need no check of their
        primes, which takes a processor a tenth of a second for 2048 bits and a second for 4096. ValueError when a block
        is neither, or one of the two kinds is missing.
        """
        rsa: list[RSAPrivateKey] = []
        sm2: list[Sm2PrivateKey] = []
        for der in pem_blocks(bundle):
            try:
                key = load_der_private_key(der, None, unsafe_skip_rsa_key_validation=are_own)
            except (ValueError, TypeError, UnsupportedAlgorithm):
                sm2.append(Sm2PrivateKey.from_der(der))
                continue
            if not isinstance(key, RSAPrivateKey):
                raise ValueError("neither an RSA nor an SM2 private key")
            rsa.append(key)
        return cls(rsa, sm2)

    def to_pem(self) -> str:
        """All private keys in one text, unencrypted, for a vault."""
        rsa = (key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()) for key in self._rsa)
        return "".join([to_pem("PRIVATE KEY", der) for der in rsa] + [key.pem for key in self._sm2])

    def rotated(self, rsa_bits: int = 2048, randomness: Randomness = secrets.token_bytes) -> "KeyPairs":
        """These keys behind new ones: the new are published, the old still open."""
        new = KeyPairs.generate(rsa_bits, randomness)
        return KeyPairs(new._rsa + self._rsa, new._sm2 + self._sm2, max_rsa_chunks=self._max_rsa_chunks)

    @property
    def public(self) -> PublicKeys:
        """The newest public halves."""
        return PublicKeys(self._rsa[0].public_key(), self._sm2[0].public)

    def open(
        self,
        encryption: Encryption,
        values: Mapping[str, str | None],
        sealable: Collection[str] | None = None,
        sm2_keys: Sequence[bytes | None] | None = None,
    ) -> OpenedFields:
        """Opens a request's sealed fields.

        `sm2_keys`: what `decrypt_all` made of `sm2_work`, where that was done elsewhere.

        `values`: the request's parameters by name, of which only those in EncryptList are read; a listed one that is
        absent (or None) is passed over. An empty or absent EncryptList, or ["EncryptionBody"], opens the key alone.

        FieldNotSealableError when EncryptList names something outside `sealable` (None: nothing is), before any key
        is touched.
        UndecryptableError for everything else that goes wrong.
        """
        names = _sealed_names(encryption, sealable)
        algorithm = _algorithm(encryption.algorithm)
        fields = _decode_fields(algorithm, names, values, encryption)
        keys = self._unwrapped(algorithm, encryption.ciphertext_blob or "") if sm2_keys is None else sm2_keys
        for key in keys:
            try:
                # The random key makes a key that did not fit cost what a field that does not open costs.
                opened = _open_all(fields, key or secrets.token_bytes(_KEY_BYTES[algorithm]))
            except UndecryptableError:
                continue
            if key is not None:
                return OpenedFields(opened, SealingKey(algorithm, key, encryption.ciphertext_blob or ""))
        raise UndecryptableError

    def sm2_work(
        self, encryption: Encryption, sealable: Collection[str] | None = None
    ) -> tuple[Sequence[Sm2PrivateKey], bytes] | None:
        """What `decrypt_all` is to do for `open`, which holds the interpreter; None where SM2 is not asked for.

        FieldNotSealableError and UndecryptableError as `open` raises them.
        """
        _sealed_names(encryption, sealable)
        if _algorithm(encryption.algorithm) != "SM4-GCM":
            return None
        blob = encryption.ciphertext_blob or ""
        wrapped = b"" if self._is_too_long(blob) else _base64(blob)
        return (self._sm2 if _is_sm2_wrapping(wrapped) else ()), wrapped

    def _is_too_long(self, blob: str) -> bool:
        return len(blob) > 2 * self._max_rsa_chunks * max(key.key_size // 8 for key in self._rsa)

    def _unwrapped(self, algorithm: Algorithm, blob: str) -> Iterator[bytes | None]:
        """What each private key makes of CiphertextBlob: a key of the right length, or None."""
        if self._is_too_long(blob):
            return
        wrapped = _base64(blob)
        if algorithm == "SM4-GCM":
            if _is_sm2_wrapping(wrapped):
                yield from (key.decrypt(wrapped) for key in self._sm2)
            return
        for rsa in self._rsa:
            chunks, rest = divmod(len(wrapped), rsa.key_size // 8)
            if rest == 0 and 1 <= chunks <= self._max_rsa_chunks:
                yield _rsa_unwrap(rsa, wrapped)


def _sealed_names(encryption: Encryption, sealable: Collection[str] | None) -> list[str]:
    names = encryption.encrypt_list or []
    if names == [WHOLE_BODY_MARK]:
        return []
    if sealable is not None and any(name not in sealable for name in names):
        raise FieldNotSealableError
    return names


def _is_sm2_wrapping(wrapped: bytes) -> bool:
    return len(wrapped) == WRAPPING_BYTES + _KEY_BYTES["SM4-GCM"]


def _algorithm(name: str | None) -> Algorithm:
    if name not in (None, "", *_KEY_BYTES):
        raise UndecryptableError
    return cast(Algorithm, name or "AES-256-CBC")


def _rsa_unwrap(key: RSAPrivateKey, wrapped: bytes) -> bytes | None:
    size = key.key_size // 8
    try:
        parts = [key.decrypt(wrapped[start : start + size], PKCS1v15()) for start in range(0, len(wrapped), size)]
    except ValueError:  # a number above the modulus; a wrong padding too, where OpenSSL is older than 3.2
        return None
    opened = b"".join(parts)
    return opened if len(opened) == _KEY_BYTES["AES-256-CBC"] else None


class _SealedField(NamedTuple):
    name: str
    ciphertext: bytes
    iv: bytes
    tag: bytes | None


def _decode_fields(
    algorithm: Algorithm, names: Sequence[str], values: Mapping[str, str | None], encryption: Encryption
) -> list[_SealedField]:
    """Everything about the listed fields that needs no key. UndecryptableError on a form that is none."""
    if not names:
        return []
    tags = encryption.tag_list or []
    if len(set(names)) != len(names) or (algorithm == "SM4-GCM" and len(tags) != len(names)):
        raise UndecryptableError
    iv = _iv(algorithm, encryption.iv or "")
    fields: list[_SealedField] = []
    for position, name in enumerate(names):
        value = values.get(name)
        if value is None:
            continue
        tag = _base64(tags[position]) if algorithm == "SM4-GCM" else None
        if tag is not None and len(tag) != _TAG_BYTES:
            raise UndecryptableError
        fields.append(_SealedField(name, _base64(value), iv, tag))
    return fields


def _iv(algorithm: Algorithm, text: str) -> bytes:
    raw = text.encode(errors="replace")
    # The documentation's form, a string of one's own of 16 characters. Under SM4-GCM the same length is the Base64
    # of 12 bytes, which is all that the helpers send there.
    iv = raw if algorithm == "AES-256-CBC" and len(raw) == _BLOCK else _base64(text)
    if len(iv) != _IV_BYTES[algorithm]:
        raise UndecryptableError
    return iv


def _open_all(fields: Sequence[_SealedField], key: bytes) -> dict[str, str]:
    opened: dict[str, str] = {}
    for field in fields:
        try:
            if field.tag is None:
                plaintext = _cbc_decrypt(key, field.iv, field.ciphertext)
            else:
                plaintext = _gcm_decrypt(key, field.iv, field.ciphertext, field.tag)
            opened[field.name] = str(plaintext, "utf-8")
        except (ValueError, InvalidTag):
            raise UndecryptableError from None
    return opened


def _base64(text: str) -> bytes:
    try:
        return pybase64.b64decode(text, validate=True)
    except ValueError:  # binascii.Error is one, and so is a character outside of ASCII
        raise UndecryptableError from None


# A photo is sealed too, so megabytes pass through here: each direction writes into one buffer, and the padding is
# handled in the last block alone.


def _cbc_encrypt(key: bytes, iv: bytes, plaintext: bytes) -> Buffer:
    whole = len(plaintext) - len(plaintext) % _BLOCK
    padder = PKCS7(_BLOCK * 8).padder()
    last = padder.update(plaintext[whole:]) + padder.finalize()
    encryptor = Cipher(AES(key), CBC(iv)).encryptor()
    out = memoryview(bytearray(whole + 2 * _BLOCK))  # update_into wants one block to spare
    encryptor.update_into(memoryview(plaintext)[:whole], out)
    encryptor.update_into(last, out[whole:])
    encryptor.finalize()
    return out[: whole + _BLOCK]


def _cbc_decrypt(key: bytes, iv: bytes, ciphertext: bytes) -> Buffer:
    """ValueError when the ciphertext is not a whole number of blocks, or the padding is wrong."""
    if not ciphertext or len(ciphertext) % _BLOCK:
        raise ValueError("not whole blocks")
    decryptor = Cipher(AES(key), CBC(iv)).decryptor()
    out = memoryview(bytearray(len(ciphertext) + _BLOCK))
    decryptor.update_into(ciphertext, out)
    decryptor.finalize()
    before = len(ciphertext) - _BLOCK
    unpadder = PKCS7(_BLOCK * 8).unpadder()
    last = unpadder.update(out[before : before + _BLOCK]) + unpadder.finalize()
    return out[: before + len(last)]


def _gcm_encrypt(key: bytes, iv: bytes, plaintext: bytes) -> tuple[Buffer, bytes]:
    encryptor = Cipher(SM4(key), GCM(iv)).encryptor()
    ciphertext = encryptor.update(plaintext)
    encryptor.finalize()
    return ciphertext, encryptor.tag


def _gcm_decrypt(key: bytes, iv: bytes, ciphertext: bytes, tag: bytes) -> Buffer:
    """InvalidTag when the tag does not belong to ciphertext, key and iv."""
    decryptor = Cipher(SM4(key), GCM(iv, tag)).decryptor()
    plaintext = decryptor.update(ciphertext)
    decryptor.finalize()
    return plaintext
