"""Kills builds at chosen lines of the library and lets them go on; forks, so that torch is imported once.

python kill_builds.py FOLDER     FOLDER holds source/; the result of each kill lands in FOLDER/results.json
"""

import json
import os
import random
import shutil
import signal
import sys
from pathlib import Path

import pandas as pd
from kills import in_a_fork, killed_at_line, traced

from selfdana_lite.build import build
from selfdana_lite.building import blocks

KILLS = 20
OURS = (f"selfdana_lite{os.sep}build.py", f"selfdana_lite{os.sep}building{os.sep}")


def make(folder: Path) -> None:
    blocks._BLOCK_RECORDINGS = 2
    labels = pd.DataFrame({"path": [f"r{row}.hea" for row in range(7)]})
    build(folder / "source", folder / "dataset", labels=labels, workers=1, progress=False)


def choose(lines: list[str]) -> list[int]:
    """Half of the kills anywhere, half in functions drawn evenly, so that short acts are hit as well as long ones."""
    rng = random.Random(0)
    places = {name: [number for number, its in enumerate(lines, 1) if its == name] for name in sorted(set(lines))}
    last = places["build"][-3:]  # the last acts: the move to its place, and the tidying up
    drawn = [rng.choice(places[rng.choice(sorted(places))]) for _ in range(KILLS // 2 - len(last))]
    return last + drawn + rng.sample(range(1, len(lines) + 1), KILLS // 2)


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_bytes().hex() for path in sorted(folder.iterdir())}


def kill_and_go_on(folder: Path, place: int) -> dict:
    """What was there after the kill, and whether the next call ends with what it should."""
    status = killed_at_line(lambda: make(folder), OURS, place)
    partial = folder / "dataset.partial"
    journal = partial / "journal.jsonl"
    found = {
        "killed": status == -signal.SIGKILL,
        "blocks": journal.read_bytes().count(b"\n") if journal.exists() else 0,
        "finishing": (partial / "dataset").exists(),
        "done": (folder / "dataset").exists(),
    }
    again = 0 if found["done"] else in_a_fork(lambda: make(folder))
    return found | {"went_on": again == 0}


def main(folder: Path) -> None:
    in_a_fork(lambda: make(folder))
    expected = contents(folder / "dataset")
    shutil.rmtree(folder / "dataset")
    told = folder / "lines.json"

    def record():
        lines = []
        traced(lambda: make(folder), OURS, lambda _, name: lines.append(name))
        told.write_text(json.dumps(lines))

    in_a_fork(record)
    lines = json.loads(told.read_text())
    results = []
    for place in choose(lines):
        for left in ("dataset", "dataset.partial"):
            shutil.rmtree(folder / left, ignore_errors=True)
        result = kill_and_go_on(folder, place)
        same = (folder / "dataset").exists() and contents(folder / "dataset") == expected
        results.append({"function": lines[place - 1], "line": place} | result | {"same": same})
    (folder / "results.json").write_text(json.dumps({"lines": len(lines), "kills": results}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
