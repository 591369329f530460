"""What no reading of a file may do, whatever is in it: watched while one case runs."""

import gc
import os
import pickle
import sys
import threading
import warnings
from contextlib import contextmanager
from pathlib import Path

import selfdana_lite

# Python itself, its packages and the kit may be read at any time, as modules are imported when they are first needed.
_CODE = tuple(
    os.path.realpath(path) for path in {sys.prefix, sys.base_prefix, Path(selfdana_lite.__file__).parent, Path(__file__).parent}
)
_NEVER = ("socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.system", "pickle.", "pty.")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Guard:
    """One a process, as an audit hook cannot be taken away. `with guard.watching(...) as faults` fills in what was done."""

    def __init__(self):
        self._faults: list[str] | None = None
        sys.addaudithook(self._see)
        for name in ("load", "loads", "Unpickler"):
            setattr(pickle, name, self._unpickled)
        sys.unraisablehook = lambda news: self._note(f"unraisable {news.exc_value!r}")
        threading.excepthook = lambda news: self._note(f"in a thread {news.exc_value!r}")

    @contextmanager
    def watching(self, folder: Path, writable: Path | None = None):
        """folder: where files may be opened. writable: where they may be written too."""
        self._folder, self._writable = os.path.realpath(folder), writable and os.path.realpath(writable)
        threads, handles = threading.active_count(), _handles()
        faults: list[str] = []
        self._faults = faults
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                warnings.simplefilter("ignore", selfdana_lite.FlatLeadWarning)
                yield faults
                if _handles() > handles:
                    gc.collect()  # what only a circle of references holds, such as an exception's, is not left open
                if _handles() > handles:
                    faults.append("files are left open")
        finally:
            self._faults = None
        if threading.active_count() > threads:
            faults.append(f"threads are left behind: {threading.enumerate()[-1]}")

    def _note(self, what: str) -> None:
        if self._faults is not None:
            self._faults.append(what[:300])

    def _unpickled(self, *_, **__):
        self._note("a pickle was loaded")
        raise pickle.UnpicklingError("no pickle is loaded here")

    def _see(self, event: str, arguments: tuple) -> None:
        if self._faults is None:
            return
        if event.startswith(_NEVER):
            self._note(f"{event} {arguments!r}")
            raise RuntimeError(f"{event} is not allowed here.")
        if event == "open" and not isinstance(arguments[0], int):
            self._look_at_path(*arguments)

    def _look_at_path(self, path: str | bytes, mode: str | None, flags: int) -> None:
        real = os.path.realpath(os.fsdecode(path))
        if self._writable and _within(real, self._writable):
            return
        if not _within(real, self._folder) and not any(_within(real, code) for code in _CODE):
            self._note(f"opened outside the folder: {real}")
            raise RuntimeError(f"{real} lies outside.")
        if flags & _WRITES and "__pycache__" not in real:
            self._note(f"written: {real}")


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _handles() -> int:
    return len(os.listdir("/proc/self/fd"))
