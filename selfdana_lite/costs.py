"""The costs of training as tables for a README.

python -m selfdana_lite.costs ARCHIVE --folds 1 2 3 4 5 6 7 8 --results costs.csv
"""

import argparse
from pathlib import Path

import pandas as pd

from selfdana_lite.dataset import EcgDataset
from selfdana_lite.encoders import PER_LEAD_KINDS, EncoderConfig
from selfdana_lite.markdown import markdown_table
from selfdana_lite.resources import PHASES, measure_resources

TITLES = {
    "peak_cpu_mb": "Peak CPU memory of training, MB",
    "peak_gpu_mb": "Peak GPU memory of training, MB",
    "epoch_cpu_s": "CPU time of an epoch, seconds of all threads",
    "epoch_gpu_s": "GPU time of an epoch, seconds",
    "epoch_wall_s": "An epoch on the clock, seconds",
}


def markdown(table: pd.DataFrame) -> str:
    """One table a cost, a row a model and a column a lead set; in brackets, largest less smallest of the repeats."""
    return "\n\n".join(f"**{title}**{_one_cost(table, cost)}" for cost, title in TITLES.items())


def _one_cost(table: pd.DataFrame, cost: str) -> str:
    if table[cost].isna().all():
        return ": not measured, for want of a GPU."
    cells = [f"{value:.3g} ({spread:.2g})" for value, spread in zip(table[cost], table[f"{cost}_spread"], strict=True)]
    wide = table.assign(cell=cells).pivot(index="model", columns="lead_set", values="cell")
    wide = wide.loc[table["model"].unique(), table["lead_set"].unique()]  # in the order measured
    return "\n\n" + markdown_table(wide.rename_axis(columns=None).reset_index())


def main(arguments: list[str] | None = None) -> None:
    """Measure what an epoch costs with each number of leads, and print the tables as markdown."""
    parser = argparse.ArgumentParser(prog="python -m selfdana_lite.costs", description=main.__doc__)
    parser.add_argument("archive", type=Path, help="a dataset folder, or an .npz archive")
    parser.add_argument("--folds", type=int, nargs="+", help="these folds alone")
    parser.add_argument("--encoder", choices=PER_LEAD_KINDS, default=EncoderConfig.kind)
    parser.add_argument("--phase", choices=PHASES, default=PHASES[0])
    parser.add_argument("--results", type=Path, help="a CSV to write all columns to; must not exist yet")
    options = parser.parse_args(arguments)

    if options.results and options.results.exists():
        parser.error(f"{options.results} exists already; choose another place, or move it away first.")
    dataset = EcgDataset.open(options.archive)
    dataset = dataset.where(folds=options.folds) if options.folds else dataset
    table = measure_resources(dataset, options.encoder, options.phase)
    if options.results:
        table.to_csv(options.results, index=False)
    print(markdown(table))


if __name__ == "__main__":
    main()
