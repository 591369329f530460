"""The table that grows by a column in each lesson, and is still there after a restart."""

import os
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

import selfdana_lite as sd

MY_RESULTS = "my_results.csv"  # in the folder where the lesson runs; delete it to begin anew
KEY = ["lesson", "column", "data"]


def add_column(lesson: str, column: str, values: Mapping[str, float], data: str = "") -> pd.DataFrame:
    """Keep one number for each lead set under a lesson's column, and return the table of all lessons so far.

    lesson: its two digits. values: a number for names of LEAD_SETS, all or some. data: as in the lesson's DATA; numbers
    from different recordings never share a column. The lesson run again replaces its column.
    """
    if unknown := sorted(set(values) - set(sd.LEAD_SETS)):
        raise ValueError(f"Unknown lead sets {', '.join(unknown)}; the rows of the table are {', '.join(sd.LEAD_SETS)}.")
    added = pd.DataFrame({"lead_set": list(values), "value": list(values.values())})
    added = added.assign(lesson=lesson, column=column, data=Path(data).name or "samples")
    if os.path.exists(MY_RESULTS):
        before = pd.read_csv(MY_RESULTS, dtype={"lesson": str, "column": str, "data": str, "lead_set": str})
        same = (before[KEY] == added.loc[0, KEY]).all(axis=1)
        added = pd.concat([before[~same], added], ignore_index=True)
    part = Path(f"{MY_RESULTS}.part")
    added.to_csv(part, index=False)
    part.replace(MY_RESULTS)  # whole or not at all
    return wide(added)


def wide(results: pd.DataFrame) -> pd.DataFrame:
    """One row a lead set, one column a lesson's number, in the order of the lessons."""
    table = results.pivot(index="lead_set", columns=KEY, values="value")
    table = table.reindex(sd.LEAD_SETS).sort_index(axis=1, level="lesson", sort_remaining=False)
    return table.rename_axis(columns=["lesson", "", "data"]).round(3)
