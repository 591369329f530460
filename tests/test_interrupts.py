"""Ctrl-C waits for the end of a step; the stop button of a notebook leaves an encoder that can be used, and its history."""

import contextlib
import os
import signal
import sys
import threading
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel

from selfdana_lite.interrupts import HeldCtrlC

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends processes on Windows")


def press_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


def steps_until_it_is_let_through(presses: int) -> list[str]:
    """What is done after Ctrl-C was pressed so many times in a step."""
    done = []
    with contextlib.suppress(KeyboardInterrupt), HeldCtrlC() as ctrl_c:
        ctrl_c.check()
        for _ in range(presses):
            press_ctrl_c()
        done.append("the step")
        ctrl_c.check()
        done.append("another step")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return done


def test_it_waits_for_the_end_of_the_step_but_only_once():
    assert steps_until_it_is_let_through(0) == ["the step", "another step"]
    assert steps_until_it_is_let_through(1) == ["the step"]
    assert steps_until_it_is_let_through(2) == []


def test_afterwards_it_is_as_before():
    with HeldCtrlC():
        press_ctrl_c()  # in the last step: what was asked for is done anyway
    with pytest.raises(KeyboardInterrupt):
        press_ctrl_c()


def test_somebody_elses_handler_stays():
    came = []
    usual = signal.signal(signal.SIGINT, lambda *_: came.append(1))
    try:
        with HeldCtrlC() as ctrl_c:
            press_ctrl_c()
            ctrl_c.check()
        assert came == [1]
    finally:
        signal.signal(signal.SIGINT, usual)


def test_in_another_thread_nothing_is_held():
    done = []

    def work():
        with HeldCtrlC() as ctrl_c:
            ctrl_c.check()
            done.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [signal.default_int_handler]


TRAINING = f"""
import sys
sys.path.insert(0, {str(Path(__file__).resolve().parent)!r})
from small import seeded_encoder, small_dataset
from selfdana_lite import PretrainConfig, embed, pretrain
encoder, few = seeded_encoder(), small_dataset([1, 2], 24)
show = lambda row: print("epoch", row["epoch"], flush=True)
history = pretrain(encoder, few, PretrainConfig(epochs=100_000), after_epoch=show, progress=False)
print("went on")
"""
LOOK = """
import numpy as np
print(len(history), list(history["epoch"]) == list(range(1, len(history) + 1)), encoder.training)
print(np.isfinite(embed(encoder, few, "I, II")).all(), len(pretrain(encoder, few, PretrainConfig(epochs=2), progress=False)))
"""


def run_cell(client, code: str, on_text=lambda text: None) -> tuple[str, str]:
    """What the cell writes to stdout, and to stderr, errors included."""
    said = {"stdout": "", "stderr": ""}
    asked = client.execute(code)
    while True:
        message = client.get_iopub_msg(timeout=300)
        if message["parent_header"].get("msg_id") != asked:
            continue
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            said[content["name"]] += content["text"]
            on_text(said["stdout"])
        elif kind == "error":
            said["stderr"] += "\n".join(content["traceback"])
        elif kind == "status" and content["execution_state"] == "idle":
            return said["stdout"], said["stderr"]


def test_the_stop_button_of_a_notebook_leaves_a_usable_encoder_and_the_history():
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        pressed = []

        def stop_after_three_epochs(text: str):
            if "epoch 3" in text and not pressed:
                pressed.append(True)
                manager.interrupt_kernel()

        shown, warned = run_cell(client, TRAINING, stop_after_three_epochs)
        assert shown.endswith("went on\n"), "the cell ended with an error"
        assert "UserWarning: Stopped by hand in epoch" in warned
        assert "the weights are those of the last step" in warned
        assert "Traceback" not in warned
        looked, errors = run_cell(client, LOOK)
        assert errors == ""
        epochs, in_order, training, usable, again = looked.split()
        assert int(epochs) == shown.count("epoch")
        assert int(epochs) >= 3
        assert (in_order, training, usable, again) == ("True", "False", "True", "2")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
