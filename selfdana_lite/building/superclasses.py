"""Which diagnosis codes make which label: the five superclasses of PTB-XL, from its own statements or from SNOMED CT."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

import pandas as pd

from selfdana_lite.parts import DatasetError

_TOLD = 12  # codes of those that are there, where none is like the one asked for
SUPERCLASSES = ("NORM", "MI", "STTC", "CD", "HYP")
SINUS_RHYTHM = "426783006"

# SNOMED CT codes of the PhysioNet/CinC Challenges 2020 and 2021, sorted by what they mean. The choice is ours. Rhythms,
# ectopic beats, pacing, axis, voltage and Q or R waves alone belong to none of the five, as in PTB-XL.
SNOMED_SUPERCLASSES = {
    "NORM": (SINUS_RHYTHM,),  # only where no other code stands beside it: the Challenges have no code for a normal ECG
    "MI": (
        "164865005",  # myocardial infarction
        "57054005",  # acute
        "164867002",  # old
        "54329005",  # anterior
    ),
    "STTC": (
        "164861001",  # myocardial ischaemia
        "413444003",  # acute
        "413844008",  # chronic
        "426434006",  # anterior
        "425419005",  # inferior
        "425623009",  # lateral
        "428750005",  # nonspecific ST-T abnormality
        "55930002",  # ST changes
        "164930006",  # ST interval abnormal
        "429622005",  # ST depression
        "704997005",  # inferior ST depression
        "164931005",  # ST elevation
        "164934002",  # T wave abnormal
        "59931005",  # T wave inversion
        "370365005",  # left ventricular strain
        "111975006",  # prolonged QT: PTB-XL has LNGQT here too
    ),
    "CD": (
        "233917008",  # AV block
        "270492004",  # first degree
        "164947007",  # prolonged PR
        "195042002",  # second degree
        "54016002",  # Mobitz I
        "426183003",  # Mobitz II
        "27885002",  # complete
        "204384007",  # congenital incomplete
        "6374002",  # bundle branch block
        "164909002",  # left
        "733534002",  # left, complete
        "251120003",  # left, incomplete
        "59118001",  # right
        "713427006",  # right, complete
        "713426002",  # right, incomplete
        "445118002",  # left anterior fascicular block
        "445211001",  # left posterior fascicular block
        "698252002",  # nonspecific intraventricular conduction disorder
        "82226007",  # diffuse intraventricular block
        "74390002",  # Wolff-Parkinson-White: PTB-XL has WPW here too
        "195060002",  # ventricular pre-excitation
    ),
    "HYP": (
        "266249003",  # ventricular hypertrophy
        "164873001",  # left
        "89792004",  # right
        "195126007",  # atrial hypertrophy
        "446813000",  # left
        "446358003",  # right
        "67741000119109",  # left atrial enlargement
        "253352002",  # left atrial abnormality
        "253339007",  # right atrial abnormality
    ),
}


def chosen_labels(codes: Sequence[Iterable[str]], codes_of: Mapping[str, Iterable[str]]) -> pd.DataFrame:
    """label_columns of a person's own choice: DatasetError where a label has none of its codes anywhere, as mistyped ones."""
    found = sorted({code for some in codes for code in some})
    for name, wanted in codes_of.items():
        wanted = [str(code) for code in wanted]
        if set(wanted).isdisjoint(found):
            alike = [code for one in wanted for code in get_close_matches(one, found)]
            there = f"similar ones are {', '.join(alike)}" if alike else f"found are {', '.join(found[:_TOLD]) or 'none'}"
            there += ", ..." if not alike and len(found) > _TOLD else ""
            raise DatasetError(f"No recording has the code {' or '.join(wanted)} ({name}); {there}. Mend the code.")
    return label_columns(codes, codes_of)


def label_columns(codes: Sequence[Iterable[str]], codes_of: Mapping[str, Iterable[str]]) -> pd.DataFrame:
    """One 0/1 column for each name of codes_of, one row for each recording: 1 where it has any of the name's codes."""
    wanted = {name: frozenset(map(str, some)) for name, some in codes_of.items()}
    return pd.DataFrame({name: [int(not some.isdisjoint(found)) for found in codes] for name, some in wanted.items()})


def snomed_superclasses(codes: Sequence[Iterable[str]]) -> pd.DataFrame:
    """The five superclasses from SNOMED CT codes; NORM where sinus rhythm is all that was found."""
    labels = label_columns(codes, SNOMED_SUPERCLASSES)
    labels["NORM"] = [int(set(found) == {SINUS_RHYTHM}) for found in codes]
    return labels


def scp_superclasses(statements: pd.DataFrame) -> dict[str, list[str]]:
    """The codes of each superclass, from PTB-XL's scp_statements.csv (indexed by code).

    Every diagnostic statement counts, whatever its likelihood: Wagner et al. 2020, and the rule that gives back the labels
    of an archive made of PTB-XL in every one of its recordings, where thresholds of 1, 50 and 100 do so in 99.4, 92 and 71 %.
    """
    diagnostic = statements[statements["diagnostic"] == 1]
    return {name: diagnostic.index[diagnostic["diagnostic_class"] == name].tolist() for name in SUPERCLASSES}
