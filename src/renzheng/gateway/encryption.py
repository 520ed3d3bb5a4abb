"""The Encryption object: fields of a request or reply, sealed under one symmetric key. Both sides are here.

The caller makes a symmetric key, encrypts it to the server's public key (CiphertextBlob) and seals fields under it. The
server seals its reply under the same key. AES-256-CBC goes with RSA (PKCS#1 v1.5), SM4-GCM with SM2 (C1C3C2).

The format itself has these properties, in any implementation:

- A request carries one Iv. Under SM4-GCM its fields therefore share key *and* nonce: an observer learns the XOR of
  their plaintexts, and can forge under that key. Seal one field, or the whole body, if that matters. AES-256-CBC shows
  no more than equal first blocks.
- AES-256-CBC has no authentication. The request's signature and TLS must provide it.
- A refusal tells the caller that the request could not be opened. The error never tells padding, tag, key and format
  apart.

This module promises about timing: after a wrong RSA padding, a wrong key length or a failed SM2 check, it goes on with
a random key, and so does the same work as for a wrong padding or tag. OpenSSL from 3.2 on answers a wrong PKCS#1 v1.5
padding with a random plaintext (implicit rejection), in the time of a right one. OpenSSL and cryptography check PKCS#7
and GCM tags in constant time. Not promised is constant time for SM2 (see sm2.py), for decoding Base64 and UTF-8, and
for properties that the caller sees anyway (lengths, lists, an invalid Iv).
"""

import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, cast

import msgspec
import pybase64
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from renzheng.gateway.ciphers import (
    BLOCK_BYTES,
    IV_BYTES,
    KEY_BYTES,
    TAG_BYTES,
    cbc_decrypt,
    cbc_encrypt,
    gcm_decrypt,
    gcm_encrypt,
)
from renzheng.gateway.public_keys import Algorithm, PublicKey, PublicKeys
from renzheng.gateway.sm2 import WRAPPING_BYTES, Randomness, Sm2PrivateKey, Sm2PublicKey, pem_blocks, to_pem

# What the Go helper lists when no field, or a whole body, is sealed.
WHOLE_BODY_MARK = "EncryptionBody"
# Where a sealed whole reply is found; the Node helper opens what EncryptList points at.
WHOLE_BODY_PATH = "Response.EncryptedBody"


class UndecryptableError(Exception):
    """A sealed value cannot be opened. It deliberately does not say why."""

    def __init__(self) -> None:
        super().__init__("the sealed values cannot be opened")


class FieldNotSealableError(Exception):
    """EncryptList names a field that may not be sealed."""

    def __init__(self) -> None:
        super().__init__("EncryptList names a field that may not be sealed")


class Encryption(msgspec.Struct, rename="pascal", kw_only=True):
    """The Encryption object as it is on the wire.

    encrypt_list: names of sealed fields; in a reply, dotted paths. ciphertext_blob: the Base64 of the symmetric key,
    encrypted to the server. iv: Base64 of 16 bytes (AES-256-CBC) or 12 (SM4-GCM), or 16 raw characters under
    AES-256-CBC. algorithm: absent means AES-256-CBC. tag_list: for SM4-GCM only, the Base64 of one 16-byte tag for each
    name.
    """

    encrypt_list: list[str] | None = None
    ciphertext_blob: str | None = None
    iv: str | None = None
    algorithm: str | None = None
    tag_list: list[str] | None = None


class SealedFields(NamedTuple):
    """`values`: the Base64 of each ciphertext by name. `encryption`: what must travel with them."""

    values: dict[str, str]
    encryption: Encryption


class SealingKey:
    """One symmetric key and its encrypted form. The caller makes it, and the server opens it."""

    __slots__ = ("_key", "algorithm", "ciphertext_blob")

    def __init__(self, algorithm: Algorithm, key: bytes, ciphertext_blob: str) -> None:
        if len(key) != KEY_BYTES[algorithm]:
            raise ValueError(f"{algorithm} takes a key of {KEY_BYTES[algorithm]} bytes")
        self.algorithm = algorithm
        self.ciphertext_blob = ciphertext_blob
        self._key = key

    @classmethod
    def make(cls, public_key: PublicKey, randomness: Randomness = secrets.token_bytes) -> "SealingKey":
        """Make a new key, encrypted to `public_key`: AES-256-CBC for an RSA key, SM4-GCM for an SM2 key."""
        algorithm: Algorithm = "SM4-GCM" if isinstance(public_key, Sm2PublicKey) else "AES-256-CBC"
        key = randomness(KEY_BYTES[algorithm])
        if isinstance(public_key, Sm2PublicKey):
            blob = public_key.encrypt(key, randomness)
        else:
            blob = public_key.encrypt(key, PKCS1v15())
        return cls(algorithm, key, pybase64.b64encode_as_string(blob))

    def without_fields(self) -> Encryption:
        """Return the Encryption of a request that seals nothing itself and wants a sealed reply."""
        return Encryption(encrypt_list=[], ciphertext_blob=self.ciphertext_blob, algorithm=self.algorithm, tag_list=[])

    def seal(self, values: Mapping[str, str], randomness: Randomness = secrets.token_bytes) -> SealedFields:
        """Seal every value under a fresh Iv. Names are kept as they are: `Name`, or `Response.Name` in a reply."""
        iv = randomness(IV_BYTES[self.algorithm])
        sealed: dict[str, str] = {}
        tags: list[str] = []
        for name, value in values.items():
            if self.algorithm == "AES-256-CBC":
                ciphertext = cbc_encrypt(self._key, iv, value.encode())
            else:
                ciphertext, tag = gcm_encrypt(self._key, iv, value.encode())
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
        """Seal a whole reply. Returns the value of EncryptedBody and the Encryption beside it."""
        sealed, encryption = self.seal({WHOLE_BODY_PATH: text}, randomness)
        return sealed[WHOLE_BODY_PATH], encryption

    def open(self, values: Mapping[str, str | None], encryption: Encryption) -> dict[str, str]:
        """Open a reply. `values` holds the ciphertext of every path in EncryptList, or None if the reply has null.

        The nulls are left out of what is returned. UndecryptableError for anything that is not sealed under this key.
        """
        names = encryption.encrypt_list or []
        if any(name not in values for name in names):
            raise UndecryptableError
        return _open_all(_decode_fields(self.algorithm, names, values, encryption), self._key)

    def open_body(self, encrypted_body: str, encryption: Encryption) -> str:
        """Return the text of EncryptedBody, whatever EncryptList says. UndecryptableError if it cannot be opened."""
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
    """The server's private keys, newest first. The newest is published; all of them can open.

    rsa: one key or more, of any size from 1024 bits. sm2: one key or more. Opening is synchronous CPU work (1 ms for
    RSA-2048, 15 ms for SM2, for each key that is tried), so it should not run on an event loop.

    PKCS#1 v1.5 with implicit rejection does not tell whether a key fits. So every RSA key whose size fits the blob is
    tried until one opens all fields. A request that seals no field gives nothing to check: then the newest key that
    yields 32 bytes is taken. A retired key of the same size is then mistaken for the right one about once in 250
    requests. The caller receives a reply that it cannot open, and asks again with a new key.
    """

    def __init__(self, rsa: Sequence[RSAPrivateKey], sm2: Sequence[Sm2PrivateKey], *, max_rsa_chunks: int = 4) -> None:
        if not rsa or not sm2:
            raise ValueError("sealed fields need an RSA and an SM2 key")
        self._rsa = tuple(rsa)
        self._sm2 = tuple(sm2)
        self._max_rsa_chunks = max_rsa_chunks

    @classmethod
    def generate(cls, rsa_bits: int = 2048, randomness: Randomness = secrets.token_bytes) -> "KeyPairs":
        """Make new keys. RSA takes its randomness from OpenSSL."""
        return cls([generate_private_key(65537, rsa_bits)], [Sm2PrivateKey.generate(randomness)])

    @classmethod
    def from_pem(cls, bundle: str, *, are_own: bool = False) -> "KeyPairs":
        """Read what `to_pem` wrote, or any sequence of unencrypted RSA (PKCS#1, PKCS#8) and SM2 keys, newest first.

        `are_own`: the text comes from `to_pem`, from a place that nobody else writes to. Then RSA keys need no check of
        their primes, which takes 0.1 s of CPU for 2048 bits and 1 s for 4096. ValueError if a block is neither kind, or
        a kind is missing.
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
        """Return all private keys in one text, unencrypted, for a vault."""
        rsa = (key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()) for key in self._rsa)
        return "".join([to_pem("PRIVATE KEY", der) for der in rsa] + [key.pem for key in self._sm2])

    def rotated(self, rsa_bits: int = 2048, randomness: Randomness = secrets.token_bytes) -> "KeyPairs":
        """Return new keys in front of these: the new ones are published, the old ones still open."""
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
        """Open a request's sealed fields.

        `sm2_keys`: the result of `decrypt_all` for `sm2_work`, if that was done elsewhere.

        `values`: the request's parameters by name. Only those in EncryptList are read; a listed one that is absent (or
        None) is skipped. An empty or absent EncryptList, or ["EncryptionBody"], opens the key alone.

        FieldNotSealableError if EncryptList names something outside `sealable` (None: nothing may be sealed), before
        any key is used. UndecryptableError for every other failure.
        """
        names = _sealed_names(encryption, sealable)
        algorithm = _algorithm(encryption.algorithm)
        fields = _decode_fields(algorithm, names, values, encryption)
        keys = self._unwrap(algorithm, encryption.ciphertext_blob or "") if sm2_keys is None else sm2_keys
        for key in keys:
            try:
                # With the random key, a key that does not fit costs as much time as a field that does not open.
                opened = _open_all(fields, key or secrets.token_bytes(KEY_BYTES[algorithm]))
            except UndecryptableError:
                continue
            if key is not None:
                return OpenedFields(opened, SealingKey(algorithm, key, encryption.ciphertext_blob or ""))
        raise UndecryptableError

    def sm2_work(
        self, encryption: Encryption, sealable: Collection[str] | None = None
    ) -> tuple[Sequence[Sm2PrivateKey], bytes] | None:
        """Return the arguments of `decrypt_all` for `open`; None if SM2 is not used. That work blocks the interpreter.

        FieldNotSealableError and UndecryptableError as in `open`.
        """
        _sealed_names(encryption, sealable)
        if _algorithm(encryption.algorithm) != "SM4-GCM":
            return None
        blob = encryption.ciphertext_blob or ""
        wrapped = b"" if self._is_too_long(blob) else _base64(blob)
        return (self._sm2 if _is_sm2_wrapping(wrapped) else ()), wrapped

    def _is_too_long(self, blob: str) -> bool:
        return len(blob) > 2 * self._max_rsa_chunks * max(key.key_size // 8 for key in self._rsa)

    def _unwrap(self, algorithm: Algorithm, blob: str) -> Iterator[bytes | None]:
        """Yield what each private key makes of CiphertextBlob: a key of the right length, or None."""
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
    return len(wrapped) == WRAPPING_BYTES + KEY_BYTES["SM4-GCM"]


def _algorithm(name: str | None) -> Algorithm:
    if name not in (None, "", *KEY_BYTES):
        raise UndecryptableError
    return cast(Algorithm, name or "AES-256-CBC")


def _rsa_unwrap(key: RSAPrivateKey, wrapped: bytes) -> bytes | None:
    size = key.key_size // 8
    try:
        parts = [key.decrypt(wrapped[start : start + size], PKCS1v15()) for start in range(0, len(wrapped), size)]
    except ValueError:  # a number above the modulus; with OpenSSL before 3.2 also a wrong padding
        return None
    opened = b"".join(parts)
    return opened if len(opened) == KEY_BYTES["AES-256-CBC"] else None


class _SealedField(NamedTuple):
    name: str
    ciphertext: bytes
    iv: bytes
    tag: bytes | None


def _decode_fields(
    algorithm: Algorithm, names: Sequence[str], values: Mapping[str, str | None], encryption: Encryption
) -> list[_SealedField]:
    """Decode everything about the listed fields that needs no key. UndecryptableError if a form is invalid."""
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
        if tag is not None and len(tag) != TAG_BYTES:
            raise UndecryptableError
        fields.append(_SealedField(name, _base64(value), iv, tag))
    return fields


def _iv(algorithm: Algorithm, text: str) -> bytes:
    raw = text.encode(errors="replace")
    # The documentation's form, a string of one's own of 16 characters. Under SM4-GCM the same length is the Base64
    # of 12 bytes, which is all that the helpers send there.
    iv = raw if algorithm == "AES-256-CBC" and len(raw) == BLOCK_BYTES else _base64(text)
    if len(iv) != IV_BYTES[algorithm]:
        raise UndecryptableError
    return iv


def _open_all(fields: Sequence[_SealedField], key: bytes) -> dict[str, str]:
    opened: dict[str, str] = {}
    for field in fields:
        try:
            if field.tag is None:
                plaintext = cbc_decrypt(key, field.iv, field.ciphertext)
            else:
                plaintext = gcm_decrypt(key, field.iv, field.ciphertext, field.tag)
            opened[field.name] = str(plaintext, "utf-8")
        except (ValueError, InvalidTag):
            raise UndecryptableError from None
    return opened


def _base64(text: str) -> bytes:
    try:
        return pybase64.b64decode(text, validate=True)
    except ValueError:  # binascii.Error is a ValueError, and so is the error for a character outside of ASCII
        raise UndecryptableError from None
