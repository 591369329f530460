"""The self-checks of lesson 11, Adapt a pre-trained encoder: what moves, what few labels do, who chose the learning rate."""

from collections.abc import Sequence
from numbers import Real

import numpy as np
import pandas as pd

import selfdana_lite as sd
from course.checks import UNANSWERED, check_number, check_that
from selfdana_lite.encoders import Encoder
from selfdana_lite.fine_tuning import STRATEGIES, tuned_parameters
from selfdana_lite.simulation.dipole import leads_from_electrodes
from selfdana_lite.simulation.noise import draw_noise

POORER = 4  # times the simulator's usual noise


def trainable_table(clf: sd.Classifier) -> pd.DataFrame:
    """How many numbers each strategy may change in a classifier, head included, from the fewest to the most."""
    head, everything = (sum(p.numel() for p in part.parameters()) for part in (clf.head, clf))
    rows = []
    for strategy, what in STRATEGIES.items():
        count = head + sum(p.numel() for p in tuned_parameters(clf.encoder, strategy))
        rows.append({"strategy": strategy, "besides the head": what, "parameters": count, "share": count / everything})
    return pd.DataFrame(rows).sort_values("parameters", ignore_index=True)


def adapt(
    start: Encoder | sd.Classifier,
    train: sd.EcgDataset,
    strategy: str,
    learning_rate: float,
    steps: int,
    batch_size: int,
    seed: int,
) -> sd.Classifier:
    """fine_tune for any leads, in the same number of steps however few the recordings: as many epochs as that takes."""
    epochs = max(1, round(steps / np.ceil(len(train) / batch_size)))
    config = sd.FineTuneConfig(epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, seed=seed)
    return sd.fine_tune(start, train, "any", strategy, config, progress=False)


def poorer_electrodes(dataset: sd.EcgDataset, seed: int) -> sd.EcgDataset:
    """The same recordings through worse electrodes: noise enters at the nine of them, so that Einthoven's law survives."""
    rng, samples = np.random.default_rng(seed), dataset.n_samples
    noise_mv = [
        leads_from_electrodes(draw_noise(rng, 9, samples, dataset.sampling_rate_hz, breaths_hz=0.25))
        for _ in range(len(dataset))
    ]
    signals_uv = dataset.signals + np.round(POORER * 1000 * np.array(noise_mv))  # [records, 12, samples]
    stored = np.clip(signals_uv, -32768, 32767).astype(np.int16).transpose(1, 0, 2)  # [12, records, samples]
    facts = dataset.leads, dataset.sampling_rate_hz, dataset.label_names
    return sd.EcgDataset(stored, dataset.table, *facts, source=f"{dataset.source}, poorer electrodes")


def check_count(count: int | None, clf: sd.Classifier) -> str:
    """Is this how many numbers BitFit may change, the head's included?"""
    named = dict(clf.encoder.named_parameters())
    biases = [p for name, p in named.items() if name.endswith("bias")]
    in_biases, head = sum(p.numel() for p in biases), sum(p.numel() for p in clf.head.parameters())
    everything = sum(p.numel() for p in clf.parameters())
    wrong = [
        (in_biases, "these are the encoder's biases alone. The head is trained too, its weights and its biases"),
        (in_biases + clf.head.bias.numel(), "of the head only the biases are in. A new head is trained as a whole"),
        (len(biases) + 2, "this counts tensors. Each holds many numbers: p.numel() says how many"),
        (len(biases), "this counts tensors. Each holds many numbers: p.numel() says how many"),
        (everything, 'this is everything, the strategy "full"'),
        (everything - in_biases, "these are the weights, which stay. The biases were asked for"),
        (head, 'this is the head alone, the strategy "linear"'),
    ]
    share = (in_biases + head) / everything
    praise = f"{in_biases:,} biases and {head:,} numbers of the head, {share:.1%} of all"
    return check_number(count, in_biases + head, praise, wrong, "sum p.numel() over names that end in bias, then add the head")


def check_rate(rate: float | None, tried: pd.DataFrame, contender: str) -> str:
    """Is this the learning rate that the validation recordings choose for a contender?"""
    rows = tried[tried["contender"] == contender].set_index("learning_rate")
    if rate is not None and (isinstance(rate, bool) or not isinstance(rate, Real)):
        return f"Not yet: one learning rate is wanted, and this is a {type(rate).__name__}."
    right, by_test, loser = rows["validation"].idxmax(), rows["test"].idxmax(), rows["validation"].idxmin()
    found = rate is not None and np.isclose(rate, right, rtol=1e-3)
    others = tried.loc[tried["contender"] != contender, "learning_rate"]
    slips = [
        (
            rate is not None and np.isclose(rate, by_test, rtol=1e-3),
            "this rate was chosen by the test recordings, which must not choose",
        ),
        (
            rate is not None and np.isclose(rate, loser, rtol=1e-3),
            "this rate has the lowest validation score. A higher AUROC is better",
        ),
        (
            rate is not None and np.isclose(rate, rows.loc[right, "validation"], atol=2e-3),
            "this is a score. Give the rate that reached it",
        ),
        (
            rate is not None and np.isclose(others, rate, rtol=1e-3).any(),
            f"this rate is another contender's. Keep the rows of {contender!r}",
        ),
    ]
    cost = rows["test"].max() - rows.loc[right, "test"]
    praise = f"{right:g}. Choosing by the test recordings would have shown {cost:.3f} more, or nothing, and been worth nothing"
    return check_that(rate, found, praise, slips, "this is no rate that was tried: look into the column learning_rate")


def check_worth(worth: float | None, few: pd.DataFrame, share: float) -> str:
    """Is this what pre-training is worth at a share of the labels: full fine-tuning less from scratch, mean of the draws?"""
    mean = few.groupby(["share", "contender"])["macro_auroc"].mean().unstack()
    gain = mean["full"] - mean["from scratch"]
    at = few[few["share"] == share].pivot(index="draw", columns="contender", values="macro_auroc")
    one_draw = (at["full"] - at["from scratch"]).iloc[0]
    right = gain[share]
    wrong = [(-right, "the sign is turned round. A gain is pre-trained less from scratch")]
    wrong += [
        (gain[s], f"this is the gain at {s:.0%} of the labels. Keep the rows of {share:.0%}") for s in gain.index if s != share
    ]
    wrong += [
        (mean.loc[share, "head alone"] - mean.loc[share, "from scratch"], "this is the head alone less scratch. Take full"),
        (mean.loc[share, "full"] - mean.loc[share, "head alone"], "both of these are pre-trained. From scratch is the control"),
        (mean.loc[share, "full"], "this is a score, not a gain. What does the control reach?"),
        (
            mean.loc[share, "full"] - 0.5,
            "this compares with chance. What is learnt from labels alone is no merit of pre-training",
        ),
        (gain.mean(), "this is the mean over all shares"),
        (one_draw, "this is one draw alone. Luck with a handful of patients is large: take the mean of the draws"),
    ]
    if worth is None:
        return UNANSWERED
    praise = f"{right:+.3f} of AUROC at {share:.0%} of the labels, with the same steps and the same search for a rate"
    return check_number(worth, right, praise, wrong, "from few: mean macro_auroc of full less that of from scratch, one share")


def draws_of(few: pd.DataFrame, shares: Sequence[float]) -> pd.DataFrame:
    """A row a contender, a column a share: mean, and the lowest and highest draw."""
    by = few.groupby(["contender", "share"], sort=False)["macro_auroc"].agg(["mean", "min", "max", "size"])
    text = [
        f"{r.mean_:.3f} ({r.min_:.3f} to {r.max_:.3f})" if r.size_ > 1 else f"{r.mean_:.3f}"
        for r in by.add_suffix("_").itertuples()
    ]
    wide = pd.Series(text, by.index).unstack("share")[list(shares)]
    sizes = few.groupby("share")["recordings"].median().astype(int)
    return wide.loc[few["contender"].unique()].rename(columns={s: f"{s:.0%}: {sizes[s]} recordings" for s in shares})
