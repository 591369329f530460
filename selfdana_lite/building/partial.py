"""Work in progress: a folder beside the dataset-to-be, with a journal of what is done, that survives a kill at any moment.

DEST.partial/settings.json   what is being built, of what; other settings or recordings are refused
DEST.partial/journal.jsonl   one line a finished block, written after its signals are on disk
DEST.partial/signals.npy     int16 [leads, records sought, samples]
DEST.partial/dataset/        the dataset, once all blocks are there; moved to DEST as the last act
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from selfdana_lite.building.blocks import Outcome
from selfdana_lite.parts import DatasetError

SETTINGS, JOURNAL, LOCK = "settings.json", "journal.jsonl", "lock"
SOURCE = "source"  # of the settings: how many recordings, and a sum over files and labels


def partial_folder(dest: Path) -> Path:
    """Where the work on dest goes on."""
    return dest.with_name(f"{dest.name}.partial")


@contextmanager
def alone_in(work: Path) -> Iterator[None]:
    """Hold the folder, made if need be, against a second build of the same."""
    lock = FileLock(work / LOCK, timeout=0)  # freed by the system, should this process be killed
    try:
        work.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:  # an OSError too, hence first
        raise DatasetError(f"Another build is at work in {work}; wait for it, or stop it.") from error
    except OSError as error:
        raise DatasetError(
            f"The working folder {work} cannot be written ({error.strerror or error}); choose a dest in a folder that can be."
        ) from error
    try:
        yield
    finally:
        lock.release()


def settle_settings(work: Path, settings: Mapping) -> None:
    """Write what is to be built, or compare it with what an earlier call was building here; DatasetError if they differ."""
    path = work / SETTINGS
    if not path.exists():
        if strangers := {entry.name for entry in work.iterdir()} - {LOCK, f"{SETTINGS}.new"}:
            raise DatasetError(f"{work} holds {', '.join(sorted(strangers))} but no {SETTINGS}; move it away, it is no build.")
        write_whole(path, json.dumps(settings, indent=2) + "\n")
        return
    then = json.loads(path.read_text(encoding="utf-8"))
    changed = [f"{name} (then {then.get(name)}, now {new})" for name, new in settings.items() if then.get(name) != new]
    if then.get(SOURCE) != settings.get(SOURCE):  # its sums say nothing to a person
        counts = [(said.get(SOURCE) or {}).get("recordings") for said in (then, settings)]
        changed[-1] = "the files of the source or their labels ({} recordings then, {} now)".format(*counts)
    if changed:
        raise DatasetError(
            f"{work} holds an unfinished build, and since then these have changed: {'; '.join(changed)}. Call again with what "
            f"was there then, or delete that folder to begin anew."
        )


class Journal:
    """What became of each recording of each finished block. Only places in the file are kept in memory."""

    def __init__(self, path: Path):
        self._path = path
        self._places: dict[int, int] = {}  # block number -> where its line begins
        path.touch()
        end = self._recover()
        if path.stat().st_size > end:
            os.truncate(path, end)

    def _recover(self) -> int:
        """Find the whole lines; a kill may have cut the last one short."""
        end = 0
        with self._path.open("rb") as file:
            for line in file:
                block = _block_of(line)
                if block is None:
                    break
                self._places[block] = end
                end += len(line)
        return end

    def __contains__(self, block: int) -> bool:
        return block in self._places

    def __len__(self) -> int:
        return len(self._places)

    def add(self, block: int, outcomes: list[Outcome]) -> None:
        """Write down a block whose signals are on disk."""
        with self._path.open("ab") as file:
            place = file.tell()
            file.write(json.dumps([block, outcomes]).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._places[block] = place

    def outcomes(self) -> Iterator[Outcome]:
        """Of all recordings, in the order of the listing, whatever the order in which blocks were finished."""
        with self._path.open("rb") as file:
            for block in sorted(self._places):
                file.seek(self._places[block])
                yield from (Outcome(*outcome) for outcome in json.loads(file.readline())[1])


def _block_of(line: bytes) -> int | None:
    try:
        return json.loads(line)[0] if line.endswith(b"\n") else None
    except ValueError:
        return None


def write_whole(path: Path, text: str) -> None:
    """The file appears with all of the text or not at all."""
    new = path.with_name(f"{path.name}.new")
    with new.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on disk; Windows does so by itself."""
    if os.name != "nt":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
