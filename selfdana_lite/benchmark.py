"""The main job, measured: what every encoder still knows at six lead sets, beside its controls.

    python -m selfdana_lite.benchmark ARCHIVE RESULTS.csv --seeds 3 --readme README.md

For each model and seed: the untrained encoder, the pre-trained one, and one trained with labels
from scratch; a linear head for each lead set, and one head for any leads. Folds 1 to 8 train, fold
9 is scored. One run is one row group of RESULTS.csv, so an interrupted benchmark goes on where it
stopped. With --readme the tables between the results markers are written anew.
"""

import argparse
import datetime
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from selfdana_lite.augment import RandomLeadMasking, RandomLeadSelection
from selfdana_lite.dataset import EcgDataset
from selfdana_lite.downstream import ANY, evaluate, linear_probe, settle_batch_norm
from selfdana_lite.encoders import build_encoder
from selfdana_lite.fine_tuning import FROM_SCRATCH, FROM_SCRATCH_RATES, fine_tune
from selfdana_lite.leads import LEAD_SETS
from selfdana_lite.long_tables import fill_table, refuse_unfinished
from selfdana_lite.markdown import markdown_table, write_section
from selfdana_lite.pretraining import PretrainConfig, pretrain

# What is pre-trained: the encoder's kind, and how. Each kind has the learning rate that suits it best (tuning.py). Batches of
# 64 and a temperature of 0.2, the loop's own, did best across folds 1 to 8 for all three networks after 40 epochs (tried by
# hand: 64 or 256, 0.1 or 0.2). Before rates were searched, the usual rival did better with LARGE on fold 9: it runs with both.
LARGE = {"batch_size": 256, "temperature": 0.1, "learning_rate": 2e-3}
MODELS = {
    "lead-attention, RLS": ("lead-attention", {"lead_augmentation": RandomLeadSelection()}),
    "dap, RLS": ("dap", {"lead_augmentation": RandomLeadSelection()}),
    "zero-pad, RLM": ("zero-pad", {"lead_augmentation": RandomLeadMasking()}),
    "zero-pad, RLM, batch 256": ("zero-pad", {"lead_augmentation": RandomLeadMasking()} | LARGE),
    "zero-pad, RLS as zeros": ("zero-pad", {"lead_augmentation": RandomLeadSelection()}),
    "zero-pad-lean, RLM": ("zero-pad-lean", {"lead_augmentation": RandomLeadMasking()}),
}
STAGES = ("untrained", "self-supervised", "supervised")


def run(model: str, stage: str, seed: int, train: EcgDataset, test: EcgDataset, epochs: int) -> pd.DataFrame:
    """One model, stage and seed: a row for each head and lead set."""
    kind, options = MODELS.get(model, (model, {}))
    torch.manual_seed(seed)
    encoder = build_encoder(kind)
    start = time.perf_counter()
    if stage == "supervised":
        config = replace(FROM_SCRATCH, seed=seed, learning_rate=FROM_SCRATCH_RATES.get(kind, FROM_SCRATCH.learning_rate))
        any_leads = fine_tune(encoder, train, ANY, config=config)
        refuse_unfinished(any_leads.history, config.epochs)
    elif stage == "self-supervised":
        config = PretrainConfig(epochs=epochs, seed=seed, **options)
        refuse_unfinished(pretrain(encoder, train, config), epochs)
    else:
        settle_batch_norm(encoder, train, seed)
    training_s = time.perf_counter() - start

    if stage != "supervised":
        any_leads = linear_probe(encoder, train, ANY, seed=seed)
    classifiers = [("one for any leads", name, any_leads) for name in LEAD_SETS]
    if stage != "supervised":
        classifiers += [
            ("one a set", name, linear_probe(encoder, train, leads, seed=seed)) for name, leads in LEAD_SETS.items()
        ]
    facts = {
        "model": model,
        "stage": stage,
        "seed": seed,
        "epochs": epochs,
        "recordings": len(train),
        "parameters": sum(parameter.numel() for parameter in encoder.parameters()),
        "training_s": training_s,
    }
    rows = []
    for head, lead_set, clf in classifiers:
        scores = evaluate(clf, test, LEAD_SETS[lead_set])
        low, high = scores.interval
        rows.append(facts | {"head": head, "lead_set": lead_set, "macro_auroc": scores.macro_auroc, "low": low, "high": high})
    return pd.DataFrame(rows)


def wanted_runs(seeds: int) -> list[tuple[str, str, int]]:
    """Each (model, stage, seed), a whole seed first; without pre-training a model is just its kind."""
    kinds = dict.fromkeys(kind for kind, _ in MODELS.values())
    each = [
        *((model, "self-supervised") for model in MODELS),
        *((kind, stage) for stage in ("untrained", "supervised") for kind in kinds),
    ]
    return [(*one, seed) for seed in range(seeds) for one in each]


def gap_to_rivals(results: pd.DataFrame, ours: str = "lead-attention, RLS") -> pd.DataFrame:
    """Rows like those of results, whose macro_auroc is ours less a zero-padded rival's, seed by seed."""
    scores = results.pivot(index=["stage", "seed", "head", "lead_set"], columns="model", values="macro_auroc")
    gaps = [
        (scores[ours] - scores[rival])
        .rename("macro_auroc")
        .dropna()
        .reset_index()
        .assign(model=f"{ours} minus {rival}", rival=rival)
        for rival in scores.columns
        if ours in scores and rival.startswith("zero-pad")
    ]
    return pd.concat(gaps, ignore_index=True) if gaps else results.iloc[:0].assign(rival="")


def verdicts(results: pd.DataFrame) -> list[str]:
    """For each rival and kind of head, where every seed agrees that we are ahead, or behind."""
    texts = []
    for (rival, head), gaps in gap_to_rivals(results).groupby(["rival", "head"]):
        least, most = (gaps.groupby("lead_set")["macro_auroc"].agg(end) for end in ("min", "max"))
        ahead = [name for name in LEAD_SETS if least.get(name, 0) > 0] or ["none"]
        behind = [name for name in LEAD_SETS if most.get(name, 0) < 0] or ["none"]
        texts.append(
            f"Beside {rival}, head {head}: "
            f"ahead with every seed at {', '.join(ahead)}; behind with every seed at {', '.join(behind)}."
        )
    return texts


def tables(results: pd.DataFrame) -> str:
    """Markdown: macro AUROC, mean and standard deviation over seeds, a column a lead set."""
    with_gaps = pd.concat([results, gap_to_rivals(results)])
    spread = with_gaps.groupby(["model", "stage", "head", "lead_set"])["macro_auroc"].agg(["mean", "std"])
    spread["text"] = [
        f"{mean:.3f}" if np.isnan(std) else f"{mean:.3f} ± {std:.3f}"  # one seed has no deviation
        for mean, std in zip(spread["mean"], spread["std"], strict=True)
    ]
    wide = spread["text"].unstack("lead_set")[list(LEAD_SETS)]
    parts = []
    for stage in STAGES[::-1]:
        for head in sorted(results.loc[results["stage"] == stage, "head"].unique()):
            one = wide.xs((stage, head), level=("stage", "head"))
            title = f"**{stage.capitalize()}**, {'' if stage == 'supervised' else 'linear '}head: {head}"
            parts.append("\n".join([title, "", markdown_table(one.rename_axis(columns=None).reset_index())]))
    if compared := verdicts(results):
        parts.append("The lead-attention encoder and its rivals:\n\n" + "\n".join(f"- {text}" for text in compared))
    sizes = results.groupby("model")["parameters"].first()
    parts.append("Parameters: " + "; ".join(f"{model} {size:,}" for model, size in sizes.items() if model in MODELS) + ".")
    return "\n\n".join(parts)


def main(arguments: list[str] | None = None) -> None:
    """The command line above."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("results", type=Path, help="CSV to write, or to go on with")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=60, help="of pre-training")
    parser.add_argument("--readme", type=Path, help="where to write the tables")
    options = parser.parse_args(arguments)

    dataset = EcgDataset.open(options.archive)
    train, test = dataset.where(folds=range(1, 9)), dataset.where(folds=[9])
    try:
        results = fill_table(
            options.results,
            ["model", "stage", "seed"],
            wanted_runs(options.seeds),
            lambda model, stage, seed: run(model, stage, seed, train, test, options.epochs),
            same={"epochs": options.epochs, "recordings": len(train)},
        )
    except ValueError as error:
        parser.error(str(error))
    seeds = results["seed"].nunique()
    text = (
        f"Macro AUROC on fold 9 ({len(test)} recordings), {seeds} seeds, mean ± standard deviation; trained on folds 1 to 8 "
        f"({len(train)} recordings). Made on {datetime.date.today()} by `python -m selfdana_lite.benchmark ARCHIVE RESULTS.csv "
        f"--seeds {seeds} --epochs {options.epochs} --readme README.md`. The deviation is over seeds alone: one score's 95 % "
        f"interval over patients is typically {(results['high'] - results['low']).median():.2f} wide.\n\n{tables(results)}"
    )
    print(text)
    if options.readme:
        write_section(options.readme, "results", text)


if __name__ == "__main__":
    main()
