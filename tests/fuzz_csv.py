"""Tables of text with other cells, delimiters, quotes, line ends and encodings."""

import random
import re
from functools import cache
from pathlib import Path

import numpy as np
from fuzz_bytes import damaged, odd_value

_UNITS = ("(mV)", "[uV]", "_nV", "(V)", "(mmHg)", "", "(µV)", "(MV)", "[s]", "( )", "((mV))", "[mV)")
_TIMES = (
    "0:00.004",
    "10:00",
    "2026-01-31 10:00:00.004",
    "2026-01-31T10:00:00Z",
    "1:2:3:4:5",
    "-1",
    "99999-01-01",
    "0",
    "::",
    "1e400",
    "",
)


@cache
def seeds() -> list[list[str]]:
    """Sound tables, line by line: a time in seconds, semicolons, a watch's export, PhysioNet's, stamps, no header."""
    t, x = np.arange(60) / 100, np.sin(np.arange(60) / 9)
    lines = [
        ["time (s),II (mV)", *(f"{a:.3f},{b:.4f}" for a, b in zip(t, x, strict=True))],
        ["t;lead_ii_uV;V1 (mV)", *(f"{a:.3f};{b * 1000:.1f};{b * 2:.2f}".replace(".", ",") for a, b in zip(t, x, strict=True))],
        ["Name,Eve", "Classification,Sinus Rhythm", 'Device,"Watch6,2"', "Sample Rate,512 hertz", "", "Lead,Lead I", "Unit,µV",
         "", *(f"{b * 1000:.1f}" for b in x)],
        ["'Elapsed time','MLII'", "'hh:mm:ss.mmm','mV'", *(f"'0:{a:06.3f}',{b:.4f}" for a, b in zip(t, x, strict=True))],
        ["Timestamp,I (mV)", *(f"2026-01-01 10:00:{a:06.3f},{b:.4f}" for a, b in zip(t, x, strict=True))],
        ["time (ms)\tindex\tI (mV)\tpleth", *(f"{4 * n}\t{n}\t{b:.3f}\t{b + 3:.2f}" for n, b in enumerate(x))],
        [f"{b:.4f},{-b:.4f}" for b in x],
        ["II (mV)", *(f"{b:.4f}" for b in x)],
    ]  # fmt: skip
    return lines


def make(rng: random.Random, folder: Path) -> Path:
    """A damaged table in the folder; the path to read."""
    gently = rng.random() < 0.25  # only other numbers in the last column
    lines = list(rng.choice(seeds()[:6] if gently else seeds()))
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        lines = _other_number(rng, lines) if gently else _other(rng, lines)
    end = "\n" if gently else rng.choice(["\n"] * 8 + ["\r\n", "\r", "\n\n", "\r\r\n", "\x0b", "\u2028", "\x00\n"])
    text = end.join(lines) + rng.choice(["", end])
    encoding = rng.choice(["utf-8"] * 8 + ["utf-8-sig", "utf-16", "utf-16-be", "latin-1", "utf-32", "utf-7"])
    content = text.encode("utf-8" if gently else encoding, errors="replace")
    path = folder / rng.choice(["rec.csv", "rec.CSV", "rec.txt", "rec.tsv"])
    path.write_bytes(damaged(rng, content) if not gently and rng.random() < 0.15 else content)
    return path


def _other_number(rng: random.Random, lines: list[str]) -> list[str]:
    at = rng.randrange(len(lines) // 2, len(lines))
    number = rng.choice(["", "nan", "0", "1e-3", "-0", "7", "+1", "1E2", " 3 ", '"4"', "00.5", "1e1"])
    end = lines[at][-1] if lines[at][-1:] == "'" else ""
    return [*lines[:at], re.sub(r"[^,;\t]*$", number, lines[at], count=1) + end, *lines[at + 1 :]]


def _other(rng: random.Random, lines: list[str]) -> list[str]:
    lines = list(lines) or [""]
    kind, at = rng.random(), rng.randrange(len(lines))
    if kind < 0.25:
        return [_other_cell(rng, lines[0]), *lines[1:]]
    if kind < 0.5:
        lines[at] = _other_cell(rng, lines[at])
    elif kind < 0.55:
        lines.insert(at, rng.choice([*lines, "", " ", ",", ";;;", "# comment", "\x1a", "," * 5000, "EOF"]))
    elif kind < 0.6:
        del lines[at : at + rng.choice([1, 1, 3, 60])]
    elif kind < 0.7:  # another delimiter, everywhere or from some line on
        old, new = rng.choice([",;", ";,", ",\t", ".,", ",|", ", "])
        begin = rng.choice([0, 0, 1, at])
        lines[begin:] = [line.replace(old, new) for line in lines[begin:]]
    elif kind < 0.78:  # quotes that open and close, or do not
        lines[at] = rng.choice(['"{}"', '"{}', "'{}", '{}"""', '""{}""', "“{}”"]).format(lines[at])
    elif kind < 0.88:  # a column more, or one twice
        new = odd_value(rng) if rng.random() < 0.5 else None
        lines = [f"{line},{new if new is not None else line.split(',')[-1]}" for line in lines]
    elif kind < 0.94:
        lines = rng.choice([lines[::-1], lines[:1] + lines[1:] * 3, lines * 2, lines[:2], lines[:1], sorted(lines)])
    else:
        lines = [line.replace(rng.choice("0123456789.-eV"), odd_value(rng)) for line in lines]
    return lines


def _other_cell(rng: random.Random, line: str) -> str:
    delimiter = next((mark for mark in "\t;," if mark in line), ",")
    cells = line.split(delimiter)
    value = rng.choice([odd_value(rng), odd_value(rng), rng.choice(_TIMES), f"{odd_value(rng)} {rng.choice(_UNITS)}"])
    cells[rng.randrange(len(cells))] = value
    return delimiter.join(cells)


def _file(*parts: bytes | tuple[bytes, int]):
    """Writes these, and (part, times) so many times over, one megabyte or so after the other."""

    def write(folder: Path) -> Path:
        with (folder / "rec.csv").open("wb") as file:
            for part, times in (part if isinstance(part, tuple) else (part, 1) for part in parts):
                at_once = max(1, 1_000_000 // len(part))
                for _ in range(times // at_once):
                    file.write(part * at_once)
                file.write(part * (times % at_once))
        return folder / "rec.csv"

    return write


_ROW = b"0.12,0.22,-0.31,0.4,0.11,0.2,0.3,0.4,0.1,0.2,0.3,0.4\n0.2,0.22,-0.31,0.4,0.11,0.2,0.3,0.4,0.1,0.2,0.3,0.9\n"
_TWELVE = b"I,II,III,aVR,aVL,aVF,V1,V2,V3,V4,V5,V6\n"
BOMBS = (
    _file((b"a,", 1_000_000), b"b\n", (b"1,", 1_000_000), b"1\n"),
    _file(b"II (mV)\n", (b"1", 50_000_000), b"\n"),
    _file(b"II (mV)\n", (b"0.1\n0.3\n", 2_000_000)),
    _file(b"time (s),II (mV)\n", (b"\n", 99_000_000)),
    _file(b"I,II\n", "🫀".encode(), (b"0.1,0.2\r\n", 11_000_000)),
    _file(b"I,II\n", (b'"0.1","0.2"\r\n', 7_600_000)),
    _file(_TWELVE, (_ROW, 990_000)),  # 100 MB, as large as is allowed
    _file(b"\xff\xfe", "II (mV)\n".encode("utf-16-le"), ("0.1\n0.2\n".encode("utf-16-le"), 1_900_000)),
    _file(b"a," + b"_" * 19_900 + b"\n1,2\n"),
    _file(b"a," + b" " * 19_900 + b"(mV\n1,2\n"),
    _file(b"a," + b"[" * 19_900 + b"\n1,2\n"),
    _file(b"time," + b",_" * 9_900 + b"\n" + b"1," * 9_900 + b"1\n"),
    _file(b"II," * 6_600 + b"II\n" + (b"1," * 6_600 + b"1\n") * 3),
    _file(("a," + "e\u0301\u0316" * 3_900).encode() + b"\n1,2\n"),
    _file(b"time,I (mV)\n" + b"0:" * 9_900 + b"1,0.3\n"),
    _file(b"Sample Rate," + b"5" * 19_900 + b" hertz\nUnit,mV\n1\n2\n"),
    _file(b"Sample Rate,5 hertz\nUnit,mV\n", (b"\n", 3_900_000), b"1"),
    _file(b"1e999\n" * 1000),
    _file(b"PK\x03\x04", (b"\x00", 10_000_000)),
    _file(b"\x1f\x8b\x08" + bytes(range(256)) * 1000),
)
