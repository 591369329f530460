"""A model card whose figures are measured, for an encoder pre-trained on PTB-XL.

    python -m selfdana_lite.model_card FOLDER ARCHIVE

writes FOLDER/README.md: what the encoder is, how to make it again, and what it knows at six lead sets on fold 9 of the
archive, beside the same network untrained and trained from scratch, with all labels and with few.
"""

import argparse
import datetime
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from selfdana_lite.checkpoint import load_encoder
from selfdana_lite.counted_costs import count_costs
from selfdana_lite.dataset import EcgDataset
from selfdana_lite.downstream import ANY, Classifier, evaluate, linear_probe, settle_batch_norm
from selfdana_lite.draws import seeded
from selfdana_lite.encoders import Encoder
from selfdana_lite.few_labels import few_labels
from selfdana_lite.fine_tuning import FROM_SCRATCH, FineTuneConfig, fine_tune
from selfdana_lite.leads import LEAD_SETS, LEADS
from selfdana_lite.loop import TrainConfig
from selfdana_lite.markdown import markdown_table

FEW, DRAWS = 0.1, 3  # a share of the patients keep their labels, in so many draws
# Chosen across folds 1 to 8, when the trunk was still a residual block.
# TUNED: of rates up to 8e-3 and up to 60 epochs, none did better by more than 0.002.
TUNED = FineTuneConfig()
# For one lead set, as a teacher's twelve leads: of 1e-3 to 4e-3, best with all labels at 4e-3, with few at 1e-3.
ONE_SET = FineTuneConfig(learning_rate=2e-3)
# Soft targets bear more steps and a higher rate: +.003 over 60 epochs at 4e-3.
TAUGHT = FineTuneConfig(epochs=100, learning_rate=8e-3)

CARD = """# The encoder that the kit ships

**For learning and research, not for diagnosis.** `selfdana_lite.load_encoder()` opens it.

| | |
|---|---|
| network | `{config}`, {parameters:,} parameters, {size_kb} kB, embedding of {embedding_size} |
| input | any 1 to 12 of the standard leads, millivolt, 100 Hz, unfiltered; pre-trained on windows of 5 s |
| trained on | {n_train} recordings of {n_patients} patients, folds 1 to 8 of a subset of PTB-XL 1.0.3, without their labels |
| how | two halves of a recording must agree (NT-Xent), each with a random lead subset of its own; one seed (0) |
| trained with | batches of {batch_size}, learning rates up to {learning_rate:.3g}; {minutes:.1f} minutes |
| command | `python -m selfdana_lite.train ARCHIVE FOLDER --folds 1 2 3 4 5 6 7 8 --epochs {epochs}` (history.csv) |
| sha256 of model.safetensors | `{checksum}` |
| written | {date}, by `python -m selfdana_lite.model_card FOLDER ARCHIVE` |

## What it knows

Macro AUROC over NORM, MI, STTC, CD and HYP with a linear head, on fold 9 ({n_test} recordings of other patients), with a 95 %
interval over patients. Untrained: the same network with random weights and batch norm statistics measured on the training
recordings, a control that must stand beside every such table. Fine-tuned: every weight, starting from a linear head for these
leads. From scratch: the same network from random weights, trained with the same labels and random leads. Taught: one network is
tuned with the labels and all twelve leads, then its probabilities stand in for labels of all training recordings, also those
without any, and a second network learns them with random leads (`fine_tune(teacher=...)`). A head a set, a network a set:
trained for that lead set alone. {few:.0%} of the labels: those of about {n_few} recordings, mean ± standard deviation over
{draws} draws, with settings that were searched with all labels.

{scores}

## What it costs

Of a step of supervised training, counted (not timed): kept in memory for the backward pass of a batch of {batch_size}, and
operations for one recording, beside a usual network that mixes twelve leads and is given zeros.

{costs}

## Limits

- Pre-trained on few recordings of one archive; other devices, ages and diseases may differ.
- The embedding may hold age, sex and identity; it was not examined for fairness.
- A score over five coarse classes says little about any one patient.
- Inputs at other rates, filtered, or scaled lead by lead are not what it was trained on.

## Data and licence

The weights are the kit's own, under its licence, and were trained on PTB-XL: Wagner, P., Strodthoff, N., Bousseljot, R.-D.,
Samek, W., Schaeffter, T. PTB-XL, a large publicly available electrocardiography dataset (version 1.0.3), PhysioNet, 2022,
[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/). They hold no recordings.
"""


def score_table(encoder: Encoder, train: EcgDataset, test: EcgDataset) -> pd.DataFrame:
    """Scores as text: a row for each way to a classifier, a column a lead set."""
    control = settle_batch_norm(untrained(encoder), train)
    probe = linear_probe(encoder, train, ANY)
    for_any_leads = {
        "untrained, one head for any leads": linear_probe(control, train, ANY),
        "pre-trained, one head for any leads": probe,
    } | tuned(probe, train, train)
    rows = {way: [_text(clf, test, leads) for leads in LEAD_SETS.values()] for way, clf in for_any_leads.items()}
    rows |= few_label_rows(encoder, train, test)
    rows |= one_set_rows(encoder, control, train, test)
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(LEAD_SETS))


def tuned(probe: Classifier, labelled: EcgDataset, signals: EcgDataset) -> dict[str, Classifier]:
    """Classifiers for any leads from a probe, and controls; they know the labels of some recordings and the signals of more."""
    fresh = untrained(probe.encoder)  # fine_tune trains a copy
    teacher = fine_tune(probe, labelled, LEADS, config=ONE_SET)
    scratch_teacher = fine_tune(fresh, labelled, LEADS, config=FROM_SCRATCH)
    return {
        "pre-trained and fine-tuned": fine_tune(probe, labelled, config=TUNED),
        "from scratch": fine_tune(fresh, labelled, config=FROM_SCRATCH),
        "pre-trained and taught": fine_tune(probe, signals, teacher=teacher, config=TAUGHT),
        "from scratch and taught": fine_tune(fresh, signals, teacher=scratch_teacher, config=TAUGHT),
    }


def one_set_rows(encoder: Encoder, control: Encoder, train: EcgDataset, test: EcgDataset) -> dict[str, list[str]]:
    """Heads, and whole networks, that are asked about the lead set that they were trained for, as text."""
    ways = {
        "untrained, a head a set": lambda leads: linear_probe(control, train, leads),
        "pre-trained, a head a set": lambda leads: linear_probe(encoder, train, leads),
        "pre-trained and fine-tuned, a network a set": lambda leads: fine_tune(
            linear_probe(encoder, train, leads), train, leads, config=ONE_SET
        ),
        "from scratch, a network a set": lambda leads: fine_tune(untrained(encoder), train, leads, config=FROM_SCRATCH),
    }
    return {way: [_text(make(leads), test, leads) for leads in LEAD_SETS.values()] for way, make in ways.items()}


def untrained(encoder: Encoder) -> Encoder:
    """The same network with random weights, the same each time."""
    with seeded(0):
        return Encoder(encoder.config)


def few_label_rows(encoder: Encoder, train: EcgDataset, test: EcgDataset) -> dict[str, list[str]]:
    """The same with a share of the labels: mean and deviation over several draws of them, as text."""
    scores: dict[str, list[list[float]]] = {}  # for each way, [draws, lead sets]
    for draw in range(DRAWS):
        few = few_labels(train, FEW, seed=draw)
        for way, clf in tuned(linear_probe(encoder, few, ANY), few, train).items():
            aurocs = [evaluate(clf, test, leads, bootstrap=0).macro_auroc for leads in LEAD_SETS.values()]
            scores.setdefault(f"{way}, {FEW:.0%} of the labels", []).append(aurocs)
    return {
        way: [f"{np.mean(each):.3f} ± {np.std(each, ddof=1):.3f}" for each in np.transpose(draws)]
        for way, draws in scores.items()
    }


def cost_table(kind: str, dataset: EcgDataset) -> pd.DataFrame:
    """Counted costs as text: a row for the usual network and one for the encoder, a column a lead set."""
    counted = count_costs(dataset, kind, batch_size=TrainConfig.batch_size)
    counted = counted[counted["model"].isin(["mix+zero-pad", kind])]
    text = [
        f"{mb:.1f} MB, {1000 * gflop:.0f} MFLOP"
        for mb, gflop in zip(counted.tensor_mb, counted.gflop_per_recording, strict=True)
    ]
    wide = counted.assign(text=text).pivot(index="model", columns="lead_set", values="text")
    return wide.loc[["mix+zero-pad", kind], list(LEAD_SETS)]


def _text(clf: Classifier, test: EcgDataset, leads: tuple[str, ...]) -> str:
    scores = evaluate(clf, test, leads)
    return f"{scores.macro_auroc:.3f} [{scores.interval[0]:.3f}, {scores.interval[1]:.3f}]"


def write_card(folder: Path, archive: Path) -> None:
    """Measure the encoder in a folder, as the command line of train.py leaves it, and write its README.md."""
    encoder, dataset = load_encoder(folder), EcgDataset.open(archive)
    train, test = dataset.where(folds=range(1, 9)), dataset.where(folds=[9])
    weights = (folder / "model.safetensors").read_bytes()
    history = pd.read_csv(folder / "history.csv")
    card = CARD.format(
        config=encoder.config,
        parameters=sum(parameter.numel() for parameter in encoder.parameters()),
        size_kb=round(len(weights) / 1000),
        embedding_size=encoder.embedding_size,
        epochs=len(history),
        learning_rate=history["learning_rate"].max(),
        minutes=history["seconds"].sum() / 60,
        n_train=len(train),
        n_patients=len(set(train.patient_ids)),
        n_test=len(test),
        few=FEW,
        draws=DRAWS,
        n_few=len(few_labels(train, FEW)),
        checksum=hashlib.sha256(weights).hexdigest(),
        date=datetime.date.today(),
        batch_size=TrainConfig.batch_size,
        costs=markdown_table(cost_table(encoder.config.kind, train).rename_axis(columns=None).reset_index()),
        scores=markdown_table(score_table(encoder, train, test).rename_axis("encoder and head").reset_index()),
    )
    (folder / "README.md").write_text(card)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m selfdana_lite.model_card", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("archive", type=Path)
    options = parser.parse_args()
    write_card(options.folder, options.archive)
