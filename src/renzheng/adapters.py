"""Where rooms that do not know each other are joined: engine and capture, keys and accounts, devices and proofs."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict

import segno
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from renzheng.capture.evidence import NotMuxed
from renzheng.capture.judging import Comparison, ExaminerLost, Presentation, Shown
from renzheng.capture.ports import BadFrame, Skipped
from renzheng.engine import liveness
from renzheng.engine.liveness import ActionWatcher, Baseline, Glance
from renzheng.engine.measurement import Frame
from renzheng.engine.media import MediaError, probe
from renzheng.engine.workers import Busy, EngineWorkers, WorkerDied
from renzheng.gateway.encryption import KeyPairs
from renzheng.store.encryption_keys import EncryptionKeys
from renzheng.store.key_cache import KeyCache
from renzheng.verification.decision import Frames, Reference

_COORDINATE = 32


class EngineLookout:
    """The engine as the capture channel sees it: glances, hints and watchers."""

    def __init__(self, engine: EngineWorkers) -> None:
        self._engine = engine

    async def look(self, jpeg: bytes, eyes: bool) -> Glance:
        try:
            return await self._engine.glance(jpeg, eyes)
        except MediaError as error:
            raise BadFrame(str(error)) from None
        except (Busy, WorkerDied) as error:
            raise Skipped(str(error)) from None

    def hint(self, glance: Glance, action: str) -> str | None:
        return liveness.hint(glance, action)

    def baseline(self, glances: Sequence[Glance]) -> Baseline | None:
        return Baseline.from_glances(glances)

    def watcher(self, action: str, baseline: Baseline) -> ActionWatcher:
        return ActionWatcher(action, baseline)

    def size(self, jpeg: bytes) -> tuple[int, int] | None:
        try:
            return probe(jpeg).size
        except MediaError:
            return None


class EngineExaminer:
    """The engine as the judge and the evidence shelf see it."""

    def __init__(self, engine: EngineWorkers) -> None:
        self._engine = engine

    async def present(self, frames: Sequence[Shown]) -> Presentation:
        shown = [Frame(frame.jpeg, frame.step, frame.action, frame.at) for frame in frames]
        try:
            measured, templates = await self._engine.present(shown)
        except (Busy, WorkerDied) as error:
            raise ExaminerLost(str(error)) from None
        return Presentation(
            frames=Frames(measured.frames_status),
            challenge_answered=measured.challenge_passed,
            answered_light=measured.light.passed if measured.light else None,
            has_depth=measured.depth is not None and measured.depth.passed,
            is_continuous=measured.continuity is not None and measured.continuity.passed,
            best_frame=measured.best.index if measured.best else None,
            templates=templates,
            tags=measured.tags,
            record=json.dumps(measured.as_dict()),
            network_refuses=measured.passive is not None and measured.passive.refuses,
        )

    async def compare(self, templates: Sequence[bytes], photo: bytes) -> Comparison:
        try:
            compared = await self._engine.compare(templates, photo)
        except (Busy, WorkerDied) as error:
            raise ExaminerLost(str(error)) from None
        return Comparison(Reference(compared.reference), compared.similarity, json.dumps(asdict(compared)))

    async def mux(self, frames: Sequence[tuple[float, bytes]]) -> bytes:
        try:
            return await self._engine.mux([Frame(jpeg, 0, "", at) for at, jpeg in frames])
        except (MediaError, Busy, WorkerDied) as error:
            raise NotMuxed(str(error)) from None


class CurrentKeyPairs:
    """The key pairs for sealed fields as the store has them now, read anew only where they have changed."""

    def __init__(self, keys: KeyCache) -> None:
        self._keys = keys
        self._generations: object = None
        self._pairs: KeyPairs | None = None

    def __call__(self) -> KeyPairs:
        generations = self._keys.generations
        if self._pairs is None or generations is not self._generations:
            self._pairs = KeyPairs.from_pem("".join(generation.pem for generation in generations))
            self._generations = generations
        return self._pairs


async def make_first_key_pairs(
    keys: EncryptionKeys, rsa_bits: int, clock: Callable[[], float], entropy: Callable[[int], bytes]
) -> None:
    """Make the key pairs for sealed fields where there are none that can be read."""
    if await keys.all():
        return
    pem = (await asyncio.to_thread(KeyPairs.generate, rsa_bits, entropy)).to_pem()
    if not await keys.add_first(pem, clock()) and not await keys.all():
        await keys.add(pem, clock())


class AccountsOfKeys:
    """What the capture asks of accounts, from the keys in memory."""

    def __init__(self, keys: KeyCache) -> None:
        self._keys = keys

    def origins(self, account_id: int) -> Sequence[str]:
        account = self._keys.account(account_id)
        return account.origins if account else ()

    def name(self, account_id: int) -> str:
        account = self._keys.account(account_id)
        return account.name if account else ""


def device_key(meta: str) -> ec.EllipticCurvePublicKey | None:
    """The public key in a Meta that the JavaScript SDK made; None for any other Meta, which binds nothing."""
    try:
        jwk = json.loads(meta)["key"]
        if jwk["kty"] != "EC" or jwk["crv"] != "P-256":
            return None
        x, y = (int.from_bytes(_from_base64url(jwk[name]), "big") for name in ("x", "y"))
        return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def device_proves(key: ec.EllipticCurvePublicKey, nonce: str, token: str, signature: str) -> bool:
    """Whether `signature` (Base64 of r and s, 32 bytes each) is the device's over this nonce and token."""
    try:
        raw = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    if len(raw) != 2 * _COORDINATE:
        return False
    r, s = int.from_bytes(raw[:_COORDINATE], "big"), int.from_bytes(raw[_COORDINATE:], "big")
    message = f"renzheng device identity v1\n{nonce}\n{token}".encode()
    try:
        key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def qr_rows(text: str) -> list[str]:
    """A QR code as rows of 0 and 1, without its quiet zone."""
    return ["".join("1" if module else "0" for module in row) for row in segno.make(text, error="m").matrix]
