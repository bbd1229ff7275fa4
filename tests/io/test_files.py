"""An output is whole or absent, whatever happens."""

from __future__ import annotations

import errno
import os
import stat
import threading

import pytest

from wavenetmv.errors import InputError, UsageFault
from wavenetmv.io import files
from wavenetmv.io.files import check_target, open_sink, open_source


def write(target, data=b"new", **options):
    with open_sink(target, **options) as sink:
        sink.write(data)


def test_written_whole_and_nothing_else(tmp_path):
    write(tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_existing_output_needs_force(tmp_path):
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with pytest.raises(UsageFault, match="exists; --force overwrites it"):
        write(target)
    assert target.read_bytes() == b"old"
    write(target, force=True)
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit, MemoryError])
def test_any_failure_leaves_what_was_there(error, tmp_path):
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")

    def fail_halfway() -> None:
        with open_sink(target, force=True) as sink:
            sink.write(b"half")
            raise error

    with pytest.raises(error):
        fail_halfway()
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_target_that_appears_meanwhile_is_not_replaced(tmp_path):
    target = tmp_path / "a.bin"

    def lose_the_race() -> None:
        with open_sink(target) as sink:
            sink.write(b"mine")
            target.write_bytes(b"theirs")

    with pytest.raises(UsageFault, match="exists"):
        lose_the_race()
    assert target.read_bytes() == b"theirs"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_permissions_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "a.bin")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.bin").stat().st_mode) == 0o640


def test_a_link_keeps_pointing(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.bin").write_bytes(b"old")
    (tmp_path / "link.bin").symlink_to("real/a.bin")
    write(tmp_path / "link.bin", force=True)
    assert (tmp_path / "link.bin").is_symlink()
    assert (tmp_path / "real" / "a.bin").read_bytes() == b"new"


def test_names_of_any_kind(tmp_path):
    for name in ("with space", "Grüße 你好", "x" * 255, "-dash", "[bold]"):
        write(tmp_path / name)
        with open_source(tmp_path / name) as source:
            assert source.read() == b"new"


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("none/a.bin", "there is no folder"),
        ("folder", "is a directory"),
        ("x" * 256, "File name too long"),
        ("file/a.bin", "there is no folder"),
    ],
)
def test_impossible_targets(target, text, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=text):
        write(tmp_path / target)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="Permission denied"):
        write(tmp_path / "a.bin")


def test_no_space(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(InputError, match=r"a\.bin: No space left on device"):
        write(tmp_path / "a.bin")
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux only")
def test_devices_are_written_not_replaced():
    write("/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    with pytest.raises(InputError, match="No space left on device"):
        write("/dev/full")


def test_a_named_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    write(pipe)
    reader.join()
    assert received == [b"new"]


def test_early_check(tmp_path):
    check_target("-")
    check_target(tmp_path / "new.bin")
    with pytest.raises(InputError):
        check_target(tmp_path / "none" / "new.bin")
