"""Blocks done by several processes: a few in flight at a time, results as they come."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice

from selfdana_lite.parts import DatasetError

_ALONE_S = 3.0  # about as long as a fresh process takes to be ready
_QUEUED_PER_WORKER = 2


def run(do: Callable, tasks: Iterable[tuple], workers: int) -> Iterator[tuple]:
    """(task, do(*task)) for each task, in any order.

    The first seconds of work are done in this process, and what is left then by `workers` others. Each is a fresh one
    ("spawn"), as a copy of a process with threads, such as a notebook's, may hang.
    """
    tasks, begin = iter(tasks), time.monotonic()
    for task in tasks:
        yield task, do(*task)
        if workers > 1 and time.monotonic() - begin > _ALONE_S:
            break
    else:
        return
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_obey_parent)
    try:
        yield from _keep_busy(pool, do, tasks, _QUEUED_PER_WORKER * workers)
    except BrokenProcessPool as error:
        raise DatasetError(
            "A process that read recordings has ended by itself: memory may be short, or this is a script without "
            "`if __name__ == '__main__':` around its work. Mend that, or give workers=1; what is done is kept."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _keep_busy(pool: ProcessPoolExecutor, do: Callable, tasks: Iterator[tuple], most: int) -> Iterator[tuple]:
    running = {}
    while True:
        running |= {pool.submit(do, *task): task for task in islice(tasks, most - len(running))}
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            yield running.pop(future), future.result()


def _obey_parent() -> None:
    """A worker leaves Ctrl-C to its parent, and ends when the parent is killed, rather than write on as an orphan."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
