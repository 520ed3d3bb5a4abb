"""Where rooms that do not know each other are joined: engine and capture, keys and accounts, devices and proofs."""

from __future__ import annotations

import asyncio
import base64
import binascii
import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict

import segno
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from renzheng.capture.asker import Asker
from renzheng.capture.evidence import NotMuxedError
from renzheng.capture.judging import Comparison, ExaminerLostError, Presentation, StoredFrame
from renzheng.capture.sight import BadFrameError, FrameHead, SkippedError
from renzheng.engine import liveness
from renzheng.engine.liveness import ActionWatcher, Baseline, Glance
from renzheng.engine.measurement import Frame
from renzheng.engine.media import MediaError, check, probe, whole
from renzheng.engine.workers import BusyError, EngineWorkers, WorkerDiedError
from renzheng.gateway.encryption import KeyPairs
from renzheng.store.encryption_keys import EncryptionKeys
from renzheng.store.key_cache import KeyCache
from renzheng.store.open import Store
from renzheng.verification.decision import FrameFitness, ReferenceFitness

_COORDINATE = 32


class EngineLookout:
    """The engine as the capture channel sees it: glances, hints and watchers."""

    def __init__(self, engine: EngineWorkers) -> None:
        self._engine = engine

    async def look(self, jpeg: bytes, action: str) -> tuple[Glance, bytes]:
        try:
            return await self._engine.look(jpeg, action)
        except MediaError as error:
            raise BadFrameError(str(error)) from None
        except (BusyError, WorkerDiedError) as error:
            raise SkippedError(str(error)) from None

    def hint(self, glance: Glance, action: str) -> str | None:
        return liveness.hint(glance, action)

    def baseline(self, glances: Sequence[Glance]) -> Baseline | None:
        return Baseline.from_glances(glances)

    def watcher(self, action: str, baseline: Baseline) -> ActionWatcher:
        return ActionWatcher(action, baseline)

    def head(self, jpeg: bytes) -> FrameHead | None:
        try:
            info = probe(jpeg)
        except MediaError:
            return None
        return FrameHead(*info.size, progressive=info.progressive)


class EngineExaminer:
    """The engine as the judge and the evidence shelf see it."""

    def __init__(self, engine: EngineWorkers) -> None:
        self._engine = engine

    async def present(self, frames: Sequence[StoredFrame]) -> Presentation:
        shown = [Frame(frame.jpeg, frame.step, frame.action, frame.at, frame.measured) for frame in frames]
        try:
            measured, templates = await self._engine.present(shown)
        except (BusyError, WorkerDiedError) as error:
            raise ExaminerLostError(str(error)) from None
        return Presentation(
            frames=FrameFitness(measured.frames_status),
            challenge_answered=measured.challenge_passed,
            answered_light=measured.light.passed if measured.light else None,
            has_depth=measured.depth is not None and measured.depth.passed,
            is_continuous=measured.continuity is not None and measured.continuity.passed,
            best_frame=measured.best.index if measured.best else None,
            templates=templates,
            tags=measured.tags,
            record=json.dumps(measured.as_dict()),
            network_refuses=measured.passive is not None and measured.passive.refuses,
            is_doubted=measured.doubt is not None and not measured.doubt.passed,
        )

    async def compare(self, templates: Sequence[bytes], photo: bytes) -> Comparison:
        try:
            compared = await self._engine.compare(templates, photo)
        except (BusyError, WorkerDiedError) as error:
            raise ExaminerLostError(str(error)) from None
        return Comparison(ReferenceFitness(compared.reference), compared.similarity, json.dumps(asdict(compared)))

    async def mux(self, frames: Sequence[tuple[float, bytes]]) -> bytes:
        try:
            return await self._engine.mux([Frame(jpeg, 0, "", at) for at, jpeg in frames])
        except (MediaError, BusyError, WorkerDiedError) as error:
            raise NotMuxedError(str(error)) from None


class EnginePhotos:
    """What is wrong with a photo, as a request is told: by its header and its markers, and by decoding it only where
    they leave it open."""

    def __init__(self, engine: EngineWorkers) -> None:
        self._engine = engine

    async def fault(self, photo: bytes) -> tuple[str, str] | None:
        media = self._engine.limits.media
        try:
            check(photo, max_bytes=media.max_bytes, max_pixels=media.max_pixels, min_side=media.min_side)
            is_whole = whole(photo)
            if is_whole is None:
                await self._engine.decode(photo)
        except MediaError as error:
            return error.kind, error.foreign
        except (BusyError, WorkerDiedError):
            return None
        return ("truncated", "") if is_whole is False else None

    async def is_usable(self, photo: bytes) -> bool | None:
        """Whether its face can be compared with; None where the engine had no room for it, or lost it."""
        try:
            return (await self._engine.examine(photo)).status == "ok"
        except MediaError:
            return False
        except (BusyError, WorkerDiedError):
            return None


class CurrentKeyPairs:
    """The key pairs of an account as the store has them now, read anew only where they have changed."""

    def __init__(self, keys: KeyCache, clock: Callable[[], float]) -> None:
        self._keys = keys
        self._clock = clock
        self._generations: object = None
        self._pairs: dict[tuple[int, ...], KeyPairs] = {}

    def __call__(self, account_id: int) -> KeyPairs | None:
        if self._keys.generations is not self._generations:
            self._generations, self._pairs = self._keys.generations, {}
        usable = self._keys.key_pairs(account_id, self._clock())
        if not usable:
            return None
        numbers = tuple(generation.id for generation in usable)
        pairs = self._pairs.get(numbers)
        if pairs is None:
            pairs = self._pairs[numbers] = KeyPairs.from_pem("".join(generation.pem for generation in usable))
        return pairs


async def make_first_key_pairs(
    keys: EncryptionKeys, account_id: int, rsa_bits: int, clock: Callable[[], float], entropy: Callable[[int], bytes]
) -> None:
    """Make an account's key pairs for sealed fields where it has none that can be read."""
    if await keys.usable(account_id):
        return
    pem = (await asyncio.to_thread(KeyPairs.generate, rsa_bits, entropy)).to_pem()
    if not await keys.add_first(account_id, pem, clock()) and not await keys.usable(account_id):
        await keys.add(account_id, pem, clock())


async def move_to_own_key_pairs(
    keys: EncryptionKeys, account_id: int, until: float, rsa_bits: int, entropy: Callable[[int], bytes], now: float
) -> None:
    """Give an account pairs of its own; what is sealed to the shared ones opens until a time (unix seconds)."""
    if not any(made.account_id == account_id for made in await keys.usable(account_id)):
        pem = (await asyncio.to_thread(KeyPairs.generate, rsa_bits, entropy)).to_pem()
        await keys.add_first(account_id, pem, now)
    await keys.leave_shared(account_id, until)


async def sharers(store: Store) -> list[str]:
    """Names of the accounts that open by shared pairs; none while there is one account, which shares with nobody."""
    accounts = await store.accounts.all()
    sharing = await store.encryption_keys.sharing()
    return [account.name for account in accounts if account.id in sharing] if len(accounts) > 1 else []


class AccountsOfKeys:
    """What the capture asks of accounts, from the keys in memory."""

    def __init__(self, keys: KeyCache) -> None:
        self._keys = keys

    def origins(self, account_id: int) -> Sequence[str]:
        account = self._keys.account(account_id)
        return account.origins if account else ()

    def asker(self, account_id: int) -> Asker:
        account = self._keys.account(account_id)
        if account is None:
            return Asker({})
        return Asker(account.shown_names(), account.face.privacy_url, account.face.contact)


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


def device_proof(meta: str) -> Callable[[str, str, str], bool] | None:
    """The check of the device that a Meta binds its token to; see `capture.parts.DeviceProof`."""
    key = device_key(meta)
    return None if key is None else functools.partial(_device_proves, key)


def _device_proves(key: ec.EllipticCurvePublicKey, nonce: str, token: str, signature: str) -> bool:
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
