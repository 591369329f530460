"""Kills a training and its saving at chosen lines and at random moments, and lets it go on; forks: torch is imported once.

python tests/kill_training.py FOLDER [KILLS]     30 kills unless told otherwise; what each did lands in FOLDER/results.json
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import psutil
import torch
from kills import in_a_fork, killed_at_line, traced
from small import seeded_encoder, small_dataset

from selfdana_lite.checkpoint import read_tensors, save_encoder
from selfdana_lite.pretraining import PretrainConfig, pretrain

OURS = [
    f"selfdana_lite{os.sep}{name}.py" for name in ("loop", "resume", "checkpoint", "pretraining", "many_devices", "batches")
]
CONFIG = PretrainConfig(epochs=4, batch_size=6, precision="float32")
RECORDINGS = small_dataset([1, 2], 12, samples=128)  # two steps an epoch


def make(folder: Path) -> None:
    """Train and save, as the command line does."""
    if not (folder / "encoder").exists():
        encoder = seeded_encoder()
        history = pretrain(encoder, RECORDINGS, CONFIG, checkpoint=folder / "run", progress=False)
        history[["epoch", "loss"]].to_csv(folder / "history.csv")
        save_encoder(encoder, folder / "encoder")
    (folder / "run").unlink(missing_ok=True)


def contents(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes().hex() for path in files}


def choose(lines: list[str], kills: int) -> list[int | float]:
    """Kills at lines, at as many of each function as of each other, and at shares of the time that it takes."""
    rng = random.Random(0)
    places = {name: [number for number, its in enumerate(lines, 1) if its == name] for name in sorted(set(lines))}
    by_function = [rng.choice(places[name]) for name in rng.choices(sorted(places), k=kills // 3)]
    saving = [number for name in ("write_tensors", "save_encoder") for number in places[name]]
    while_saving = rng.sample(saving, kills // 3)
    shares = [rng.uniform(0, 0.8) for _ in range(kills - 2 * (kills // 3))]  # another run may need a little less time
    return by_function + while_saving + shares


def kill_after(folder: Path, cpu_s: float) -> int:
    """Kill it from outside, in the middle of whatever it does then."""
    child = os.fork()
    if child == 0:
        try:
            make(folder)
        finally:
            os._exit(0)
    process = psutil.Process(child)
    while process.status() != psutil.STATUS_ZOMBIE and sum(process.cpu_times()[:2]) < cpu_s:
        time.sleep(0.001)
    process.kill()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_and_go_on(folder: Path, place: int | float, whole_cpu_s: float) -> dict:
    """What was there after the kill, and whether the next call ends well."""
    at_line = isinstance(place, int)
    status = killed_at_line(lambda: make(folder), OURS, place) if at_line else kill_after(folder, place * whole_cpu_s)
    checkpoint = folder / "run"
    epochs = len(json.loads(read_tensors(checkpoint)[1]["history"])) if checkpoint.exists() else 0  # never half a file
    found = {"killed": status == -signal.SIGKILL, "epochs": epochs, "done": (folder / "encoder").exists()}
    found["unfinished"] = [path.name for path in folder.iterdir() if path.name.endswith(".unfinished")]
    return found | {"went_on": in_a_fork(lambda: make(folder)) == 0}


def main(folder: Path, kills: int = 30) -> None:
    torch.set_num_threads(1)  # a fork has no more of them
    work = folder / "work"
    work.mkdir()
    before = sum(os.times()[2:4])
    in_a_fork(lambda: make(work))
    whole_cpu_s, expected = sum(os.times()[2:4]) - before, contents(work)
    shutil.rmtree(work)
    work.mkdir()

    def record():
        lines = []
        traced(lambda: make(work), OURS, lambda _, name: lines.append(name))
        (folder / "lines.json").write_text(json.dumps(lines))

    in_a_fork(record)
    lines = json.loads((folder / "lines.json").read_text())
    results = []
    for place in choose(lines, kills):
        shutil.rmtree(work)
        work.mkdir()
        result = kill_and_go_on(work, place, whole_cpu_s)
        at = {"function": lines[place - 1], "line": place} if isinstance(place, int) else {"function": None, "share": place}
        results.append(at | result | {"same": contents(work) == expected})
        print(results[-1], flush=True)
    (folder / "results.json").write_text(json.dumps({"lines": len(lines), "kills": results}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
