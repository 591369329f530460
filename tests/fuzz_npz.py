"""Archives of NumPy's arrays: other arrays, other headers in them, other zips around them, pickles, bombs."""

import io
import pickle
import random
import struct
import warnings
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from fuzz_bytes import damaged, flipped, odd_value

_DTYPES = [
    "i1",
    "i2",
    "i8",
    "u1",
    "u2",
    "u8",
    "f2",
    "f4",
    "f8",
    ">f4",
    ">i2",
    "c8",
    "?",
    "U1",
    "U9",
    "S5",
    "M8[s]",
    "m8[s]",
    "V4",
    "g",
]
_HEADERS = (
    "|O",
    "<f8",
    "<i2",
    "<U2",
    "<U1000000000",
    "|V100000000",
    "(2,)<f4",
    "<f99",
    "|S0",
    "<U0",
    "<M8[D]",
    "[('a','<f4')]",
    "",
)
_SHAPES = (
    "(2, 1000000000)",
    "(-1,)",
    "(2, 60",
    "(0, 60)",
    "()",
    "(2, 60, 1)",
    "(2.0, 60)",
    "(True, 60)",
    f"({10**30},)",
    "(" * 50,
    "(60, 2)",
)


_MARK = "/tmp/a-pickle-was-loaded"


class Attack:
    """A pickle of it would open a file, were it ever loaded."""

    def __reduce__(self):
        return open, (_MARK, "w")


def packed(array: np.ndarray | object) -> bytes:
    """The array as .npy holds it; a pickle for what is not plain."""
    target = io.BytesIO()
    np.save(target, np.asarray(array), allow_pickle=True)
    return target.getvalue()


@dataclass(frozen=True)
class Zeros:
    """An array's header, and so many zero bytes."""

    header: bytes
    many: int


def zeros(descr: str, shape: tuple[int, ...], stored_bytes: int) -> Zeros:
    """An array of zeros, of which only so many bytes are there."""
    target = io.BytesIO()
    np.lib.format.write_array_header_1_0(target, {"descr": descr, "fortran_order": False, "shape": shape})
    return Zeros(target.getvalue(), stored_bytes)


def archived(members: list[tuple[str, bytes | Zeros]], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(target, "w", compression) as archive:
        warnings.simplefilter("ignore")  # names that come twice are part of the game
        for name, content in members:
            if isinstance(content, bytes):
                archive.writestr(name, content)
            else:
                _pack_zeros(archive, name, content)
    return target.getvalue()


def _pack_zeros(archive: zipfile.ZipFile, name: str, content: Zeros) -> None:
    with archive.open(name, "w", force_zip64=True) as file:
        file.write(content.header)
        for begin in range(0, content.many, 1_000_000):
            file.write(bytes(min(1_000_000, content.many - begin)))


@cache
def seeds() -> list[dict[str, np.ndarray]]:
    x = np.sin(np.arange(60) / 9)
    two = np.stack([x, -x])
    return [
        {"signal_mv": two, "sampling_rate_hz": np.array(100), "leads": np.array(["II", "V1"])},
        {
            "signal": (two * 1000).astype("i2"),
            "units": np.array("uV"),
            "fs": np.array(250.0),
            "lead_names": np.array(["I", "V2"]),
        },
        {
            "signals": two.astype("f4"),
            "units": np.array(["mV", "mmHg"]),
            "fs": np.array([500]),
            "leads": np.array(["i", "ABP"]),
        },
        {"signal_mv": two, "fs": np.array(100)},
    ]


def make(rng: random.Random, folder: Path) -> Path:
    """A damaged archive in the folder; the path to read."""
    (folder / "rec.npz").write_bytes(damaged_archive(rng, dict(rng.choice(seeds()))))
    return folder / "rec.npz"


def damaged_archive(rng: random.Random, arrays: dict[str, np.ndarray]) -> bytes:
    """Damage to one or several of: an array, the header in front of it, the archive around it."""
    if rng.random() < 0.6:
        arrays = _other_arrays(rng, arrays)
    members = [(f"{name}.npy", packed(array)) for name, array in arrays.items()]
    if rng.random() < 0.35 and members:
        at = rng.randrange(len(members))
        members[at] = (members[at][0], other_header(rng, members[at][1]))
    if rng.random() < 0.2:
        return _other_zip(rng, members)
    return archived(members, rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))


def _other_arrays(rng: random.Random, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    name = rng.choice(list(arrays))
    array = arrays[name]
    kind = rng.random()
    if kind < 0.3:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                array = array.astype(rng.choice(_DTYPES))
            except (TypeError, ValueError):
                array = np.array(odd_value(rng))
    elif kind < 0.45:
        array = rng.choice(
            [array.T, array[None], array.ravel(), np.atleast_1d(array)[..., :0], np.atleast_1d(array)[:1], np.array(7)]
        )
    elif kind < 0.6 and array.dtype.kind in "iuf":
        with np.errstate(all="ignore"):
            array = array.astype("f8") * rng.choice([1e-9, 1e3, 1e9, 1e300, 0, np.nan, np.inf, -1])
    elif kind < 0.7 and array.dtype.kind == "f" and array.ndim:
        array = array.copy()
        array[..., rng.randrange(array.shape[-1]) :] = rng.choice([np.nan, np.inf, 1e308, 0])
    elif kind < 0.8:
        array = np.array([odd_value(rng) for _ in range(rng.choice([1, 2, 2, 3]))])
    elif kind < 0.9:
        array = np.array([Attack(), odd_value(rng)], dtype=object)
    else:
        return {key: value for key, value in arrays.items() if key != name} | rng.choice(
            [{}, {odd_value(rng)[:40] + "x": array}]
        )
    return arrays | {name: array}


def other_header(rng: random.Random, content: bytes) -> bytes:
    kind = rng.random()
    if kind < 0.3:
        return flipped(rng, content[:128]) + content[128:]
    if kind < 0.4:
        return rng.choice(
            [pickle.dumps(Attack()), b"", b"\x93NUMPY", content[:40], b"\x93NUMPY\x03\x00" + content[8:], content * 2]
        )
    descr, shape = rng.choice([*_HEADERS, "|O"]), rng.choice(_SHAPES)
    old = content[10:128].decode("latin-1")
    order = rng.choice(["False", "True", "0", "None"])
    text = rng.choice([f"{{'descr': {descr!r}, 'fortran_order': {order}, 'shape': {shape}, }}",
                       old.replace("'descr'", "'desc'"), old.replace("'shape': (", "'shape': (9"), "{" * 100, "[" * 3000,
                       "{'descr': '<f8'}", "__import__('os').system('id')", "9" * 5000])  # fmt: skip
    text = text.ljust(118)
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode("latin-1") + content[128:]


def _other_zip(rng: random.Random, members: list[tuple[str, bytes]]) -> bytes:
    kind = rng.random()
    if kind < 0.2 and members:
        members.append(rng.choice(members))  # twice
    elif kind < 0.4:
        members.append(
            (rng.choice(["../x.npy", "/etc/x.npy", "leads", "leads.npy/", "x" * 300, "\u202e.npy"]), b"../../etc/passwd")
        )
    packings = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    content = archived(members, rng.choice(packings))
    if kind < 0.5:
        return content
    if kind < 0.6:  # flags: encrypted, patched, strongly encrypted; or a packing that nobody knows
        at = content.rfind(b"PK\x01\x02") + rng.choice([8, 8, 10])
        return content[:at] + bytes([rng.choice([1, 0x20, 0x40, 12, 93, 97, 99])]) + content[at + 1 :]
    if kind < 0.7:  # sizes in the list of members
        at = content.rfind(b"PK\x01\x02") + rng.choice([20, 24, 42])
        return content[:at] + rng.choice([b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", rng.randbytes(4)]) + content[at + 4 :]
    if kind < 0.8:
        return rng.choice(
            [
                b"#!/bin/sh\n" + content,
                content + b"x" * 100,
                b"\x93NUMPY\x01\x00" + content,
                pickle.dumps(Attack()) + content,
                b"",
            ]
        )
    return damaged(rng, content)


def _bomb(**members: bytes | Zeros | np.ndarray):
    def write(folder: Path) -> Path:
        parts = [
            (f"{name}.npy", value if isinstance(value, bytes | Zeros) else packed(value)) for name, value in members.items()
        ]
        (folder / "rec.npz").write_bytes(archived(parts))
        return folder / "rec.npz"

    return write


_TWO = np.array(["II", "V1"])
BOMBS = (
    lambda folder: _bomb(signal=zeros("|i1", (2, 90_000_000), 180_000_000), units=np.array("uV"), fs=np.array(100), leads=_TWO)(
        folder
    ),
    lambda folder: _bomb(signal=zeros("|i1", (2, 12_400_000), 24_800_000), units=np.array("uV"), fs=np.array(100), leads=_TWO)(
        folder
    ),
    lambda folder: _bomb(signal_mv=zeros("<f8", (2, 12_400_000), 198_400_000), fs=np.array(100), leads=_TWO)(folder),
    lambda folder: _bomb(signal_mv=zeros("<f4", (2, 10**12), 1000), fs=np.array(100), leads=_TWO)(folder),
    _bomb(signal_mv=np.ones((4096, 20)), fs=np.array(100), leads=np.array(["II"] * 4096)),
    _bomb(signal_mv=np.ones((100_000, 2)), fs=np.array(100), leads=np.array(["x"] * 100_000)),
    lambda folder: _bomb(signal_mv=np.ones((1, 20)), fs=np.array(100), leads=zeros("<U40000000", (1,), 160_000_000))(folder),
    lambda folder: _bomb(signal_mv=np.ones((1, 20)), fs=zeros("<f8", (20_000_000,), 160_000_000), leads=np.array(["II"]))(
        folder
    ),
    _bomb(signal_mv=np.ones((2, 20)), fs=np.array(100), leads=zeros("<U2", (2,), 0).header + b"\xff" * 16),
    _bomb(signal_mv=np.ones((2, 20)), fs=np.array(100), leads=np.array(["\ud800", "II"])),
    _bomb(signal_mv=np.random.default_rng(0).normal(size=(2, 2000)), fs=np.array(1e308), leads=_TWO),
)
