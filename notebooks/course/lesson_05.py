"""Lesson 05, Pre-train without labels: its self-checks, the library's own source in pieces, and a planted shortcut."""

import inspect
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown
from torch import Tensor

import selfdana_lite as sd
from course.checks import UNANSWERED, check_number
from course.halves import embed_half, found_rate, lifted
from selfdana_lite.objectives import two_halves

ANCHOR, PARTNER, STRANGER = np.array([1.0, 0.0]), np.array([0.6, 0.8]), np.array([0.0, 1.0])  # exercise 1
TEMPERATURE, RECORDINGS = 0.5, 64  # of exercises 1 and 2
WATCHED = "I, II"  # few leads are quick to embed


def source_of(*objects: object) -> Markdown:
    """The source of functions or classes as the library has it at this moment, so that the lesson cannot drift from it."""
    return Markdown("\n\n".join(f"```python\n{inspect.getsource(one).rstrip()}\n```" for one in objects))


def nt_xent_by_hand(z1: np.ndarray, z2: np.ndarray, temperature: float) -> float:
    """NT-Xent in loops: z1 and z2 [B, D], row i of both from recording i."""
    z = np.concatenate([z1, z2])  # [2B, D]
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    losses = []
    for i in range(len(z)):
        partner = (i + len(z1)) % len(z)
        others = [j for j in range(len(z)) if j != i]
        weight = {j: math.exp(z[i] @ z[j] / temperature) for j in others}
        losses.append(-math.log(weight[partner] / sum(weight.values())))
    return float(np.mean(losses))


def mean_batch(recordings: int, batch_size: int) -> float:
    """How many recordings share a batch on average: the loop deals them evenly, none of its batches above batch_size."""
    return recordings / math.ceil(recordings / batch_size)


def blind_loss(recordings: int, batch_size: int) -> float:
    """The loss of one who cannot tell the 2B - 1 others apart."""
    return math.log(2 * mean_batch(recordings, batch_size) - 1)


def plant_offset(dataset: sd.EcgDataset, spread_mv: float, seed: int = 0) -> sd.EcgDataset:
    """The same recordings, each lifted by a constant of its own, as if each came from another amplifier.

    The constants are normal with standard deviation spread_mv, the same in all leads and at all times of a recording.
    """
    return lifted(dataset, np.random.default_rng(seed).normal(0, spread_mv, len(dataset)))


def watched_score(encoder: torch.nn.Module, train: sd.EcgDataset, test: sd.EcgDataset, seed: int) -> float:
    """A quick look at what an encoder knows: the macro AUROC of a linear probe through I and II."""
    clf = sd.linear_probe(encoder, train, leads=WATCHED, seed=seed)
    return sd.evaluate(clf, test, WATCHED, bootstrap=0).macro_auroc


def what_it_knows(encoder: torch.nn.Module, train: sd.EcgDataset, test: sd.EcgDataset, seed: int) -> pd.Series:
    """How often a second half of `test` finds its first through I and II, and the macro AUROC of one head at each lead set."""
    found = found_rate(*(embed_half(encoder, test, WATCHED, half) for half in (1, 0)))
    clf = sd.linear_probe(encoder, train, leads="any", seed=seed, draws=2)
    scores = {name: sd.evaluate(clf, test, leads, bootstrap=0).macro_auroc for name, leads in sd.LEAD_SETS.items()}
    return pd.Series({"found": found} | scores)


def check_one_anchor(loss: float | None) -> str:
    """Is this NT-Xent of the anchor alone, its partner and one stranger beside it?"""
    to_partner, to_stranger = float(ANCHOR @ PARTNER), float(ANCHOR @ STRANGER)
    pull, push, itself = (math.exp(cosine / TEMPERATURE) for cosine in (to_partner, to_stranger, 1.0))
    right = -math.log(pull / (pull + push))
    probability = pull / (pull + push)
    wrong = {
        -right: "the sign is turned round. The logarithm of a probability is below 0; the loss is its opposite",
        probability: f"this is the partner's probability, {probability:.3f}. The loss is minus its logarithm",
        -math.log10(probability): "this is the logarithm to base 10. The natural logarithm is meant",
        -math.log(push / (pull + push)): "this is the loss of taking the stranger for the partner",
        -math.log(pull / (pull + push + itself)): "the anchor is among its own candidates. It must not be: it would always win",
        -math.log(math.exp(to_partner) / (math.exp(to_partner) + math.exp(to_stranger))): (
            "the temperature is missing. Divide each cosine by it before the exponential"
        ),
        -math.log(to_partner / (to_partner + to_stranger)): "these are shares of the cosines. Take exponentials first",
    }
    praise = f"the partner is found with probability {probability:.3f}, so the loss is {right:.3f}"
    return check_number(loss, right, praise, wrong, "this is not minus the logarithm of e^a / (e^a + e^b), a and b the two "
                        "cosines over the temperature")  # fmt: skip


def check_all_alike(loss: float | None) -> str:
    """Is this NT-Xent of a network that gives every recording the same embedding?"""
    others = 2 * RECORDINGS - 1
    right = math.log(others)
    wrong = {
        0.0: "partners agree perfectly, and so does everybody else. A loss of 0 asks that strangers differ",
        math.log(others + 1): "nobody is a candidate for themselves: one fewer",
        math.log(RECORDINGS): "each recording gives two embeddings, so there are more others",
        math.log(RECORDINGS - 1): "each recording gives two embeddings, so there are more others",
        math.log2(others): "this is the logarithm to base 2. The natural logarithm is meant",
        math.log10(others): "this is the logarithm to base 10. The natural logarithm is meant",
        right / TEMPERATURE: "the temperature divides every cosine alike, and equal cosines leave nothing for it to change",
        -right: "the sign is turned round. A loss is minus the logarithm of a probability",
        1 / others: "this is the probability of a blind guess. The loss is minus its logarithm",
        float(others): "this is the number of others. Which probability has a blind guess, and what is minus its logarithm?",
    }
    praise = f"all {others} others look the same, each gets 1/{others}, and minus the logarithm of that is {right:.3f}"
    return check_number(loss, right, praise, wrong, f"give the partner its share of {others} equal candidates first")


def check_cheat(cheat: Callable[[Tensor], Tensor] | None, marked: sd.EcgDataset, clean: sd.EcgDataset) -> str:
    """Does a function of half a signal, no network, find the other half among all marked recordings?"""
    if cheat is None:
        return UNANSWERED
    if not callable(cheat):
        return f"Not yet: a function is wanted, and this is a {type(cheat).__name__}. Write `lambda signals_mv: ...`."
    rates = {}
    for name, dataset in {"marked": marked, "clean": clean}.items():
        halves = two_halves(dataset.batch(range(len(dataset))))  # two of [N, 12, T / 2]
        numbers = [np.asarray(cheat(half), dtype=float) for half in halves]
        if numbers[0].ndim == 0 or len(numbers[0]) != len(dataset):
            return (
                f"Not yet: found shape {numbers[0].shape} for {len(dataset)} recordings. Each must keep numbers of its own: "
                f"let the function take away the axis of time (dim=2), not that of the recordings."
            )
        rates[name] = found_rate(*(number.reshape(len(dataset), -1) for number in numbers))  # [N, d]
    found = f"it finds {rates['marked']:.0%} of the other halves of marked recordings, and {rates['clean']:.0%} of clean ones"
    if rates["marked"] < 0.5:
        return f"Not yet: {found}. At least half of the marked are wanted. Which number did the mark change in every lead?"
    if rates["clean"] > rates["marked"] / 2:
        return f"Not yet: {found}. So it does not use the mark: it must find at most half as many clean ones."
    return f"Right: {found}. No heart was looked at."
