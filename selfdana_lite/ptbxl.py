"""PTB-XL, the public archive that the field uses: download it, check it, make a dataset of it.

python -m selfdana_lite.ptbxl DEST

21,799 recordings of 10 s with 12 leads; the 100 Hz version. P. Wagner et al., "PTB-XL, a large publicly available
electrocardiography dataset", Scientific Data 7:154 (2020), https://doi.org/10.1038/s41597-020-0495-6; on PhysioNet under
CC BY 4.0.
"""

import argparse
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from filelock import FileLock, Timeout

from selfdana_lite.build import build_summary
from selfdana_lite.checksums import missing_files, read_checksums
from selfdana_lite.dataset import EcgDataset
from selfdana_lite.download import Downloader, DownloadError, Patience

URL = "https://physionet.org/files/ptb-xl/1.0.3/"
URL_OF_COPY = "https://physionet-open.s3.amazonaws.com/ptb-xl/1.0.3/"  # PhysioNet's own, in a cloud
CHECKSUMS = "SHA256SUMS.txt"
TABLES = ("ptbxl_database.csv", "scp_statements.csv", "LICENSE.txt")

_RECORDINGS = 21_799
_DISK_BYTES_PER_FILE = 14_500  # a signal of 24,000 bytes and a header of 600, in blocks of 4 KiB
_DATASET_BYTES = _RECORDINGS * 25_000  # int16, 12 leads, 1,000 samples; and the tables
_BEFORE = f"""\
PTB-XL 1.0.3 at 100 Hz: {_RECORDINGS:,} recordings, about 0.55 GB to download and 1.2 GB of disk with the dataset made of them.
Licence: CC BY 4.0, which asks you to cite Wagner et al. 2020, https://doi.org/10.1038/s41597-020-0495-6
From {{url}} into {{folder}}. Ctrl-C stops; the same command goes on from there."""


def download_ptbxl(
    folder: str | os.PathLike,
    url: str = URL,
    *,
    progress: bool = True,
    leave_free_bytes: int = 0,
    patience: Patience | None = None,
) -> Path:
    """Download the 100 Hz part of PTB-XL (0.55 GB) and return the folder, in which every file has its listed SHA-256.

    A file that is here and right is not fetched again; one that is here and wrong is replaced.
    url: PhysioNet, or a server with a copy. leave_free_bytes: how much of the disk must be left over.
    Raises DownloadError (an OSError) with one sentence: no network, a server that fails for longer than
    patience allows, files that are not what their checksums say, too little disk.
    """
    folder = Path(folder)
    downloader = Downloader(url, folder, patience=patience)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder):
        if not (folder / CHECKSUMS).exists():
            downloader.fetch([CHECKSUMS], {}, progress=progress)
        with _removing_a_bad_list(folder / CHECKSUMS, downloader.address):
            listed = read_checksums(folder / CHECKSUMS)
            tables = _pick(listed, TABLES)
        downloader.fetch(missing_files(folder, tables), tables, progress=progress)
        with _removing_a_bad_list(folder / CHECKSUMS, downloader.address):
            signals = _pick(listed, _signal_files(folder))
        missing = missing_files(folder, signals, progress)
        _refuse_a_full_disk(folder, len(missing) * _DISK_BYTES_PER_FILE + leave_free_bytes)
        downloader.fetch(missing, signals, here=len(signals) - len(missing), progress=progress)
    return folder


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    try:
        with FileLock(folder / ".lock", timeout=0):  # freed by the system, should this process be killed
            yield
    except Timeout as error:
        raise DownloadError(f"Another download into {folder} is running; wait for it, or stop it.") from error


@contextmanager
def _removing_a_bad_list(path: Path, address: str) -> Iterator[None]:
    """The list is all that has no checksum: a page that asks to log in to a network could have come in its place."""
    try:
        yield
    except ValueError as error:
        path.unlink()
        raise DownloadError(
            f"What came as {address}{path.name} is not the list of checksums of PTB-XL: {error}. It is removed; run the "
            f"same again, or give another address."
        ) from error


def _pick(listed: Mapping[str, str], names: list[str] | tuple[str, ...]) -> dict[str, str]:
    absent = [name for name in names if name not in listed]
    if absent:
        raise ValueError(f"{len(absent)} files are not in it, {absent[0]} for one")
    return {name: listed[name] for name in names}


def _signal_files(folder: Path) -> list[str]:
    """Signal and header of each recording in the table: the table and the list of checksums must agree."""
    names = pd.read_csv(folder / "ptbxl_database.csv", usecols=["filename_lr"], keep_default_na=False)["filename_lr"]
    if not names.astype(str).str.fullmatch(r"records100/\d+/\d+_lr").all():
        raise ValueError("ptbxl_database.csv names a recording that does not lie in records100/")
    return [f"{name}.{kind}" for name in names for kind in ("dat", "hea")]


def _refuse_a_full_disk(folder: Path, needed_bytes: int) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise DownloadError(
            f"The disk of {folder.absolute()} has {free_bytes / 1e9:.2f} GB free; {needed_bytes / 1e9:.2f} GB are needed. "
            f"Make room, or choose a place on another disk."
        )


def main(arguments: list[str] | None = None) -> None:
    """Download the 100 Hz part of PTB-XL and make a dataset of it, with its official folds and the five superclasses."""
    parser = argparse.ArgumentParser(prog="python -m selfdana_lite.ptbxl", description=main.__doc__)
    parser.add_argument("dest", type=Path, help="where to write the dataset; the download lies beside it, in DEST-download")
    parser.add_argument("--url", default=URL, help=f"from where (default: %(default)s); also {URL_OF_COPY}")
    options = parser.parse_args(arguments)

    dest = options.dest
    if dest.exists():
        parser.error(f"{dest} exists already; open it, choose another place, or move it away first.")
    folder = dest.with_name(f"{dest.name}-download")
    print(_BEFORE.format(url=options.url, folder=folder))
    try:
        download_ptbxl(folder, options.url, leave_free_bytes=_DATASET_BYTES)
        dataset = EcgDataset.build(folder, dest)
    except (OSError, ValueError) as error:  # each says what was found and what to do: no traceback needed
        parser.exit(1, f"{error}\n")
    except KeyboardInterrupt:
        parser.exit(130, "Stopped; the same command goes on from there.\n")
    print(f"{dest} holds {dataset!r}: sd.EcgDataset.open({str(dest)!r}) opens it. {build_summary(dest)}")
    print(f"Nothing needs {folder} any more: keep it to build again, or remove it.")


if __name__ == "__main__":
    main()
