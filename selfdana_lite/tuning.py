"""Which learning rate suits each kind of encoder in pre-training? The same search for ours and for its rivals.

    python -m selfdana_lite.tuning ARCHIVE RESULTS.csv --readme README.md

Every kind is given the rates of GRID; where the best of them is at an end, doubled or halved ones, until the best has a worse
one on either side. Scored as the designs are (design_search.py): by linear probes across folds 1 to 8, so that fold 9 chooses
nothing. The best is what `pretrain` takes unless told otherwise. A run that was stopped goes on where it was.
"""

from functools import partial
from pathlib import Path

import pandas as pd
import torch

from selfdana_lite.dataset import EcgDataset
from selfdana_lite.design_search import pretrained_scores, search_command
from selfdana_lite.encoders import build_encoder
from selfdana_lite.leads import LEAD_SETS
from selfdana_lite.long_tables import fill_table
from selfdana_lite.markdown import markdown_table
from selfdana_lite.pretraining import LEARNING_RATES, PretrainConfig

GRID = (1e-3, 2e-3, 4e-3, 8e-3, 16e-3)
TRIED = Path(__file__).with_name("tuning.csv")  # the results that LEARNING_RATES are taken from


def run(kind: str, learning_rate: float, dataset: EcgDataset, epochs: int, seed: int = 0) -> pd.DataFrame:
    """One kind and rate: a row with its score at each lead set."""
    torch.manual_seed(seed)
    config = PretrainConfig(epochs=epochs, learning_rate=learning_rate, seed=seed)
    scores = pretrained_scores(build_encoder(kind), dataset, config)
    return pd.DataFrame([{"kind": kind, "learning_rate": learning_rate, "epochs": epochs} | scores])


def next_rate(tried: dict[float, float]) -> float | None:
    """The rate to try after those of GRID, given the scores of all tried; None where the best has neighbours on both sides."""
    best = max(tried, key=tried.get)
    return next((rate for rate in (2 * best, best / 2) if rate not in tried), None)


def search(path: Path, dataset: EcgDataset, epochs: int) -> pd.DataFrame:
    """The table of all that was tried, made or gone on with at path."""
    measure = partial(run, dataset=dataset, epochs=epochs)
    fill = partial(fill_table, path, ["kind", "learning_rate"], measure=measure, same={"epochs": epochs})
    results = fill([(kind, rate) for kind in LEARNING_RATES for rate in GRID])
    for kind in LEARNING_RATES:
        while rate := next_rate(_mean_scores(results)[kind].to_dict()):
            results = fill([(kind, rate)])
    return results


def _mean_scores(results: pd.DataFrame) -> pd.Series:
    """The mean over the lead sets, by kind and rate."""
    return results.set_index(["kind", "learning_rate"])[list(LEAD_SETS)].mean(axis=1)


def best_rates(results: pd.DataFrame) -> dict[str, float]:
    """The rate of each kind whose scores have the highest mean over the lead sets."""
    return dict(_mean_scores(results).groupby("kind").idxmax().tolist())


def table(results: pd.DataFrame) -> str:
    """In Markdown, a row a kind, a column a rate: the mean score over the lead sets, the best in bold type."""
    mean, best = _mean_scores(results), list(best_rates(results).items())
    text = mean.map("{:.3f}".format)
    text[best] = "**" + text[best] + "**"
    wide = text.unstack().loc[list(dict.fromkeys(results["kind"]))].fillna("")
    return markdown_table(wide.rename_axis(columns=None).reset_index())


def describe(results: pd.DataFrame, dataset: EcgDataset, epochs: int) -> str:
    """What was searched, and the table."""
    return (
        f"Highest learning rate of {epochs} epochs of pre-training on {len(dataset)} recordings; macro AUROC of linear probes "
        f"across folds 1 to 8, mean over six lead sets, one seed.\n\n{table(results)}"
    )


def main(arguments: list[str] | None = None) -> None:
    """The command line above."""
    search_command("tuning", __doc__, "tuning", search, describe, arguments)


if __name__ == "__main__":
    main()
