"""The directory that one riskd process owns, and the lock that keeps every other out."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600
LOCK_NAME = "LOCK"


class DataDirectoryBusyError(Exception):
    """Another process holds the data directory; the text names its process id."""


class DataDirectory:
    """A data directory held under a lock, which the operating system lets go if we die.

    Two processes that share one would write one journal and bind one `ipc://` path, neither of
    which fails by itself; so it is taken before anything else is opened.
    """

    def __init__(self, path: Path) -> None:
        """Make `path` readable by its owner alone, creating it, and lock it.

        Raises DataDirectoryBusyError when it is held, and OSError as the operating system says.
        """
        self.path = path
        make_directory(path)
        lock_path = path / LOCK_NAME
        descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            if not isinstance(error, BlockingIOError):
                raise
            raise DataDirectoryBusyError(
                f"{path} is in use by process {holder}: stop it, or give this one another directory"
            ) from None
        os.fchmod(descriptor, FILE_MODE)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor: int | None = descriptor

    @property
    def is_held(self) -> bool:
        """Return whether the lock is still ours."""
        return self._descriptor is not None

    def close(self) -> None:
        """Let the directory go. The LOCK file stays: removing it would let two hold two files."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def make_directory(path: Path) -> None:
    """Create `path` if needed, and make it its owner's alone whatever the umask."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=DIRECTORY_MODE, parents=True)
    path.chmod(DIRECTORY_MODE)


def sync_directory(path: Path) -> None:
    """Make the names in `path` survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
