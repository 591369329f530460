"""What if there were only these leads? Every subset scored, and what follows from the table.

The table answers at once what a search could only guess: which subset of each size is best, whether
adding the best lead one at a time gets there, which lead to add next.

The best of 4,095 subsets is best partly by luck on these very recordings, so its score is too good.
Choose on some patients and score on others: split_patients, then confirm_choice.
"""

from collections.abc import Iterable
from itertools import combinations

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from selfdana_lite.dataset import EcgDataset
from selfdana_lite.downstream import Classifier, evaluate
from selfdana_lite.lead_values import CHANCE
from selfdana_lite.leads import LEADS, LeadError, parse_leads
from selfdana_lite.scores import auroc_of_each
from selfdana_lite.shared_leads import can_share, predict_subsets


def what_if(
    clf: Classifier, dataset: EcgDataset, lead_sets: str | Iterable[str | Iterable[str]] = "all", progress: bool = False
) -> pd.DataFrame:
    """Score a classifier with many lead subsets of the same recordings.

    lead_sets: "all" for every subset of the dataset's leads (4,095 of twelve), or a list of lead sets: text, names, or
        names in LEAD_SETS.
    Returns a row a lead set: lead_set ("I, II, V2", in the order of LEADS), n_leads, macro_auroc, and a column a class.
    The scores are those of evaluate, to float32's rounding, and so are the errors; evaluate adds an interval to one of them.

    With this kit's encoders each lead goes through the stem once, not once a subset (shared_leads.py): all subsets of
    330 recordings take about three seconds on two cores. Any other encoder is asked about one subset after the other. Memory: 4
    bytes for each subset, recording and class.
    """
    wanted = _wanted(dataset, lead_sets)
    leads = tuple(lead for lead in LEADS if any(lead in names for names in wanted))
    evaluate(clf, dataset, leads, bootstrap=0)  # whatever is wrong, it says so before the long work
    if can_share(clf):
        masks = np.array([sum(1 << leads.index(name) for name in names) for names in wanted])
        predicted = predict_subsets(clf, dataset, leads, masks, progress)
    else:
        predicted = np.stack([clf.predict_proba(dataset, names) for names in tqdm(wanted, disable=not progress)])
    if not np.isfinite(predicted).all():
        broken = wanted[np.flatnonzero(~np.isfinite(predicted).all(axis=(1, 2)))[0]]
        raise ValueError(f"With {', '.join(broken)} a prediction is NaN or infinite; look at the encoder's weights.")
    per_class = [auroc_of_each(labels, predicted[:, :, c]) for c, labels in enumerate(dataset.labels.T)]
    facts = {"lead_set": [", ".join(names) for names in wanted], "n_leads": [len(names) for names in wanted]}
    facts["macro_auroc"] = np.mean(per_class, axis=0)
    return pd.DataFrame(facts | dict(zip(dataset.label_names, per_class, strict=True)))


def _wanted(dataset: EcgDataset, lead_sets: str | Iterable[str | Iterable[str]]) -> list[tuple[str, ...]]:
    """The lead sets asked for, each in the order of LEADS."""
    if isinstance(lead_sets, str):
        if lead_sets != "all":
            raise LeadError(f'lead_sets is {lead_sets!r}; expected "all", or a list of lead sets: [{lead_sets!r}].')
        there = sorted(dataset.leads, key=LEADS.index)
        return [names for n in range(1, len(there) + 1) for names in combinations(there, n)]
    wanted = [tuple(sorted(parse_leads(leads), key=LEADS.index)) for leads in lead_sets]
    if len(set(wanted)) < len(wanted):
        repeated = next(names for names in wanted if wanted.count(names) > 1)
        raise LeadError(f"The lead set {', '.join(repeated)} is asked for more than once; name each once.")
    if not wanted:
        raise LeadError('lead_sets is empty; name at least one lead set, or "all".')
    return wanted


def extremes(table: pd.DataFrame, score: str = "macro_auroc") -> pd.DataFrame:
    """The best and the worst lead set of each size: a row a size, n_leads, best, best_score, worst, worst_score.

    score: "macro_auroc" or a class, here and below. Of equals, the first in the table.
    """
    by_size = table.groupby("n_leads")[score]
    best, worst = table.loc[by_size.idxmax()], table.loc[by_size.idxmin()]
    return pd.DataFrame(
        {
            "n_leads": best["n_leads"].to_numpy(),
            "best": best["lead_set"].to_numpy(),
            "best_score": best[score].to_numpy(),
            "worst": worst["lead_set"].to_numpy(),
            "worst_score": worst[score].to_numpy(),
        }
    )


def pareto_front(table: pd.DataFrame, score: str = "macro_auroc") -> pd.DataFrame:
    """The rows that no lead set of as few leads or fewer equals or beats: more leads only where they add something."""
    best = table.loc[table.groupby("n_leads")[score].idxmax()]
    beaten_by = best[score].cummax().shift(fill_value=-np.inf)
    return best[best[score] > beaten_by].reset_index(drop=True)


def next_lead(table: pd.DataFrame, chosen: str | Iterable[str] = (), score: str = "macro_auroc") -> pd.DataFrame:
    """Which single lead to add to those chosen (none: chance): a row a candidate, lead, lead_set, score and gain, best first.

    Raises LeadError where the table lacks a lead set that this takes, or no lead is left.
    """
    scores = table.set_index("lead_set")[score]
    chosen = parse_leads(chosen) if chosen else ()
    there = set(", ".join(table["lead_set"]).split(", "))
    candidates = [lead for lead in LEADS if lead in there - set(chosen)]
    if not candidates:
        raise LeadError(f"No lead is left to add to {', '.join(chosen)}; choose fewer.")
    now = _score_of(scores, chosen) if chosen else CHANCE
    rows = [
        {"lead": lead, "lead_set": _text({*chosen, lead}), score: _score_of(scores, {*chosen, lead})} for lead in candidates
    ]
    grown = pd.DataFrame(rows)
    return grown.assign(gain=grown[score] - now).sort_values("gain", ascending=False, ignore_index=True, kind="stable")


def greedy_path(table: pd.DataFrame, score: str = "macro_auroc") -> pd.DataFrame:
    """Add the best lead, again and again, beside the exact optimum: a row a size.

    n_leads, added, lead_set, the score, best (lead set of that size), best_score and shortfall (best_score less score).
    """
    rows, chosen = [], ()
    for best in extremes(table, score).itertuples():
        step = next_lead(table, chosen, score).iloc[0]
        chosen = tuple(step["lead_set"].split(", "))
        facts = {"n_leads": len(chosen), "added": step["lead"], "lead_set": step["lead_set"], score: step[score]}
        rows.append(facts | {"best": best.best, "best_score": best.best_score, "shortfall": best.best_score - step[score]})
    return pd.DataFrame(rows)


def split_patients(dataset: EcgDataset, seed: int = 0) -> tuple[EcgDataset, EcgDataset]:
    """Two views of a dataset, each with half of the patients and all of their recordings."""
    patients = np.unique(dataset.patient_ids)
    first = np.random.default_rng(seed).permutation(patients)[: len(patients) // 2]
    in_first = np.isin(dataset.patient_ids, first)
    return dataset.where(rows=in_first), dataset.where(rows=~in_first)


def confirm_choice(choosing: pd.DataFrame, confirming: pd.DataFrame, score: str = "macro_auroc") -> pd.DataFrame:
    """The best lead set of each size on some patients, and what it scores on others: the honest figure.

    choosing, confirming: tables of what_if, from recordings of different patients (split_patients, or two folds).
    A row a size: n_leads, lead_set, chosen_score (too good, because it was the highest of many), confirmed_score, best_there
    (the highest of that size on the other patients, too good again) and rank (1: it is the best there too). Some patients are
    harder than others: how far the choice flattered is chosen_score less confirmed_score, less the same with all leads, where
    nothing is chosen. best_there less confirmed_score, of the same patients, is the most that choosing there could have gained.
    """
    best, best_there = extremes(choosing, score), extremes(confirming, score).set_index("n_leads")["best_score"]
    ranks = confirming.groupby("n_leads")[score].rank(ascending=False, method="min").astype(int)
    there = confirming.assign(rank=ranks).set_index("lead_set")
    if absent := [lead_set for lead_set in best["best"] if lead_set not in there.index]:
        raise LeadError(f"The second table lacks the lead set {absent[0]}; make both with the same lead_sets.")
    rows = there.loc[best["best"]]
    return pd.DataFrame(
        {
            "n_leads": best["n_leads"],
            "lead_set": best["best"],
            "chosen_score": best["best_score"],
            "confirmed_score": rows[score].to_numpy(),
            "best_there": best_there[best["n_leads"]].to_numpy(),
            "rank": rows["rank"].to_numpy(),
        }
    )


def _text(leads: Iterable[str]) -> str:
    return ", ".join(sorted(leads, key=LEADS.index))


def _score_of(scores: pd.Series, leads: Iterable[str]) -> float:
    text = _text(leads)
    if text not in scores.index:
        raise LeadError(f'The table has no row for {text}; make it with what_if(clf, dataset, "all").')
    return scores[text]
