"""From a folder of recordings to a dataset: any format, any number, in several processes, and through any interruption."""

import errno
import json
import os
import re
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from selfdana_lite.building import finishing
from selfdana_lite.building.blocks import Wanted, do_block
from selfdana_lite.building.listing import Listing
from selfdana_lite.building.partial import (
    JOURNAL,
    SOURCE,
    Journal,
    alone_in,
    partial_folder,
    settle_settings,
    sync_folder,
    write_whole,
)
from selfdana_lite.building.pool import run
from selfdana_lite.dataset import EcgDataset
from selfdana_lite.leads import LEADS, parse_leads
from selfdana_lite.parts import DatasetError
from selfdana_lite.sources import Labels, list_recordings
from selfdana_lite.storage import FACTS_FILE, SIGNALS_FILE

_DONE = "dataset"  # the folder in the working folder that becomes the dataset
_TOLD = 5  # of each kind of news
_TOLD_CHARACTERS = 160
_LEAD_NAMES = re.compile(rf"\b(?:{'|'.join(LEADS)})\b(?:, )?")
_NUMBERS = re.compile(r"\d+(?:[.,]\d+)*")
_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


def build(
    source: str | os.PathLike,
    dest: str | os.PathLike,
    *,
    layout: str | None = None,
    labels: Labels | None = None,
    label_names: Sequence[str] | None = None,
    leads: str | Sequence[str] = LEADS,
    sampling_rate_hz: float = 100.0,
    start_s: float = 0.0,
    seconds: float = 10.0,
    workers: int | None = None,
    progress: bool = True,
) -> EcgDataset:
    """Make a dataset folder of a folder of recordings, and open it.

    source: recordings in one of three layouts, found by what lies there, or named by layout=
        "table": files in any format that read_recording reads. labels= is a CSV file or a DataFrame with a column path
            (relative to source, or absolute within it); record_id, patient_id and fold if there are any; gain (file units per
            millivolt) and sampling_rate_hz for files that do not say them, empty where a file does; label_names= says which
            others are labels.
        "ptbxl": PTB-XL as PhysioNet has it, with its official folds; labels are the five superclasses.
        "challenge": .mat and .hea with SNOMED CT codes; the five superclasses by building.superclasses.SNOMED_SUPERCLASSES.
        For the last two, labels= {name: [codes]} makes other labels; each must have a code that some recording has.
    dest: a new folder. DEST/report.csv has one row for each recording of the source: whether it is used, why not, and
        what was done to it. Without patients in the source each recording is a patient of its own, without folds
        patients go to ten folds by a hash of their id; a report of either is in remarks.
    leads, sampling_rate_hz, start_s, seconds: what every recording is brought to. Other rates are resampled; of longer
        recordings the window from start_s on is taken, shorter ones are not used. A recording that has only some of the
        leads keeps those (EcgDataset.present); a lead with missing samples in the window is left out.
    workers: processes that read, all cores by default; the dataset does not depend on it.

    The work goes on in DEST.partial: killed at any moment, the same call goes on from there and ends with the same
    bytes. DEST appears whole, after it has been checked against the source. Raises FileExistsError rather than overwrite,
    DatasetError where source, settings or disk do not allow it.
    """
    source, dest = Path(source), Path(dest)
    _check_places(source, dest)
    wanted = _check_wanted(leads, sampling_rate_hz, start_s, seconds)
    workers = _check_workers(workers)
    listing = list_recordings(source, layout, labels, label_names, wanted.sampling_rate_hz)
    work = partial_folder(dest)
    with _explaining_what_stops_it(work):
        with alone_in(work):
            found = {SOURCE: {"recordings": len(listing.sought), "sha256": listing.digest()}}
            settle_settings(work, asdict(wanted) | {"leads": list(wanted.leads)} | found)
            journal = Journal(work / JOURNAL)
            if not (work / _DONE / SIGNALS_FILE).exists():
                _read_all(work, listing, journal, wanted, workers, progress)
            _finish(work, listing, journal, wanted)
            (work / _DONE).rename(dest)
            sync_folder(dest.parent)
        shutil.rmtree(work)
    return EcgDataset.open(dest)


def _read_all(work: Path, listing: Listing, journal: Journal, wanted: Wanted, workers: int, progress: bool) -> None:
    """Every block that the journal does not have."""
    sought, size = len(listing.sought), wanted.block
    place = finishing.make_signals(work / SIGNALS_FILE, sought, wanted, begun=len(journal) > 0)
    todo = [first for first in range(0, sought, size) if first // size not in journal]
    tasks = [(listing.folder, listing.files(listing.sought[first : first + size]), wanted, place, first) for first in todo]
    done = min(sought, size * len(journal))
    with tqdm(total=sought, initial=done, unit=" recordings", disable=not progress) as bar:
        for (*_, first), outcomes in run(do_block, tasks, workers):
            journal.add(first // size, outcomes)
            bar.update(len(outcomes))


def _finish(work: Path, listing: Listing, journal: Journal, wanted: Wanted) -> None:
    """The whole dataset in work/dataset, checked."""
    done, raw = work / _DONE, work / SIGNALS_FILE
    done.mkdir(exist_ok=True)
    present = finishing.write_report(done / finishing.REPORT_FILE, listing, journal, len(wanted.leads))
    used = present.any(axis=1)
    if not used.any():
        first = _told_once(listing.files(listing.sought[:1])[0].file, next(journal.outcomes()).reason)
        raise DatasetError(
            f"None of the {len(used)} recordings can be used. The first: {first}. {done / finishing.REPORT_FILE} has them one "
            f"by one. Delete {work} before trying otherwise."
        )
    if not (done / SIGNALS_FILE).exists():
        place = finishing.make_signals(raw, len(used), wanted, begun=True)
        finishing.keep_used(place, used, done / SIGNALS_FILE, wanted)
    finishing.write_table(done, listing, present)
    write_whole(done / FACTS_FILE, json.dumps(finishing.facts_of(done, listing, present, wanted), indent=2) + "\n")
    finishing.check(done, listing, present, wanted)
    raw.unlink(missing_ok=True)


def build_summary(folder: str | os.PathLike) -> str:
    """What report.csv of a built dataset says, in a few sentences: how many are used, why not, and what was done to them."""
    report = pd.read_csv(Path(folder) / finishing.REPORT_FILE, keep_default_na=False)
    refused = report[report["used"].astype(str) != "True"]
    text = f"{len(report) - len(refused):,} of {len(report):,} recordings are used."
    if len(refused):
        kinds = refused.groupby([_kind(*row) for row in zip(refused["file"], refused["reason"], strict=True)])
        kinds = sorted(kinds, key=lambda kind: -len(kind[1]))
        some = "; ".join(_example(alike) for _, alike in kinds[:_TOLD])
        text += f" Not used: {some}" + (f"; and {len(kinds) - _TOLD:,} kinds more." if len(kinds) > _TOLD else ".")
    remarks = report["remarks"].str.split("; ").explode()
    counts = remarks[remarks != ""].value_counts()
    if len(counts):
        some = ", ".join(f"{remark} ({count:,})" for remark, count in counts.head(_TOLD).items())
        text += f" Remarks: {some}" + (f", and {len(counts) - _TOLD:,} kinds more." if len(counts) > _TOLD else ".")
    return text


def _kind(path: str, reason: str) -> str:
    """What a reason has in common with others of its kind: no name of a file or lead, no number."""
    without_name = reason.replace(path, "").replace(Path(path).stem, "") if path else reason
    return _NUMBERS.sub("", _LEAD_NAMES.sub("", without_name))


def _example(alike: pd.DataFrame) -> str:
    """The first of some recordings that are refused for the same kind of reason, and how many they are."""
    first = alike.iloc[0]
    told = textwrap.shorten(_told_once(first["file"] or first["path"], first["reason"]), _TOLD_CHARACTERS, placeholder=" …")
    return told + (f" ({len(alike):,} of this kind)" if len(alike) > 1 else "")


def _told_once(path: str, reason: str) -> str:
    """A reason may be a whole sentence that begins with the path."""
    return f"{path}: {reason.removeprefix(f'{path}: ').removesuffix('.')}"


def _check_places(source: Path, dest: Path) -> None:
    if os.path.lexists(dest):
        left = partial_folder(dest)
        aside = f" It is whole; {left} beside it is left over from a kill and may be deleted." if left.exists() else ""
        raise FileExistsError(f"{dest} exists already; choose another place, or move it away first.{aside}")
    if dest.resolve().is_relative_to(source.resolve()):
        raise DatasetError(f"{dest} lies within {source}, among the recordings; choose a place beside it.")


def _check_wanted(leads: str | Sequence[str], sampling_rate_hz: float, start_s: float, seconds: float) -> Wanted:
    wanted = Wanted(parse_leads(leads), float(sampling_rate_hz), float(start_s), float(seconds))
    samples = wanted.seconds * wanted.sampling_rate_hz
    if not (0 < wanted.sampling_rate_hz < np.inf and 0 < samples < np.inf and 0 <= wanted.start_s < np.inf):
        raise DatasetError(
            f"Found sampling_rate_hz={sampling_rate_hz}, start_s={start_s}, seconds={seconds}; rate and length must be above "
            f"0, the start 0 or more."
        )
    if abs(samples - round(samples)) > 1e-6:
        raise DatasetError(f"{seconds:g} s at {sampling_rate_hz:g} Hz are {samples:g} samples; choose a whole number of them.")
    return wanted


def _check_workers(workers: int | None) -> int:
    if workers is None:
        return os.cpu_count() or 1
    if not isinstance(workers, int) or workers < 1:
        raise DatasetError(f"workers is {workers!r}; give a whole number of at least 1, or None for all cores.")
    return workers


@contextmanager
def _explaining_what_stops_it(work: Path) -> Iterator[None]:
    """Say that nothing is lost, and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"Stopped; what is done is kept in {work}, and the same call goes on from there.") from None
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise DatasetError(f"The disk of {work} is full. Make room and call the same again: it goes on from there.") from error
