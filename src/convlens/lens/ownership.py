"""Whether a file or folder is one that convlens wrote, as it wrote it, so that writing it anew loses nobody's work."""

from __future__ import annotations

import json
import os
import re
import stat
import struct
import zipfile
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from convlens.lens import exporting, recording, shelves
from convlens.lens.exporting import FACTS, Entry, Record
from convlens.writing import signature

_LOCAL_HEADER = 30  # bytes of a zip's member before its name
_ZIP_END = b"PK\5\6" + bytes(18)
_CHUNK = re.compile(r"c(/\d+)*")


def is_ours(path: Path) -> bool:
    """Whether this file, or this .zarr folder, is ours, whole and unchanged, and holds nothing else.

    Pictures, pages and models bear a signature (:mod:`convlens.writing.signature`); saved maps a record of every array,
    to which all of them are held.
    """
    return signature.is_ours(path) or _is_whole(path)


def holds_only_ours(path: Path) -> bool:
    """Whether every file of a .zarr folder is one that convlens puts there; their values aren't looked at."""
    try:
        return not path.is_symlink() and not _strange_in_zarr(path, _entries(shelves.Zarr(path).about()))
    except Exception:  # whatever a reader raises, the folder isn't as we write it
        return False


def fingerprint(facts: dict[str, Any]) -> str:
    """The digest of what a file of maps says of itself, without the digest."""
    return sha256(json.dumps({**facts, "signature": None}, sort_keys=True).encode()).hexdigest()


def _is_whole(path: Path) -> bool:
    kind = shelves.KINDS.get(path.suffix.lower())
    try:
        mode = path.stat().st_mode
        if kind is None or not (stat.S_ISDIR(mode) if kind is shelves.Zarr else stat.S_ISREG(mode)):
            return False
        file = kind(path)
        about = file.about()
        entries = _entries(about)
        if about.get("signature") != fingerprint(about) or _strange_in(file, entries):
            return False
        for entry in entries:
            shelves.Shelf(file, {entry.name: entry})[entry.name]  # raises where it isn't what was written
    except Exception:  # whatever a reader raises, the file isn't as we wrote it
        return False
    return True


def _entries(about: Any) -> list[Entry]:
    """Every array that a file of ours has to have.

    Raises:
        ValueError: it says nothing of that.
    """
    if not isinstance(about, dict) or about.get("format") != exporting.FORMAT:
        raise ValueError("it has no record of this version")
    record = recording.read(Record, about.get("record"), "record")
    return [*record.maps, *record.inputs, *record.origins, *record.pixels]


def _strange_in(file: shelves.Stored, entries: Iterable[Entry]) -> bool:
    """Whether there is anything that we don't put there."""
    keys = {entry.key for entry in entries}
    if isinstance(file, shelves.Npz):
        return _strange_in_zip(file.path, sorted(f"{key}.npy" for key in (*keys, FACTS)))
    if isinstance(file, shelves.Safetensors):
        from safetensors import safe_open

        with safe_open(str(file.path), "np") as opened:
            return set(opened.keys()) != keys or set(opened.metadata() or {}) != {"convlens"}
    return _strange_in_zarr(file.path, entries) or not all(
        _plain(path, file.path) for path in file.path.rglob("zarr.json")
    )


def _strange_in_zip(path: Path, names: list[str]) -> bool:
    """Whether a zip has other members than these, or a byte before, between or after them."""
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
        if names != sorted(info.filename for info in infos) or any(info.comment for info in infos):
            return True
        at = 0
        for info in infos:
            if info.header_offset != at:
                return True
            file.seek(at)
            lengths = struct.unpack("<HH", file.read(_LOCAL_HEADER)[-4:])  # of the name and of what is beside it
            at += _LOCAL_HEADER + sum(lengths) + info.compress_size
        file.seek(-len(_ZIP_END), os.SEEK_END)
        return at != archive.start_dir or not file.read().startswith(_ZIP_END[:4])


def _strange_in_zarr(folder: Path, entries: Iterable[Entry]) -> bool:
    """Whether a file or folder lies there that none of the arrays needs."""
    arrays = [Path(entry.key) for entry in entries]
    groups = {parent for key in arrays for parent in key.parents}
    for found in folder.rglob("*"):
        inside = found.relative_to(folder)
        if found.is_symlink():
            return True
        if found.is_dir():
            ours = inside in groups or any(inside == key or _is_chunk(inside, key) for key in arrays)
        else:
            described = inside.name == "zarr.json" and (inside.parent in groups or inside.parent in arrays)
            ours = found.is_file() and (described or any(_is_chunk(inside, key) for key in arrays))
        if not ours:
            return True
    return False


def _is_chunk(inside: Path, key: Path) -> bool:
    """Whether a path is a chunk of an array, or a folder on the way to one."""
    return inside.is_relative_to(key) and _CHUNK.fullmatch(inside.relative_to(key).as_posix()) is not None


def _plain(metadata: Path, folder: Path) -> bool:
    """Whether a group or an array has the attributes that we give it, and no more."""
    told = json.loads(metadata.read_text("utf-8"))
    names = set(told.get("attributes", {}))
    if metadata.parent == folder:
        return names == {"convlens"}
    return not names if told.get("node_type") == "group" else names in ({"layer"}, {"input"})
