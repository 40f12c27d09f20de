"""The results file of a sweep, which several processes may write at once and a full disk leaves whole.

The file has one JSON object a line: a header, then the points. It is replaced as a whole, and so it is complete at any
time. While a sweep writes, two files lie beside it, and they are gone when the sweep has ended:

* `<name>.lock` is locked while the file is read, merged and replaced, and never while a point is measured.
* `<name>.part` becomes the next results file. It is as large as that before a point is measured, so that a disk which
  fills up meanwhile costs no point. A second sweep at the same time has `<name>.1.part`, and so on.

A process that is killed leaves both. The next sweep that writes uses them and removes them.
"""

import contextlib
import errno
import itertools
import os
import stat
from pathlib import Path

from filelock import FileLock, Timeout, lock_descriptor

from experiments.points_lines import count, parse

_WAIT = 60.0  # seconds that a sweep waits for the lock. Others hold it for milliseconds
_ROOM = 4096  # bytes for points to come, of which one takes 700, so that other sweeps may add some meanwhile


class PointsFile:
    """A results file with the header and the points of one sweep; `reserve` and `add` want it in a with statement."""

    def __init__(self, path, header, order, sizes):
        """Name the file, without touching it.

        Args:
            path: where the file is or will be. A link is followed, so that the file that it names is replaced.
            header: line of the header.
            order: keys of the sweep's points, as `key` makes them, in the order of their lines.
            sizes: as in `points_lines.check_point`.
        """
        self._path = Path(os.path.realpath(expanded("path", path)))
        self._header, self._order, self._sizes = header, order, sizes
        self._lock_path = self._path.with_name(f"{self._path.name}.lock")
        self._lock = FileLock(self._lock_path, poll_interval=0.01)
        self._points = {}  # all that were ever in the file, should somebody take it away
        self._scratch = self._claim = None

    def read(self):
        """Return {key: line} of the points in the file, none if there is no file or an empty one.

        This takes no lock, since a replaced file is whole. A finished sweep can be read where nothing may be written.

        Raises:
            ValueError: for a file that is damaged or has another header.
            OSError: for a file that cannot be read.
        """
        with _explained(self._path, "read", len(self._points)):
            data = _bytes(self._path)
        self._points = {**self._points, **parse(self._path, data, self._header, self._sizes)}
        return self._points

    def reserve(self, wanted):
        """Return what `read` does, after making sure that the point of the key `wanted` will find room on the disk.

        Raises:
            ValueError: as in `read`.
            OSError: if the file cannot be written. TimeoutError if its lock cannot be had within a minute.
        """
        with self._locked(_WAIT):
            self.read()
            with _explained(self._path, "written", len(self._points)):
                if self._path.exists() and not os.access(self._path, os.W_OK):  # os.replace would not mind
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
                if self._claim is None:
                    self._scratch, self._claim = _claimed(self._path)
                # Zeros, which are written out: a hole in the file would reserve nothing. (Where a file system copies
                # what is overwritten, such as btrfs, the point can still find no room. Those before it stay.)
                _overwrite(self._scratch, self._content() + bytes(_ROOM + len(wanted)))
        return self._points

    def add(self, key, line):
        """Return what `read` does, after adding the point that was last reserved.

        If the file has a point of this key by now, that one stays.

        Raises:
            ValueError, OSError: as in `reserve`.
        """
        with self._locked(_WAIT):
            if key not in self.read():
                self._points[key] = line
                # The points stand in the order of the sweep, whatever came first. Those of other values stay behind.
                first = [key for key in self._order if key in self._points]
                self._points = {key: self._points[key] for key in [*first, *self._points]}
                with _explained(self._path, "written", len(self._points) - 1):
                    _overwrite(self._scratch, self._content())
                    os.replace(self._scratch, self._path)
                    self._let_go()
        return self._points

    def __enter__(self):
        """Return the file, not yet locked."""
        return self

    def __exit__(self, *_):
        """Remove the scratch file and the lock file, however the sweep ended."""
        try:
            # On Unix, filelock leaves its file behind: a process that waits for the lock has it open. Only a holder
            # may remove it. filelock does not count a lock on a file that has lost its name, and tries once more.
            with contextlib.suppress(OSError), self._locked(1.0):
                self._discard()
                self._lock_path.unlink(missing_ok=True)
        finally:
            self._discard()  # without the lock, if that cannot be had: no other sweep uses this scratch file

    def _content(self):
        return "".join(f"{line}\n" for line in [self._header, *self._points.values()]).encode()

    @contextlib.contextmanager
    def _locked(self, seconds):
        with _explained(self._path, "written", len(self._points)):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            held = self._lock.acquire(timeout=seconds)
        with held:
            yield

    def _discard(self):
        if self._claim is not None:
            with contextlib.suppress(OSError):
                self._scratch.unlink(missing_ok=True)
            self._let_go()

    def _let_go(self):
        os.close(self._claim)
        self._claim = None


def expanded(name, path):
    """Return a path with the user's home in the place of a leading ~.

    Raises:
        TypeError: if it is no path.
        ValueError: if it holds a NUL character or the home of an unknown user.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{name} must be a text or a pathlib.Path, got {path!r} of type {type(path).__name__}")
    if "\0" in os.fspath(path):
        raise ValueError(f"{name} must be without NUL characters, got {path!r}: remove them")
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ValueError(f"{name} begins with the home of an unknown user, {path!r}: write that folder out") from None


def _claimed(path):
    """Return the first scratch file that no sweep uses, and its open descriptor, locked for as long as it is open."""
    for number in itertools.count():
        scratch = path.with_name(f"{path.name}.{number}.part" if number else f"{path.name}.part")
        descriptor = os.open(scratch, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if lock_descriptor(descriptor, blocking=False):
                return scratch, descriptor
        except OSError as error:
            if error.errno == errno.ENOSYS:  # no such locks on this file system: sweeps share one scratch file
                return scratch, descriptor
            os.close(descriptor)
            raise
        os.close(descriptor)


def _overwrite(path, content):
    """Make `content` that of a file, in the room that the file has already."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as file:
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def _bytes(path):
    """Return what a file holds, nothing if there is no file."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe would wait for ever
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        return path.read_bytes()
    except FileNotFoundError:
        return b""


@contextlib.contextmanager
def _explained(path, verb, points):
    """Let an error of the operating system say in one sentence what to do about the file that has so many points."""
    try:
        yield
    except OSError as error:
        code = errno.ETIMEDOUT if isinstance(error, Timeout) else error.errno or errno.EIO
        raise OSError(code, _sentence(code, error, path, verb, points)) from error


def _sentence(code, error, path, verb, points):
    kept, reason = f"{path} keeps its {count(points)}", os.strerror(code)
    match code:
        case errno.ETIMEDOUT if isinstance(error, Timeout):
            return (
                f"another sweep has held {error.lock_file} for {_WAIT:g} seconds, where milliseconds are enough: end "
                f"its process, or resume it if it is suspended, and run again; {kept}"
            )
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return f"{kept}, but there is no room for another ({reason}): free space and run again"
        case errno.ENOTDIR | errno.EEXIST:
            file = next((part for part in path.parents if os.path.isfile(part)), path.parent)
            return (
                f"there can be no folder {path.parent}, because {file} is a file: move that away or name another path"
            )
        case errno.EISDIR:
            return f"{error.filename or path} is a folder or a device: name a file, such as {path / 'sweep.jsonl'}"
        case errno.ENAMETOOLONG:
            return (
                f"{path} is too long a name, since most file systems take 255 bytes, with the ending .part or .lock "
                "of the files beside it: choose a shorter one"
            )
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"{error.filename or path} cannot be {verb} ({reason}): ask for permission or name another folder"
        case _:
            return f"{path} cannot be {verb} ({reason}): see to that and run again"
