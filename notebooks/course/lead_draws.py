"""How many leads Random Lead Selection and Random Lead Masking leave: by law, as drawn, and what follows for two views."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch
from scipy import stats

import selfdana_lite as sd
from selfdana_lite.explore.colours import INK, MODEL_COLOURS
from selfdana_lite.leads import LIMB_FROM_I_II, derive_limb_leads

FEW, MANY = 3, 10  # leads: at most so many for a monitor or a watch, at least so many for a clinic
LIMB = len(sd.LEAD_SETS["6-lead"])
LeadAugmentation = sd.RandomLeadSelection | sd.RandomLeadMasking
COLOURS = {"selection": MODEL_COLOURS[5], "masking": MODEL_COLOURS[4]}


def masking_law(p: float = 0.5) -> np.ndarray:
    """Probability that Random Lead Masking leaves 0, 1, ... 12 leads, float64 [13]: Binomial(12, 1 - p)."""
    return np.array([math.comb(12, k) * (1 - p) ** k * p ** (12 - k) for k in range(13)])


def selection_law(min_leads: int = 1, max_leads: int = 12) -> np.ndarray:
    """The same for Random Lead Selection, float64 [13]: every count from min_leads to max_leads is equally likely."""
    return sd.RandomLeadSelection(min_leads, max_leads).count_probabilities().numpy()


def at_most(law: np.ndarray, leads: int) -> float:
    """Probability of at most so many leads."""
    return float(law[: leads + 1].sum())


def at_least(law: np.ndarray, leads: int) -> float:
    """Probability of at least so many leads."""
    return float(law[leads:].sum())


def mean_leads(law: np.ndarray) -> float:
    """Expected number of leads."""
    return float(law @ np.arange(13))


def kept_leads(augmentation: LeadAugmentation, views: int, seed: int = 0) -> np.ndarray:
    """Which leads each of so many views keeps, bool [views, 12], found by letting the augmentation loose on ones."""
    generator, ones = torch.Generator().manual_seed(seed), torch.ones(1, 12, 1)
    kept = torch.zeros(views, 12, dtype=torch.bool)
    for view in kept:
        signals, ids = augmentation(ones, generator)  # [1, k, 1], [1, k]
        view[ids[0]] = signals[0, :, 0] != 0  # masking sends zeros, selection does not send the lead at all
    return kept.numpy()


def law_and_draws(law: np.ndarray, counts: np.ndarray) -> pd.DataFrame:
    """The law beside what was drawn; 19 of 20 times the drawn share lies within two standard errors, from low to high."""
    drawn = np.bincount(counts, minlength=13) / len(counts)
    margin = 2 * np.sqrt(law * (1 - law) / len(counts))
    rows = {"law": law, "drawn": drawn, "low": (law - margin).clip(min=0), "high": law + margin}  # no share is below 0
    return pd.DataFrame(rows, index=pd.RangeIndex(13, name="leads kept"))


def chi_square_p(law: np.ndarray, counts: np.ndarray) -> float:
    """Probability of draws at least as far from the law as these, if they do follow it (Pearson's chi-square test).

    The test wants at least five expected draws in a cell, so rarer counts share one.
    """
    expected, found = len(counts) * law, np.bincount(counts, minlength=13)
    if found[law == 0].any():
        return 0.0  # the law forbids what was drawn
    often = expected >= 5
    cells = [np.append(x[often], x[~often].sum()) for x in (found, expected)]
    observed, wanted = (cell[cells[1] > 0] for cell in cells)
    return float(stats.chisquare(observed, wanted).pvalue)


def two_limb_leads_left(law: np.ndarray) -> float:
    """Probability that at least two of the six limb leads are among those kept, whichever k leads these are."""
    fewer = [(math.comb(LIMB, k) + LIMB * math.comb(LIMB, k - 1) if k else 1) / math.comb(12, k) for k in range(13)]
    return float(1 - law @ fewer)


def no_lead_shared(law: np.ndarray) -> float:
    """Probability that two views, drawn one without the other, have no lead in common."""
    none = [[math.comb(12 - a, b) / math.comb(12, b) for b in range(13)] for a in range(13)]
    return float(law @ none @ law)


def limb_leads_from(pair_mv: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """All six limb leads [6, samples] from any two of them [2, samples]: solve for I and II, then derive the others."""
    weights = LIMB_FROM_I_II[[sd.LEADS.index(name) for name in names]]  # [2, 2]: how both follow from I and II
    return derive_limb_leads(*np.linalg.solve(weights, pair_mv))


def law_figure(laws: Mapping[str, np.ndarray]) -> go.Figure:
    """Bars: the probability of 0, 1, ... 12 leads by each law."""
    bars = [
        go.Bar(x=list(range(13)), y=law, name=name, marker={"color": COLOURS[name], "pattern": {"shape": shape}})
        for (name, law), shape in zip(laws.items(), ("", "/"), strict=True)
    ]
    picture = go.Figure(bars).update_xaxes(title="leads left", dtick=1, fixedrange=True)
    picture.update_yaxes(title="share of the views", tickformat=".0%", gridcolor="#dddddd", fixedrange=True)
    title = "How many leads are left, by law"
    return picture.update_layout(title=title, width=910, height=320, plot_bgcolor="white", font={"color": INK})
