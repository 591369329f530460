"""One colour a lead and one a class, the same in every figure, told apart also by colour-blind readers.

All are dark enough for lines and markers on white (WCAG 2.2, contrast 3:1); words are written in INK. Five classes lie far
apart for every kind of colour vision. Twelve leads cannot: limb leads are solid and chest leads dotted, six colours each lie
far apart, and a lead is always named beside its colour.
"""

from collections.abc import Iterable

from selfdana_lite.leads import LEADS

INK = "#1a1a1a"
FAINT = "#767676"  # what is there but not chosen; just dark enough for words

LEAD_COLOURS = {
    "I": "#2d00f0",
    "II": "#ff5a00",
    "III": "#00a587",
    "aVR": "#690000",
    "aVL": "#d25ae1",
    "aVF": "#4b0f5a",
    "V1": "#d20f00",
    "V2": "#0069ff",
    "V3": "#691e4b",
    "V4": "#b478b4",
    "V5": "#c34b5a",
    "V6": "#4b1e87",
}
LEAD_DASHES = {lead: "dot" if lead.startswith("V") else "solid" for lead in LEADS}  # plotly's names

CLASS_COLOURS = {"NORM": "#3c9696", "MI": "#ff5a00", "STTC": "#2d1e69", "CD": "#b400ff", "HYP": "#5a0f00"}

# Okabe and Ito's colours, which colour-blind readers tell apart; each model keeps its own.
MODEL_COLOURS = ("#0072B2", "#009E73", "#D55E00", "#CC79A7", "#E69F00", "#56B4E9")
CHOSEN, OTHER = "#D55E00", "#56B4E9"


def class_colours(label_names: Iterable[str]) -> dict[str, str]:
    """A colour for each label: PTB-XL's five have their own; others take what is free, in order, then grey."""
    names = list(label_names)
    free = [colour for name, colour in CLASS_COLOURS.items() if name not in names]
    others = [name for name in names if name not in CLASS_COLOURS]
    taken = dict(zip(others, free, strict=False))
    return {name: CLASS_COLOURS.get(name) or taken.get(name, FAINT) for name in names}
