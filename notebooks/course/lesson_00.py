"""The self-checks of lesson 00, Start here."""

from collections.abc import Iterable

import pandas as pd

import selfdana_lite as sd
from course.checks import UNANSWERED, check_number, check_that


def check_fall(fall: float | None, scores: pd.DataFrame) -> str:
    """Is `fall` what the macro AUROC loses from twelve leads to one?"""
    auroc = scores.set_index("lead_set")["macro_auroc"]
    right = auroc["12-lead"] - auroc["1-lead"]
    wrong = {
        -right: "the sign is turned round. A fall is the score before minus the score after",
        100 * right: "this is a percentage. Give the difference itself, in AUROC",
        right / auroc["12-lead"]: "this is a share. Give the difference itself, in AUROC",
    }
    wrong |= {auroc["12-lead"] - auroc[name]: f"this is the fall to {name}. Compare with 1-lead" for name in auroc.index[1:-1]}
    praise = f"{right:.3f} of AUROC is lost with eleven of twelve leads"
    otherwise = "this is not the difference of two numbers in the column macro_auroc, rows 12-lead and 1-lead"
    return check_number(fall, right, praise, wrong, otherwise)


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
    found = f"{' and '.join(leads)} score {score:.4f}, I and II {to_beat:.4f}."
    only_limb = set(leads) <= set(sd.LEAD_SETS["6-lead"])
    bias = (
        f"{found} But any two limb leads hold the same information, so a difference between them is the model's own bias. "
        f"Take one limb lead and one chest lead"
    )
    praise = f"{found} (Picked on the recordings that score it, it looks better than it is: elsewhere the gap would shrink)"
    places = "V1 to V4 look from the front, V5 and V6 from the side. Or loop over all pairs"
    otherwise = f"{found} Not every chest lead helps: {places}"
    return check_that(leads, score > to_beat and not only_limb, praise, [(only_limb, bias)], otherwise)


def check_gain(gain: float | None, results: pd.DataFrame, model: str) -> str:
    """Is `gain` what pre-training adds to a model's macro AUROC, on average over the lead sets?"""
    auroc = results[results["model"] == model].groupby("stage")["macro_auroc"].mean()
    all_models = results.groupby("stage")["macro_auroc"].mean()
    right = auroc["pre-trained"] - auroc["untrained"]
    all_credit = "this gives pre-training the credit for everything. Its control is the untrained twin, not zero or chance"
    wrong = {
        -right: "the sign is turned round. A gain is pre-trained minus untrained",
        auroc["pre-trained"]: all_credit,
        auroc["pre-trained"] - 0.5: all_credit,
        all_models["pre-trained"] - all_models["untrained"]: f"this is the mean over all models. Keep the rows of {model!r}",
    }
    praise = f"pre-training is worth {right:+.3f}; the rest of the {auroc['pre-trained']:.3f} came with the architecture"
    return check_number(gain, right, praise, wrong, "this is not the difference of the two means over the six lead sets")
