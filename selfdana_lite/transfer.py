"""Does what is learnt from simulated hearts hold on real ones?

    python -m selfdana_lite.transfer ARCHIVE --results selfdana_lite/simulation/transfer.csv

For each seed: simulate recordings (other ones than the samples that come with the kit), train a fresh
encoder on them alone, for any leads, and score it on fold 9 of a real archive with twelve leads down to
one. Beside it stand the controls of TRAINED_ON. `make samples` puts the figures on the data card.
"""

import argparse
import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from selfdana_lite.dataset import EcgDataset
from selfdana_lite.downstream import ANY, Classifier, evaluate, linear_probe, settle_batch_norm
from selfdana_lite.encoders import build_encoder
from selfdana_lite.fine_tuning import FROM_SCRATCH, FineTuneConfig, fine_tune
from selfdana_lite.leads import LEAD_SETS, LEADS
from selfdana_lite.simulate import SAMPLE_PATIENTS, SAMPLE_SEED, simulate_recordings
from selfdana_lite.simulation.patients import LABEL_NAMES
from selfdana_lite.simulation.transfer_figures import transfer_section
from selfdana_lite.simulation.visit import SAMPLING_RATE_HZ

# Where the labels came from. The first is the question, the others are its controls.
TRAINED_ON = ("simulation", "simulation, head alone", "nothing", "real recordings")
PATIENTS, EPOCHS = 5000, 12  # what a laptop does in a few minutes a seed; folds 1 to 8 were looked at while choosing


def simulated_dataset(n_patients: int, seed: int) -> EcgDataset:
    """Three recordings for every two simulated patients, in memory."""
    signals_uv, table = simulate_recordings(n_patients, seed)
    stored = np.ascontiguousarray(signals_uv.transpose(1, 0, 2))  # [12, records, samples]
    return EcgDataset(stored, table, LEADS, SAMPLING_RATE_HZ, LABEL_NAMES, source=f"simulated with seed {seed}")


def train_on(source: str, simulated: EcgDataset, real: EcgDataset, epochs: int, seed: int) -> Classifier:
    """A classifier for any leads, the labels from one of TRAINED_ON; always the same network from the same weights.

    "head alone": a linear head on random features, what the simulation teaches without an encoder.
    "nothing": encoder and head as drawn. Neither has learnt, but both know the size of the (simulated) signals.
    """
    torch.manual_seed(seed)
    encoder = build_encoder()
    if source == "simulation":
        return fine_tune(
            encoder, simulated, ANY, config=FineTuneConfig(epochs=epochs, learning_rate=2e-3, window=1.0, seed=seed)
        )
    if source == "real recordings":
        return fine_tune(encoder, real, ANY, config=replace(FROM_SCRATCH, seed=seed))  # the control of every other table
    settle_batch_norm(encoder, simulated, seed)
    if source == "simulation, head alone":
        return linear_probe(encoder, simulated, ANY, seed=seed)
    return Classifier(encoder, simulated.label_names, ANY).eval()


def score_rows(clf: Classifier, test: EcgDataset, lead_sets: Iterable[str] = LEAD_SETS) -> list[dict]:
    """One row a lead set: macro AUROC ("macro") and each class's own, with their 95 % intervals over patients."""
    rows = []
    for name in lead_sets:
        scores = evaluate(clf, test, LEAD_SETS[name])
        row = {"lead_set": name, "macro": scores.macro_auroc, "macro_low": scores.interval[0], "macro_high": scores.interval[1]}
        for label, (low, high) in scores.per_class_interval.items():
            row |= {label: scores.per_class[label], f"{label}_low": low, f"{label}_high": high}
        rows.append(row)
    return rows


def simulator_version() -> str:
    """Eight characters that change with the simulator: figures measured with another one say nothing about this one."""
    signals_uv, _ = simulate_recordings(16, SAMPLE_SEED)
    return hashlib.sha256(signals_uv.tobytes()).hexdigest()[:8]


def transfer(archive: EcgDataset, n_patients: int, epochs: int, seed: int) -> pd.DataFrame:
    """Simulate, train in all ways of TRAINED_ON, score on fold 9: one row for each way and lead set.

    macro_on_samples is the score on the simulated samples of the kit, which nothing was trained on either. Raises
    ValueError for their seed.
    """
    if seed == SAMPLE_SEED:
        raise ValueError(f"Seed {seed} made the samples that come with the kit; take another, so that they stay unseen.")
    real, test = archive.where(folds=range(1, 9)), archive.where(folds=[9])
    simulated, samples = simulated_dataset(n_patients, seed), simulated_dataset(SAMPLE_PATIENTS, SAMPLE_SEED)
    facts = {
        "seed": seed,
        "simulator": simulator_version(),
        "simulated_patients": n_patients,
        "simulated_recordings": len(simulated),
        "epochs": epochs,
        "real_recordings": len(real),
        "test_recordings": len(test),
        "test_patients": len(set(test.patient_ids)),
    }
    rows = []
    for source in TRAINED_ON:
        clf = train_on(source, simulated, real, epochs, seed)
        for row in score_rows(clf, test):
            on_samples = evaluate(clf, samples, LEAD_SETS[row["lead_set"]], bootstrap=0).macro_auroc
            rows.append({"trained_on": source} | facts | row | {"macro_on_samples": on_samples})
    return pd.DataFrame(rows)


def main(arguments: list[str] | None = None) -> None:
    """The command line above."""
    parser = argparse.ArgumentParser(prog="python -m selfdana_lite.transfer", description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path, help="real recordings: a dataset folder, or an .npz archive")
    parser.add_argument("--results", type=Path, help="a CSV to write; must not exist yet")
    parser.add_argument("--patients", type=int, default=PATIENTS, help="to simulate, for each seed")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of training on simulation")
    parser.add_argument("--seeds", type=int, default=3, help="how many: 1, 2, ...")
    options = parser.parse_args(arguments)

    if options.results and options.results.exists():
        parser.error(f"{options.results} exists already; choose another place, or move it away first.")
    seeds = range(SAMPLE_SEED + 1, SAMPLE_SEED + 1 + options.seeds)
    archive, parts = EcgDataset.open(options.archive), []
    for seed in seeds:
        print(f"seed {seed} of {options.seeds}", flush=True)
        parts.append(transfer(archive, options.patients, options.epochs, seed))
    table = pd.concat(parts, ignore_index=True).round(4)
    table["command"] = (
        f"python -m selfdana_lite.transfer ARCHIVE --results RESULTS.csv --patients {options.patients} "
        f"--epochs {options.epochs} --seeds {options.seeds}"
    )
    if options.results:
        table.to_csv(options.results, index=False)
    print(transfer_section(table))


if __name__ == "__main__":
    main()
