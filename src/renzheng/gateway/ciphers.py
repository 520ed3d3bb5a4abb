"""The two ciphers of sealed fields: AES-256-CBC with PKCS#7 padding, and SM4-GCM.

A photo is sealed too, so megabytes pass through here. CBC therefore writes into one buffer in each direction, and
handles the padding in the last block alone.
"""

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES, SM4
from cryptography.hazmat.primitives.ciphers.modes import CBC, GCM
from cryptography.hazmat.primitives.padding import PKCS7

Buffer = bytes | bytearray | memoryview

KEY_BYTES = {"AES-256-CBC": 32, "SM4-GCM": 16}
IV_BYTES = {"AES-256-CBC": 16, "SM4-GCM": 12}
BLOCK_BYTES = 16
TAG_BYTES = 16


def cbc_encrypt(key: bytes, iv: bytes, plaintext: bytes) -> Buffer:
    """Pad (PKCS#7) and encrypt. `key`: 32 bytes, `iv`: 16."""
    whole = len(plaintext) - len(plaintext) % BLOCK_BYTES
    padder = PKCS7(BLOCK_BYTES * 8).padder()
    last = padder.update(plaintext[whole:]) + padder.finalize()
    encryptor = Cipher(AES(key), CBC(iv)).encryptor()
    out = memoryview(bytearray(whole + 2 * BLOCK_BYTES))  # update_into needs one spare block
    encryptor.update_into(memoryview(plaintext)[:whole], out)
    encryptor.update_into(last, out[whole:])
    encryptor.finalize()
    return out[: whole + BLOCK_BYTES]


def cbc_decrypt(key: bytes, iv: bytes, ciphertext: bytes) -> Buffer:
    """Decrypt and remove the padding. ValueError if the length is not whole blocks, or the padding is wrong."""
    if not ciphertext or len(ciphertext) % BLOCK_BYTES:
        raise ValueError("not whole blocks")
    decryptor = Cipher(AES(key), CBC(iv)).decryptor()
    out = memoryview(bytearray(len(ciphertext) + BLOCK_BYTES))
    decryptor.update_into(ciphertext, out)
    decryptor.finalize()
    before = len(ciphertext) - BLOCK_BYTES
    unpadder = PKCS7(BLOCK_BYTES * 8).unpadder()
    last = unpadder.update(out[before : before + BLOCK_BYTES]) + unpadder.finalize()
    return out[: before + len(last)]


def gcm_encrypt(key: bytes, iv: bytes, plaintext: bytes) -> tuple[Buffer, bytes]:
    """Return the ciphertext, as long as `plaintext`, and its tag of 16 bytes. `key`: 16 bytes, `iv`: 12."""
    encryptor = Cipher(SM4(key), GCM(iv)).encryptor()
    ciphertext = encryptor.update(plaintext)
    encryptor.finalize()
    return ciphertext, encryptor.tag


def gcm_decrypt(key: bytes, iv: bytes, ciphertext: bytes, tag: bytes) -> Buffer:
    """Decrypt and check the tag. InvalidTag if it does not belong to ciphertext, key and iv."""
    decryptor = Cipher(SM4(key), GCM(iv, tag)).decryptor()
    plaintext = decryptor.update(ciphertext)
    decryptor.finalize()
    return plaintext
