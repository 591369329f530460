"""The self-checks of lesson 00, Start here."""

from collections.abc import Iterable
from numbers import Real

import pandas as pd

import selfdana_lite as sd
from course.checks import TOLERANCE, UNANSWERED, near, one_number


def check_fall(fall: float | None, scores: pd.DataFrame) -> str:
    """Is `fall` what the macro AUROC loses from twelve leads to one?"""
    if fall is None:
        return UNANSWERED
    if not isinstance(fall, Real):
        return one_number(fall)
    auroc = scores.set_index("lead_set")["macro_auroc"]
    right = auroc["12-lead"] - auroc["1-lead"]
    if near(fall, right):
        return f"Right: {fall:.3f} of AUROC is lost with eleven of twelve leads."
    if near(fall, -right):
        return "Not yet: the sign is turned round. A fall is the score before minus the score after."
    if near(fall, 100 * right, 100 * TOLERANCE) or near(fall, right / auroc["12-lead"]):
        return "Not yet: this is a percentage or a share. Give the difference itself, in AUROC."
    others = [name for name in auroc.index[1:-1] if near(fall, auroc["12-lead"] - auroc[name])]
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
        return one_number(gain)
    auroc = results[results["model"] == model].groupby("stage")["macro_auroc"].mean()
    right = auroc["pre-trained"] - auroc["untrained"]
    if near(gain, right):
        return (
            f"Right: pre-training is worth {gain:+.3f}; the rest of the {auroc['pre-trained']:.3f} came with the architecture."
        )
    if near(gain, -right):
        return "Not yet: the sign is turned round. A gain is pre-trained minus untrained."
    if near(gain, auroc["pre-trained"]) or near(gain, auroc["pre-trained"] - 0.5):
        return (
            "Not yet: this gives pre-training the credit for everything. Its control is the untrained twin, not zero or chance."
        )
    every_model = results.groupby("stage")["macro_auroc"].mean()
    if near(gain, every_model["pre-trained"] - every_model["untrained"]):
        return f"Not yet: this is the mean over all models. Keep the rows of {model!r}."
    return f"Not yet: {gain:.3f} is not the difference of the two means over the six lead sets."
