"""Many thousand damaged files: nothing but documented errors, and nothing that a file should not be able to bring about.

    python tests/fuzz_readers.py --cases 20000 --seed 0            # all that there is
    python tests/fuzz_readers.py --only wfdb --case 1234 --seed 0  # one of them again, here, with its whole traceback

Each case is made from its kind, the seed and its number. It runs in a child process that may take 1 GB beyond what the
libraries take, and that is killed when it hangs; the guard watches what it opens, unpickles, starts and leaves behind. The
first cases of a kind are bombs: small files that promise much. A case may take 5 s of processor time; other programs on a
busy machine do not count, but waiting for ever does.
"""

import argparse
import collections
import contextlib
import dataclasses
import json
import os
import random
import resource
import selectors
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

_MEMORY_BYTES = 10**9
_PROCESSOR_S, _WAIT_S = 5.0, 30.0
_LONGEST_MESSAGE = 100_000


@dataclasses.dataclass(frozen=True)
class Kind:
    """make(rng, folder) -> something; use(it, rng) raises one of `documented` or nothing; share: of all cases."""

    make: Callable
    bombs: tuple
    use: Callable
    documented: tuple[type[Exception], ...]
    share: float


def kinds() -> dict[str, Kind]:
    import fuzz_builds
    import fuzz_csv
    import fuzz_datasets
    import fuzz_edf
    import fuzz_npz
    import fuzz_places
    import fuzz_wfdb

    import selfdana_lite as sd

    errors = (sd.RecordingError, sd.LeadError, FileNotFoundError)
    of_readers = {
        "wfdb": (fuzz_wfdb, 0.35),
        "edf": (fuzz_edf, 0.2),
        "csv": (fuzz_csv, 0.2),
        "npz": (fuzz_npz, 0.15),
        "places": (fuzz_places, 0.1),
    }
    return {name: Kind(module.make, module.BOMBS, read, errors, share) for name, (module, share) in of_readers.items()} | {
        "datasets": Kind(
            fuzz_datasets.make, fuzz_datasets.BOMBS, lambda path, rng: fuzz_datasets.use(path), (sd.DatasetError,), 0.15
        ),
        "builds": Kind(fuzz_builds.make, (), lambda task, rng: fuzz_builds.use_task(task), (sd.DatasetError,), 0.1),
    }


def read(path: Path, rng: random.Random) -> None:
    """Read a recording as a user might, and hold it against all that a Recording promises."""
    import selfdana_lite as sd

    options = rng.choice(
        [{}] * 6
        + [
            {"gain": 200},
            {"leads": "II"},
            {"leads": "I, II"},
            {"sampling_rate_hz": 100},
            {"sampling_rate_hz": 250, "leads": "I, II", "gain": 100},
        ]
    )
    recording = sd.read_recording(rng.choice([path, str(path)]), **options)
    signal_mv = recording.signal_mv
    assert signal_mv.dtype == np.float32
    assert not np.isinf(signal_mv).any()
    assert len(signal_mv) == len(recording.leads) == len(set(recording.leads)) > 0
    assert all(recording.leads)
    assert signal_mv.shape[1] > 0
    assert 0 < recording.sampling_rate_hz < np.inf
    assert recording.source
    assert all(isinstance(text, str) for note in recording.notes.items() for text in note)
    if "gain" not in options:
        _hold_plausible(signal_mv[[recording.leads.index(name) for name in recording.standard_leads]])
    assert recording.select(recording.leads).leads == recording.leads
    for use in (lambda: recording.window(0, 1), lambda: recording.resample(100)):
        with contextlib.suppress(sd.RecordingError):  # too short, or with gaps
            use()


def _hold_plausible(signal_mv: np.ndarray) -> None:
    """No heart swings over 100 mV in half of its leads, and none under 20 microvolt in all, unless nothing moves at all."""
    swings = [np.ptp(np.percentile(row[~np.isnan(row)], [1, 99])) for row in signal_mv if not np.isnan(row).all()]
    moving = [swing for swing in swings if swing > 0]
    assert not moving or (np.median(moving) <= 100 and max(moving) >= 0.02)


def try_case(kind: Kind, name: str, seed: int, number: int, root: Path, guard) -> dict:
    """What came of one case: outcome, faults (none, if all is well), seconds of processor time and of waiting."""
    from fuzz_places import emptied

    rng, folder = random.Random(f"{name} {seed} {number}"), emptied(root / "case")
    made = kind.bombs[number](folder) if number < len(kind.bombs) else kind.make(rng, folder)
    cpu, wall, faults, undocumented = time.process_time(), time.monotonic(), [], None
    where = folder if name != "places" else Path("/")  # there the links that lead out are what the caller named
    with guard.watching(where, folder if name == "builds" else None) as seen:
        try:
            kind.use(made, rng)
            outcome = "parsed"
        except kind.documented as error:
            outcome = type(error).__name__
            if len(str(error)) > _LONGEST_MESSAGE or not str(error).strip():
                faults.append(f"a message of {len(str(error))} letters")
        except BaseException as error:
            outcome, undocumented = "undocumented", error
    if undocumented:
        faults.append(_told(undocumented))
    took = {"cpu_s": time.process_time() - cpu, "wall_s": time.monotonic() - wall}
    if took["cpu_s"] > _PROCESSOR_S:
        faults.append(f"it took {took['cpu_s']:.1f} s")
    return {"case": number, "outcome": outcome, "faults": faults + seen, **took, "peak_bytes": _peak_bytes()}


def _told(error: BaseException) -> str:
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if f"{os.sep}selfdana_lite{os.sep}" in frame.filename
    ]
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "the fuzzer"
    return f"{type(error).__name__} in {place}: {str(error)[:300]}"


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def child(name: str, seed: int, first: int, last: int) -> None:
    """Try cases, and tell of each on a line of its own."""
    import tqdm
    from fuzz_guard import Guard

    tqdm.tqdm.monitor_interval = 0  # else it starts a thread that stays
    kind = kinds()[name]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        put_secrets(root)
        guard = Guard()
        kind.make(random.Random(0), _warm(root))  # seeds are made before anything is measured
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + _MEMORY_BYTES,) * 2)
        print(json.dumps({"base_bytes": _peak_bytes()}), flush=True)
        for number in range(first, last):
            print(json.dumps(try_case(kind, name, seed, number, root, guard)), flush=True)


def _warm(root: Path) -> Path:
    from fuzz_places import emptied

    return emptied(root / "warm")


def put_secrets(root: Path) -> None:
    """A sound record outside every case's folder, which no case may reach."""
    (root / "secret.hea").write_text("secret 1 250 600\nsecret.dat 16 500/mV 16 0 0 0 0 I\n")
    (root / "secret.dat").write_bytes(np.arange(600, dtype="<i2").tobytes())


def fuzz(name: str, seed: int, first: int, last: int, script: Path = Path(__file__)) -> dict:
    """These cases of one kind; a child that hangs or dies costs its case, and another goes on behind it."""
    found = {"tried": 0, "outcomes": collections.Counter(), "faults": [], "slowest": (0.0, None), "peak_mb": 0.0}
    while (case := first + found["tried"]) < last:
        ended = _listen([sys.executable, str(script), "--child", "--only", name, "--seed", str(seed)], case, last, found)
        if ended:
            found["faults"].append((first + found["tried"], ended))
            found["outcomes"]["undocumented"] += 1
            found["tried"] += 1
    return found


def _listen(command: list[str], first: int, last: int, found: dict) -> str:
    """Run a child and add up what it tells; "" or how it ended too soon."""
    command = [*command, "--case", str(first), "--cases", str(last)]
    limits = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    told, base = None, 0
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=os.environ | limits) as process:
            for line in _lines(process):
                told = json.loads(line)
                base = told.get("base_bytes") or base
                if "case" in told:
                    _add(told, base, found)
        errors.seek(0)
        text = errors.read().decode(errors="replace")
    if told and told.get("case") == last - 1 and process.returncode == 0:
        return ""
    return (
        f"it waited for more than {_WAIT_S:g} s"
        if process.returncode == -9
        else f"it ended with {process.returncode}: {text[-500:]}"
    )


def _lines(process: subprocess.Popen) -> Iterator[bytes]:
    """What it prints, until it ends, or is killed because nothing comes any more."""
    wait_s, begun = 10 * _WAIT_S, b""  # until everything is imported
    with selectors.DefaultSelector() as news:
        news.register(process.stdout, selectors.EVENT_READ)
        while news.select(timeout=wait_s):
            came = os.read(process.stdout.fileno(), 2**16)
            if not came:
                return
            *lines, begun = (begun + came).split(b"\n")
            yield from lines
            wait_s = _WAIT_S
    process.kill()


def _add(told: dict, base: int, found: dict) -> None:
    found["tried"] += 1
    found["outcomes"][told["outcome"]] += 1
    found["faults"] += [(told["case"], fault) for fault in told["faults"]]
    found["slowest"] = max(found["slowest"], (told["cpu_s"], told["case"]), key=lambda slow: slow[0])
    found["peak_mb"] = max(found["peak_mb"], (told["peak_bytes"] - base) / 1e6)


def report(name: str, found: dict, wall_s: float) -> str:
    seconds, case = found["slowest"]
    share = found["outcomes"]["parsed"] / max(1, found["tried"])
    lines = [
        f"{name:9} {found['tried']:6} cases in {wall_s:4.0f} s; {share:3.0%} good; slowest {seconds:.2f} s (case {case}); "
        f"{found['peak_mb']:.0f} MB at most; {dict(found['outcomes'])}"
    ]
    groups: dict[str, list[int]] = {}
    for case, fault in found["faults"]:
        groups.setdefault(fault[:160], []).append(case)
    return "\n".join([*lines, *(f"    {len(cases)}x, as in case {cases[0]}: {fault}" for fault, cases in groups.items())])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=list(kinds()))
    parser.add_argument("--case", type=int)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(asked.only, asked.seed, asked.case, asked.cases)
        return 0
    if asked.case is not None:
        return again(asked.only, asked.seed, asked.case)
    chosen = {name: kind for name, kind in kinds().items() if asked.only in (None, name)}
    faults = 0
    for name, kind in chosen.items():
        begin = time.monotonic()
        found = fuzz(name, asked.seed, 0, len(kind.bombs) + round(asked.cases * (1 if asked.only else kind.share)))
        print(report(name, found, time.monotonic() - begin), flush=True)
        faults += len(found["faults"])
    print("Nothing but documented errors." if not faults else f"{faults} faults.")
    return min(faults, 1)


def again(name: str, seed: int, number: int) -> int:
    """One case in this process, without a guard and with everything that is raised; its folder stays."""
    from fuzz_places import emptied

    kind = kinds()[name]
    folder = emptied(Path(tempfile.mkdtemp()) / "case")
    put_secrets(folder.parent)
    rng = random.Random(f"{name} {seed} {number}")
    made = kind.bombs[number](folder) if number < len(kind.bombs) else kind.make(rng, folder)
    print(f"{folder}: {made}")
    kind.use(made, rng)
    print("It is good.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
