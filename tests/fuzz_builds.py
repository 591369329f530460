"""Folders of recordings, some sound and some not, and label tables with odd rows: a build lists each, and survives."""

import os
import random
import shutil
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import fuzz_csv
import fuzz_edf
import fuzz_npz
import fuzz_places
import fuzz_wfdb
import numpy as np
import pandas as pd
from fuzz_bytes import NUMBERS, PATHS, WORDS, odd_value
from fuzz_datasets import other_table, use
from small_archives import write_challenge_tree, write_ptbxl_tree, write_wfdb

from selfdana_lite import EcgDataset

_READERS = (fuzz_csv, fuzz_edf, fuzz_npz, fuzz_wfdb, fuzz_wfdb, fuzz_places)
_SHORT = {"sampling_rate_hz": 100.0, "seconds": 0.5, "workers": 1, "progress": False}
_NAMES = ("a\nb.csv", "a\rb.csv", "a,b.csv", 'a"b.csv', "é.csv", "\udcff.csv", " .csv", "-.csv", "NA.csv", "nan.csv", "007.csv",
         "1e5.csv", "x" * 251 + ".csv", "=1+1.csv", "\x1b[31m.csv", "a\\b.csv", "CON.csv")  # fmt: skip
_CODES = (
    "{[1]: 2}", "{{}: 1}", "(" * 500, "-" * 5000 + "1", "9" * 5000, "{'NORM': 1e999}", "{'NORM', 'MI'}", "'\\d'", "1 if",
    "{'a': 1is 1}", "__import__('os').system('id')", "{None: 1}", "", "{}", "nan", "{'NORM': 100.0}\x00", "{1:2, 'NORM':3}",
    "f'{1}'", "b'\\xff'",
)  # fmt: skip


@dataclass
class Task:
    """One build. sound: record_ids that must come out of it, where it may not fail."""

    source: Path
    options: dict = field(default_factory=dict)
    sound: tuple[str, ...] = ()


def _tree(write) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        write(Path(name))
        return {
            path.relative_to(name).as_posix(): path.read_bytes() for path in sorted(Path(name).rglob("*")) if path.is_file()
        }


@cache
def _ptbxl() -> dict[str, bytes]:
    return _tree(lambda folder: write_ptbxl_tree(folder, 4))


@cache
def _challenge() -> dict[str, bytes]:
    return _tree(lambda folder: write_challenge_tree(folder, 3))


@cache
def _wfdb() -> dict[str, bytes]:
    signal = 0.5 * np.sin(np.linspace(0, 20, 100)[None] + np.arange(12)[:, None])  # [leads, samples]
    return _tree(lambda folder: [write_wfdb(folder / name, signal, 100) for name in ("good1", "good2")])


def _put(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def make(rng: random.Random, folder: Path) -> Task:
    """A source in the folder, and how to build from it."""
    source = folder / "source"
    source.mkdir()
    kind = rng.random()
    if kind < 0.6:
        return _of_a_table(rng, source)
    return _of_challenge(rng, source) if kind < 0.8 else _of_ptbxl(rng, source)


def _add_hostile(rng: random.Random, source: Path) -> list[str]:
    """Some recordings of any kind, each in a folder of its own, and one with an odd name; their paths."""
    found = []
    for number in range(rng.randint(1, 3)):
        (source / f"h{number}").mkdir()
        path = rng.choice(_READERS).make(rng, source / f"h{number}")
        for link in (source / f"h{number}").iterdir():
            if link.is_symlink() and not Path(os.path.realpath(link)).is_relative_to(source):
                link.unlink()  # a person who lays such a link beside recordings wants it followed
        found.append(str(path).removeprefix(f"{source}/"))
    if rng.random() < 0.2:
        name = rng.choice(_NAMES)
        (source / "odd").mkdir()
        fuzz_csv.make(rng, source / "odd").rename(source / name)
        found.append(name)
    return found


def _of_a_table(rng: random.Random, source: Path) -> Task:
    _put(source, _wfdb())
    hostile = _add_hostile(rng, source)
    rows = [{"path": "good1.hea", "record_id": "good1", "fold": 1}, {"path": "good2", "record_id": "good2", "fold": 2}]
    rows += [{"path": path, "record_id": f"r{number}", "fold": 3} for number, path in enumerate(hostile)]
    for number in range(rng.randint(0, 3)):
        rows.append({"path": rng.choice([*PATHS, *WORDS, *hostile]), "record_id": f"s{number}", "fold": 4})
    table = pd.DataFrame(rows).assign(MI=rng.choice([0, 1]))
    spoilt = table.astype(object)
    for _ in range(rng.choice([0, 0, 1, 2])):  # of the later rows any cell
        spoilt.iat[rng.randrange(2, len(table)), rng.randrange(4)] = rng.choice(
            [odd_value(rng), rng.choice(NUMBERS), 1e300, np.nan, None, 2, True]
        )
    for name in rng.sample(["record_id", "fold"], rng.choice([0, 0, 1, 2])):
        del spoilt[name]
    options = {"labels": spoilt, "label_names": rng.choice(["MI", (), ["MI"]])}
    if rng.random() < 0.3:  # the table as a file with damage of its own, so that nothing is certain
        text = table.to_csv(index=False).encode("utf-8", errors="surrogateescape")
        (source / "labels.csv").write_bytes(other_table(rng, text) if text.isascii() else text)
        return Task(source, options | {"labels": source / "labels.csv"})
    return Task(source, options, ("good1", "good2"))


def _of_challenge(rng: random.Random, source: Path) -> Task:
    files = _challenge()
    _put(source, files)
    _add_hostile(rng, source)
    for name in [name for name in files if name.endswith(".hea")]:
        if rng.random() < 0.3:
            comment = f"# {rng.choice(['Dx', 'Age', 'Sex'])}: {rng.choice([odd_value(rng), '1,2,,x', ',' * 500, ' '])}\n"
            (source / name).write_bytes((source / name).read_bytes() + comment.encode("utf-8", errors="replace"))
    return Task(source, {"layout": rng.choice(["challenge", None])})


def _of_ptbxl(rng: random.Random, source: Path) -> Task:
    files = dict(_ptbxl())
    if rng.random() < 0.4:
        table = pd.read_csv(pd.io.common.BytesIO(files["ptbxl_database.csv"])).astype(object)
        table.loc[rng.randrange(len(table)), "scp_codes"] = rng.choice(_CODES)
        files["ptbxl_database.csv"] = table.to_csv(index=False).encode()
    else:
        name = rng.choice(["ptbxl_database.csv", "ptbxl_database.csv", "scp_statements.csv"])
        files[name] = other_table(rng, files[name])
    _put(source, files)
    return Task(source)


def use_task(task: Task) -> EcgDataset:
    """Build, and hold report and dataset against what there was."""
    dest = task.source.with_name("dest")
    EcgDataset.build(task.source, dest, **_SHORT | task.options)
    dataset = use(dest)
    report = pd.read_csv(dest / "report.csv", keep_default_na=False, dtype=str)
    used = report["used"] == "True"
    assert used.sum() == len(dataset)
    assert ((report["reason"] == "") == used).all(), "each recording that is not used has a reason"
    if task.sound:
        assert set(task.sound) <= set(dataset.table["record_id"].astype(str)) or "record_id" not in task.options["labels"]
        assert len(report) >= len(task.options["labels"])
    shutil.rmtree(dest)
    return dataset


BOMBS = ()
