"""How a network that was trained on simulation alone does on real recordings: the figures on the data card.

They are measured by `python -m selfdana_lite.transfer`, which needs real recordings, and kept in transfer.csv.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from selfdana_lite.leads import LEAD_SETS
from selfdana_lite.markdown import markdown_table
from selfdana_lite.simulation.patients import LABEL_NAMES

TRANSFER_CSV = Path(__file__).with_name("transfer.csv")


def transfer_section(results: pd.DataFrame) -> str:
    """Markdown from rows of transfer(): macro AUROC per lead set beside the controls, and per class for 12 leads and 1."""
    facts, seeds = results.iloc[0], results["seed"].nunique()
    by_set = {
        source: [_mean(rows[rows["lead_set"] == name], "macro") for name in LEAD_SETS]
        for source, rows in results.groupby("trained_on", sort=False)
    }
    ours = results[results["trained_on"] == "simulation"]
    on_samples = ours.groupby("lead_set")["macro_on_samples"].mean()
    by_set["simulation, scored on this folder"] = [f"{on_samples[name]:.3f}" for name in LEAD_SETS]
    by_class = {
        name: [_mean(ours[ours["lead_set"] == name], label) for label in ("macro", *LABEL_NAMES)]
        for name in ("12-lead", "1-lead")
    }
    twelve = ours.loc[ours["lead_set"] == "12-lead", "macro"]
    return f"""AUROC on real recordings: fold 9 of a subset of PTB-XL 1.0.3 ({facts["test_recordings"]} recordings of \
{facts["test_patients"]} patients), which nothing
was trained on or chosen by. Means of {seeds} seeds, in brackets the 95 % interval over patients (mean of the seeds' own); .5 is
chance. The seeds trained on simulation lie between {twelve.min():.3f} and {twelve.max():.3f} with twelve leads.

{_table("trained on", list(LEAD_SETS), by_set)}

- simulation: a fresh lead-attention encoder and its head, on {facts["simulated_recordings"]:,} recordings of \
{facts["simulated_patients"]:,} simulated patients
  (other seeds than this folder's), {facts["epochs"]} epochs, random lead subsets.
- simulation, head alone: the same, but the encoder keeps its random weights.
- nothing: the same network, untrained.
- real recordings: the same network trained with the labels of folds 1 to 8 ({facts["real_recordings"]:,} recordings).

The networks of the first three rows never met a real recording, but the simulator has: the sizes of waves and the shares
of diseases were set by comparing class averages with folds 1 to 8, and among five versions of it this one was kept for
its score there. Trained on simulation, by class:

{_table("leads", ["macro", *LABEL_NAMES], by_class)}

Measured by `{facts["command"]}`."""


def _mean(rows: pd.DataFrame, column: str) -> str:
    mean, low, high = rows[[column, f"{column}_low", f"{column}_high"]].mean()
    return f"{mean:.3f} [{low:.3f}, {high:.3f}]"


def _table(corner: str, columns: list[str], rows: dict[str, list[str]]) -> str:
    return markdown_table(pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis(corner).reset_index())
