"""A rehearsal with labels: one zero-padded network, from which other leads are taken in training, asked at all lead sets."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch
from torch import Tensor
from torch.nn import functional as F

import selfdana_lite as sd
from course.lead_draws import COLOURS, LeadAugmentation
from selfdana_lite.augment import random_crop
from selfdana_lite.explore.colours import FAINT, INK
from selfdana_lite.loop import fit

NEVER = "all twelve, always"


def rehearse(augmentation: LeadAugmentation, dataset: sd.EcgDataset, epochs: int, seed: int) -> sd.Classifier:
    """The usual zero-padded network, trained with labels on 5 s windows whose leads the augmentation takes away."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        clf = sd.Classifier(sd.build_encoder("zero-pad"), dataset.label_names, leads="any", frozen=False)

    def prepare(source: sd.EcgDataset, rows: np.ndarray, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        window_mv = random_crop(source.batch(rows, sd.LEADS), source.n_samples // 2, generator)  # [B, 12, T / 2]
        return *augmentation(window_mv, generator), torch.from_numpy(source.labels[rows]).float()

    def loss_of(batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        signals_mv, ids, labels = batch
        return F.binary_cross_entropy_with_logits(clf(signals_mv, ids), labels)

    config = sd.FineTuneConfig(epochs=epochs, batch_size=32, learning_rate=1e-3, seed=seed)
    fit(clf, dataset, prepare, loss_of, config, progress=False)
    return clf


def asked(clf: sd.Classifier, dataset: sd.EcgDataset) -> pd.DataFrame:
    """Macro AUROC at the six lead sets, and averaged over the twelve single leads, which is steadier than one lead's."""
    lead_sets = sd.LEAD_SETS | {lead: (lead,) for lead in sd.LEADS}
    auroc = pd.Series({name: sd.evaluate(clf, dataset, leads, bootstrap=0).macro_auroc for name, leads in lead_sets.items()})
    auroc["a single lead"] = auroc[list(sd.LEADS)].mean()
    return auroc[[*sd.LEAD_SETS, "a single lead"]].rename("macro_auroc").rename_axis("lead_set").reset_index()


def rehearsed_and_asked(
    name: str, augmentation: LeadAugmentation, train: sd.EcgDataset, test: sd.EcgDataset, epochs: int, seeds: Sequence[int]
) -> pd.DataFrame:
    """One network a seed: rehearse, then ask; columns rehearsal, seed, lead_set, macro_auroc."""
    tables = [asked(rehearse(augmentation, train, epochs, seed), test).assign(rehearsal=name, seed=seed) for seed in seeds]
    return pd.concat(tables, ignore_index=True)


def rehearsal_figure(auroc: pd.DataFrame) -> go.Figure:
    """A line for each rehearsal (the rows) over what it was asked with (the columns)."""
    styles = {NEVER: (FAINT, "dot", "x"), "masking": (COLOURS["masking"], "dash", "square")}
    lines = []
    for name, scores in auroc.iterrows():
        colour, dash, symbol = styles.get(name, (COLOURS["selection"], "solid", "circle"))
        style = {"line": {"color": colour, "dash": dash, "width": 3}, "marker": {"size": 9, "symbol": symbol}}
        lines.append(go.Scatter(x=list(auroc.columns), y=scores, name=name, mode="lines+markers", **style))
    picture = go.Figure(lines).update_xaxes(title="asked with", fixedrange=True)
    picture.update_yaxes(title="macro AUROC", gridcolor="#dddddd", fixedrange=True)
    title = "One zero-padded network, three ways to rehearse"
    return picture.update_layout(title=title, width=910, height=340, plot_bgcolor="white", font={"color": INK})
