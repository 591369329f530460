"""EDF and BDF files with other fields in their headers, other annotations, and damage anywhere."""

import io
import itertools
import random
from functools import cache
from pathlib import Path

import edfio
import numpy as np
from fuzz_bytes import NUMBERS, WORDS, damaged, flipped, odd_value

_WIDTHS = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)  # of a signal's fields; all labels come first, then all transducers, ...
_HEAD = (8, 80, 80, 8, 8, 8, 44, 8, 8, 4)
_TEXTS = (b"+0\x14\x14\x00", b"+1e5\x14x\x14\x00", b"-1\x1599999\x14\x00", b"\x14\x14\x14", b"+nan\x14a\x14\x00",
          b"+1\x15\x14b\x14\x00", b"+0\x14\xff\xfe\x14\x00", b"+" + b"9" * 60 + b"\x14\x14\x00", b"\x00" * 30)  # fmt: skip


@cache
def seeds() -> list[bytes]:
    """EDF and BDF; with annotations, with gaps, with two rates."""
    wave = 200 * np.sin(np.arange(120) / 7)
    found = []
    for signal, whole in ((edfio.EdfSignal, edfio.Edf), (edfio.BdfSignal, edfio.Bdf)):
        for marks in (None, [edfio.EdfAnnotation(0.5, 0.2, "hi"), edfio.EdfAnnotation(1, None, "x")]):
            signals = [signal(wave, 60, label=label, physical_dimension="uV") for label in ("ECG II", "V1", "Resp")]
            found.append(_bytes(whole(signals, annotations=marks)))
        mixed = [signal(wave, 60, label="I", physical_dimension="mV"), signal(wave[::2], 30, label="Pleth")]
        found.append(_bytes(whole(mixed)))
    return [*found, *(content.replace(b"DF+C", b"DF+D") for content in found if b"DF+C" in content)]


def _bytes(edf) -> bytes:
    target = io.BytesIO()
    edf.write(target)
    return target.getvalue()


def _fields(content: bytes) -> list[tuple[int, int]]:
    """(begin, width) of every field of the header."""
    n_signals = int(content[252:256])
    widths = [*_HEAD, *(width for width in _WIDTHS for _ in range(n_signals))]
    return list(zip(np.cumsum([0, *widths[:-1]]).tolist(), widths, strict=True))


def make(rng: random.Random, folder: Path) -> Path:
    """A damaged file in the folder; the path to read."""
    content = rng.choice(seeds())
    fields = _fields(content)
    header_bytes = fields[-1][0] + fields[-1][1]
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        kind = rng.random()
        if kind < 0.55:
            content = _other_field(rng, content, *rng.choice(fields))
        elif kind < 0.7:
            content = flipped(rng, content, header_bytes)
        elif kind < 0.8:
            at, text = rng.randrange(header_bytes, max(len(content), header_bytes + 1)), rng.choice(_TEXTS)
            content = content[:at] + text + content[at + len(text) :]
        elif kind < 0.9:
            content = content.replace(
                b"EDF Annotations ", rng.choice([b"EDF Annotations\x00", b"BDF Annotations ", b"ECG V1".ljust(16)])
            )
        else:
            content = damaged(rng, content)
    path = folder / rng.choice(["rec.edf", "rec.EDF", "rec.bdf", "rec", "rec.rec"])
    path.write_bytes(content)
    return path


def _other_field(rng: random.Random, content: bytes, begin: int, width: int) -> bytes:
    value = rng.choice(
        [odd_value(rng), rng.choice(NUMBERS), rng.choice(WORDS), "EDF Annotations", "EDF+D", "EDF+C", "-1", "32768"]
    )
    field = rng.choice([value.ljust(width), value.rjust(width), value.center(width, "\x00")])
    return content[:begin] + field.encode("latin-1", errors="replace")[:width] + content[begin + width :]


def _tiled(n_signals: int, label: bytes) -> bytes:
    """As many signals of one name as the format can count."""
    one = _bytes(edfio.Edf([edfio.EdfSignal(200 * np.sin(np.arange(60) / 5), 60, label="ECG", physical_dimension="uV")]))
    begins = [256, *(256 + np.cumsum(_WIDTHS)).tolist()]
    per_signal = [label.ljust(16), *(one[a:b] for a, b in itertools.pairwise(begins[1:]))]
    head = one[:184] + f"{256 * (n_signals + 1):<8}".encode() + one[192:252] + f"{n_signals:<4}".encode()
    return head + b"".join(field * n_signals for field in per_signal) + one[512:] * n_signals


def _annotations(folder: Path) -> Path:
    """Eight megabytes of nothing but texts."""
    content = next(content for content in seeds() if b"DF+C" in content)
    n_signals, samples = int(content[252:256]), 4_000_000
    at = 256 + sum(_WIDTHS[:8]) * n_signals
    counts = [int(content[at + 8 * row : at + 8 * row + 8]) for row in range(n_signals)]
    body = (
        content[256 * (n_signals + 1) :][: 2 * sum(counts[:-1])]
        + (b"+0\x14\x14\x00" + b"+0\x14x\x14\x00" * samples)[: 2 * samples]
    )
    head = content[: at + 8 * (n_signals - 1)] + f"{samples:<8}".encode() + content[at + 8 * n_signals : 256 * (n_signals + 1)]
    (folder / "rec.edf").write_bytes(head[:236] + b"1".ljust(8) + head[244:] + body)
    return folder / "rec.edf"


def _written(content: bytes):
    def write(folder: Path) -> Path:
        (folder / "rec.edf").write_bytes(content)
        return folder / "rec.edf"

    return write


def _sparse(folder: Path) -> Path:
    one = _tiled(1, b"ECG II")
    path = folder / "rec.edf"
    path.write_bytes(one[:236] + b"50000000" + one[244:512])
    with path.open("r+b") as file:
        file.truncate(512 + 50_000_000 * 120)  # six gigabytes, none of them on the disk
    return path


BOMBS = (
    _annotations,
    _sparse,
    lambda folder: _written(_tiled(4096, b"ECG"))(folder),
    lambda folder: _written(_tiled(4096, b"ECG II"))(folder),
    lambda folder: _written(_tiled(9999, b"ECG"))(folder),
    lambda folder: _written(_tiled(2000, b"EDF Annotations"))(folder),
)
