"""Blocks done by several processes: a few in flight at a time, results as they come."""

import multiprocessing
import multiprocessing.connection
import multiprocessing.context
import multiprocessing.process
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice

from selfdana_lite.parts import DatasetError

_START_S = 3.0  # what fresh processes need until they are of use
_QUEUED_PER_WORKER = 2


def run(do: Callable, tasks: Sequence[tuple], workers: int) -> Iterator[tuple]:
    """(task, do(*task)) for each task, in any order.

    The work begins in this process. Where what is left would keep it busy for longer than others need to start and help,
    `workers` others take over. Each is a fresh one ("spawn"): a copy of a process with threads, as a notebook's, may hang.
    """
    left, begin = iter(tasks), time.monotonic()
    for done, task in enumerate(left, 1):
        yield task, do(*task)
        left_s = (time.monotonic() - begin) * (len(tasks) / done - 1)
        if workers > 1 and left_s * (1 - 1 / workers) > _START_S:
            break
    else:
        return
    context = _Spawn()
    pool = ProcessPoolExecutor(workers, context, initializer=_obey_parent)
    try:
        yield from _share(pool, do, left, _QUEUED_PER_WORKER * workers)
    except BrokenProcessPool as error:
        raise DatasetError(
            "A process that read recordings has ended by itself: memory may be short, or this is a script without "
            "`if __name__ == '__main__':` around its work. Mend that, or give workers=1; what is done is kept."
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in filter(multiprocessing.Process.is_alive, context.made):  # done, or no longer needed
            process.terminate()
            process.join()


class _Spawn(multiprocessing.context.SpawnContext):
    """Fresh processes, and which they are: a notebook may have others, which are to live on."""

    def __init__(self):
        self.made = []

    def Process(self, *args, **options) -> multiprocessing.process.BaseProcess:
        self.made.append(super().Process(*args, **options))
        return self.made[-1]


def _share(pool: ProcessPoolExecutor, do: Callable, tasks: Iterator[tuple], most: int) -> Iterator[tuple]:
    """At most so many tasks with the pool at a time.

    This process goes on until the first of them comes back, and if none does, ends with those itself: to do one twice writes
    the same bytes.
    """
    running = {pool.submit(do, *task): task for task in islice(tasks, most)}
    while running and not any(future.done() for future in running):
        task = next(tasks, None) or running.popitem()[1]
        yield task, do(*task)
    while running:
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            yield running.pop(future), future.result()
        running |= {pool.submit(do, *task): task for task in islice(tasks, most - len(running))}


def _obey_parent() -> None:
    """A worker leaves Ctrl-C to its parent, and ends when the parent is killed, rather than write on as an orphan."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
