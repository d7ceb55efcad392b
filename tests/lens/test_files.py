"""Files that people keep: names for every file system, all or nothing, nobody's own file lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convlens import writing
from convlens.errors import OutputError
from convlens.lens import files

FORBIDDEN = set('<>:"/\\|?*') | {chr(n) for n in range(32)}
RESERVED = {"con", "prn", "aux", "nul", "com1", "lpt1"}


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=300) | st.sampled_from(["../x", "CON", "nul.txt", "a/b", "...", " ", "con.", "é" * 200]))
def test_a_stem_is_good_on_every_file_system(name: str) -> None:
    stem = files.stem(name)
    assert stem
    assert len(stem.encode()) <= 121
    assert not FORBIDDEN & set(stem)
    assert stem.strip(". -") == stem
    assert stem.split(".")[0].casefold() not in RESERVED
    assert ".." not in stem
    assert stem.isprintable()
    assert files.stem(stem) == stem


@settings(deadline=None, max_examples=100)
@given(names=st.lists(st.text(alphabet="aAbB.~2-", max_size=4), max_size=12))
def test_every_file_gets_a_name_of_its_own(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    target = tmp_path_factory.mktemp("filled") / "out"
    with files.filling(target) as arriving:
        placed = [arriving.add(files.stem(name), ".png", str(number).encode()) for number, name in enumerate(names)]
    assert len({path.name.casefold() for path in placed}) == len(names)
    assert [path.read_text() for path in placed] == [str(number) for number in range(len(names))]


class Stop(BaseException):
    pass


@pytest.mark.parametrize("error", [Stop, OSError(28, "No space left on device"), ValueError])
def test_filling_a_folder_is_all_or_nothing(tmp_path: Path, error: BaseException | type[BaseException]) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine.txt").write_text("mine")
    for target in (tmp_path / "there", tmp_path / "new" / "deep"):

        def fill(target: Path = target) -> None:
            with files.filling(target) as arriving:
                arriving.add("one", ".png", b"1")
                raise error

        with pytest.raises((Stop, OutputError, ValueError)):
            fill()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["mine.txt", "there"]


def test_a_full_folder_keeps_what_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "a.svg").write_bytes(b"mine")

    def fill() -> None:
        with files.filling(tmp_path) as arriving:
            arriving.add("b", ".svg", b"<svg/>")
            arriving.add("a", ".svg", b"<svg/>")

    with pytest.raises(OutputError, match="--force"):
        fill()
    assert [path.name for path in tmp_path.iterdir()] == ["a.svg"]
    assert (tmp_path / "a.svg").read_bytes() == b"mine"
    with files.filling(tmp_path, force=True) as arriving:
        arriving.add("a", ".svg", b"<svg/>")
    assert (tmp_path / "a.svg").read_bytes().startswith(b"<svg/>")
    with files.filling(tmp_path) as arriving:
        arriving.add("a", ".svg", b"<svg>again</svg>")
    assert (tmp_path / "a.svg").read_bytes().startswith(b"<svg>again</svg>")


def test_replacing_keeps_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")

    def stop_half_way() -> None:
        with writing.replacing(target, force=True) as unfinished:
            unfinished.write_bytes(b"half of the n")
            raise Stop

    with pytest.raises(Stop):
        stop_half_way()
    assert target.read_bytes() == b"old"
    with writing.replacing(target, force=True) as unfinished:
        unfinished.write_bytes(b"new")
    assert target.read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        writing.write(files.check_place(tmp_path / ("x" * 300)), b"")
    assert list(tmp_path.iterdir()) == []
