"""The costs of training, measured in one run: tables, a summary in words and a picture for a README.

python -m selfdana_lite.costs ARCHIVE --folds 1 2 3 4 5 6 7 8 --results costs.csv --readme README.md --picture costs.svg
"""

import argparse
import datetime
from pathlib import Path

import pandas as pd

from selfdana_lite.dataset import EcgDataset
from selfdana_lite.encoders import PER_LEAD_KINDS, EncoderConfig
from selfdana_lite.markdown import markdown_table, write_section
from selfdana_lite.resources import BASELINES, PHASES, measure_resources

TITLES = {
    "peak_cpu_mb": "Peak CPU memory of training, MB",
    "peak_gpu_mb": "Peak GPU memory of training, MB",
    "epoch_cpu_s": "CPU time of an epoch, seconds of all threads",
    "epoch_gpu_s": "GPU time of an epoch, seconds",
    "epoch_wall_s": "An epoch on the clock, seconds",
}
# What the paper's abstract claims, less than its baseline by (Monachino et al. 2025).
PAPER = {
    "peak_cpu_mb": "up to 69.3 %",
    "peak_gpu_mb": "up to 34.4 %",
    "epoch_cpu_s": "about 17 % on average",
    "epoch_gpu_s": "about 24 % on average",
}
COLOURS = ("#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")  # Okabe and Ito's, the encoder's last
MARKERS = ("o", "s", "D", "x", "^")
SECTIONS = {"fine-tune": "costs", "pretrain": "pretraining-costs"}  # of a README, by phase


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


def savings(table: pd.DataFrame) -> str:
    """A table in Markdown: what the encoder's cost is less than each baseline's, beside the paper's claim; + is more."""
    (ours,) = set(table["model"]) - set(BASELINES)
    rows = []
    for cost in [cost for cost in PAPER if table[cost].notna().any()]:
        wide = table.pivot(index="lead_set", columns="model", values=cost)
        for baseline in BASELINES:
            ratio = wide[ours] / wide[baseline]
            less = {
                "at 1 lead": ratio["1-lead"],
                "mean of five sets": ratio.drop("12-lead").mean(),
                "at 12 leads": ratio["12-lead"],
            }
            row = {"cost": TITLES[cost].split(",")[0], "beside": baseline} | {k: f"{r - 1:+.0%}" for k, r in less.items()}
            rows.append(row | {"the paper, beside its own baseline": PAPER[cost].join(["", " less"])})
    return markdown_table(pd.DataFrame(rows))


def draw(table: pd.DataFrame, path: Path) -> None:
    """Peak memory and CPU time over the number of leads, a line a model, as a picture in a file."""
    from matplotlib.figure import Figure  # here, because explore/ imports this file and draws with plotly

    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, cost in zip(figure.subplots(1, 2), ("peak_cpu_mb", "epoch_cpu_s"), strict=True):
        for (model, rows), colour, marker in zip(table.groupby("model", sort=False), COLOURS, MARKERS, strict=True):
            axes.plot(rows["n_leads"], rows[cost], color=colour, marker=marker, label=model)
        axes.set(title=TITLES[cost].split(",")[0], xlabel="leads", ylim=(0, None), xticks=sorted(set(table["n_leads"])))
        axes.set_ylabel(TITLES[cost].rsplit(", ", 1)[1])
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def main(arguments: list[str] | None = None) -> None:
    """Measure what an epoch costs with each number of leads, and print the tables as markdown."""
    parser = argparse.ArgumentParser(prog="python -m selfdana_lite.costs", description=main.__doc__)
    parser.add_argument("archive", type=Path, help="a dataset folder, or an .npz archive")
    parser.add_argument("--folds", type=int, nargs="+", help="these folds alone")
    parser.add_argument("--encoder", choices=PER_LEAD_KINDS, default=EncoderConfig.kind)
    parser.add_argument("--phase", choices=PHASES, default=PHASES[0])
    parser.add_argument("--results", type=Path, help="a CSV to write all columns to; must not exist yet")
    parser.add_argument("--readme", type=Path, help="where to write the tables, between the markers of the phase")
    parser.add_argument("--picture", type=Path, help="an .svg or .png to draw memory and time into")
    options = parser.parse_args(arguments)

    if options.results and options.results.exists():
        parser.error(f"{options.results} exists already; choose another place, or move it away first.")
    dataset = EcgDataset.open(options.archive)
    dataset = dataset.where(folds=options.folds) if options.folds else dataset
    table = measure_resources(dataset, options.encoder, options.phase)
    if options.results:
        table.to_csv(options.results, index=False)
    chosen = " ".join(["", "--folds", *map(str, options.folds)]) if options.folds else ""
    chosen += f" --phase {options.phase}" if options.phase != PHASES[0] else ""
    text = (
        f"Training ({options.phase}) on {len(dataset)} recordings in batches of 64 and float32, each row in a fresh process; "
        f"measured on {datetime.date.today()} by `python -m selfdana_lite.costs ARCHIVE{chosen}`.\n\n"
        f"{savings(table)}\n\n{markdown(table)}"
    )
    print(text)
    if options.picture:
        draw(table, options.picture)
    if options.readme:
        write_section(options.readme, SECTIONS[options.phase], text)


if __name__ == "__main__":
    main()
