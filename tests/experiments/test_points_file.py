import contextlib
import errno
import json
import os
import stat
import threading

import pytest
from filelock import FileLock, UnixFileLock

from experiments import points_file
from experiments.points_file import PointsFile, expanded
from experiments.points_lines import key

HEADER = json.dumps({"variable": "widths", "n_train": 12})
RANK = {"rank": 1, "gap": 1e12, "threshold": 1e-13, "grade": "clear", "reason": ""}
KEYS = [key([m], 1) for m in range(40)]


def line(m, p=20):
    row = {"value": [m], "seed": 1, "p": p, "r": RANK, "functional": RANK, "outer": RANK, "loss": RANK}
    return json.dumps(row)


def points_of(path):
    return PointsFile(path, HEADER, KEYS, {})


def text(*numbers):
    return "".join(f"{each}\n" for each in [HEADER, *map(line, numbers)])


def write(path, *numbers):
    with points_of(path) as file:
        for m in numbers:
            file.reserve(KEYS[m])
            found = file.add(KEYS[m], line(m))
    return found


def test_the_lines_stand_in_the_order_of_the_sweep(tmp_path):
    path = tmp_path / "folder" / "points"
    assert points_of(path).read() == {}
    assert list(tmp_path.iterdir()) == []
    assert list(write(path, 2, 0, 1)) == KEYS[:3]
    assert path.read_text() == text(0, 1, 2)
    assert points_of(path).read() == {KEYS[m]: line(m) for m in range(3)}
    assert os.listdir(path.parent) == ["points"]


def test_the_first_to_write_a_point_wins(tmp_path):
    path = tmp_path / "points"
    with points_of(path) as one, points_of(path) as two:
        assert one.reserve(KEYS[0]) == two.reserve(KEYS[0]) == {}
        one.add(KEYS[0], line(0))
        assert two.add(KEYS[0], line(0, p=30)) == {KEYS[0]: line(0)}
        one.reserve(KEYS[2])
        one.add(KEYS[2], line(2))
        assert list(two.reserve(KEYS[1])) == [KEYS[0], KEYS[2]]
    assert path.read_text() == text(0, 2)


def test_points_survive_the_loss_of_the_file(tmp_path):
    path = tmp_path / "folder" / "points"
    with points_of(path) as file:
        file.reserve(KEYS[0])
        file.add(KEYS[0], line(0))
        path.unlink()
        assert list(file.reserve(KEYS[1])) == KEYS[:1]
        (path.parent / "points.part").unlink()
        file.add(KEYS[1], line(1))
    assert path.read_text() == text(0, 1)


def test_threads_write_one_file(tmp_path):
    """And the lock file that one of them removes at its end is not the lock that another holds."""
    path, found, failed = tmp_path / "points", [], []

    def run(start):
        try:
            for m in range(start, 40, 4):
                found.append(write(path, m))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert path.read_text() == text(*range(40))
    assert sorted(len(points) for points in found) == list(range(1, 41))
    assert os.listdir(tmp_path) == ["points"]


def test_a_link_is_followed_and_a_home_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "link").symlink_to(tmp_path / "points")
    write("~/link", 0)
    write(tmp_path / "points", 1)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "points").read_text() == text(0, 1)
    assert expanded("path", "~/a") == tmp_path / "a"


# --- room


def test_room_is_there_before_a_point_and_scratch_files_are_not_shared(tmp_path):
    path = tmp_path / "points"
    with points_of(path) as one:
        one.reserve(KEYS[0])
        with points_of(path) as two:
            two.reserve(KEYS[1])
            two.add(KEYS[1], line(1))
            two.reserve(KEYS[2])
            sizes = {found.name: found.stat().st_size for found in tmp_path.iterdir()}
            assert set(sizes) == {"points", "points.lock", "points.part", "points.1.part"}
            assert sizes["points.part"] > len(text()) + 4096
            assert sizes["points.1.part"] > len(text(1)) + 4096
        # The one that ends takes nothing away from the other.
        assert {found.name for found in tmp_path.iterdir()} == {"points", "points.part"}
        one.add(KEYS[0], line(0))
    assert path.read_text() == text(0, 1)
    assert os.listdir(tmp_path) == ["points"]


def test_what_a_killed_process_leaves_is_used_and_removed(tmp_path):
    (tmp_path / "points.lock").touch()
    (tmp_path / "points.part").write_bytes(b"half of a line" * 10_000)
    with points_of(tmp_path / "points") as file:
        file.reserve(KEYS[0])
        assert {found.name for found in tmp_path.iterdir()} == {"points.lock", "points.part"}
        file.add(KEYS[0], line(0))
    assert os.listdir(tmp_path) == ["points"]
    assert (tmp_path / "points").read_text() == text(0)


class Disk:
    """A disk that takes nothing beyond the files that are there once it is full."""

    def __init__(self, monkeypatch):
        self.full, fdopen = False, os.fdopen

        def opened(descriptor, mode):
            file, room = fdopen(descriptor, mode), os.fstat(descriptor).st_size
            return Disk.File(file, room) if self.full else file

        monkeypatch.setattr(points_file.os, "fdopen", opened)

    class File:
        def __init__(self, file, room):
            self.file, self.room = file, room

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, content):
            self.file.write(content[: self.room])
            if len(content) > self.room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_fills_up_costs_no_point(tmp_path, monkeypatch):
    """The point in hand has its room. The next one is refused before it is measured."""
    path, disk = tmp_path / "points", Disk(monkeypatch)
    write(path, 0)
    with points_of(path) as file:
        file.reserve(KEYS[1])
        disk.full = True
        file.add(KEYS[1], line(1))
        with pytest.raises(OSError, match="no room") as caught:
            file.reserve(KEYS[2])
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.strerror == (
        f"{path} keeps its 2 finished points, but there is no room for another (No space left on device): "
        "free space and run again"
    )
    assert path.read_text() == text(0, 1)
    assert os.listdir(tmp_path) == ["points"]


def test_with_two_sweeps_on_a_full_disk_both_keep_the_point_in_hand(tmp_path, monkeypatch):
    path, disk = tmp_path / "points", Disk(monkeypatch)
    with points_of(path) as one:
        one.reserve(KEYS[0])
        with points_of(path) as two:
            two.reserve(KEYS[1])
            disk.full = True
            two.add(KEYS[1], line(1))
        one.add(KEYS[0], line(0))
    assert path.read_text() == text(0, 1)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, ValueError, SystemExit])
def test_however_a_sweep_ends_nothing_is_left_beside_the_file(error, tmp_path):

    def sweep():
        with points_of(tmp_path / "points") as file:
            file.reserve(KEYS[0])
            file.add(KEYS[0], line(0))
            file.reserve(KEYS[1])
            raise error

    with pytest.raises(error):
        sweep()
    assert os.listdir(tmp_path) == ["points"]
    assert (tmp_path / "points").read_text() == text(0)


# --- the lock


def test_a_lock_that_cannot_be_had(tmp_path, monkeypatch):
    path = tmp_path / "points"
    write(path, 0)
    monkeypatch.setattr(points_file, "_WAIT", 0.05)
    with contextlib.ExitStack() as held:
        with points_of(path) as file:
            file.reserve(KEYS[1])
            held.enter_context(FileLock(tmp_path / "points.lock"))
            assert list(file.read()) == KEYS[:1]  # for which no lock is needed
            with pytest.raises(TimeoutError) as caught:
                file.add(KEYS[1], line(1))
        assert {found.name for found in tmp_path.iterdir()} == {"points", "points.lock"}  # the lock is another's
    assert caught.value.strerror == (
        f"another sweep has held {path}.lock for 0.05 seconds, where milliseconds are enough: end its process, or "
        f"resume it if it is suspended, and run again; {path} keeps its 1 finished point"
    )
    assert path.read_text() == text(0)
    assert write(path, 1) == {KEYS[m]: line(m) for m in range(2)}  # the lock being free again


def test_a_minute_is_waited_for_the_lock(tmp_path, monkeypatch):
    waited = []
    monkeypatch.setattr(UnixFileLock, "acquire", lambda *_, timeout: waited.append(timeout))
    with pytest.raises(TypeError):  # at what is no lock
        points_of(tmp_path / "points").reserve(KEYS[0])
    assert waited == [60.0]


def test_no_lock_is_held_while_a_point_is_measured(tmp_path):
    path = tmp_path / "points"
    with points_of(path) as file:
        file.reserve(KEYS[0])
        with FileLock(tmp_path / "points.lock", timeout=0):
            assert not path.exists()
        file.add(KEYS[0], line(0))
        with FileLock(tmp_path / "points.lock", timeout=0):
            assert path.exists()


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    """There filelock makes do with the lock file's being there, and says so."""

    def flock(descriptor, operation):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr("fcntl.flock", flock)
    path = tmp_path / "points"
    with points_of(path) as one, points_of(path) as two:
        for file, m in ((one, 0), (two, 1)):
            with pytest.warns(UserWarning, match="flock not supported"):
                file.reserve(KEYS[m])
        two.add(KEYS[1], line(1))
        one.add(KEYS[0], line(0))
    assert path.read_text() == text(0, 1)
    assert os.listdir(tmp_path) == ["points"]


# --- what cannot be written


def refused(path, error, message):
    def sweep():
        points_of(path).read()  # as a sweep does, before it wants to write
        write(path, 0)

    with pytest.raises(error, match=message) as caught:
        sweep()
    return caught.value


def test_no_file_where_there_can_be_none(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "points", tmp_path / "file" / "a" / "b" / "points"):
        message = rf"there can be no folder {path.parent}, because {tmp_path / 'file'} is a file: move that away or"
        assert refused(path, NotADirectoryError, message).errno == errno.ENOTDIR
    refused(tmp_path, IsADirectoryError, rf"{tmp_path} is a folder or a device: name a file, such as {tmp_path}/sweep")
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", IsADirectoryError, "pipe is a folder or a device: name a file")
    long = tmp_path / ("long" * 63)  # 252 bytes, and five more with an ending
    error = refused(long, OSError, "long is too long a name, since most file systems take 255 bytes, with the ending")
    assert error.errno == errno.ENAMETOOLONG
    assert sorted(found.name for found in tmp_path.iterdir()) == ["file", "pipe"]


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
@pytest.mark.parametrize("ending", ["lock", "part"])
def test_without_permission_a_file_can_be_read_and_not_written(code, ending, tmp_path, monkeypatch):
    """Whoever runs the tests may be root, whom no permission stops."""
    path, opened = tmp_path / "points", os.open
    write(path, 0)

    def denied(name, *arguments, **named):
        if str(name).endswith(ending):
            raise OSError(code, os.strerror(code), str(name))
        return opened(name, *arguments, **named)

    monkeypatch.setattr(os, "open", denied)
    error = refused(path, OSError, f"{path}.{ending} cannot be written .*: ask for permission or name another folder")
    assert error.errno == code
    assert points_of(path).read() == {KEYS[0]: line(0)}
    assert os.listdir(tmp_path) == ["points"]


def test_a_file_that_is_write_protected_is_not_replaced(tmp_path, monkeypatch):
    path = tmp_path / "points"
    write(path, 0)
    path.chmod(stat.S_IRUSR)
    monkeypatch.setattr(os, "access", lambda name, mode, **_: mode != os.W_OK or name != path)
    refused(path, PermissionError, rf"{path} cannot be written \(Permission denied\): ask for permission")
    assert path.read_text() == text(0)


def test_a_file_that_cannot_be_read(tmp_path, monkeypatch):
    path = tmp_path / "points"
    write(path, 0)
    for code, message in ((errno.EACCES, r"cannot be read \(Permission denied\): ask"), (errno.EIO, r"see to that")):
        error = OSError(code, os.strerror(code))
        monkeypatch.setattr(type(path), "read_bytes", lambda _, error=error: (_ for _ in ()).throw(error))
        assert refused(path, OSError, message).errno == code


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        (3, TypeError, "path must be a text or a pathlib.Path, got 3 of type int"),
        (b"points", TypeError, "path must be a text or a pathlib.Path, got b'points' of type bytes"),
        ("a\0b", ValueError, r"path must be without NUL characters, got 'a\\x00b': remove them"),
        ("~no-such-user/a", ValueError, "path begins with the home of an unknown user, '~no-such-user/a': write"),
    ],
)
def test_what_is_no_path(path, error, message):
    with pytest.raises(error, match=message):
        points_of(path)
