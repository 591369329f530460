"""Where each lead lies on the paper: the usual prints, as rows of lead names, and what follows from them."""

from collections.abc import Iterable
from dataclasses import dataclass

from selfdana_lite.leads import LEADS

Rows = tuple[tuple[str, ...], ...]  # lead names, row by row

# The usual print: a lead has a quarter of the time, and each column goes on where the one before ended.
ROWS = (("I", "aVR", "V1", "V4"), ("II", "aVL", "V2", "V5"), ("III", "aVF", "V3", "V6"))
RHYTHM_STRIP, ONLY_PRESENT = "3x4 + rhythm strip", "only leads present"
_ROWS_OF = {
    RHYTHM_STRIP: ROWS,  # and one lead for the whole time beneath
    "3x4": ROWS,
    "6x2": tuple(zip(LEADS[:6], LEADS[6:], strict=True)),
    "12x1": tuple((lead,) for lead in LEADS),
}
LAYOUTS = (*_ROWS_OF, ONLY_PRESENT)
ROW_MV = 2.5  # from one row's zero line to the next
TALLEST_MV = 14.4  # of all rows together: what a small laptop shows beneath the controls


@dataclass(frozen=True)
class Cell:
    """A lead's place: its row, and the part of the recording that is drawn there."""

    lead: str
    row: int
    start_s: float
    end_s: float


def rows_of(layout: str, present: Iterable[str]) -> Rows:
    """Lead names, row by row. Raises ValueError for an unknown layout."""
    present = tuple(present)
    if layout == ONLY_PRESENT:
        return tuple((lead,) for lead in LEADS if lead in present) or _ROWS_OF["12x1"]
    if layout not in _ROWS_OF:
        raise ValueError(f"Unknown layout {layout!r}; choose one of {', '.join(LAYOUTS)}.")
    return _ROWS_OF[layout] + (((rhythm_lead(present),),) if layout == RHYTHM_STRIP else ())


def rhythm_lead(present: Iterable[str]) -> str:
    """The lead of the rhythm strip: II, or the first that there is."""
    present = tuple(present)
    return "II" if "II" in present or not present else min(present, key=LEADS.index)


def row_height_mv(rows: Rows) -> float:
    """From one row's zero line to the next: many rows lie closer, and tall waves may then cross."""
    return min(ROW_MV, TALLEST_MV / len(rows))


def is_stack(rows: Rows) -> bool:
    """Every row is a single lead."""
    return all(len(leads) == 1 for leads in rows)


def cells_of(rows: Rows, duration_s: float) -> list[Cell]:
    """Each row shows the whole time, in as many equal parts as it has leads."""
    return [
        Cell(lead, row, column * duration_s / len(leads), (column + 1) * duration_s / len(leads))
        for row, leads in enumerate(rows)
        for column, lead in enumerate(leads)
    ]
