"""Public keys that sealed fields are encrypted to, in the forms that the official helpers write and read."""

from typing import Literal, NamedTuple

import pybase64
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from renzheng.gateway.sm2 import Sm2PublicKey, pem_blocks

Algorithm = Literal["AES-256-CBC", "SM4-GCM"]
PublicKey = RSAPublicKey | Sm2PublicKey


class PublicKeys(NamedTuple):
    """The newest public halves, in every form that a helper needs."""

    rsa: RSAPublicKey
    sm2: Sm2PublicKey

    @property
    def rsa_pem(self) -> str:
        """PKCS#1 PEM (BEGIN RSA PUBLIC KEY), what the Node and Go helpers read."""
        return self.rsa.public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()

    @property
    def rsa_spki_pem(self) -> str:
        """SubjectPublicKeyInfo PEM (BEGIN PUBLIC KEY), what OpenSSL and most libraries read."""
        return self.rsa.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    @property
    def sm2_pem(self) -> str:
        """SubjectPublicKeyInfo PEM, what all helpers read."""
        return self.sm2.pem

    @property
    def sm2_hex(self) -> str:
        """The uncompressed point in hexadecimal, 130 digits, what SM2 libraries for JavaScript read."""
        return self.sm2.hex

    @property
    def node(self) -> dict[Algorithm, str]:
        """What init() of the Node helper takes: the Base64 of the PEM."""
        return {
            "AES-256-CBC": pybase64.b64encode_as_string(self.rsa_pem.encode()),
            "SM4-GCM": pybase64.b64encode_as_string(self.sm2_pem.encode()),
        }

    @property
    def java(self) -> dict[Algorithm, str]:
        """What RAS_KEY and SM2_KEY of the Java helper's CryptoProvider, and rsaKey and sm2Key of the Go helper's
        crypto.go hold: the same form as Node's. The Java helper strips the PEM's armour and reads PKCS#1."""
        return self.node


def load_public_key(text: str) -> PublicKey:
    """Read a public key in any form of PublicKeys: PEM, its Base64, the Base64 of DER, or an SM2 point in hex.

    ValueError if it is none of these, or another kind of key.
    """
    text = text.strip()
    if len(text) == 130 and text.startswith("04"):
        return Sm2PublicKey(bytes.fromhex(text))
    if not text.startswith("-----"):
        try:
            content = pybase64.b64decode("".join(text.split()), validate=True)
        except ValueError:
            raise ValueError("not a public key") from None
        if not content.startswith(b"-----"):
            return _public_key_from_der(content)
        text = content.decode("ascii", "replace")
    blocks = pem_blocks(text)
    if len(blocks) != 1:
        raise ValueError("not one public key in PEM")
    return _public_key_from_der(blocks[0])


def _public_key_from_der(der: bytes) -> PublicKey:
    try:
        return Sm2PublicKey.from_der(der)
    except ValueError:
        pass
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("neither an RSA nor an SM2 public key") from None
    if not isinstance(key, RSAPublicKey):
        raise ValueError("neither an RSA nor an SM2 public key")
    return key
