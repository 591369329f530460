"""Tables of measurements that take long: each row is saved as soon as it is made, and a run that was stopped goes on."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path

import pandas as pd


def fill_table(
    path: Path,
    columns: Iterable[str],
    wanted: Iterable[tuple[Hashable, ...]],
    measure: Callable[..., pd.DataFrame],
    same: Mapping[str, Hashable],
) -> pd.DataFrame:
    """The table at path, after measure(*values) has added its rows for each wanted tuple of values that it lacks.

    columns: which ones hold the values. same: columns that have one value throughout, for rows made otherwise do not compare;
        ValueError where those in the file have another.
    """
    table, columns = pd.read_csv(path) if path.exists() else pd.DataFrame(), list(columns)
    for name, value in same.items() if len(table) else ():
        if set(table[name]) != {value}:
            found = ", ".join(map(str, table[name].unique()))
            raise ValueError(f"{path} was made with {name} {found}, not {value}; name another file for these.")
    done = set(table[columns].itertuples(index=False, name=None)) if len(table) else set()
    for values in wanted:
        if values not in done:
            print(", ".join(map(str, values)), flush=True)
            table = pd.concat([table, measure(*values)], ignore_index=True)
            unfinished = path.with_name(f".{path.name}.unfinished")
            table.to_csv(unfinished, index=False)
            unfinished.replace(path)  # so that a kill while writing loses nothing
    return table


def refuse_unfinished(history: pd.DataFrame, epochs: int) -> None:
    """Training ends politely when stopped by hand; but a half-trained model is not a result."""
    if len(history) < epochs:
        raise KeyboardInterrupt(f"Stopped after {len(history)} of {epochs} epochs; this run is not in the results.")
