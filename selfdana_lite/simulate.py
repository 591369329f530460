"""A simulated population with twelve-lead recordings, and the dataset that comes with the kit.

    python -m selfdana_lite.simulate FOLDER [--replace]

writes 600 recordings of 400 patients, a data card and a dozen WFDB records. The same seed
gives the same bytes. They hold no person's data: every number comes from a random generator.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from selfdana_lite.dataset import write_dataset
from selfdana_lite.leads import LEADS
from selfdana_lite.simulation.data_card import LICENCE, data_card, write_wfdb_records
from selfdana_lite.simulation.diseases import MI_WALLS
from selfdana_lite.simulation.patients import LABEL_NAMES, Patient, draw_patient, labels_at
from selfdana_lite.simulation.visit import SAMPLES, SAMPLING_RATE_HZ, record

SOURCE = "Simulated by selfdana_lite: a beating heart dipole seen by nine electrodes; no person's data"
SAMPLE_PATIENTS, SAMPLE_SEED = 400, 0
_VISITS = (1, 1, 2, 1, 3, 1, 2, 1)  # recordings of patients 0, 1, 2 ...: twelve for every eight patients
_FOLDS = 10
_GOLDEN = (5**0.5 - 1) / 2


def simulate_recordings(n_patients: int, seed: int = 0, first_patient: int = 0) -> tuple[np.ndarray, pd.DataFrame]:
    """Recordings of n_patients simulated people, three for every two of them on average.

    Returns signals_uv int16 [records, 12, samples] in microvolt at 100 Hz, leads in the order
    of LEADS, and a table with one row a record: record_id, patient_id, fold (1..10, by patient
    and label), age, sex (1 is female, as in PTB-XL), one 0/1 column a label, and the truth that
    no real archive knows: statements, territory and stage of an infarct, rhythm, heart_rate_bpm,
    pr_ms, qrs_ms, qt_ms.

    Each patient has a generator of their own, seeded by (seed, number): patients 100..199 of a
    seed are the same whether or not the others are simulated too. Only folds depend on the whole
    table. About 3 ms a recording. Raises ValueError for a count below 1 or a negative number.
    """
    for name, value, least in (("n_patients", n_patients, 1), ("seed", seed, 0), ("first_patient", first_patient, 0)):
        if not isinstance(value, (int, np.integer)) or value < least:
            raise ValueError(f"{name} is {value!r}; give a whole number of at least {least}.")
    numbers = range(first_patient, first_patient + n_patients)
    signals_uv = np.empty((sum(visits(number) for number in numbers), len(LEADS), SAMPLES), np.int16)
    rows = []
    for number in numbers:
        rng = np.random.default_rng([seed, number])
        patient = draw_patient(rng, labels_of(number, seed))
        for visit in range(visits(number)):
            signals_mv, truth = record(rng, patient)
            signals_uv[len(rows)] = to_microvolt(signals_mv)
            rows.append({"record_id": 10 * number + visit, "patient_id": number} | _describe(patient) | truth)
    table = pd.DataFrame(rows)
    table.insert(2, "fold", deal_folds(table, np.random.default_rng([seed, first_patient, n_patients])))
    return signals_uv, table


def labels_of(number: int, seed: int) -> tuple[str, ...]:
    """The labels of the patient of this number.

    Golden-ratio steps through the population give any run of patients close to its mix (Weyl
    1916), where independent draws would leave a class of a small dataset short.
    """
    start = np.random.default_rng(seed).uniform()
    return labels_at((start + number * _GOLDEN) % 1)


def visits(number: int) -> int:
    """How many recordings the patient of this number has: 1, 2 or 3."""
    return _VISITS[number % len(_VISITS)]


def to_microvolt(signals_mv: np.ndarray) -> np.ndarray:
    """int16 microvolt; raises ValueError rather than wrap around beyond 32.767 mV, which no heart reaches."""
    microvolt = np.rint(1000 * signals_mv)
    if np.abs(microvolt).max() > np.iinfo(np.int16).max:
        raise ValueError(f"A sample reaches {np.abs(signals_mv).max():.1f} mV; int16 microvolt holds up to 32.767 mV.")
    return microvolt.astype(np.int16)


def _describe(patient: Patient) -> dict:
    labels = {name: int(name in patient.labels) for name in LABEL_NAMES}
    territory = "".join(MI_WALLS.get(statement, "") for statement in patient.statements)
    return {
        "age": patient.age,
        "sex": int(patient.female),
        **labels,
        "statements": " ".join(patient.statements),
        "territory": territory,
        "stage": patient.stage,
    }


def deal_folds(table: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """A fold 1..10 for each row: patients, sorted by their labels and shuffled within them, are dealt like cards.

    No patient is in two folds, and each combination of labels is spread over all folds.
    """
    people = table.drop_duplicates("patient_id")
    labels = ["".join(map(str, row)) for row in people[list(LABEL_NAMES)].to_numpy()]
    order = np.lexsort((rng.permutation(len(people)), labels))
    fold_of = dict(zip(people["patient_id"].to_numpy()[order], np.arange(len(people)) % _FOLDS + 1, strict=True))
    return table["patient_id"].map(fold_of).to_numpy()


def write_samples(folder: Path, n_patients: int = SAMPLE_PATIENTS, seed: int = SAMPLE_SEED) -> None:
    """Write the dataset, its data card README.md and a dozen WFDB records into a new folder.

    Raises FileExistsError rather than overwrite.
    """
    if folder.exists():  # said before the simulation rather than after it
        raise FileExistsError(f"{folder} exists already; choose another folder, or ask for its samples to be replaced.")
    signals_uv, table = simulate_recordings(n_patients, seed)
    write_dataset(
        folder,
        signals_uv,
        table,
        leads=LEADS,
        sampling_rate_hz=SAMPLING_RATE_HZ,
        label_names=LABEL_NAMES,
        source=SOURCE,
        licence=LICENCE,
    )
    write_wfdb_records(folder / "wfdb", signals_uv, table, SAMPLING_RATE_HZ)
    (folder / "README.md").write_text(data_card(table, seed, SAMPLING_RATE_HZ, SAMPLES), encoding="utf-8")


def replace_samples(folder: Path, **what: int) -> None:
    """write_samples over a folder that an earlier call wrote; the old one stays until the new one is complete.

    Raises ValueError if the folder holds anything but simulated samples.
    """
    if not _is_simulated(folder):
        raise ValueError(f"{folder} holds no samples of this simulator, so it is not replaced; choose another folder.")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as beside:
        write_samples(Path(beside) / "new", **what)
        folder.rename(Path(beside) / "old")
        (Path(beside) / "new").rename(folder)


def _is_simulated(folder: Path) -> bool:
    try:
        facts = json.loads((folder / "dataset.json").read_text())
    except (OSError, ValueError):  # no such file, or not JSON
        return False
    return isinstance(facts, dict) and facts.get("source") == SOURCE


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: write the samples into FOLDER."""
    parser = argparse.ArgumentParser(prog="python -m selfdana_lite.simulate", description="Write simulated recordings.")
    parser.add_argument("folder", type=Path, help="a new folder")
    parser.add_argument("--replace", action="store_true", help="replace the samples that an earlier run wrote there")
    chosen = parser.parse_args(arguments)
    try:
        (replace_samples if chosen.replace and chosen.folder.exists() else write_samples)(chosen.folder)
    except (ValueError, FileExistsError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
