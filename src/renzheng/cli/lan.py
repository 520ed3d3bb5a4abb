"""`renzheng serve --lan`: a self-signed certificate for this machine's addresses, so that a phone's camera opens."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from renzheng.base.addresses import is_loopback, own_addresses
from renzheng.store.keyring import write_private

_DAYS = 90
CERTIFICATE, _SECRET = "lan-certificate.pem", "lan-key.pem"
WARNING = """
  The certificate is this machine's own, so the phone will warn once: on Android tap
  Advanced, then Proceed; on an iPhone tap Show Details, then visit this website.
"""


def addresses() -> list[str]:
    """Return the IPv4 addresses of this machine that others on its network can reach."""
    return [address for address in own_addresses() if ":" not in address and not is_loopback(address)]


def certificate(folder: Path, names: list[str]) -> tuple[Path, Path]:
    """Return a certificate and its private key (mode 600) for these addresses.

    They are made again if they do not fit or end soon.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    chain, secret = folder / CERTIFICATE, folder / _SECRET
    if chain.exists() and secret.exists() and _fits(chain, secret, names):
        chain.chmod(0o600)
        return chain, secret
    key = ec.generate_private_key(ec.SECP256R1())
    _write(
        secret,
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "renzheng on this network")])
    alternatives: list[x509.GeneralName] = [x509.DNSName("localhost")]
    alternatives += [x509.IPAddress(ipaddress.ip_address(name)) for name in ["127.0.0.1", *names]]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write(chain, made.public_bytes(serialization.Encoding.PEM))
    return chain, secret


def _write(path: Path, content: bytes) -> None:
    """Write a file for its owner alone: the server does not start if others can read the keys folder."""
    path.unlink(missing_ok=True)
    write_private(path, content)


def _fits(chain: Path, secret: Path, names: list[str]) -> bool:
    """Return whether the pair fits. The two must also belong together, as they are written one after the other."""
    try:
        known = x509.load_pem_x509_certificate(chain.read_bytes())
        key = serialization.load_pem_private_key(secret.read_bytes(), None)
        held = known.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, x509.ExtensionNotFound, UnsupportedAlgorithm):
        return False
    if key.public_key() != known.public_key():
        return False
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=7)
    covered = {str(address) for address in held.get_values_for_type(x509.IPAddress)}
    return known.not_valid_after_utc > soon and covered >= set(names)
