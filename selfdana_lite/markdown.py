"""Tables for a README or a card."""

import pandas as pd


def markdown_table(frame: pd.DataFrame) -> str:
    """The columns of a frame (not its index) as a table in Markdown."""
    rows = [frame.columns, ["---"] * frame.shape[1], *frame.to_numpy()]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)
