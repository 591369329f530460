"""What stands where a file should be: pipes, sockets, devices, links, folders, names that no file has."""

import os
import random
import shutil
import socket
from pathlib import Path

from fuzz_bytes import PATHS, WORDS

_SUFFIXES = (
    ".hea",
    ".dat",
    ".mat",
    ".edf",
    ".bdf",
    ".csv",
    ".tsv",
    ".txt",
    ".npz",
    "",
    ".HEA",
    ".xml",
    ".dcm",
    ".rec",
    ".csv.gz",
)


def make(rng: random.Random, folder: Path) -> Path:
    """Something in the folder, or nothing; the path to read."""
    suffix = rng.choice(_SUFFIXES)
    if rng.random() < 0.3:  # no such file, by any name
        return Path(f"{folder}/{rng.choice([*PATHS, *WORDS])}{suffix}")
    path = folder / f"rec{suffix}"
    rng.choice(_THINGS)(path)
    if suffix in (".dat", ".mat", "") and rng.random() < 0.5:
        header = folder / "rec.hea"
        rng.choice([_pipe, _folder, _link_to_nothing, _text])(header)
    return path


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))  # what is bound stays in the folder


def _folder(path: Path) -> None:
    path.mkdir()


def _link_to_nothing(path: Path) -> None:
    path.symlink_to("nothing")


def _link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def _text(path: Path) -> None:
    path.write_text("rec 1 250 3\nrec.dat 16 500/mV 16 0 0 0 0 I\n")


def _unreadable(path: Path) -> None:
    _text(path)
    path.chmod(0)


def _in_a_file(path: Path) -> None:
    _text(path)
    path.rename(path.with_name("file"))
    path.symlink_to("file/x")


def _nothing(path: Path) -> None:
    path.touch()


def _device(device: str):
    return lambda path: path.symlink_to(device)


_THINGS = (_pipe, _socket, _folder, _link_to_nothing, _link_to_itself, _text, _unreadable, _in_a_file, _nothing,
           *map(_device, ("/dev/zero", "/dev/null", "/dev/full", "/dev/tty", "/proc/self/mem", "/proc/self/maps")))  # fmt: skip
BOMBS = ()


def emptied(folder: Path) -> Path:
    """The folder, anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
