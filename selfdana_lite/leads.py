"""Names, aliases, sets and algebra of the twelve ECG leads."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import numpy as np

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")

# The subsets of the PhysioNet/CinC Challenge 2021; "1-lead" (a watch) is this kit's addition.
LEAD_SETS = {
    "12-lead": LEADS,
    "6-lead": ("I", "II", "III", "aVR", "aVL", "aVF"),
    "4-lead": ("I", "II", "III", "V2"),
    "3-lead": ("I", "II", "V2"),
    "2-lead": ("I", "II"),
    "1-lead": ("I",),
}

# Spellings met in public archives, after lower-casing. MLII and its kin are the modified
# limb leads of the MIT-BIH databases; DI, DII and DIII are usual in Latin America.
_ALIASES = {name.lower(): name for name in LEADS}
_ALIASES |= {"mli": "I", "mlii": "II", "mliii": "III", "di": "I", "dii": "II", "diii": "III"}
_NOISE_WORDS = {"ecg", "ekg", "lead", "mdc", "abl", "ableitung"}  # "MDC_ECG_LEAD_V1" is HL7's and DICOM's, "Abl. I" German
_IEC_CHEST = {f"c{number}": f"V{number}" for number in range(1, 7)}  # IEC 60601 writes C where the AHA writes V

# III = II - I, aVR = -(I + II) / 2, aVL = I - II / 2, aVF = II - I / 2: every limb lead
# is a weighted sum of I and II (Einthoven 1912, Goldberger 1942).
LIMB_FROM_I_II = np.array([[1, 0], [0, 1], [-1, 1], [-0.5, -0.5], [1, -0.5], [-0.5, 1]], dtype=np.float32)


class LeadError(ValueError):
    """A lead is unknown, repeated or missing; the message says what was found and what to do."""


@lru_cache(maxsize=1024)  # a corpus has few spellings and asks for each a million times
def canonical_lead(name: str) -> str | None:
    """The canonical name for one spelling ("avr", "MLII", "ECG V1", "lead_ii"), or None if unknown.

    "-aVR" is the inverted lead of Cabrera's order and "I-II" a difference: neither is a lead of ours.
    """
    spelling = unicodedata.normalize("NFKC", str(name)).strip().lower()
    words = _telling_words(spelling)
    if re.search(r"(?:^|[\s_.:])-", spelling) or sum(word in _ALIASES for word in words) > 1:
        return None
    return _ALIASES.get("".join(words))


def canonical_leads(spellings: Sequence[str]) -> list[str | None]:
    """canonical_lead of each of a file's names; C1 to C6 are V1 to V6 where the names together say that they are.

    They do where all six are there beside a limb lead, and none of V1 to V6 is. A lone C3 or C4 is an electrode of the
    electroencephalogram, and caps of many electrodes have all six, but no limb lead.
    """
    known = [canonical_lead(name) for name in spellings]
    plain = ["".join(_telling_words(str(name).lower())) for name in spellings]
    if set(_IEC_CHEST) <= set(plain) and not set(LEADS[6:]) & set(known) and set(LEADS[:6]) & set(known):
        return [_IEC_CHEST.get(name, lead) for name, lead in zip(plain, known, strict=True)]
    return known


def _telling_words(spelling: str) -> list[str]:
    """The words of a name in lower case, without those that every lead's name may have."""
    return [word for word in re.split(r"[\s_.:-]+", spelling) if word not in _NOISE_WORDS]


def parse_leads(leads: str | Iterable[str]) -> tuple[str, ...]:
    """Canonical lead names from text or a sequence of names, in the order given.

    Text is split at commas, semicolons and spaces; the name of a lead set ("3-lead")
    stands for its leads. Raises LeadError for an unknown or repeated lead, or none at all.
    """
    if isinstance(leads, str):
        spellings = [word for word in split_names(leads) if word.lower().rstrip(".") not in _NOISE_WORDS]
    else:
        spellings = [str(name) for name in leads]
    names = tuple(canonical_lead(spelling) for spelling in spellings)
    unknown = [spelling for spelling, name in zip(spellings, names, strict=True) if name is None]
    if unknown:
        raise LeadError(f"Unknown lead {', '.join(map(repr, unknown))}; known leads are {', '.join(LEADS)}.")
    repeated = sorted({name for name in names if names.count(name) > 1}, key=LEADS.index)
    if repeated:
        raise LeadError(f"Lead {', '.join(repeated)} is named more than once in {leads!r}; name each lead once.")
    if not names:
        raise LeadError(f"No lead found in {leads!r}; name at least one of {', '.join(LEADS)}.")
    return names


def split_names(text: str, is_name: Callable[[str], object] = lambda part: False) -> list[str]:
    """Names from text: those of a lead set, or what commas, semicolons and spaces part.

    is_name: says of what lies between commas whether it is one name in spite of its spaces ("Resp rate").
    """
    if text.strip().lower() in LEAD_SETS:
        return list(LEAD_SETS[text.strip().lower()])
    parts = [part.strip() for part in re.split(r"[,;]", text)]
    return [name for part in parts if part for name in ([part] if is_name(part) else part.split())]


def lead_ids(leads: str | Iterable[str]) -> list[int]:
    """Positions of the leads in LEADS: 0 for I to 11 for V6."""
    return [LEADS.index(name) for name in parse_leads(leads)]


def derive_limb_leads(i_mv: np.ndarray, ii_mv: np.ndarray) -> np.ndarray:
    """All six limb leads [..., 6, samples] in LEADS order, from leads I and II [..., samples]."""
    return np.einsum("ls,...st->...lt", LIMB_FROM_I_II, np.stack([i_mv, ii_mv], axis=-2))


def limb_lead_residual(signals_mv: np.ndarray, leads: Sequence[str]) -> np.ndarray:
    """How far the limb leads break Einthoven's and Goldberger's laws, in mV, one number a recording.

    signals_mv [..., leads, samples] must hold I, II and at least one more limb lead. The
    result [...] is the largest absolute difference between a recorded limb lead and the
    one derived from I and II: a few microvolt of rounding in a sound recording, a large
    part of the QRS amplitude where electrodes were swapped or leads mislabelled.
    """
    names = parse_leads(leads)
    others = [name for name in LEAD_SETS["6-lead"][2:] if name in names]
    if not {"I", "II"} <= set(names) or not others:
        raise LeadError(f"Checking the limb leads needs I, II and one more of III, aVR, aVL, aVF; found {', '.join(names)}.")
    if np.ndim(signals_mv) < 2 or signals_mv.shape[-2] != len(names):
        raise LeadError(
            f"{len(names)} leads are named for signals {np.shape(signals_mv)}; expected [..., {len(names)}, samples]."
        )
    limb = derive_limb_leads(signals_mv[..., names.index("I"), :], signals_mv[..., names.index("II"), :])
    recorded = signals_mv[..., [names.index(name) for name in others], :]
    derived = limb[..., [LEADS.index(name) for name in others], :]
    return np.abs(recorded - derived).max(axis=(-2, -1))
