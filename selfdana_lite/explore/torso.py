"""Where the twelve leads look from: a torso from the front for the limb leads, a slice through the chest for V1 to V6.

Limb leads point at their angles in the hexaxial system (0 degrees to the patient's left, growing clockwise towards the feet);
two of them say all that the six know, because all lie in one plane. V1 to V6 sit where their electrodes do.
"""

import html
import math
from collections.abc import Iterable

import numpy as np

from selfdana_lite.explore.colours import FAINT, INK, LEAD_COLOURS
from selfdana_lite.leads import LEAD_SETS, LEADS, LIMB_FROM_I_II, parse_leads

LIMB_ANGLES = {"I": 0, "II": 60, "III": 120, "aVR": -150, "aVL": -30, "aVF": 90}  # degrees in the frontal plane
CHEST_ANGLES = {
    "V1": 104,
    "V2": 76,
    "V3": 57,
    "V4": 39,
    "V5": 17,
    "V6": -5,
}  # degrees round the chest, from the left
WIDTH_PX, HEIGHT_PX = 480, 250
FRONT, LIMB_PX = (122, 120), 50  # the heart from the front; how long a limb lead is drawn
CHEST, CHEST_RADII = (360, 138), (86, 72)  # the slice, seen from the feet: front at the top, left at the right
HEART = (372, 128)
SKIN = 'fill="#fbf3ec" stroke="#a08c7a" stroke-width="1.5"'


def computed_from(leads: str | Iterable[str]) -> tuple[str, ...]:
    """The chosen limb leads from which other limb leads can be computed: two of them, or none where fewer are chosen."""
    basis: list[str] = []
    for lead in _in_order(leads):
        if lead in LIMB_ANGLES and _rank([*basis, lead]) > len(basis):
            basis.append(lead)
    return tuple(basis) if len(basis) == 2 else ()


def redundant(leads: str | Iterable[str]) -> tuple[str, ...]:
    """The limb leads, chosen or not, that add nothing to those of `computed_from`, in LEADS order."""
    basis = computed_from(leads)
    return tuple(lead for lead in LIMB_ANGLES if basis and lead not in basis and _rank([*basis, lead]) == len(basis))


def describe_choice(leads: str | Iterable[str], among: str | Iterable[str] = LEADS) -> str:
    """The drawing in words: which leads are chosen, which can be computed from them, and which are not there to choose."""
    names = _in_order(leads)
    absent = ", ".join(lead for lead in LEADS if lead not in parse_leads(among))
    return _computable(names) + (f" Not there to choose: {absent}." if absent else "")


def _computable(names: tuple[str, ...]) -> str:
    chosen = f"Chosen: {'all twelve leads' if names == LEADS else ', '.join(names)}."
    if not redundant(names):
        return f"{chosen} No other lead can be computed from {'it' if len(names) == 1 else 'them'}."
    return f"{chosen} {', '.join(redundant(names))} can be computed from {' and '.join(computed_from(names))}."


def describe_lead(lead: str, leads: str | Iterable[str], among: str | Iterable[str] = LEADS) -> str:
    """What becomes of one lead: "aVF: not chosen; adds nothing new, computable from I and II"."""
    if lead not in parse_leads(among):
        return f"{lead}: not there to choose; these recordings lack it"
    state = f"{lead}: {'chosen' if lead in parse_leads(leads) else 'not chosen'}"
    return (
        f"{state}; adds nothing new, computable from {' and '.join(computed_from(leads))}"
        if lead in redundant(leads)
        else state
    )


def torso_svg(leads: str | Iterable[str], among: str | Iterable[str] = LEADS) -> str:
    """The drawing as SVG: chosen leads strong and in their colours, others faint, dashed what adds nothing new.

    Leads that are not among those there are to choose are fainter still, and no hand shows over them.
    """
    names, dashed, there = _in_order(leads), redundant(leads), parse_leads(among)
    arrows = [_arrow(lead, lead in names, lead in dashed, lead in there, describe_lead(lead, names, there)) for lead in LEADS]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" style="display:block" viewBox="0 0 {WIDTH_PX} {HEIGHT_PX}" '
        f'width="{WIDTH_PX}" height="{HEIGHT_PX}" font-family="sans-serif" font-size="13" fill="{INK}" text-anchor="middle">'
        f"<title>The leads on the body</title><desc>{html.escape(describe_choice(names, there))}</desc>"
        f"{_front()}{_slice()}{''.join(arrows)}{_legend(dashed, computed_from(names))}</svg>"
    )


def tip(lead: str) -> tuple[float, float]:
    """Where a lead's arrow ends in the drawing (x, y in px, y downwards)."""
    if lead in LIMB_ANGLES:
        angle = math.radians(LIMB_ANGLES[lead])
        return FRONT[0] + LIMB_PX * math.cos(angle), FRONT[1] + LIMB_PX * math.sin(angle)
    angle = math.radians(CHEST_ANGLES[lead])
    return CHEST[0] + CHEST_RADII[0] * math.cos(angle), CHEST[1] - CHEST_RADII[1] * math.sin(angle)


def _in_order(leads: str | Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(parse_leads(leads), key=LEADS.index))


def _rank(limb_leads: Iterable[str]) -> int:
    """How many of these limb leads are independent: the rank of their weights on I and II."""
    return int(np.linalg.matrix_rank(LIMB_FROM_I_II[[LEAD_SETS["6-lead"].index(lead) for lead in limb_leads]]))


def _front() -> str:
    left = "M98,12 C98,28 94,32 68,36 C38,41 26,56 18,98 L36,104 L44,82 C46,130 50,160 46,232"
    right = "L198,232 C194,160 198,130 200,82 L208,104 L226,98 C218,56 206,41 176,36 C150,32 146,28 146,12"
    electrodes = "".join(
        f'<circle cx="{x}" cy="{y}" r="5" fill="{INK}"/><text x="{x + dx}" y="{y + 5}" font-weight="bold">{name}</text>'
        for name, x, y, dx in (("RA", 36, 54, -22), ("LA", 208, 54, 22), ("LL", 184, 224, 26))
    )
    return f'<path d="{left} {right}" {SKIN}/>{electrodes}'


def _slice() -> str:
    (x, y), (rx, ry) = CHEST, CHEST_RADII
    return (
        f'<ellipse cx="{x}" cy="{y}" rx="{rx}" ry="{ry}" {SKIN}/>'
        f'<circle cx="{x}" cy="{y + ry - 14}" r="8" fill="#e6d8ca" stroke="#a08c7a"/>'
        f'<text x="{x}" y="{y - ry - 38}" fill="{INK}">chest, seen from the feet</text>'
        f'<text x="{x}" y="{y + ry + 16}" fill="#595959">back</text>'
        f'<text x="{x - rx - 4}" y="{y + 5}" fill="#595959" text-anchor="end">right</text>'
    )


def _arrow(lead: str, chosen: bool, dashed: bool, there: bool, description: str) -> str:
    """One arrow with its name, inside a group that says which lead it is; a wide unseen line makes it easy to hit."""
    (x0, y0), (x1, y1) = (FRONT if lead in LIMB_ANGLES else HEART), tip(lead)
    length = math.hypot(x1 - x0, y1 - y0)
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    colour, width = (LEAD_COLOURS[lead], 4) if chosen else ("#a6a6a6", 1.5)
    dash = f' stroke-dasharray="{width * 1.5} {width * 1.2}"' if dashed else ""
    along_across = ((6, 0), (-6, 6), (-6, -6))  # the head's three corners, seen from the tip
    head = " ".join(f"{x1 + a * ux - c * uy:.1f},{y1 + a * uy + c * ux:.1f}" for a, c in along_across)
    line = f'x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"'
    return (
        f'<g data-lead="{lead}" style="{"cursor:pointer" if there else "opacity:0.4"}"><title>{description}</title>'
        f'<line {line} stroke="white" stroke-opacity="0" stroke-width="14"/>'
        f'<line {line} stroke="{colour}" stroke-width="{width}"{dash}/><polygon points="{head}" fill="{colour}"/>'
        f'<text x="{x1 + 20 * ux:.1f}" y="{y1 + 18 * uy + 5:.1f}" fill="{INK if chosen else FAINT}" '
        f'font-weight="{"bold" if chosen else "normal"}">{lead}</text></g>'
    )


def _legend(dashed: tuple[str, ...], basis: tuple[str, ...]) -> str:
    if not dashed:
        return ""
    text = f"dashed: adds nothing new, computable from {' and '.join(basis)}"
    return f'<text x="4" y="{HEIGHT_PX - 6}" text-anchor="start">{text}</text>'
