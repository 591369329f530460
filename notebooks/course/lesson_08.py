"""The self-checks of lesson 08, What does it cost?, and what it weighs and times itself."""

import subprocess
import sys
import time
from collections.abc import Mapping

import pandas as pd
import torch

import selfdana_lite as sd
from course.checks import UNANSWERED, check_number, check_that
from selfdana_lite.resources import BASELINES

PAPER_SAVES = {  # in percent, as the abstract gives them; it does not say compared with what
    "peak CPU memory (up to)": 69.3,
    "peak GPU memory (up to)": 34.4,
    "CPU time of an epoch (on average)": 17.0,
    "GPU time of an epoch (on average)": 24.0,
}
OURS = "lead-attention"


def libraries_mb() -> float:
    """What a fresh process holds in memory when it has imported the library and done nothing."""
    code = "import psutil, selfdana_lite.meter; print(psutil.Process().memory_info().rss / 1e6)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def matrix_gflop_per_s(size: int = 512, repeats: int = 8) -> float:
    """How many billion operations a CPU second of multiplying matrices holds: about the most that this machine can do."""
    a, b = torch.rand(size, size), torch.rand(size, size)
    a @ b
    begin = time.process_time()
    for _ in range(repeats):
        a @ b
    return 2 * size**3 * repeats / (time.process_time() - begin) / 1e9


def by_leads(table: pd.DataFrame, cost: str) -> pd.DataFrame:
    """A cost, a row a model and a column a lead set, in the order of the table."""
    wide = table.pivot(index="model", columns="lead_set", values=cost)
    return wide.loc[table["model"].unique(), table["lead_set"].unique()].rename_axis(columns=None)


def saved_percent(table: pd.DataFrame, cost: str, baseline: str, model: str = OURS, lead_set: str = "1-lead") -> float:
    """How many percent less a model costs than a baseline with the same leads."""
    wide = by_leads(table, cost)
    return float(100 * (1 - wide.loc[model, lead_set] / wide.loc[baseline, lead_set]))


def claims(counts: pd.DataFrame) -> pd.Series:
    """Exercise 2: true claims of percent saved, each against another baseline, by letter."""
    baselines = (BASELINES[2], BASELINES[0], BASELINES[3], BASELINES[1])
    saved = [saved_percent(counts, "tensor_mb", baseline) for baseline in baselines]
    return pd.Series(saved, index=pd.Index(list("ABCD"), name="claim"), name="percent saved").round(2)


def check_saved(saved: float | None, counts: pd.DataFrame) -> str:
    """Is this how many percent of mix+zero-pad's operations ours saves with one lead?"""
    cost, rival = "gflop_per_recording", BASELINES[0]
    wide = by_leads(counts, cost)
    ours, theirs = wide.loc[OURS, "1-lead"], wide.loc[rival, "1-lead"]
    right = saved_percent(counts, cost, rival)
    wrong = {
        100 - right: "this is what is left. Saved is 100 % less that",
        right / 100: "this is the share. Give percent",
        100 * (theirs / ours - 1): "this is how much more the rival needs than ours. Divide by the rival's cost, not by ours",
        saved_percent(counts, cost, BASELINES[1]): f"this is against {BASELINES[1]}. Take the row {rival}",
        saved_percent(counts, cost, BASELINES[3]): f"this is against {BASELINES[3]}. Take the row {rival}",
        saved_percent(counts, cost, BASELINES[2]): (
            f"this is against {BASELINES[2]}, or ours at twelve leads, which costs the same. Take the row {rival}"
        ),
        saved_percent(counts, cost, rival, lead_set="12-lead"): "this is the saving with twelve leads. Take 1-lead",
    }
    otherwise = "saved is 100 (1 - ours / rival's), both from the column 1-lead"
    praise = f"with one lead ours needs {right:.1f} % fewer operations than {rival}"
    return check_number(saved, right, praise, wrong, otherwise, tolerance=0.06)


def check_baselines(against: Mapping[str, str] | None, counts: pd.DataFrame) -> str:
    """Which baseline does each of the claims compare with?"""
    if against is None:
        return UNANSWERED
    if not isinstance(against, Mapping):
        return f"Not yet: a dictionary is wanted, from letter to baseline; found a {type(against).__name__}."
    made, rival = claims(counts), {letter: str(name).strip() for letter, name in against.items()}
    unknown = sorted({name for name in rival.values() if name not in BASELINES})
    known = {name: round(saved_percent(counts, "tensor_mb", name), 2) for name in BASELINES}
    wrong = [letter for letter in made.index if letter in rival and known.get(rival[letter]) != made[letter]]
    missing = [letter for letter in made.index if letter not in rival]
    first = wrong[0] if wrong else "A"
    of_first = f"{known.get(rival.get(first), 0):.2f} %, and claim {first} says {made[first]:.2f} %"
    return check_that(
        against,
        not (unknown or missing or wrong),
        "one method, one machine, one lead, and four percentages: without its baseline a percentage says nothing",
        [
            (bool(unknown), f"{', '.join(unknown)} is none of the baselines {', '.join(BASELINES)}"),
            (bool(missing), f"claim {', '.join(missing)} has no baseline yet"),
        ],
        f"against {rival.get(first)} ours saves {of_first}",
    )


def check_line(predicted: float | None, counts: pd.DataFrame) -> str:
    """Does a straight line through ours with 12 and 1 leads give this for 3 leads?"""
    wide = by_leads(counts, "tensor_mb")
    twelve, one, counted = (wide.loc[OURS, name] for name in ("12-lead", "1-lead", "3-lead"))
    each = (twelve - one) / 11
    right = one + 2 * each
    wrong = {
        twelve * 3 / 12: "this is a quarter of twelve leads' cost, as if nothing were fixed. The line does not go through zero",
        one * 3: "this is three times one lead's cost, so the fixed part is in it three times",
        one + 3 * each: "from one lead to three there are two leads more, not three",
        one + 2 * twelve / 12: "a lead more costs the difference of the two ends over 11, not a twelfth of twelve leads' cost",
        (twelve + one) / 2: "this is the middle, 6.5 leads",
        one - each: "this is the fixed part alone, the cost of no leads",
    }
    praise = (
        f"the line says {right:.2f} MB, counted are {counted:.2f} MB: {each:.2f} MB for each lead and {one - each:.2f} fixed"
    )
    return check_number(
        predicted,
        right,
        praise,
        wrong,
        "go from 1 lead up by two steps of (twelve leads' cost - one lead's) / 11",
        0.005 * right,
    )


def train_alike(dataset: sd.EcgDataset, epochs: int, seed: int) -> dict[str, sd.Classifier]:
    """Ours and two mixing networks, wide and narrow, trained from scratch with labels alike, each for any leads."""
    trained = {}
    for model, kind in ((OURS, OURS), (BASELINES[0], "zero-pad"), (BASELINES[3], "zero-pad-lean")):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            encoder = sd.build_encoder(kind)
        config = sd.FineTuneConfig(epochs=epochs, seed=seed)
        trained[model] = sd.fine_tune(encoder, dataset, leads="any", config=config, progress=False)
    return trained
