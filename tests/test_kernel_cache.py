"""Where machine code is kept: named and unnamed folders, what is not trusted, what is damaged, what people are told."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import tempfile
from pathlib import Path

import pytest
from numba.core import event

from layervec import cli, compiled, kernel_cache
from layervec.events import Event
from layervec.kernel_cache import Place, place
from layervec.progress import Progress
from layervec.settings import Settings

KERNEL = "from layervec.compiled import kernel\n\n@kernel\ndef twice(x):\n    return 2 * x\n"
POSIX = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no owners and modes")


@pytest.fixture(autouse=True)
def found_anew(monkeypatch):
    for variable in kernel_cache.VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    place.cache_clear()
    yield
    place.cache_clear()


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A file: no folder can be made below it. Nothing but the folder for temporary files is writable."""
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr(kernel_cache, "PACKAGE", file)
    monkeypatch.setattr(kernel_cache, "_users_caches", lambda: file)
    (tmp_path / "tmp").mkdir(mode=0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return file


# Places


def test_a_named_folder_comes_first_and_ours_before_numbas(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numbas"))
    assert place() == Place(tmp_path / "numbas")
    place.cache_clear()
    monkeypatch.setenv("LAYERVEC_CACHE", str(tmp_path / "deep" / "ours"))
    assert place() == Place(tmp_path / "deep" / "ours")


def test_a_named_folder_that_cannot_be_written_is_told_of_and_still_read(nowhere, monkeypatch):
    monkeypatch.setenv("LAYERVEC_CACHE", str(nowhere / "kernels"))
    assert place().folder == nowhere / "kernels"
    assert re.search(r"LAYERVEC_CACHE names a folder that cannot be written \(.*kernels: not a directory\)", told())


def told():
    return place().not_kept()


def test_unnamed_places_are_tried_from_the_package_to_the_temporary_folder(nowhere, tmp_path, monkeypatch):
    temporary = tmp_path / "tmp" / f"layervec-{kernel_cache._user()}"
    assert place() == Place(temporary)
    place.cache_clear()
    monkeypatch.setattr(kernel_cache, "_users_caches", lambda: tmp_path / "home")
    assert place() == Place(tmp_path / "home" / "layervec")
    place.cache_clear()
    monkeypatch.setattr(kernel_cache, "PACKAGE", tmp_path)
    assert place() == Place(None)


def test_where_nothing_can_be_written_each_place_is_named_with_its_reason(nowhere, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(nowhere))
    assert place().folder is None
    assert told().startswith("layervec: compiling kernels, ")
    assert told().endswith(". Name a folder for them by LAYERVEC_CACHE.")
    assert told().count(": not a directory") == 3


@POSIX
def test_the_temporary_folder_is_for_its_owner_alone(nowhere, tmp_path):
    assert place().folder.stat().st_mode & 0o777 == 0o700


def shared(folder):
    folder.mkdir()
    folder.chmod(0o777)


def link(folder):
    (folder.parent / "theirs").mkdir(mode=0o700)
    folder.symlink_to(folder.parent / "theirs")


def replaceable(folder):
    folder.mkdir(mode=0o700)
    folder.parent.chmod(0o777)


@POSIX
@pytest.mark.parametrize(
    ("make", "why"),
    [(shared, "others may write there"), (link, "it is a link"), (replaceable, "others may replace it")],
)
def test_machine_code_that_others_can_put_there_is_never_run(make, why, nowhere, tmp_path):
    make(tmp_path / "tmp" / f"layervec-{os.geteuid()}")
    assert f": {why}" in told()


@POSIX
def test_nor_is_that_in_a_folder_of_somebody_else(nowhere, tmp_path, monkeypatch):
    monkeypatch.setattr(kernel_cache, "_user", lambda: os.geteuid() + 1)
    (tmp_path / "tmp" / f"layervec-{os.geteuid() + 1}").mkdir(mode=0o700)
    assert ": others may write there" in told()


def test_two_copies_of_the_package_share_no_kernels():
    kept = Place(Path("kept"))
    assert kept.of(Path("/a/raster/cells.py")) != kept.of(Path("/b/raster/cells.py"))
    assert Place(None).of(Path("/a/raster/cells.py")) == Path("/a/raster/__pycache__")


# Files


@pytest.fixture
def twice(tmp_path, monkeypatch):
    """A function that loads a kernel as a new process would, calls it, and returns how often something was compiled."""
    monkeypatch.setenv("LAYERVEC_CACHE", str(tmp_path / "kernels"))
    source = tmp_path / "own.py"
    source.write_text(KERNEL)
    seen = []

    class Counter(event.Listener):
        def on_start(self, event):
            seen.append(event)

        def on_end(self, event):
            pass

    def load_and_call():
        seen.clear()
        spec = importlib.util.spec_from_file_location("own", source)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "own", module)
        spec.loader.exec_module(module)
        with event.install_listener("numba:compile", Counter()):
            assert module.twice(21) == 42
        return len(seen)

    return load_and_call


def cut(path):
    path.write_bytes(path.read_bytes()[:40])


def emptied(path):
    path.write_bytes(b"")


def scrambled(path):
    path.write_bytes(bytes(range(256)) * 12)


def flipped(path):
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", [cut, emptied, scrambled, flipped])
def test_what_is_damaged_is_compiled_again_and_kept(damage, ending, twice, tmp_path):
    assert twice() == 1
    assert twice() == 0
    damaged = list((tmp_path / "kernels").rglob(f"*.{ending}"))
    assert len(damaged) == 1
    damage(damaged[0])
    assert twice() == 1
    assert twice() == 0


def test_another_version_compiles_again(twice, monkeypatch):
    twice()
    monkeypatch.setattr(compiled, "version", lambda _: "9.9.9")
    compiled._stamp.cache_clear()
    assert twice() == 1
    compiled._stamp.cache_clear()


def test_code_for_other_types_is_not_taken_for_what_was_asked(tmp_path):
    files = compiled._Files(str(tmp_path), "kernel", "stamp")
    files.save("int", "code for int")
    files._save_index({"float": next(iter(files._load_index().values()))})
    assert files.load("float") is None


def test_a_write_that_is_interrupted_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compiled._Files(str(tmp_path), "kernel", "stamp").save("int", "code")
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_up_is_told_of(twice, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(compiled._Files, "save", full)
    assert twice() == 1
    assert "cannot be written (no space left on device)" in told()


# What is said


def hear(capsys, **how):
    with Progress(Settings(), **how) as progress:
        progress.on_event(Event("load", 1.0))
        for _ in range(2):
            event.start_event("numba:compile", data={})
    return capsys.readouterr().err


def test_compiling_in_vain_is_told_once_and_also_without_a_terminal(nowhere, monkeypatch, capsys):
    monkeypatch.setattr(tempfile, "tempdir", str(nowhere))
    assert hear(capsys) == told() + "\n"
    assert hear(capsys, bar=False) == ""


def test_compiling_once_is_told_on_terminals_and_when_asked(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LAYERVEC_CACHE", str(tmp_path))
    assert hear(capsys) == ""
    assert hear(capsys, lines=True).endswith("later runs start at once\n")


def test_kernels_of_others_are_used_where_nothing_can_be_kept(twice):
    twice()
    place().trouble = "read only"
    assert twice() == 0


def test_commands_whose_processes_say_nothing_tell_of_it_first(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LAYERVEC_CACHE", str(tmp_path))
    cli._tell_of_compiling()
    place().trouble = "read only"
    cli._tell_of_compiling()
    place().of(kernel_cache.PACKAGE / "curves" / "trace.py").mkdir()
    (place().of(kernel_cache.PACKAGE / "curves" / "trace.py") / "filled.nbi").touch()
    cli._tell_of_compiling()
    assert capsys.readouterr().err == told() + "\n"
