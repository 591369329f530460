"""Lesson 04, Random Lead Selection: its self-checks, the laws of both augmentations, and a rehearsal with labels."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from scipy import stats
from torch import Tensor
from torch.nn import functional as F

import selfdana_lite as sd
from course.checks import UNANSWERED, check_number, check_that
from selfdana_lite.augment import random_crop
from selfdana_lite.leads import LIMB_FROM_I_II, derive_limb_leads
from selfdana_lite.loop import fit

FEW, MANY = 3, 10  # leads: at most so many for a monitor or a watch, at least so many for a clinic
LIMB = len(sd.LEAD_SETS["6-lead"])
LeadAugmentation = sd.RandomLeadSelection | sd.RandomLeadMasking


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
    rows = {"law": law, "drawn": drawn, "low": law - margin, "high": law + margin}
    return pd.DataFrame(rows, index=pd.RangeIndex(13, name="leads kept"))


def chi_square_p(law: np.ndarray, counts: np.ndarray) -> float:
    """Probability of draws at least as far from the law as these, if they do follow it (Pearson's chi-square test).

    The test wants at least five expected draws in a cell, so rarer counts share one.
    """
    expected, found = len(counts) * law, np.bincount(counts, minlength=13)
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


def check_few(answer: object) -> str:
    """Is this (P(at most 2 leads) under selection, the same under masking)?"""
    if answer is None:
        return UNANSWERED
    if not _two_numbers(answer):
        return "Not yet: two numbers are wanted, (under selection, under masking)."
    selection, masking = at_most(selection_law(), 2), at_most(masking_law(), 2)
    close = [bool(np.allclose(answer, right, atol=0.0011)) for right in ((selection, masking), (masking, selection))]
    without_none = masking - masking_law()[0]
    slips = [
        (close[1], "the right numbers, the wrong way round. Selection first"),
        (max(answer) > 1, "these are percentages; write probabilities, from 0 to 1"),
        (_close(answer[0], 1 / 12), "1/12 is the probability of each count under selection. Two counts are at most 2"),
        (_close(answer[0], 2 / 13, 3 / 13), "selection never leaves 0 leads, so there are 12 counts, not 13"),
        (_close(answer[1], masking_law()[2]), "under masking this is exactly 2 leads. 1 lead and none count, too"),
        (abs(answer[1] - without_none) < 1e-4 < abs(answer[1] - masking), "under masking no lead at all is possible, too"),
        (
            not _close(answer[0], selection),
            "the first number is wrong. Of the 12 equally likely counts, how many are at most 2?",
        ),
    ]
    praise = f"{selection:.1%} under selection and {masking:.1%} under masking, {selection / masking:.1f} times less"
    otherwise = "the second number is wrong. Add the ways of choosing 0, 1 and 2 of 12 leads, and divide by 2¹²"
    right = close[0] and abs(answer[1] - masking) < 1e-4 + 0.0005  # with three decimals
    return check_that(answer, right, praise, slips, otherwise)


def check_tensors(answer: object) -> str:
    """Is this (mean leads left by masking, lead slots sent by masking, mean leads left and sent by selection)?"""
    if answer is None:
        return UNANSWERED
    if not _numbers(answer, 3):
        return "Not yet: three numbers are wanted: left by masking, sent by masking, sent by selection."
    _, sent, selected = answer
    slips = [
        (_close(selected, 6), "selection is not masking: the mean of 1, 2, ..., 12 is wanted, not half of 12"),
        (not _close(selected, 6.5), "the last number is the mean of the counts 1, 2, ..., 12"),
        (_close(sent, 6), "masking zeroes leads and sends the zeros along. How many rows has its tensor?"),
        (not _close(sent, 12), "how many rows has the tensor that masking returns, whatever it zeroed?"),
    ]
    praise = (
        "masking leaves 6 leads on average and sends 12 rows for them; selection sends 6.5 rows, all of them leads, "
        f"{6.5 / 12:.0%} of the numbers"
    )
    otherwise = "the first number is 12 leads, each of them kept with probability 1/2"
    return check_that(answer, bool(np.allclose(answer, (6, 12, 6.5), atol=0.0011)), praise, slips, otherwise)


def check_p(p: object) -> str:
    """Does masking with this probability leave few leads as often as selection does?"""
    if p is None:
        return UNANSWERED
    if not _numbers((p,), 1) or not 0 <= p < 1:
        return f"Not yet: a probability from 0 to 1 is wanted, and this is {p!r}."
    wanted, found = at_most(selection_law(), FEW), at_most(masking_law(p), FEW)
    price = (
        f"with p = {p:g} masking leaves at most {FEW} leads in {found:.1%} of the views, at least {MANY} leads in "
        f"{at_least(masking_law(p), MANY):.2%}, and none in {masking_law(p)[0]:.2%}"
    )
    slips = [
        (found < wanted, f"{price}. Selection leaves so few in {wanted:.0%}; mask more"),
        (found > wanted, f"{price}. That is more often than selection's {wanted:.0%}; mask less"),
    ]
    paid = f"{price}. Selection leaves at least {MANY} in {at_least(selection_law(), MANY):.0%}, too: it rehearses both ends"
    return check_that(p, abs(found - wanted) < 0.01, paid, slips, "")


def check_watch(selection: object) -> str:
    """Does this selection rehearse one to three leads and nothing else?"""
    if selection is None:
        return UNANSWERED
    if not isinstance(selection, sd.RandomLeadSelection):
        return f"Not yet: write sd.RandomLeadSelection(min_leads=..., max_leads=...); this is a {type(selection).__name__}."
    law = selection.count_probabilities().numpy()
    useful = float(law[1 : FEW + 1].sum())
    slips = [
        (
            selection.max_leads > FEW,
            f"{1 - useful:.0%} of its views have more than {FEW} leads, which this watch will never see, and pays for them",
        ),
        (selection.min_leads > 1, f"no view has fewer than {selection.min_leads} leads, and today's watch has one"),
        (selection.max_leads < FEW, f"no view has more than {selection.max_leads}, and next year's watch has {FEW}"),
        (selection.law != "uniform", f"its law is {selection.law!r}: one lead in {law[1]:.0%} of the views. Leave it uniform"),
    ]
    praise = f"one, two and three leads in a third of the views each, and {mean_leads(law):g} leads in a tensor instead of 12"
    right = (selection.min_leads, selection.max_leads, selection.law) == (1, FEW, "uniform")
    return check_that(selection, right, praise, slips, "")


def check_bound(answer: object) -> str:
    """Is this the probability that at least two of six limb leads survive masking with p = 0.5?"""
    right = 57 / 64
    wrong = {
        1 - 1 / 64: "this is at least one. Subtract the six ways in which exactly one survives, too",
        1 - 6 / 64: "exactly one is only one of the two ways to have fewer than two. None is the other",
        15 / 64: "this is exactly two. Three, four, five and six will do as well",
        22 / 64: "this is at most two. At least two is asked for",
        7 / 64: "this is the probability that fewer than two survive. The opposite is asked for",
        100 * right: "this is a percentage; write a probability",
    }
    praise = "57 of 64, or 89 %: nine of ten times masking hides nothing of the limb leads"
    return check_number(answer, right, praise, wrong, "of the 64 ways to keep or lose six leads, how many keep at least two")


def _close(number: float, *others: float) -> bool:
    return any(math.isclose(number, other, abs_tol=0.0011) for other in others)


def _numbers(answer: object, many: int) -> bool:
    whole = isinstance(answer, Sequence) and not isinstance(answer, str) and len(answer) == many
    return whole and all(isinstance(number, int | float) and not isinstance(number, bool) for number in answer)


def _two_numbers(answer: object) -> bool:
    return _numbers(answer, 2)
