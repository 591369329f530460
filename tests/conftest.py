"""What all tests share: no network, a Jupyter of their own, and where recordings are found."""

import functools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("busy machine", deadline=None)
settings.load_profile("busy machine")

ROOT = Path(__file__).resolve().parent.parent
OFFLINE = Path(__file__).resolve().parent / "offline"

sys.path[:0] = [str(OFFLINE), str(ROOT / "notebooks")]
import no_network  # noqa: E402
from browser import browser, servers  # noqa: E402, F401 - fixtures for any module of tests
from notebook_runner import Run, notebook_named, own_metadata, run_lesson  # noqa: E402

no_network.block()  # before the first test module is imported, not only while tests run


# A shell ignores Ctrl-C in what it starts in the background, and that is inherited: the tests of Ctrl-C would hear nothing.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def own_surroundings(tmp_path_factory):
    """Children (notebook kernels above all) are offline too, and see nothing of this user's Jupyter settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(OFFLINE), prepend=os.pathsep)
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        patch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path_factory.mktemp("jupyter")))
        yield


@pytest.fixture(scope="session")
def lesson(tmp_path_factory) -> Callable[[str], Run]:
    """`lesson("03")`: lesson 03 as committed, run once for all tests; its table of results is `.results`."""

    @functools.cache
    def run(notebook: Path) -> Run:
        return run_lesson(notebook, tmp_path_factory.mktemp(notebook.stem))

    return lambda name: run(notebook_named(name))


@pytest.fixture(scope="session")
def solved_lesson(lesson) -> Callable[[str], Run]:
    """The same with all solutions in, run after it in the same folder by a new kernel: a second time, after a restart.

    A lesson may name cheaper parameters for it in its metadata, since it need not show again what the first run showed.
    """
    from course.solutions import solved  # here, because it takes seconds to import torch

    @functools.cache
    def run(notebook: Path) -> Run:
        parameters = own_metadata(notebook).get("solved", {})
        return run_lesson(notebook, lesson(notebook.stem).folder.parent, form=solved, **parameters)

    return lambda name: run(notebook_named(name))


@pytest.fixture(scope="session")
def real_archive() -> Path:
    """Real recordings, which are not part of the project: the file named by SELFDANA_ARCHIVE, or one beside the project."""
    if named := os.environ.get("SELFDANA_ARCHIVE"):
        assert Path(named).exists(), f"SELFDANA_ARCHIVE names {named}, which does not exist."
        return Path(named)
    usual = ROOT / "../shared/ecg/ptbxl_folds1to9_100hz.npz"
    if not usual.exists():
        pytest.skip("no real recordings here; set SELFDANA_ARCHIVE to an archive to test with them")
    return usual


@pytest.fixture(scope="session")
def samples_path() -> Path:
    """The simulated recordings that the project ships."""
    path = ROOT / "data_samples"
    assert path.is_dir(), "data_samples/ is missing; `make samples` simulates it anew."
    return path
