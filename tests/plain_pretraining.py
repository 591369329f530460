"""Pre-training as it is usually written, to measure `pretrain` against: the same encoder, loss and optimiser, but the encoder
in one-dimensional layers, views made one recording at a time in NumPy, batches by a DataLoader, absent leads as zeros, float32.

The kit's side is `pretrain` as it comes: it computes the leads it drew only (6.5 of 12 on average), in bfloat16 where the
processor has it. The ratio is that of the whole, and says nothing of any one part.

python tests/plain_pretraining.py [DATASET] [--recordings 512] [--repeats 3] [--workers 0]

Both in turns, an epoch each; prints recordings per second of wall time and of CPU time, and the ratios of the medians. CPU
seconds count all threads and workers, and are those to trust on a machine that does other things, too.
"""

import argparse
import os
import time
import warnings

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import selfdana_lite as sd
from selfdana_lite.encoders import Encoder
from selfdana_lite.objectives import NTXent, TwoViews
from selfdana_lite.pretraining import suited_learning_rate


class PlainViews(Dataset):
    """Item i: the two halves of recording i, float32 millivolt [12, T / 2] each, with some leads set to zero."""

    def __init__(self, signals_uv: np.ndarray, seed: int = 0):
        self.signals_uv, self.rng = signals_uv, np.random.default_rng(seed)

    def __len__(self) -> int:
        return len(self.signals_uv)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        signal_mv = self.signals_uv[row].astype(np.float32) / 1000
        return tuple(self.view(half) for half in np.split(signal_mv, 2, axis=1))

    def view(self, half_mv: np.ndarray) -> Tensor:
        kept = self.rng.permutation(12)[: self.rng.integers(1, 13)]
        view_mv = np.zeros_like(half_mv)
        view_mv[kept] = half_mv[kept]
        return torch.from_numpy(view_mv)


class PlainEncoder(nn.Module):
    """The default encoder for twelve leads: signals [B, 12, T] -> embedding [B, 192], in layers for maps [rows, C, T]."""

    embedding_size = 192

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv1d(1, 16, 17, 4, 8), nn.ReLU(), nn.Conv1d(16, 48, 9, 4, 4, bias=False), nn.BatchNorm1d(48)
        )
        self.scale_shift, self.liking = nn.Embedding(12, 96), nn.Embedding(12, 1)
        self.score = nn.Linear(48, 1)
        self.trunk = nn.Sequential(nn.Conv1d(48, 96, 3, 2, 1, bias=False), nn.BatchNorm1d(96), nn.ReLU())

    def forward(self, signals_mv: Tensor, leads: Tensor) -> Tensor:
        batch, n_leads, samples = signals_mv.shape
        maps = self.stem(signals_mv.reshape(batch * n_leads, 1, samples))  # [B * 12, 48, T / 16]
        maps = maps.reshape(batch, n_leads, *maps.shape[1:])  # [B, 12, 48, T / 16]
        scale, shift = self.scale_shift(leads)[..., None].chunk(2, dim=1)  # [12, 48, 1] each
        maps = torch.relu(maps * (1 + scale) + shift)
        scores = self.score(maps.transpose(2, 3)) + self.liking(leads)[:, None]  # [B, 12, T / 16, 1]
        frames = (scores.softmax(dim=1).transpose(2, 3) * maps).sum(dim=1)  # [B, 48, T / 16]
        frames = self.trunk(frames)  # [B, 96, T / 32]
        return torch.cat([frames.mean(dim=2), frames.amax(dim=2)], dim=1)

    def take_weights(self, encoder: Encoder) -> None:
        """Those of the kit's encoder, whose convolutions have a kernel one row high."""
        names = {"join_leads.stem.": "stem.", "join_leads.names.": "", "join_leads.pooling.": "", "trunk.": "trunk."}
        plain = {}
        for name, value in encoder.state_dict().items():
            (prefix,) = (prefix for prefix in names if name.startswith(prefix))
            plain[names[prefix] + name.removeprefix(prefix)] = value.squeeze(2) if value.ndim == 4 else value
        self.load_state_dict(plain)


def plain_epoch(dataset: sd.EcgDataset, workers: int = 0) -> float:
    """Train a fresh encoder for an epoch; the mean loss."""
    torch.manual_seed(0)
    config = sd.PretrainConfig(learning_rate=suited_learning_rate(sd.EncoderConfig()))
    model = TwoViews(PlainEncoder(), NTXent(config.temperature))
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    every_lead, losses = torch.arange(12), []
    for first, second in DataLoader(PlainViews(dataset.signals), config.batch_size, shuffle=True, num_workers=workers):
        loss = model((first, every_lead), (second, every_lead))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return float(np.mean(losses))


def our_epoch(dataset: sd.EcgDataset) -> float:
    """The same with the kit."""
    torch.manual_seed(0)
    return sd.pretrain(sd.build_encoder(), dataset, sd.PretrainConfig(epochs=1), progress=False)["loss"].item()


def seconds_of(epoch, *arguments) -> dict[str, float]:
    """Wall and CPU seconds, those of workers included."""
    wall, cpu = time.perf_counter(), sum(os.times()[:4])
    loss = epoch(*arguments)
    return {"wall": time.perf_counter() - wall, "CPU": sum(os.times()[:4]) - cpu, "loss": loss}


def compare(dataset: sd.EcgDataset, repeats: int, workers: int = 0) -> pd.DataFrame:
    """Medians over the repeats, one row an implementation: recordings per second of wall and of CPU time, and the loss."""
    few = dataset.where(rows=range(min(len(dataset), 2 * sd.PretrainConfig.batch_size)))
    plain_epoch(few, workers), our_epoch(few)  # what is done once in a process
    rows = []
    for _ in range(repeats):
        rows.append({"implementation": "plain"} | seconds_of(plain_epoch, dataset, workers))
        rows.append({"implementation": "ours"} | seconds_of(our_epoch, dataset))
    table = pd.DataFrame(rows).groupby("implementation", sort=False).median()
    table[["wall", "CPU"]] = len(dataset) / table[["wall", "CPU"]]
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", nargs="?", default=sd.SAMPLES)
    parser.add_argument("--recordings", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore", sd.FlatLeadWarning)
    dataset = sd.EcgDataset.open(options.dataset)
    dataset = dataset.where(rows=range(min(options.recordings, len(dataset))))
    table = compare(dataset, options.repeats, options.workers)
    print(f"{len(dataset)} recordings, recordings per second, median of {options.repeats}:")
    print(table.to_string(float_format="{:.2f}".format))
    ratio = table.loc["ours"] / table.loc["plain"]
    print(f"ratio: {ratio['wall']:.2f} in wall time, {ratio['CPU']:.2f} in CPU time")


if __name__ == "__main__":
    main()
