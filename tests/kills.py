"""Work that is watched line by line and killed at one of them; in forks, so that torch is imported once."""

import os
import signal
import sys
from collections.abc import Callable, Iterable


def in_a_fork(do: Callable[[], object]) -> int:
    """do() in a copy of this process; its exit status, negative where a signal ended it."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        do()
        status = 0
    finally:
        os._exit(status)


def traced(work: Callable[[], object], files: Iterable[str], at_line: Callable[[int, str], object]) -> None:
    """work, with at_line(number, function) called before each line of the code in files: parts of their paths."""
    count = 0

    def local(frame, event, _):
        nonlocal count
        if event == "line":
            count += 1
            at_line(count, frame.f_code.co_qualname)
        return local

    sys.settrace(lambda frame, *_: local if any(file in frame.f_code.co_filename for file in files) else None)
    work()


def killed_at_line(work: Callable[[], object], files: Iterable[str], place: int) -> int:
    """The exit status of a fork whose work is killed before the line of that number."""
    return in_a_fork(lambda: traced(work, files, lambda number, _: number == place and os.kill(os.getpid(), signal.SIGKILL)))
