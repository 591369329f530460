"""Ctrl-C, or a notebook's stop button, between two steps rather than in the middle of one."""

import signal
import threading


class HeldCtrlC:
    """with HeldCtrlC() as ctrl_c: ...; ctrl_c.check() raises the KeyboardInterrupt that came since the beginning.

    Half a step would leave some weights of one step and some of another. A second Ctrl-C is not held back. Only where the
    first would raise KeyboardInterrupt: in the main thread, unless somebody else handles the signal.
    """

    def __enter__(self) -> "HeldCtrlC":
        self._came = self._holding = False
        if threading.current_thread() is threading.main_thread():
            self._holding = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._holding:
            signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, *_) -> None:
        if self._came:
            raise KeyboardInterrupt
        self._came = True

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed."""
        if self._came:
            raise KeyboardInterrupt

    def __exit__(self, *_) -> None:
        if self._holding:
            signal.signal(signal.SIGINT, signal.default_int_handler)
