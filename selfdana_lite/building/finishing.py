"""From finished blocks to a dataset: leave out what cannot be used, write report and table, look at all of it once more.

Each step can be done again from its beginning, so that a kill costs no more than the step.
"""

import csv
import hashlib
import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd

from selfdana_lite.building.blocks import MICROVOLT_PER_MV, Place, Wanted, bring
from selfdana_lite.building.listing import Listing, join_remarks
from selfdana_lite.building.partial import Journal
from selfdana_lite.dataset import EcgDataset
from selfdana_lite.parts import DatasetError
from selfdana_lite.reading import read_recording
from selfdana_lite.storage import PRESENT_FILE, SIGNALS_FILE, TABLE_FILE, dataset_facts

REPORT_FILE = "report.csv"
_COPY_BYTES = 16_000_000
_READ_AGAIN = 20
_FLOAT32_UV = 0.01  # what float32 millivolt cannot tell apart, below 32.767 mV


def make_signals(path: Path, records: int, wanted: Wanted, *, begun: bool) -> Place:
    """A .npy of zeros, int16 [leads, records, samples]. begun: it has been made before, and what it holds stays."""
    shape = (len(wanted.leads), records, wanted.samples)
    header = _npy_header(shape)
    size = len(header) + 2 * int(np.prod(shape))
    if begun and (not path.exists() or path.stat().st_size != size):
        raise DatasetError(f"{path} is not as it was left; delete {path.parent} to begin anew.")
    if not begun:
        _refuse_a_full_disk(path.parent, size)
        with synced(path, "wb") as file:
            file.write(header)
            file.truncate(size)  # most systems give disk to it only as it fills
    return Place(path, len(header), records)


def _refuse_a_full_disk(folder: Path, needed_bytes: int) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise DatasetError(
            f"The disk of {folder} has {free_bytes / 1e9:.2f} GB free; the signals need {needed_bytes / 1e9:.2f} GB. Make "
            f"room, or choose a place on another disk."
        )


def write_report(path: Path, listing: Listing, journal: Journal, n_leads: int) -> np.ndarray:
    """One row a recording of the source; returns which leads each sought recording has, bool [sought, leads].

    A recording that is not used has none.
    """
    present, done = np.zeros((len(listing.sought), n_leads), bool), enumerate(journal.outcomes())
    names = (listing.rows[name] for name in ("path", "file", "record_id"))
    rows = zip(*names, listing.reasons, listing.remarks, strict=True)
    with synced(path, "w") as file:
        report = csv.writer(file, lineterminator="\n")
        report.writerow(["path", "file", "record_id", "used", "reason", "remarks"])
        for path_told, file_found, record_id, reason, remarks in rows:
            if not reason:
                number, (reason, more, leads) = next(done)
                present[number] = [lead == "1" for lead in leads]
                remarks = join_remarks(remarks, more)
            report.writerow([path_told, file_found, "" if pd.isna(record_id) else record_id, not reason, reason, remarks])
        report.writerows([name, name, "", False, "no row of the label table names it", ""] for name in listing.unlisted)
    return present


def keep_used(place: Place, used: np.ndarray, into: Path, wanted: Wanted) -> None:
    """Move the signals to where they belong, without the rows of recordings that are not used [sought]."""
    if used.all():
        place.path.replace(into)
        return
    new = into.with_name(f"{into.name}.new")
    with place.path.open("rb") as old, synced(new, "wb") as file:
        file.write(_npy_header((len(wanted.leads), int(used.sum()), wanted.samples)))
        old.seek(place.offset)
        for _ in wanted.leads:
            for rows, kept in _chunks(old, used, wanted.samples):
                file.write(rows[kept].tobytes())
    new.replace(into)


def _chunks(file: IO[bytes], used: np.ndarray, samples: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """One lead, some rows at a time: int16 [rows, samples], and which of them are used [rows]."""
    step = max(1, _COPY_BYTES // (2 * samples))
    for first in range(0, len(used), step):
        kept = used[first : first + step]
        yield np.frombuffer(file.read(2 * len(kept) * samples), "<i2").reshape(len(kept), samples), kept


def write_table(folder: Path, listing: Listing, present: np.ndarray) -> None:
    """table.csv of the used recordings, and present.npy [leads, records] where not all have all leads."""
    used = present.any(axis=1)
    kept = listing.rows.iloc[listing.sought[used]]
    whole = {name: "int64" for name in ("fold", *listing.label_names)}
    with synced(folder / TABLE_FILE, "w") as file:
        kept.astype(whole).to_csv(file, index=False, lineterminator="\n")
    if not present[used].all():
        with synced(folder / PRESENT_FILE, "wb") as file:
            np.save(file, np.ascontiguousarray(present[used].T))


def facts_of(folder: Path, listing: Listing, present: np.ndarray, wanted: Wanted) -> dict:
    """What dataset.json says, the SHA-256 of the signals included."""
    used = present.any(axis=1)
    with (folder / SIGNALS_FILE).open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    facts = dataset_facts(
        leads=wanted.leads,
        sampling_rate_hz=wanted.sampling_rate_hz,
        label_names=listing.label_names,
        source=listing.source,
        licence=listing.licence,
        records=int(used.sum()),
        samples=wanted.samples,
        mixed_leads=not present[used].all(),
    )
    texts = [name for name in ("record_id", "patient_id") if listing.rows[name].dtype == object]
    return facts | {
        "text_columns": texts,  # of table.csv, where 007 is not 7
        "start_s": wanted.start_s,
        "recordings_found": len(listing.rows) + len(listing.unlisted),
        "signals_sha256": checksum,
    }


def check(folder: Path, listing: Listing, present: np.ndarray, wanted: Wanted) -> None:
    """Open the dataset as a reader would, hold it against the source; DatasetError where they differ.

    Sizes, table and signals must agree, and of recordings spread over the whole, read once more, no sample may
    differ by more than half a microvolt.
    """
    dataset = EcgDataset.open(folder)
    positions = listing.sought[present.any(axis=1)]
    kept = listing.rows.iloc[positions]
    if dataset.table["record_id"].astype(str).tolist() != kept["record_id"].astype(str).tolist():
        raise DatasetError(f"{TABLE_FILE} does not give back the record_ids that were written; name the recordings otherwise.")
    stored_uv = np.load(folder / SIGNALS_FILE, mmap_mode="r")  # [leads, records, samples]
    for row in np.unique(np.linspace(0, len(kept) - 1, _READ_AGAIN).astype(int)):
        [sought] = listing.files(positions[row : row + 1])
        path = listing.folder / sought.file
        again, _ = bring(read_recording(path, **sought.stated), wanted)
        again_uv = again.signal_mv.astype(float) * MICROVOLT_PER_MV
        if np.abs(stored_uv[[wanted.leads.index(name) for name in again.leads], row] - again_uv).max() > 0.5 + _FLOAT32_UV:
            raise DatasetError(
                f"{path} reads otherwise than it did; it has changed since the build began. Delete {folder.parent} to begin "
                f"anew."
            )


def _npy_header(shape: tuple[int, ...]) -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<i2", "fortran_order": False, "shape": shape})
    return header.getvalue()


@contextmanager
def synced(path: Path, mode: str) -> Iterator[IO]:
    """A file to write, on disk when it closes."""
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    with path.open(mode, **text) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
