"""Which files of an archive are here, whole: by the SHA-256 that the archive itself lists for each."""

import hashlib
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from tqdm.auto import tqdm


def read_checksums(path: Path) -> dict[str, str]:
    """File name -> SHA-256, from a file such as sha256sum writes. ValueError where a line or a name cannot be trusted."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if not text.endswith("\n"):
        raise ValueError(f"it ends in the middle of a line ({text[-40:]!r})")
    checksums = {}
    for number, line in enumerate(text.splitlines(), 1):
        found = re.fullmatch(r"([0-9a-f]{64}) [ *]?(\S.*)", line)
        if not found:
            raise ValueError(f"line {number} is {line[:60]!r}, not a SHA-256, a space and a file name")
        checksum, name = found.groups()
        if name.startswith("/") or ".." in PurePosixPath(name).parts or re.search(r"[\\:\0]", name):
            raise ValueError(f"line {number} names {name[:60]!r}, which leads out of the folder")
        checksums[name] = checksum
    return checksums


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def missing_files(folder: Path, checksums: Mapping[str, str], progress: bool = False) -> list[str]:
    """The names whose file is absent or does not have its checksum. Every byte is read: a name proves nothing."""

    def is_right(name: str) -> bool:
        path = folder / name
        return path.is_file() and sha256_of(path) == checksums[name]

    with ThreadPoolExecutor() as pool:  # reading and hashing both let other threads run
        checked = pool.map(is_right, checksums)
        bar = tqdm(checked, "checking", len(checksums), leave=False, unit=" files", disable=not progress)
        return [name for name, right in zip(checksums, bar, strict=True) if not right]
