"""Files: whole or not at all, told in one line."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from convlens.errors import OutputError
from convlens.writing import replacing, write


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError("bug")])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, failure: BaseException) -> None:
    target = tmp_path / "maps.png"
    target.write_bytes(b"old")
    expected = OutputError if isinstance(failure, OSError) else type(failure)
    with pytest.raises(expected):
        _fail_halfway(target, failure)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def _fail_halfway(target: Path, failure: BaseException) -> None:
    with replacing(target, force=True) as part:
        part.write_bytes(b"half")
        raise failure


def test_a_full_disk_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left on device") as caught:
        write(tmp_path / "maps.png", b"whole picture")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_write_replaces_the_whole_file(tmp_path: Path) -> None:
    target = tmp_path / "maps.bin"
    target.write_bytes(b"a much longer old file")
    write(target, b"new", force=True)
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")
def test_the_file_has_usual_permissions_and_a_link_stays_a_link(tmp_path: Path) -> None:
    umask = os.umask(0o022)
    try:
        (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
        write(tmp_path / "link.png", b"x")
    finally:
        os.umask(umask)
    assert (tmp_path / "link.png").is_symlink()
    assert stat.S_IMODE((tmp_path / "real.png").stat().st_mode) == 0o644


@pytest.mark.parametrize("place", ["", "missing/maps.png", "file.txt/maps.png", "a\0b.png", "x" * 5000 + ".png"])
def test_places_that_cannot_be_written_are_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "file.txt").write_text("a file, not a folder")
    with pytest.raises(OutputError) as caught:
        write(f"{tmp_path}/{place}", b"x")
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_a_folder_takes_the_place_of_one_that_is_ours_and_a_file_does_not(tmp_path: Path) -> None:
    (tmp_path / "maps.zarr").mkdir()
    (tmp_path / "maps.zarr" / "old").write_text("old")
    with replacing(tmp_path / "maps.zarr", owned=lambda _: True, only_ours=lambda _: True) as unfinished:
        unfinished.mkdir()
        (unfinished / "new").write_text("new")
    assert [path.name for path in (tmp_path / "maps.zarr").iterdir()] == ["new"]
    for force in (False, True):
        with pytest.raises(OutputError, match="the folder"):
            write(tmp_path / "maps.zarr", b"x", force=force)
    assert [path.name for path in tmp_path.rglob("*")] == ["maps.zarr", "new"]
