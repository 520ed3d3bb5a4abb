"""What several actions share: the Encryption object, its texts, and the billing checks."""

from __future__ import annotations

from renzheng.accounts.billing import BillingRefusal
from renzheng.actions.errors import ArrearsError, NonactivatedError
from renzheng.gateway import encryption
from renzheng.gateway.manifest import Parameter

MAX_IMAGE_BASE64 = 8 * 1024 * 1024
"""Characters of ImageBase64, after encoding (Tencent's documentation)."""

ENCRYPTION_FIELDS = {
    "Encryption.EncryptList": Parameter(
        '已加密的参数名，例如 ["Name"]。',
        'The names of the encrypted parameters, such as ["Name"].',
    ),
    "Encryption.CiphertextBlob": Parameter(
        "用服务端公钥加密的对称密钥，Base64。公钥见 renzheng encryption show。",
        "The symmetric key, encrypted to the server’s public key, in Base64: renzheng encryption show.",
    ),
    "Encryption.Iv": Parameter(
        "初始化向量，Base64：AES-256-CBC 为 16 字节，SM4-GCM 为 12 字节。",
        "The initialisation vector in Base64: 16 bytes for AES-256-CBC, 12 for SM4-GCM.",
    ),
    "Encryption.Algorithm": Parameter(
        "AES-256-CBC（默认）或 SM4-GCM。",
        "AES-256-CBC, the default, or SM4-GCM.",
    ),
    "Encryption.TagList": Parameter(
        "SM4-GCM 的校验标签，顺序同 EncryptList，Base64。",
        "SM4-GCM’s tags in Base64, in the order of EncryptList.",
    ),
}


def refuse(why: BillingRefusal) -> None:
    """Raise NonactivatedError or ArrearsError."""
    raise NonactivatedError if why is BillingRefusal.NOT_ACTIVATED else ArrearsError


class Encryption(encryption.Encryption, forbid_unknown_fields=True):
    """How sensitive fields are sealed. All of it may be omitted: official helpers do so for sealed replies."""
