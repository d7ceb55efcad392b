"""Whatever fails, and whenever: what was there is whole, what is new is whole, and nothing else remains.

Every step that touches the disk is made to fail in turn: the disk is full, a permission is lost, Ctrl-C is pressed, the
process is killed. What must hold is written once, for all of them.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from convlens.errors import OutputError
from convlens.lens import files
from convlens.writing import replacing, signature, unfinished, write

STEPS = ("open", "replace", "rename", "mkdir", "link", "fsync", "unlink", "rmdir", "chmod")
"""What pathlib and shutil ask the system for, of all that changes a disk; ``open`` only for writing."""

OLD, NEW, MINE = b"<svg>old</svg>", b"<svg>new</svg>", b"mine"

Tree = dict[str, bytes | None]


def tree(folder: Path) -> Tree:
    """Every file with its bytes, every folder with none."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def one_file(folder: Path) -> None:
    write(folder / "a.svg", NEW)


def a_persons_file(folder: Path) -> None:
    write(folder / "mine.txt", b"new", force=True)


def many_files(folder: Path) -> None:
    with files.filling(folder) as arriving:
        for name in ("c", "a", "b"):
            arriving.add(name, ".svg", NEW + name.encode())
        arriving.add("d", ".svg", NEW, folder="deep")


def a_new_folder(folder: Path) -> None:
    with files.filling(folder / "new" / "deep") as arriving:
        for name in "abc":
            arriving.add(name, ".svg", NEW)


def a_store(folder: Path) -> None:
    with replacing(folder / "maps.zarr", owned=lambda _: True, only_ours=lambda _: True) as new:
        new.mkdir()
        (new / "zarr.json").write_bytes(NEW)
        (new / "c").write_bytes(NEW)


def a_new_store(folder: Path) -> None:
    with replacing(folder / "other.zarr", only_ours=lambda _: True) as new:
        new.mkdir()
        (new / "zarr.json").write_bytes(NEW)


WORKS: list[Callable[[Path], None]] = [one_file, a_persons_file, many_files, a_new_folder, a_store, a_new_store]


def furnish(folder: Path) -> Path:
    """A folder with something of ours, and something of a person's."""
    folder.mkdir()
    for name in ("a.svg", "b.svg"):
        (folder / name).write_bytes(signature.signed(OLD, ".svg"))
    (folder / "mine.txt").write_bytes(MINE)
    (folder / "maps.zarr").mkdir()
    (folder / "maps.zarr" / "zarr.json").write_bytes(OLD)
    return folder


class Failing:
    """Makes the ``at``-th step fail, and with ``on`` every one after it; counts those that were asked for."""

    def __init__(self, at: int, fail: Callable[[], None], *, on: bool = False, after: bool = False) -> None:
        self.at, self.fail, self.on, self.after, self.count = at, fail, on, after, 0

    @contextmanager
    def __call__(self, folder: Path) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for name in STEPS:
                patch.setattr(os, name, self._wrapped(getattr(os, name), folder))
            patch.setattr(Path, "write_bytes", self._written(Path.write_bytes))
            yield

    def _meets(self) -> bool:
        self.count += 1
        return self.count == self.at or (self.on and self.count > self.at)

    def _wrapped(self, step: Callable[..., Any], folder: Path) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            if step.__name__ == "open" and not (len(given) > 1 and given[1] & (os.O_WRONLY | os.O_RDWR)):
                return step(*given, **named)
            fails = self._meets()
            if fails and not self.after:
                self.fail()
            answer = step(*given, **named)
            if fails and self.after:
                self.fail()
            return answer

        return call

    def _written(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Path, data: bytes) -> Any:
            if not self._meets():
                return step(path, data)
            step(path, data[: len(data) // 2])  # what a full disk leaves
            self.fail()
            return step(path, data)

        return call


def full() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def forbidden() -> None:
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def signalled() -> None:
    signal.raise_signal(signal.SIGINT)


def steps_of(work: Callable[[Path], None], folder: Path) -> int:
    counting = Failing(0, full)
    with counting(folder):
        work(furnish(folder))
    return counting.count


@pytest.mark.parametrize("work", WORKS)
@pytest.mark.parametrize(("fail", "after"), [(full, False), (forbidden, False), (signalled, False), (signalled, True)])
def test_one_step_fails(tmp_path: Path, work: Callable[[Path], None], fail: Callable[[], None], after: bool) -> None:
    steps = steps_of(work, tmp_path / "good")
    wanted = tree(tmp_path / "good")
    assert steps > 4
    for at in range(1, steps + 1):
        folder = furnish(tmp_path / f"{at}")
        before = tree(folder)
        failing = Failing(at, fail, after=after)
        error: BaseException | None = None
        try:
            with failing(folder):
                work(folder)
        except (OutputError, KeyboardInterrupt) as raised:
            error = raised
        if error is not None:
            # a signal that comes when all is in its place is told afterwards
            assert tree(folder) == before or (tree(folder) == wanted and isinstance(error, KeyboardInterrupt)), at
        else:
            assert tree(folder) == wanted, at


@pytest.mark.parametrize("work", WORKS)
def test_a_permission_is_lost_for_good(tmp_path: Path, work: Callable[[Path], None]) -> None:
    """Nothing can be removed any more: then that is said, and what is there is still whole; the next run tidies up."""
    for at in range(1, steps_of(work, tmp_path / "good") + 1):
        folder = furnish(tmp_path / f"{at}")
        before = tree(folder)
        failing = Failing(at, forbidden, on=True)
        said = ""
        try:
            with failing(folder):
                work(folder)
        except OutputError as error:
            said = str(error)
        except OSError:  # pragma: no cover
            pytest.fail("a raw error")
        remains = list(folder.rglob(f"{unfinished.PREFIX}*"))
        for path in remains:
            assert not said or str(path) in said or "half-written" not in said, (at, said)
        assert "Nothing half-written" not in said or not remains
        whole(folder, before, tree(tmp_path / "good"))
        for path in list(unfinished._open):
            assert unfinished.remove(path)
        assert not list(folder.rglob(f"{unfinished.PREFIX}*"))


def whole(folder: Path, before: Tree, after: Tree) -> None:
    """Every name has what it had or what it was to get; a folder that was replaced is there, or set aside."""
    for name, data in before.items():
        path = folder / name
        if path.is_file():
            assert path.read_bytes() in (data, after.get(name))
        else:
            aside = [kept for kept in folder.glob(f"{unfinished.PREFIX}*/{unfinished.REPLACED}/*") if kept.name in name]
            assert path.is_dir() or aside or (name.startswith("maps.zarr/") and (folder / "maps.zarr").is_dir()), name


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process that is killed, as POSIX has it")
@pytest.mark.parametrize("work", WORKS)
@pytest.mark.parametrize("after", [False, True])
def test_the_process_is_killed(tmp_path: Path, work: Callable[[Path], None], after: bool) -> None:
    """Then nothing can be tidied up; the next run that writes there does, and loses nothing."""
    steps = steps_of(work, tmp_path / "good")
    wanted = tree(tmp_path / "good")
    for at in range(1, steps + 1):
        folder = furnish(tmp_path / f"{at}")
        before = tree(folder)
        child = os.fork()
        if child == 0:
            try:
                with Failing(at, lambda: os._exit(9), after=after)(folder):
                    work(folder)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        whole(folder, before, wanted)
        for left in folder.rglob(f"{unfinished.PREFIX}*"):
            os.utime(left, (0, 0))  # as if it had been long ago
        for place in (folder, folder / "new"):
            unfinished.sweep(place)
        found = tree(folder)
        assert not [name for name in found if unfinished.PREFIX in name], at
        for name, data in before.items():
            assert name in found or (name.startswith("maps.zarr/") and found.get("maps.zarr/c")), (at, name)
            assert found.get(name, data) in (data, wanted.get(name)), (at, name)


def test_what_is_swept_is_certainly_ours(tmp_path: Path) -> None:
    """A folder of a run that lives, of somebody else, or with anything else in it stays."""
    living = unfinished.make(tmp_path)
    unfinished.own(living)
    theirs = tmp_path / f"{unfinished.PREFIX}notes"
    theirs.mkdir()
    (theirs / "thesis.txt").write_text("mine")
    dead = tmp_path / f"{unfinished.PREFIX}dead"
    code = f"""
import os
from pathlib import Path
from convlens.writing import unfinished
folder = unfinished.make(Path({str(tmp_path)!r}))
unfinished.own(folder)
(folder / "new.svg").write_text("half")
folder.rename({str(dead)!r})
os._exit(9)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    assert dead.is_dir()
    full = tmp_path / f"{unfinished.PREFIX}full"
    subprocess.run([sys.executable, "-c", code.replace(str(dead), str(full))], check=False)
    (full / "thesis.txt").write_text("mine")
    link = tmp_path / f"{unfinished.PREFIX}link"
    link.symlink_to(theirs)
    unfinished.sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([living, theirs, full, link])
    assert (theirs / "thesis.txt").read_text() == (full / "thesis.txt").read_text() == "mine"
    assert unfinished.remove(living)


LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np
import convlens
from convlens.errors import OutputError
from convlens.lens import files

folder = Path(sys.argv[1])
lens = convlens.sketch("conv 4 3x3 | relu", input_shape=(3, 40, 30))
maps = lens.feature_maps(np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8))
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
works = {
    "maps.npz": maps.save, "maps.safetensors": maps.save, "maps.zarr": maps.save, "maps.html": maps.report,
    "figure.pdf": lambda path: maps.figure().save(path), "slide.gif": maps["conv"].animate,
}
for name, work in works.items():
    for old in (False, True):
        for limit in (0, 3_000, 20_000):
            path = folder / f"{old}-{limit}-{name}"
            if old:
                work(path)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            try:
                work(path)
                failed = False
            except OutputError as error:
                failed = True
                assert "Nothing half-written remains" in str(error), error
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            assert files.is_ours(path) if old or not failed else not path.exists(), (name, limit)
            assert not list(folder.glob(".convlens-*")), (name, limit)
            print(name, failed)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a limit of the system on how large a file may get")
def test_files_may_not_grow_beyond_a_limit(tmp_path: Path) -> None:
    """The system's own refusal, in the middle of a write, in every format."""
    done = subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert {line.split()[1] for line in done.stdout.splitlines()} == {"True", "False"}
