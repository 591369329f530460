"""WFDB records with damage where it hurts: the fields of headers, the names of files, segments, the bodies of FLAC files."""

import os
import random
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
from fuzz_bytes import PATHS, damaged, flipped, odd_value
from test_wfdb_records import PACKERS, by_hand, challenge, several_rates, steps, two_leads, variable, write

from selfdana_lite.leads import LEADS

_FORMATS = (
    *["80", "212", "16", "24", "32", "508", "516", "524", "8", "61", "160", "310", "311", "0", "1", "99", "1016"],
    "16x2",
    "16x1000000000",
    "212:3",
    "16+2",
    "516+1",
)
_LENGTH_KEPT = re.compile(r"\.(dat|mat)$")


def _ecg_mv(leads: int = 2, samples: int = 120) -> np.ndarray:
    return 0.1 * np.sin(np.linspace(0, 12, samples)[None] + np.arange(leads)[:, None])


@cache
def seeds() -> list[dict[str, bytes]]:
    """Sound records of all kinds, each as {file name: content}; the first file is the header to be read."""
    return [
        _made(make)
        for make in [*map(_written, ["80", "212", "16", "24", "32", "508", "516", "524"]), *map(_packed, PACKERS), *_KINDS]
    ]


def _made(make) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder)
        found = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    first = next(name for name in ("rec.hea", "A0001.hea") if name in found)
    return {first: found.pop(first)} | found


def _written(fmt: str):
    return lambda folder: write(folder, _ecg_mv(), fmt=fmt)


def _packed(fmt: str):
    lines = [f"rec.dat {fmt} 500/mV 10 0 0 0 0 {name}" for name in ("I", "II")]
    return lambda folder: by_hand(folder, two_leads("rec 2 250 300", *lines), PACKERS[fmt](steps(dtype=int).T))


def _fixed(folder: Path) -> None:
    write(folder, _ecg_mv(), fmt="212", name="s1")
    write(folder, _ecg_mv(), fmt="516", name="s2")
    by_hand(folder, "rec/3 2 250 290\ns1 120\n~ 50\ns2 120\n# age: 50\n")


_KINDS = (
    challenge,
    lambda folder: several_rates(folder, [4, 4, 1], ["I", "II", "vx"]),
    lambda folder: write(folder, _ecg_mv(12), names=LEADS),
    variable,
    _fixed,
)


def make(rng: random.Random, folder: Path) -> Path:
    """A damaged record in the folder; the path to read."""
    files = dict(rng.choice(seeds()))
    header = next(iter(files))
    gently = rng.random() < 0.12  # only other samples, as no header is damaged
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        aim = 0.95 if gently else rng.random()
        name = header if aim < 0.75 else rng.choice(list(files))
        if aim < 0.1 or (aim >= 0.75 and aim < 0.9):
            files[name] = damaged(rng, files[name])
        elif aim >= 0.9:
            files[name] = flipped(rng, files[name], 24) if name != header else files[name] + b"# x: y\n"
        else:
            files[name] = _other_text(rng, files[name])
    for name, content in files.items():
        (folder / name).write_bytes(content)
    if rng.random() < 0.1:
        _put_traps(folder)
    stem = header.removesuffix(".hea")
    return folder / rng.choice([header, header, stem, f"{stem}.dat"])


def _other_text(rng: random.Random, content: bytes) -> bytes:
    """A header with other words, lines or encoding."""
    lines = content.decode("utf-8", errors="replace").split("\n")
    kind, at = rng.random(), rng.randrange(len(lines))
    if kind < 0.5:
        lines[at] = _other_words(rng, lines[at])
    elif kind < 0.62:
        lines[at] = _other_name(rng, lines[at])
    elif kind < 0.7:
        lines.insert(at, rng.choice(lines))
    elif kind < 0.75:
        del lines[at]
    elif kind < 0.85:
        comment = rng.choice(["#Age: {}", "# {}", "#Dx: {}", "#" * 50 + "{}", "#:{}", "# a{}b : c", "{}#"])
        lines.insert(at, comment.format(odd_value(rng) * rng.choice([1, 1, 100])))
    elif kind < 0.9:
        rng.shuffle(lines)
    else:
        return _encoded(rng, "\n".join(lines))
    return "\n".join(lines).encode("utf-8", errors="surrogatepass")


def _other_words(rng: random.Random, line: str) -> str:
    """One field is another: those that spaces part, or those that signs part within them."""
    fields = re.split(r"([\s/()x:+]+)", line)
    at = rng.randrange(len(fields))
    fields[at] = rng.choice(_FORMATS) if at == 2 and rng.random() < 0.5 else odd_value(rng)
    return "".join(fields)


def _other_name(rng: random.Random, line: str) -> str:
    words = line.split(" ")
    words[0] = rng.choice([*PATHS, "rec", "s1", "s2", "list", "rec/2", "rec/0", "~"])
    return " ".join(words)


def _encoded(rng: random.Random, text: str) -> bytes:
    kinds = ("utf-16", "utf-8-sig", "latin-1", "utf-32")
    ends = ("\r\n", "\r", "\n\n", "\x0b", "\u2028", "\x85", "\x00\n")
    return text.replace("\n", rng.choice(ends)).encode(rng.choice(kinds), errors="replace")


def _put_traps(folder: Path) -> None:
    """What damaged names may hit: links that lead out, pipes, a folder, and a record outside."""
    for name, target in {"link.dat": "../secret.dat", "out": "..", "x.dat": "x.dat"}.items():
        os.symlink(target, folder / name)
    os.mkfifo(folder / "fifo.dat")
    (folder / "sub").mkdir()


def _record(folder: Path, header: str, data: bytes = b"") -> Path:
    return by_hand(folder, header, data)


def _gaps(folder: Path) -> Path:
    by_hand(folder, "s1 1 250 600000\ns1.dat 16 500/mV 16 0 0 0 0 I\n", bytes(1_200_000), name="s1")
    return _record(folder, "rec/2 1 250 60000000\ns1 600000\n~ 59400000\n")


def _flac(folder: Path) -> Path:
    soundfile.write(folder / "x.flac", np.zeros(60_000_000, np.int16), 250, subtype="PCM_16")
    shutil.move(folder / "x.flac", folder / "rec.dat")  # 60 million samples in 220 kB
    return _record(folder, "rec 1 250 60000000\nrec.dat 516 500/mV 16 0 0 0 0 I\n")


def _sparse(folder: Path) -> Path:
    (folder / "rec.dat").touch()
    os.truncate(folder / "rec.dat", 2_000_000_000)
    return _record(folder, "rec 1 250 1000000000\nrec.dat 16 500/mV 16 0 0 0 0 I\n")


def _many_segments(folder: Path) -> Path:
    write(folder, _ecg_mv(), name="s1")
    lines = "s1 120\n" + "~ 1\n" * 100_000
    return _record(folder, f"rec/100001 2 250 100120\n{lines}")


# Each is tried once, first: few bytes that promise much.
BOMBS = (
    lambda folder: _record(folder, two_leads("rec 2 250 1000000000"), bytes(1200)),
    lambda folder: _record(folder, "rec 1000000 250 300\n" + "rec.dat 16 500/mV\n" * 50_000, bytes(1200)),
    lambda folder: _record(folder, two_leads(one="rec.dat 16x1000000000 500/mV 16 0 0 0 0 I"), bytes(1200)),
    lambda folder: _record(folder, "rec 1 250 300\n" + "#" * 990_000, bytes(1200)),
    lambda folder: _record(folder, "rec 1 250 300\nrec.dat 16\n#" + " :" * 490_000, bytes(600)),
    lambda folder: _record(folder, "rec 512 250 1\n" + "rec.dat 16 500/mV 16 0 0 0 0 II\n" * 512, bytes(1024)),
    lambda folder: _record(folder, "\n" * 999_000, bytes(1024)),
    _gaps,
    _flac,
    _sparse,
    _many_segments,
)
