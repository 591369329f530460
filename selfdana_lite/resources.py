"""The four costs of an epoch of training, memory and time on CPU and GPU, for each number of leads and each rival.

Every row is measured in a fresh process (meter.py), so that no row inherits another's memory.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
import torch
from tqdm.auto import tqdm

from selfdana_lite.dataset import EcgDataset, write_dataset
from selfdana_lite.encoders import PER_LEAD_KINDS
from selfdana_lite.leads import LEAD_SETS, LEADS, LeadError
from selfdana_lite.loop import TrainConfig
from selfdana_lite.meter import COSTS

PHASES = ("fine-tune", "pretrain")
BASELINES = ("mix+zero-pad", "mix+sliced", "per-lead+zero-pad", "lean-mix+zero-pad")
_CHILD = "from selfdana_lite.meter import answer; answer()"


class MeasurementError(RuntimeError):
    """A measuring process ended before it could answer; the message says which, and its last words."""


def measure_resources(
    dataset: EcgDataset,
    encoder: str = "lead-attention",
    phase: str = "fine-tune",
    *,
    lead_sets: Iterable[str] = tuple(LEAD_SETS),
    precision: str = "float32",
    device: str | None = None,
    repeats: int = 5,
    progress: bool = True,
) -> pd.DataFrame:
    """What one epoch over the dataset costs: a row for each lead set, for four baselines and for the encoder.

    mix+zero-pad: the first convolution mixes twelve leads, and absent ones are zeros. mix+sliced: the same function,
    without the zeros. per-lead+zero-pad: the encoder itself, fed twelve leads. lean-mix+zero-pad: a mixing network as
    narrow as the encoder, so that nobody takes for the pooling's merit what a smaller network saves. Last, the encoder
    fed what is there.

    encoder: one of PER_LEAD_KINDS. phase: plain steps of supervised training, or of contrasting two halves (NT-Xent).
    device: "cpu" or "cuda"; the GPU where there is one if None. repeats: the parts of the epoch, each scaled to a whole.

    Columns: model, lead_set, n_leads, parameters;
    bytes_read, of the dataset for one recording: any model can read only the leads that are there;
    input_bytes, of one recording's tensor at the first convolution: here the zeros come in;
    tensor_mb, kept for the backward pass of a batch, and gflop_per_recording: neither depends on the machine;
    peak_cpu_mb: growth of the resident set, the allocator's hoards included (and a dataset of under 16 MiB, which is mapped);
    peak_gpu_mb: most memory allocated; epoch_cpu_s: of all threads; epoch_gpu_s: between events, waiting included;
    epoch_wall_s. GPU columns are NaN without a GPU. A *_spread is the largest less the smallest of the repeats.
    cpu_mb_vs_mix_zero_pad and its kin: this row's cost over the baseline's, with the same leads.

    Raises ValueError for an unknown name or no repeats, LeadError where the dataset lacks leads, and MeasurementError
    where a row fails.
    """
    lead_sets = tuple(lead_sets)
    refuse_unknown_job(encoder, phase, lead_sets, dataset.leads)
    if repeats < 1:
        raise ValueError(f"repeats is {repeats}; an epoch is measured in at least 1 part.")
    common = {"phase": phase, "device": device or ("cuda" if torch.cuda.is_available() else "cpu"), "repeats": repeats}
    common |= {"precision": TrainConfig(precision=precision).precision}
    rows = [
        {"model": model, "kind": kind, "lead_set": name} for model, kind in models_of(encoder).items() for name in lead_sets
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dataset"  # a memory map: what other processes open without unpacking it into their memory
        facts = {name: getattr(dataset, name) for name in ("leads", "sampling_rate_hz", "label_names", "source")}
        write_dataset(path, dataset.signals, dataset.table, **facts, licence="")
        bar = tqdm(rows, unit=" rows", disable=not progress)
        table = pd.DataFrame([_in_fresh_process(row | common | {"dataset": str(path)}) for row in bar])
    return add_ratios(table)


def models_of(encoder: str) -> dict[str, str]:
    """The models of a table and the kind of encoder that each is built of: the baselines, then the encoder."""
    kinds = ("zero-pad", "zero-pad-sliced", encoder, "zero-pad-lean")
    return dict(zip(BASELINES, kinds, strict=True)) | {encoder: encoder}


def refuse_unknown_job(encoder: str, phase: str, lead_sets: Sequence[str], leads: Sequence[str]) -> None:
    """ValueError for an unknown name, LeadError where not all twelve leads are there."""
    _refuse_unknown("encoder", [encoder], PER_LEAD_KINDS)
    _refuse_unknown("phase", [phase], PHASES)
    _refuse_unknown("lead set", lead_sets, tuple(LEAD_SETS))
    if missing := [name for name in LEADS if name not in leads]:
        raise LeadError(f"Costs are measured from 12 leads down; this dataset lacks {', '.join(missing)}.")


def _refuse_unknown(what: str, names: Sequence[str], known: Sequence[str]) -> None:
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"Unknown {what} {', '.join(map(repr, unknown))}; choose of {', '.join(known)}.")


def add_ratios(table: pd.DataFrame) -> pd.DataFrame:
    """The table with each cost divided by every baseline's at the same lead set."""
    for baseline in BASELINES:
        base = table[table["model"] == baseline].set_index("lead_set")
        for cost in COSTS:
            ratio = f"{cost.split('_', 1)[1]}_vs_{baseline}".replace("+", "_").replace("-", "_")
            table[ratio] = table[cost] / table["lead_set"].map(base[cost])
    return table


def _in_fresh_process(job: dict) -> dict:
    done = subprocess.run([sys.executable, "-c", _CHILD], input=json.dumps(job), capture_output=True, text=True, check=False)
    if done.returncode:
        last_words = (done.stderr.strip().splitlines() or ["it left no message; was memory short?"])[-1]
        raise MeasurementError(
            f"Measuring {job['model']} with {job['lead_set']} failed, exit status {done.returncode}: {last_words}"
        )
    return json.loads(done.stdout)
