"""Arrays of NumPy's from files that nobody vouches for: no pickle is loaded, and no memory taken for what is not there.

NumPy itself trusts the few bytes in front of an array: it takes the memory that they ask for before it reads on.
"""

import lzma
import math
import tokenize
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

# What zipfile, zlib and NumPy raise on damage; TokenError and SyntaxError come from the header of an array, which is text.
DAMAGE = (OSError, EOFError, ValueError, TypeError, KeyError, RuntimeError, SyntaxError, OverflowError)
DAMAGE += (zipfile.BadZipFile, zlib.error, lzma.LZMAError, tokenize.TokenError)
_MAGIC = b"\x93NUMPY"
_LARGEST_LETTER = 0x10FFFF
_LONGEST_HEADER = 10_000  # NumPy's own limit


class PackedArrayError(ValueError):
    """An array is none, or not as its header says; the message names it and says what was found."""


def declared(archive: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    """The shape that the array called so in an .npz is said to have. Raises some of DAMAGE."""
    with archive.open(_member(archive, name)) as file:
        return _header(file)[0]


def unpack(archive: zipfile.ZipFile, name: str, most_bytes: int) -> np.ndarray:
    """The array called so in an .npz. Raises PackedArrayError for more than most_bytes, and some of DAMAGE."""
    member = _member(archive, name)
    with archive.open(member) as file:
        _check(file, name, member.file_size, most_bytes)
    with archive.open(member) as file:
        return _read(file, name)


def _member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    member = archive.getinfo(f"{name}.npy")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # LZMA takes what memory the file asks for
        raise PackedArrayError(f"array {name} is packed otherwise than NumPy does; save it with np.savez_compressed")
    return member


def read_npy(path: Path) -> np.ndarray:
    """The array in an .npy, which is in memory then. Raises as `unpack` does."""
    with path.open("rb") as file:
        size = path.stat().st_size
        _check(file, path.name, size, size)
        file.seek(0)
        return _read(file, path.name)


def check_npy(path: Path) -> None:
    """Hold an .npy against what its header declares, before it is mapped. Raises as `unpack` does.

    Mapping numbers of no bytes each divides by zero within NumPy, which ends the process.
    """
    with path.open("rb") as file:
        _check(file, path.name, path.stat().st_size, path.stat().st_size)


def _refuse_long_header(file: IO[bytes]) -> None:
    """NumPy would take memory for a header, up to 4 GB, before it reads on."""
    start = file.read(12)  # 6 bytes of magic, 2 of version, from version 2 on 4 of length
    file.seek(0)
    short = not start.startswith(_MAGIC) or start[6:8] == b"\x01\x00"  # no array, as NumPy will say, or 2 bytes of length
    length = 0 if short else int.from_bytes(start[8:12], "little")
    if length > _LONGEST_HEADER:
        raise PackedArrayError(f"its header says that it is {length} bytes long; expected {_LONGEST_HEADER} at most")


def _check(file: IO[bytes], name: str, size: int, most_bytes: int) -> None:
    """Is what the header declares there, and no more than most_bytes? size: of the file, header included."""
    shape, dtype = _header(file)
    if dtype.hasobject:
        raise PackedArrayError(f"array {name} holds Python objects (a pickle), which can run code; save plain numbers")
    promised = math.prod(shape) * dtype.itemsize
    if not dtype.itemsize or promised > most_bytes or min(shape, default=1) < 0 or size != file.tell() + promised:
        raise PackedArrayError(
            f"array {name} declares {dtype} {shape}, {promised / 1e6:.3g} MB, and {size / 1e6:.3g} MB are packed; expected the "
            f"same, and at most {most_bytes / 1e6:.4g} MB"
        )


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    _refuse_long_header(file)
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Reading `.npy`")  # by a Python 2, which wrote 60L: all is well
        shape, _, dtype = read(file)
    return shape, dtype


def _read(file: IO[bytes], name: str) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Reading `.npy`")
        array = np.lib.format.read_array(file, allow_pickle=False)
    if array.dtype.kind == "U" and array.size and array.dtype.itemsize:
        letters = np.frombuffer(array.tobytes(), f"{array.dtype.byteorder}u4")
        if letters.max() > _LARGEST_LETTER:
            raise PackedArrayError(f"array {name} holds numbers that are no letters; save or copy it again")
    return array
