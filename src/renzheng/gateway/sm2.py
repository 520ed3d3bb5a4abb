"""SM2 keys (GB/T 32918) in the forms that the official helpers use, on top of gmalg's arithmetic.

gmalg is pure Python on Python's integers, so its running time depends on the numbers. A private-key operation here
multiplies by a freshly blinded scalar, d + r·n with a random 64-bit r. This gives the same point, and hides the private
scalar's own bit pattern from the running time. The arithmetic itself is still not constant-time, and nothing here
promises that it is.
"""

import re
import secrets
from collections.abc import Callable, Sequence

import gmalg
import pybase64
from gmalg.errors import GMError

Randomness = Callable[[int], bytes]

CURVE_ORDER = 0xFFFFFFFE_FFFFFFFF_FFFFFFFF_FFFFFFFF_7203DF6B_21C6052B_53BBF409_39D54123
SCALAR_BYTES = 32
POINT_BYTES = 65  # 04, x, y
WRAPPING_BYTES = POINT_BYTES + 32  # C1 and C3, then C2 follows

# The DER around a key on the curve 1.2.156.10197.1.301 is the same for every key, and cryptography, which has no SM2,
# refuses to read it. SubjectPublicKeyInfo ends in the point; both private forms hold the scalar after their head and
# end in the point.
_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")
_PKCS8 = bytes.fromhex("308187020100301306072a8648ce3d020106082a811ccf5501822d046d306b0201010420")
_PKCS8_TAIL = bytes.fromhex("a144034200")
_SEC1 = bytes.fromhex("30770201010420")
_SEC1_TAIL = bytes.fromhex("a00a06082a811ccf5501822da144034200")
_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----([A-Za-z0-9+/=\s]+)-----END \1-----")


class Sm2PublicKey:
    """A point of the SM2 curve, to which secrets can be encrypted.

    `point`: 65 bytes, 04 and the two coordinates. ValueError if it is not a point of the curve.
    """

    def __init__(self, point: bytes) -> None:
        if len(point) != POINT_BYTES or point[0] != 4 or not _on_curve(point):
            raise ValueError("not an uncompressed point of the SM2 curve")
        self.point = point

    @classmethod
    def from_der(cls, der: bytes) -> "Sm2PublicKey":
        """Read a SubjectPublicKeyInfo. ValueError if it is none, or of another curve."""
        if not der.startswith(_SPKI):
            raise ValueError("not an SM2 SubjectPublicKeyInfo")
        return cls(der[len(_SPKI) :])

    @property
    def der(self) -> bytes:
        """SubjectPublicKeyInfo, 91 bytes."""
        return _SPKI + self.point

    @property
    def pem(self) -> str:
        """SubjectPublicKeyInfo as PEM with a trailing newline."""
        return to_pem("PUBLIC KEY", self.der)

    @property
    def hex(self) -> str:
        """130 lower-case hexadecimal digits, beginning with 04."""
        return self.point.hex()

    def encrypt(self, plaintext: bytes, randomness: Randomness = secrets.token_bytes) -> bytes:
        """Return C1‖C3‖C2 with the 04 in front of C1: 97 bytes more than `plaintext`, which must not be empty."""

        def bits(count: int) -> int:
            return int.from_bytes(randomness((count + 7) // 8), "big") >> (-count % 8)

        return bytes(gmalg.SM2(pk=self.point, rnd_fn=bits).encrypt(plaintext))


class Sm2PrivateKey:
    """A scalar with its public point.

    `scalar`: 32 bytes, big-endian, 1 … n-2. ValueError outside of that.
    """

    def __init__(self, scalar: bytes) -> None:
        self._scalar = int.from_bytes(scalar, "big")
        if len(scalar) != SCALAR_BYTES or not 0 < self._scalar < CURVE_ORDER - 1:
            raise ValueError("not an SM2 private key")
        self.public = Sm2PublicKey(bytes(gmalg.SM2().generate_pk(scalar)))

    @classmethod
    def generate(cls, randomness: Randomness = secrets.token_bytes) -> "Sm2PrivateKey":
        """Make a new key. Eight more random bytes than the scalar has keep the bias of the reduction under 2^-64."""
        wide = int.from_bytes(randomness(SCALAR_BYTES + 8), "big")
        return cls((wide % (CURVE_ORDER - 2) + 1).to_bytes(SCALAR_BYTES, "big"))

    @classmethod
    def from_der(cls, der: bytes) -> "Sm2PrivateKey":
        """Read PKCS#8 or SEC 1 as OpenSSL writes them (with the public key). ValueError for anything else."""
        for head, tail in ((_PKCS8, _PKCS8_TAIL), (_SEC1, _SEC1_TAIL)):
            start, end = len(head), len(head) + SCALAR_BYTES
            if der.startswith(head) and der[end : end + len(tail)] == tail:
                key = cls(der[start:end])
                if key.public.point != der[end + len(tail) :]:
                    raise ValueError("the two halves of the SM2 key do not belong together")
                return key
        raise ValueError("not an SM2 private key")

    @property
    def pem(self) -> str:
        """PKCS#8 as PEM with a trailing newline, unencrypted: for a vault, never for a screen."""
        scalar = self._scalar.to_bytes(SCALAR_BYTES, "big")
        return to_pem("PRIVATE KEY", _PKCS8 + scalar + _PKCS8_TAIL + self.public.point)

    def decrypt(self, ciphertext: bytes) -> bytes | None:
        """Return the plaintext of C1‖C3‖C2; None if it was not encrypted to this key. About 15 ms of CPU."""
        if len(ciphertext) <= WRAPPING_BYTES or ciphertext[0] != 4:
            return None
        blinded = self._scalar + CURVE_ORDER * secrets.randbits(64)
        key = gmalg.SM2(sk=blinded.to_bytes(SCALAR_BYTES + 8, "big"), pk=self.public.point)
        try:
            return bytes(key.decrypt(ciphertext))
        except (GMError, ValueError, ZeroDivisionError):
            return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


def decrypt_all(keys: Sequence[Sm2PrivateKey], ciphertext: bytes) -> list[bytes | None]:
    """Return what each key makes of a ciphertext, as `Sm2PrivateKey.decrypt` does. To be run in a process of its
    own."""
    return [key.decrypt(ciphertext) for key in keys]


def to_pem(label: str, der: bytes) -> str:
    """Return the PEM (RFC 7468) of `der`, 64 characters a line."""
    text = pybase64.b64encode_as_string(der)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def pem_blocks(text: str) -> list[bytes]:
    """Return the DER of every PEM block in `text`, in order. ValueError if a block is not Base64."""
    try:
        return [pybase64.b64decode("".join(body.split()), validate=True) for _, body in _PEM.findall(text)]
    except ValueError:
        raise ValueError("a PEM block is not Base64") from None


def _on_curve(point: bytes) -> bool:
    try:
        return bool(gmalg.SM2().verify_pk(point))
    except (GMError, ValueError, ZeroDivisionError):
        return False
