"""Tables for a README or a card, and the place in a README that a script writes."""

from pathlib import Path

import pandas as pd


def markdown_table(frame: pd.DataFrame) -> str:
    """The columns of a frame (not its index) as a table in Markdown."""
    rows = [frame.columns, ["---"] * frame.shape[1], *frame.to_numpy()]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def write_section(readme: Path, section: str, text: str) -> None:
    """Put the text between the markers <!-- section:begin --> and <!-- section:end -->, leaving the rest as it is.

    Raises ValueError where the markers are missing.
    """
    begin, end = f"<!-- {section}:begin -->", f"<!-- {section}:end -->"
    before, has_begin, rest = readme.read_text().partition(begin)
    _, has_end, after = rest.partition(end)
    if not has_begin or not has_end:
        raise ValueError(f"{readme} lacks the markers {begin} and {end}; put them where this belongs.")
    readme.write_text(f"{before}{begin}\n{text}\n{end}{after}")
