"""Dataset folders and archives in which the parts are damaged or contradict each other."""

import json
import os
import random
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from fuzz_bytes import NUMBERS, damaged, odd_value
from fuzz_npz import Attack, Zeros, archived, damaged_archive, other_header, packed, zeros

from selfdana_lite import LEADS, EcgDataset, write_dataset

_LEADS, _RECORDS, _SAMPLES = ("I", "II", "V1"), 6, 20
_JSON = ("[]", "{}", "null", "1e999", "NaN", '"\\ud800"', "[" * 100_000, "9" * 5000, '{"format": 1}', "\ufeff{}", "true", "")


def _parts() -> tuple[np.ndarray, pd.DataFrame]:
    signals = np.random.default_rng(0).integers(-900, 900, (_RECORDS, len(_LEADS), _SAMPLES), dtype=np.int16)
    table = pd.DataFrame({"record_id": range(1, 7), "patient_id": [1, 1, 2, 3, 4, 4], "fold": [1, 1, 2, 3, 4, 4], "age": 50.5})
    return signals, table.assign(NORM=[0, 1, 0, 1, 0, 1], MI=[1, 0, 0, 1, 0, 0])


@cache
def _folders() -> list[dict[str, bytes]]:
    """{file name: content} of two sound datasets: all leads there, and not all."""
    signals, table = _parts()
    present = np.ones((_RECORDS, len(_LEADS)), bool)
    present[2, 1:] = False
    facts = {"leads": _LEADS, "sampling_rate_hz": 100, "label_names": ("NORM", "MI"), "source": "made", "licence": "CC0"}
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name, there in (("whole", None), ("mixed", present)):
            held = signals if there is None else signals * there[..., None].astype(np.int16)
            write_dataset(f"{folder}/{name}", held, table, **facts, present=there)
            found.append({path.name: path.read_bytes() for path in Path(folder, name).iterdir()})
    return found


@cache
def _archive() -> dict[str, np.ndarray]:
    signals, table = _parts()
    return {
        "signals": signals, "units": np.array("uV"), "lead_names": np.array(_LEADS), "fs": np.array(100),
        "superclass_names": np.array(["NORM", "MI"]), "y_super": table[["NORM", "MI"]].to_numpy(np.uint8),
        "record_id": table["record_id"].to_numpy(), "patient_id": table["patient_id"].to_numpy(),
        "strat_fold": table["fold"].to_numpy(), "age": table["age"].to_numpy(),
    }  # fmt: skip


def make(rng: random.Random, folder: Path) -> Path:
    """A damaged dataset in the folder; the path to open."""
    if rng.random() < 0.35:
        (folder / "archive.npz").write_bytes(damaged_archive(rng, dict(_archive())))
        return folder / "archive.npz"
    files = dict(rng.choice(_folders()))
    for _ in range(rng.choice([1, 1, 1, 2])):
        name = rng.choice(list(files))
        files[name] = _other_file(rng, name, files[name])
    if rng.random() < 0.1:
        files["present.npy"] = _other_npy(rng, packed(np.ones((len(_LEADS), _RECORDS), bool)))
    for name, content in files.items():
        (folder / name).write_bytes(content)
    if rng.random() < 0.05:
        _put_odd_thing(rng, folder / rng.choice([*files, "present.npy"]))
    return folder


def _other_file(rng: random.Random, name: str, content: bytes) -> bytes:
    if rng.random() < 0.1:
        return damaged(rng, content)
    if name.endswith(".json"):
        return _other_json(rng, content)
    return _other_npy(rng, content) if name.endswith(".npy") else other_table(rng, content)


def _other_json(rng: random.Random, content: bytes) -> bytes:
    try:
        facts = json.loads(content)
    except (ValueError, RecursionError):  # damaged already
        return rng.choice(_JSON).encode("utf-8", errors="replace")
    if not isinstance(facts, dict) or not facts:
        return content
    key = rng.choice(list(facts))
    odd = [odd_value(rng), [odd_value(rng)], [["I"], {}], {}, [], None, True, -1, 0, 10**400, 10**18, 1e308, float("nan"),
           float("inf"), 1.5, ["I", "II", "V1"], ["record_id", "MI"], ["NORM", "NORM"], ["fold"], ["I", "I", "II"],
           list(LEADS)]  # fmt: skip
    if rng.random() < 0.8:
        facts[key] = rng.choice(odd)
    elif rng.random() < 0.5:
        del facts[key]
    else:
        return rng.choice(_JSON).encode("utf-8", errors="replace")
    if rng.random() < 0.3:
        facts |= {"records": rng.choice([0, 6, True, 10**12]), "samples": rng.choice([0, 20, 10**9])}
    return json.dumps(facts).encode()


def _other_npy(rng: random.Random, content: bytes) -> bytes:
    kind = rng.random()
    if kind < 0.6:
        return other_header(rng, content)
    if kind < 0.7:
        shapes = [(3, 10**9, 20), (3, 6), (3, 10**12), (10**6, 10**6), (0, 6)]
        return _npy(rng.choice(["<i2", "|b1", "|O", "<f8"]), rng.choice(shapes))
    if kind < 0.75:
        return rng.choice([packed(np.array([Attack()], dtype=object)), archived([("x.npy", content)]), b"", b"PK\x03\x04"])
    array = _parts()[0].transpose(1, 0, 2)  # [leads, records, samples]
    changed = [array.T, array[:1], array.ravel(), array == array, array * 0, np.asfortranarray(array), array[..., :0], array[0]]
    return packed(rng.choice([*changed, *(array.astype(dtype) for dtype in ("f4", "i8", ">i2", "U5", "?"))]))


def other_table(rng: random.Random, content: bytes) -> bytes:
    """A table with other cells, columns, rows or quotes."""
    lines = [line.split(",") for line in content.decode(errors="replace").splitlines() or [""]]
    kind, row = rng.random(), rng.randrange(len(lines))
    column = rng.randrange(len(lines[0]))
    if kind < 0.5:
        lines[row][column % len(lines[row])] = rng.choice(
            [odd_value(rng), rng.choice(NUMBERS), '"a', '"a,b"', "1.0", "True", "-5", "1e18"]
        )
    elif kind < 0.6:
        value = rng.choice([odd_value(rng), "0.0", "1.0", "True", "1e300", "", "NA", "2026-01-01"])
        lines[1:] = [[*line[:column], value, *line[column + 1 :]] for line in lines[1:]]
    elif kind < 0.7:
        lines = [[*line[:column], *line[column + 1 :]] for line in lines]
    elif kind < 0.8:
        lines.insert(row, rng.choice([lines[row], [], [""], ["#"], ["x"] * 30, [odd_value(rng)]]))
    elif kind < 0.9:
        del lines[row]
    else:
        lines[0][column % len(lines[0])] = rng.choice([odd_value(rng), "record_id", "fold", "path", "NORM", "", "Unnamed: 0"])
    end = rng.choice(["\n"] * 8 + ["\r\n", "\r", "\x00\n"])
    return end.join(map(",".join, lines)).encode(rng.choice(["utf-8"] * 8 + ["utf-16", "latin-1"]), errors="replace")


def _npy(descr: str, shape: tuple[int, ...]) -> bytes:
    """The header of such an array, and too few bytes behind it."""
    return zeros(descr, shape, 0).header + bytes(400)


def _put_odd_thing(rng: random.Random, path: Path) -> None:
    path.unlink(missing_ok=True)
    kind = rng.randrange(5)
    if kind == 0:
        os.mkfifo(path)
    elif kind == 1:
        path.mkdir()
    else:
        path.symlink_to(["nothing", path.name, "/dev/zero"][kind - 2])


def use(path: Path) -> EcgDataset:
    """Open the dataset and ask it everything that a dataset must know."""
    dataset = EcgDataset.open(path)
    n, names = len(dataset), dataset.label_names
    assert n > 0
    assert set(dataset.leads) <= set(LEADS)
    assert 0 < dataset.sampling_rate_hz < np.inf
    assert repr(dataset)
    assert dataset.digest
    assert dataset.labels.shape == (n, len(names))
    assert set(np.unique(dataset.labels)) <= {0, 1}
    assert dataset.folds.shape == dataset.patient_ids.shape == (n,)
    assert dataset.present.shape == (n, len(dataset.leads))
    assert dataset.present.any(axis=1).all()
    assert (pd.to_numeric(dataset.table["fold"]) == dataset.folds).all()
    assert len(dataset.where(folds=dataset.folds[0])) >= 1
    for row in range(n):
        there = [name for name, has in zip(dataset.leads, dataset.present[row], strict=True) if has]
        signals_mv = dataset.batch([row], there)
        assert signals_mv.shape == (1, len(there), dataset.n_samples)
        assert signals_mv.isfinite().all()
    return dataset


def _bomb(folder: Path, **members: bytes | Zeros) -> Path:
    whole = {name: packed(array) for name, array in _archive().items()} | members
    (folder / "archive.npz").write_bytes(archived([(f"{name}.npy", content) for name, content in whole.items()]))
    return folder / "archive.npz"


def _folder_with(folder: Path, **contents: bytes) -> Path:
    for name, content in (_folders()[1] | {name.replace("_", "."): content for name, content in contents.items()}).items():
        (folder / name).write_bytes(content)
    return folder


BOMBS = (
    lambda folder: _bomb(folder, signals=zeros("<i2", (6, 3, 40_000_000), 1_440_000_000)),
    lambda folder: _bomb(folder, signals=zeros("<i2", (6, 3, 10**12), 1000)),
    lambda folder: _bomb(folder, record_id=zeros("<i8", (10**11,), 1000)),
    lambda folder: _bomb(folder, lead_names=zeros("<U100000000", (3,), 1_200_000_000)),
    lambda folder: _bomb(folder, lead_names=zeros("<U2", (3,), 0).header + b"\xff" * 24),
    lambda folder: _folder_with(folder, present_npy=_npy("|b1", (3, 10**12))),
    lambda folder: _folder_with(folder, present_npy=_npy("|b1", (3, 4 * 10**8))),
    lambda folder: _folder_with(folder, signals_npy=_npy("<i2", (3, 6, 10**12))),
    lambda folder: _folder_with(folder, dataset_json=b"[" * 200_000),
    lambda folder: _folder_with(folder, dataset_json=b'{"a":' * 200_000),
)
