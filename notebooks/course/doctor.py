"""Is this machine ready for the lessons? One line a check, with the fix: `make doctor`, or `python notebooks/course/doctor.py`.

The exit status is 1 where something must be mended. Nothing but Python's own library is imported at the top, so that it
can speak where packages are missing.
"""

import importlib.metadata
import json
import os
import re
import shutil
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
OLDEST_PYTHON = (3, 11)
FREE_MEMORY_GB, FREE_DISK_GB, CORES = 2, 1, 2  # what the hungriest lesson needs beside a browser; two cores for its minutes
FRONT_ENDS = {"@jupyter-widgets/jupyterlab-manager": "ipywidgets", "anywidget": "anywidget", "jupyterlab-plotly": "plotly"}
INSTALL = "run `make install` (or, with conda, `conda env update -f environment.yml`)"


class Finding(NamedTuple):
    """What a check found: "ok"; "note", which one can live with; or "MEND", with what to do."""

    verdict: str
    subject: str
    found: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.verdict:5}{self.subject:12}{self.found}{f': {self.fix}' if self.fix else ''}"


def python() -> Iterator[Finding]:
    """New enough?"""
    found = ".".join(map(str, sys.version_info[:3]))
    if tuple(sys.version_info[:2]) >= OLDEST_PYTHON:
        yield Finding("ok", "Python", f"{found} at {sys.executable}")
    else:
        yield Finding("MEND", "Python", f"{found} is too old", "install 3.11 or newer, then `make install PYTHON=/path/to/it`")


def packages() -> Iterator[Finding]:
    """Each package that the lessons need: there, within its range, and of the version that was tested?"""
    wanted = re.findall(r'^  "([\w-]+)>=([\d.]+),<([\d.]+)"', _section(ROOT / "pyproject.toml"), re.MULTILINE)
    tested = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE))
    others, mend = [], []
    for name, least, below in wanted:
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            mend.append(f"{name} is missing")
            continue
        if not _numbers(least) <= _numbers(found) < _numbers(below):
            mend.append(f"{name} {found} is not within {least} and {below}")
        elif _numbers(found) != _numbers(tested[name]):
            others.append(f"{name} {found} (tested: {tested[name]})")
    yield from (Finding("MEND", "packages", text, INSTALL) for text in mend)
    if others:
        yield Finding("note", "packages", f"other versions than tested, which should do: {', '.join(others)}")
    elif not mend:
        yield Finding("ok", "packages", f"{len(wanted)} as tested")


def kernel() -> Iterator[Finding]:
    """Do notebooks run in this very Python?"""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        runs = KernelSpecManager().get_kernel_spec("python3").argv[0]
    except NoSuchKernel:
        yield Finding("MEND", "kernel", "there is no kernel python3", INSTALL)
        return
    if os.path.dirname(runs) in ("", os.path.dirname(sys.executable)):
        yield Finding("ok", "kernel", "python3 runs in this Python")
    else:
        fix = f"run `{sys.executable} -m ipykernel install --sys-prefix`, or `jupyter kernelspec remove python3`"
        yield Finding("MEND", "kernel", f"python3 runs {runs}, not {sys.executable}", fix)


def widgets() -> Iterator[Finding]:
    """Has JupyterLab the parts that draw widgets, switched on? Without them they stay blank."""
    share, mend = Path(sys.prefix) / "share/jupyter", []
    configs = [Path(sys.prefix) / "etc/jupyter/labconfig", share / "lab/settings", Path.home() / ".jupyter/labconfig"]
    for extension, package in FRONT_ENDS.items():
        if not (share / "labextensions" / extension / "package.json").exists():
            mend.append(Finding("MEND", "widgets", f"{extension} is missing", f"pip install --force-reinstall {package}"))
        elif any(_disabled(config / "page_config.json", extension) for config in configs):
            fix = f"run `jupyter labextension enable {extension}`"
            mend.append(Finding("MEND", "widgets", f"{extension} is switched off", fix))
    yield from mend or [Finding("ok", "widgets", f"{', '.join(FRONT_ENDS)} are there and switched on")]


def data() -> Iterator[Finding]:
    """Can the recordings that come with the kit be read, and the encoder?"""
    sys.path.insert(0, str(ROOT))
    import selfdana_lite as sd

    dataset = sd.EcgDataset.open(sd.SAMPLES)
    shape = sd.load_encoder()(dataset.batch([0]), dataset.leads).shape
    yield Finding("ok", "data", f"{len(dataset)} recordings, and an encoder that gives {shape[1]} numbers for one")


def browser() -> Iterator[Finding]:
    """Is there one to open the lessons in?"""
    try:
        yield Finding("ok", "browser", webbrowser.get().name)
    except webbrowser.Error:
        yield Finding("note", "browser", "none found here", "open the address that `make lab` prints on a machine that has one")


def memory() -> Iterator[Finding]:
    """Is there enough for a lesson and a browser?"""
    import psutil

    free = psutil.virtual_memory().available / 1e9
    if free >= FREE_MEMORY_GB:
        yield Finding("ok", "memory", f"{free:.1f} GB free")
    else:
        yield Finding("MEND", "memory", f"{free:.1f} GB free, {FREE_MEMORY_GB} wanted", "close other programs and notebooks")


def disk() -> Iterator[Finding]:
    """Is there room for results, where the notebooks are and where temporary files go, and may one write there?"""
    for subject, folder in (("disk", ROOT / "notebooks"), ("temporary", Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(folder).free / 1e9
        if not os.access(folder, os.W_OK):
            yield Finding("MEND", subject, f"{folder} cannot be written to", "copy the kit to a folder of yours, or set TMPDIR")
        elif free < FREE_DISK_GB:
            yield Finding("MEND", subject, f"{free:.1f} GB free in {folder}, {FREE_DISK_GB} wanted", "make room there")
        else:
            yield Finding("ok", subject, f"{free:.0f} GB free in {folder}")


def cores() -> Iterator[Finding]:
    """Enough for the minutes that the lessons state?"""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if found >= CORES:
        yield Finding("ok", "cores", str(found))
    else:
        yield Finding("note", "cores", f"{found}; lessons take longer than they say", "set EPOCHS lower where a lesson trains")


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    *(python, packages, kernel, widgets, data),
    *(browser, memory, disk, cores),
)


def examine(checks: tuple[Callable[[], Iterator[Finding]], ...] = CHECKS) -> Iterator[Finding]:
    """Every finding, in order. A check that cannot even be made is one to mend."""
    for check in checks:
        try:
            yield from check()
        except Exception as error:  # whatever is broken: the doctor's task is to say so and go on
            yield Finding("MEND", check.__name__, f"{type(error).__name__}: {error}".splitlines()[0], INSTALL)


def main() -> int:
    """Print the findings; 1 if something must be mended."""
    findings = []
    for finding in examine():
        print(finding, flush=True)
        findings.append(finding)
    mend = sum(finding.verdict == "MEND" for finding in findings)
    print(f"{mend} to mend" if mend else "Ready.")
    return int(mend > 0)


def _section(pyproject: Path) -> str:
    """The run-time dependencies in a pyproject.toml, as text: what reads TOML is not in every Python."""
    return re.search(r"^dependencies = \[\n(.*?)^\]", pyproject.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)[1]


def _numbers(version: str) -> tuple[int, ...]:
    """2.13.0+cpu as (2, 13, 0, 0), for comparison."""
    numbers = [int(number) for number in re.match(r"\d+(?:\.\d+)*", version)[0].split(".")]
    return tuple(numbers + [0] * (4 - len(numbers)))


def _disabled(config: Path, extension: str) -> bool:
    disabled = json.loads(config.read_text(encoding="utf-8")).get("disabledExtensions", {}) if config.exists() else {}
    return extension in disabled and (isinstance(disabled, list) or bool(disabled[extension]))


if __name__ == "__main__":
    sys.exit(main())
