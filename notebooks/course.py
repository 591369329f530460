"""What the lessons share: answers that open on a click, and checks of exercises that say what went wrong."""

import math
from collections.abc import Iterable
from numbers import Real
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown

import selfdana_lite as sd
from selfdana_lite.leads import limb_lead_residual

UNANSWERED = "No answer yet: replace None, then run the cell again."
TOLERANCE = 0.0011  # the difference of two numbers copied from a table with three digits will do
UNITS_PER_MV = {0.001: "volt", 1: "millivolt", 1_000: "microvolt", 1_000_000: "nanovolt"}


def reveal(question: str, answer: str) -> Markdown:
    """An answer made of computed numbers, folded away until the student has guessed."""
    return Markdown(f"<details><summary>{question}</summary>\n\n{answer}\n\n</details>")


def check_fall(fall: float | None, scores: pd.DataFrame) -> str:
    """Is `fall` what the macro AUROC loses from twelve leads to one?"""
    if fall is None:
        return UNANSWERED
    if not isinstance(fall, Real):
        return _one_number(fall)
    auroc = scores.set_index("lead_set")["macro_auroc"]
    right = auroc["12-lead"] - auroc["1-lead"]
    if _near(fall, right):
        return f"Right: {fall:.3f} of AUROC is lost with eleven of twelve leads."
    if _near(fall, -right):
        return "Not yet: the sign is turned round. A fall is the score before minus the score after."
    if _near(fall, 100 * right, 100 * TOLERANCE) or _near(fall, right / auroc["12-lead"]):
        return "Not yet: this is a percentage or a share. Give the difference itself, in AUROC."
    others = [name for name in auroc.index[1:-1] if _near(fall, auroc["12-lead"] - auroc[name])]
    if others:
        return f"Not yet: this is the fall to {others[0]}. Compare with 1-lead."
    return f"Not yet: {fall:.3f} is not the difference of two numbers in the column macro_auroc, rows 12-lead and 1-lead."


def check_pair(pair: str | Iterable[str] | None, clf: sd.Classifier, dataset: sd.EcgDataset) -> str:
    """Do two leads beat I and II on these recordings?"""
    if pair is None:
        return UNANSWERED
    try:
        leads = sd.parse_leads(pair)
    except sd.LeadError as error:
        return f"Not yet: {error}"
    except TypeError:
        return f'Not yet: found {type(pair).__name__} {pair!r}; write two lead names as text, for example "II, V1".'
    if len(leads) != 2:
        return f"Not yet: {len(leads)} named; two leads are asked for."
    if set(leads) == {"I", "II"}:
        return "Not yet: this is the pair to beat. Order does not matter: the encoder knows each lead by its name."
    score, to_beat = (sd.evaluate(clf, dataset, names, bootstrap=0).macro_auroc for names in (leads, ("I", "II")))
    found = f"{' and '.join(leads)} score {score:.3f}, I and II {to_beat:.3f}."
    if set(leads) <= set(sd.LEAD_SETS["6-lead"]):
        return (
            f"Not yet: {found} But any two limb leads hold the same information, so a difference between them is the model's "
            f"own bias. Take one limb lead and one chest lead."
        )
    if score <= to_beat:
        return (
            f"Not yet: {found} Not every chest lead helps: V1 to V4 look from the front, V5 and V6 from the side. Or loop over "
            f"all pairs."
        )
    return (
        f"Right: {found} (Picked on the recordings that score it, it looks better than it is: elsewhere the gap would shrink.)"
    )


def check_gain(gain: float | None, results: pd.DataFrame, model: str) -> str:
    """Is `gain` what pre-training adds to a model's macro AUROC, on average over the lead sets?"""
    if gain is None:
        return UNANSWERED
    if not isinstance(gain, Real):
        return _one_number(gain)
    auroc = results[results["model"] == model].groupby("stage")["macro_auroc"].mean()
    right = auroc["pre-trained"] - auroc["untrained"]
    if _near(gain, right):
        return (
            f"Right: pre-training is worth {gain:+.3f}; the rest of the {auroc['pre-trained']:.3f} came with the architecture."
        )
    if _near(gain, -right):
        return "Not yet: the sign is turned round. A gain is pre-trained minus untrained."
    if _near(gain, auroc["pre-trained"]) or _near(gain, auroc["pre-trained"] - 0.5):
        return (
            "Not yet: this gives pre-training the credit for everything. Its control is the untrained twin, not zero or chance."
        )
    every_model = results.groupby("stage")["macro_auroc"].mean()
    if _near(gain, every_model["pre-trained"] - every_model["untrained"]):
        return f"Not yet: this is the mean over all models. Keep the rows of {model!r}."
    return f"Not yet: {gain:.3f} is not the difference of the two means over the six lead sets."


def check_worth(worth: float | None, table: pd.DataFrame) -> str:
    """Is `worth` the Shapley value of V2, were there only the leads I and V2?"""
    if worth is None:
        return UNANSWERED
    if not isinstance(worth, Real):
        return _one_number(worth)
    score = table.set_index("lead_set")["macro_auroc"]
    first, second, both = score["V2"] - 0.5, score["I, V2"] - score["I"], score["I, V2"] - 0.5
    if _near(worth, (first + second) / 2):
        return f"Right: V2 gains {first:+.3f} if it comes first and {second:+.3f} after I; the mean is {worth:+.3f}."
    wrong = {
        first + second: "this is the sum of the gains in both orders. Each order is as likely: take the mean",
        first: "this is what V2 gains if it comes first. In the other order I is there already",
        second: "this is what V2 gains after I. In the other order it comes first, and starts from chance",
        (score["V2"] + second) / 2: "without any lead the score is not 0 but 0.5, chance, so V2 gains less if it comes first",
        both - (first + second) / 2: "this is the value of I. V2 was asked for",
        both: "this is what both leads are worth together. V2 gets its mean gain over the two orders",
    }
    why = next((why for value, why in wrong.items() if _near(worth, value)), f"{worth:.3f} is not the mean of V2's two gains")
    return f"Not yet: {why}."


def check_luck(luck: float | None, confirmed: pd.DataFrame) -> str:
    """Is `luck` how far the chosen pair falls short of the best pair on the other patients?"""
    if luck is None:
        return UNANSWERED
    if not isinstance(luck, Real):
        return _one_number(luck)
    by_size = confirmed.set_index("n_leads")
    pair, shortfall = by_size.loc[2], by_size["best_there"] - by_size["confirmed_score"]
    if _near(luck, shortfall[2]):
        return f"Right: {pair['lead_set']} falls short by {shortfall[2]:.3f}; it ranks {pair['rank']} on the other patients."
    wrong = {
        -shortfall[2]: "the sign is turned round. What is missing is the best there minus the confirmed score",
        pair["chosen_score"] - pair["confirmed_score"]: (
            "this compares different patients, and one half may simply be harder. Both scores must be of the other patients"
        ),
        pair["chosen_score"]
        - pair["best_there"]: "these are two best scores. What the chosen pair scores on the others is missing",
        shortfall.mean(): "this is the mean over all sizes. Take the row of two leads",
    }
    others = [n for n in by_size.index if n != 2 and _near(luck, shortfall[n])]
    wrong |= {shortfall[n]: f"this is the row of {n} leads. Take the row of two" for n in others}
    why = next(
        (why for value, why in wrong.items() if _near(luck, value)), f"{luck:.3f} is not best_there minus confirmed_score"
    )
    return f"Not yet: {why}."


def check_units(units_per_mv: float | None, path: str | Path) -> str:
    """Is this how many of the numbers in a file without a unit make a millivolt?"""
    if units_per_mv is None:
        return UNANSWERED
    if not isinstance(units_per_mv, Real) or not units_per_mv > 0:
        return f"Not yet: {units_per_mv!r} is not a number above 0. How many of the file's units make one millivolt?"
    swing = np.ptp(sd.read_recording(path, gain=1).signal_mv, axis=1).max()  # in file units
    right = next(size for size in UNITS_PER_MV if 0.3 < swing / size < 10)  # mV that the largest limb lead of a heart swings
    found = f"With {units_per_mv:g} units to the millivolt the largest lead swings over {swing / units_per_mv:.3g} mV"
    if math.isclose(units_per_mv, right):
        return f"Right: {found}, as a heart does. The file is in {UNITS_PER_MV[right]}."
    if math.isclose(units_per_mv, 1 / right):
        return f"Not yet: this is turned round, the millivolt in one of the file's units. {found}."
    if 0.3 < swing / units_per_mv < 10:
        return (
            f"Not yet: {found}. A heart may, but no unit is {units_per_mv:g} to the millivolt: V, mV, µV and nV lie a factor "
            f"of 1,000 apart, so the amplitude need only be right roughly. Which of the four is nearest?"
        )
    much = "more than any heart" if swing / units_per_mv >= 10 else "less than any heart that can be recorded from the skin"
    return f"Not yet: {found}: {much}. The R wave of a limb lead is about 1 mV high."


def check_exchange(pair: str | Iterable[str] | None, recording: sd.Recording) -> str:
    """Are these the two leads that bear each other's name?"""
    if pair is None:
        return UNANSWERED
    try:
        leads = sd.parse_leads(pair)
    except (sd.LeadError, TypeError) as error:
        return f'Not yet: {error} Write two lead names as text, for example "I, III".'
    if len(leads) != 2:
        return f"Not yet: {len(leads)} named; two leads are asked for."
    if chest := [lead for lead in leads if lead not in sd.LEAD_SETS["6-lead"]]:
        return (
            f"Not yet: {' and '.join(chest)} {'is a chest lead' if len(chest) == 1 else 'are chest leads'}. Einthoven's and "
            f"Goldberger's laws bind limb leads alone, and they are what is broken here."
        )
    one, other = leads
    before, after = (_residual_mv(a) for a in (recording, recording.rename({one: other, other: one})))
    found = f"with {one} and {other} exchanged the residual goes from {before:.3f} to {after:.3f} mV"
    if after < 0.05 * before:
        return f"Right: {found}, which is rounding."
    better = "better, yet" if after < before else "no better:"
    return f"Not yet: {found}, {better} far more than rounding. Try every pair of the six limb leads."


def check_samples(samples: int | None, recording: sd.Recording, seconds: float, rate_hz: float) -> str:
    """Is this how many samples a lead has after window(0, seconds).resample(rate_hz)?"""
    if samples is None:
        return UNANSWERED
    if not isinstance(samples, Real):
        return f"Not yet: one number is wanted, and this is a {type(samples).__name__}."
    whole, found_hz = recording.signal_mv.shape[1], recording.sampling_rate_hz
    right = round(seconds * rate_hz)
    wrong = {
        whole: "these are all samples of the file, neither cut nor resampled",
        round(seconds * found_hz): f"these are {seconds:g} s at the old rate; resampling changes how many there are",
        round(recording.seconds * rate_hz): f"this is the whole file at {rate_hz:g} Hz; the window keeps {seconds:g} s of it",
        round(seconds * found_hz**2 / rate_hz): "the ratio of the rates is turned round: a lower rate has fewer samples",
    }
    if samples == right:
        return f"Right: {seconds:g} s times {rate_hz:g} samples a second are {right}, whatever the rate was before."
    why = wrong.get(samples, f"a lead of {seconds:g} s at {rate_hz:g} Hz has as many samples as seconds times samples a second")
    return f"Not yet: {why}."


def standard_leads_of(recording: sd.Recording) -> sd.Recording:
    """Its leads that an encoder takes; LeadError with the parameters to set where none of its names is known."""
    if not recording.standard_leads:
        first = recording.leads[0]
        raise sd.LeadError(
            f"{Path(recording.source).name}: none of {', '.join(recording.leads)} is one of the twelve leads; say with NAMES "
            f"and GAIN what they are: NAMES = {{{first!r}: 'II'}} for one, or -y '{{NAMES: {{{first}: II}}}}' with papermill."
        )
    return recording.select(recording.standard_leads)


def _residual_mv(recording: sd.Recording) -> float:
    limb = [lead for lead in sd.LEAD_SETS["6-lead"] if lead in recording.leads]
    return float(limb_lead_residual(recording.select(limb).signal_mv, limb))


def _one_number(answer: object) -> str:
    return f"Not yet: one number is wanted, and this is a {type(answer).__name__}. Pick the two numbers, then subtract."


def _near(answer: float, right: float, tolerance: float = TOLERANCE) -> bool:
    return math.isclose(answer, right, rel_tol=0, abs_tol=tolerance)
