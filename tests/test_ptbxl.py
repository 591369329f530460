"""PTB-XL from a server to a dataset: only what is wanted, only what is right, and the same bytes through any interruption."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from contextlib import contextmanager

import numpy as np
import pytest
import wfdb
from filelock import FileLock
from physionet_server import PhysioNet, break_off, busy, say, unstated_and_cut_short, write_checksums
from small_archives import write_ptbxl_tree

from selfdana_lite import LEADS, EcgDataset
from selfdana_lite.download import DownloadError, Patience
from selfdana_lite.ptbxl import URL, download_ptbxl, main

RECORDS = 20
TABLES = {"SHA256SUMS.txt", "LICENSE.txt", "ptbxl_database.csv", "scp_statements.csv"}
PATIENCE = Patience(tries=3, first_wait_s=0.01, answer_timeout_s=2)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """What PhysioNet has, in small: with files beside those that are wanted."""
    folder = tmp_path_factory.mktemp("archive")
    write_ptbxl_tree(folder, records=RECORDS)
    (folder / "LICENSE.txt").write_text("Creative Commons Attribution 4.0 International Public License\n")
    (folder / "example_physionet.py").write_text("import this\n")
    (folder / "records500/00000").mkdir(parents=True)
    (folder / "records500/00000/00001_hr.dat").write_bytes(bytes(120_000))
    write_checksums(folder)
    return folder


@pytest.fixture
def own_archive(archive, tmp_path):
    """One to change."""
    return shutil.copytree(archive, tmp_path / "archive")


@pytest.fixture
def site(archive):
    with PhysioNet(archive) as site:
        yield site


def contents(folder):
    """Every name and every byte under a folder, but for the lock."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def wanted(archive):
    return {name: content for name, content in contents(archive).items() if name in TABLES or name.startswith("records100/")}


def download(folder, site, **options):
    return download_ptbxl(folder, site.url, progress=False, patience=PATIENCE, **options)


# --- what is fetched ------------------------------------------------------------------


def test_the_tables_and_the_100_hz_recordings_come_and_nothing_else(site, archive, tmp_path, capsys):
    folder = download(str(tmp_path / "new" / "here"), site)
    assert folder == tmp_path / "new" / "here"
    assert contents(folder) == wanted(archive)
    assert sorted(site.requests) == sorted((name, 0) for name in wanted(archive))
    assert capsys.readouterr() == ("", "")


def test_a_second_time_nothing_is_fetched_and_no_server_needed(site, archive, tmp_path):
    download(tmp_path, site)
    with PhysioNet(archive) as gone:
        pass
    download(tmp_path, gone)
    assert contents(tmp_path) == wanted(archive)


def test_what_was_damaged_since_is_fetched_again_and_only_that(site, archive, tmp_path):
    download(tmp_path, site)
    site.requests.clear()
    damaged = ["records100/00000/00003_lr.dat", "records100/00000/00007_lr.hea", "scp_statements.csv"]
    (tmp_path / damaged[0]).write_bytes(bytes(24_000))
    (tmp_path / damaged[1]).write_bytes(b"")  # as a power cut leaves it
    (tmp_path / damaged[2]).unlink()
    download(tmp_path, site)
    assert sorted(site.requests) == sorted((name, 0) for name in damaged)
    assert contents(tmp_path) == wanted(archive)


def test_a_stopped_download_goes_on(site, archive, tmp_path):
    site.fault = lambda name, visit: busy(404) if name.endswith("00013_lr.dat") else None
    with pytest.raises(DownloadError, match=r"00013_lr\.dat answers 404"):
        download(tmp_path, site)
    first, site.requests, site.fault = site.requests, [], lambda name, visit: None
    download(tmp_path, site)
    assert contents(tmp_path) == wanted(archive)
    assert 0 < len(site.requests) < len(wanted(archive)) - 4
    assert not {name for name, _ in site.requests} & TABLES
    assert {name for name, _ in first + site.requests} == set(wanted(archive))


def test_by_itself_it_asks_physionet(tmp_path):
    with pytest.raises(Exception, match=r"asked for the address of 'physionet\.org'"):  # the guard of all tests
        download_ptbxl(tmp_path, progress=False)
    assert URL == "https://physionet.org/files/ptb-xl/1.0.3/"


# --- what is refused ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (say("<html>Welcome to our network\nplease log in</html>\n"), r"line 1 is '<html>.* not a SHA-256"),
        (say(f"{'0' * 64} ../../.bashrc\n"), "leads out of the folder"),
        (say(""), "ends in the middle of a line"),
        (say(f"{'0' * 64} a.txt\n"), r"3 files are not in it, ptbxl_database\.csv for one"),
        (unstated_and_cut_short, "ends in the middle of a line"),
    ],
)
def test_what_is_not_the_list_of_checksums_is_refused_and_removed(site, archive, tmp_path, fault, told):
    site.fault = lambda name, visit: fault
    with pytest.raises(DownloadError, match=told) as error:
        download(tmp_path, site)
    assert f"{site.url}SHA256SUMS.txt" in str(error.value)
    assert contents(tmp_path) == {}
    site.fault = lambda name, visit: None
    download(tmp_path, site)
    assert contents(tmp_path) == wanted(archive)


def test_a_list_that_lacks_a_recording_of_the_table_is_refused(own_archive, tmp_path):
    listed = own_archive / "SHA256SUMS.txt"
    listed.write_text("".join(line for line in listed.read_text().splitlines(True) if "00004_lr" not in line))
    with PhysioNet(own_archive) as site, pytest.raises(DownloadError, match=r"2 files are not in it, .*00004_lr\.dat for one"):
        download(tmp_path / "here", site)


@pytest.mark.parametrize(
    "name", ["records500/00000/00001_hr", "../records100/00000/00001_lr", "/records100/00000/00001_lr", ""]
)
def test_a_table_that_names_other_places_is_refused(own_archive, tmp_path, name):
    table = own_archive / "ptbxl_database.csv"
    table.write_text(table.read_text().replace("records100/00000/00001_lr", name))
    write_checksums(own_archive)
    with PhysioNet(own_archive) as site, pytest.raises(DownloadError, match="does not lie in records100/"):
        download(tmp_path / "here", site)


def test_a_full_disk_is_told_before_the_recordings(site, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: namedtuple("Usage", "free")(2_000_000))
    download(tmp_path / "enough", site)  # 20 recordings
    site.requests.clear()
    with pytest.raises(DownloadError, match=r"has 0\.00 GB free; 1\.00 GB are needed\. Make room"):
        download(tmp_path / "here", site, leave_free_bytes=1_000_000_000)
    assert {name for name, _ in site.requests} == TABLES


def test_two_downloads_into_one_folder_are_refused(site, tmp_path):
    with FileLock(tmp_path / ".lock"), pytest.raises(DownloadError, match=r"Another download into .* is running; wait for it"):
        download(tmp_path, site)
    assert site.requests == []


# --- the command ----------------------------------------------------------------------


def run(*arguments):
    """Exit status of the command."""
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code
    return 0


def test_the_command_downloads_and_builds_what_the_archive_holds(site, archive, tmp_path, capsys):
    site.fault = lambda name, visit: break_off(0.5) if name.endswith("00002_lr.dat") and visit == 1 else None
    assert run(tmp_path / "ptbxl", "--url", site.url) == 0
    dataset = EcgDataset.open(tmp_path / "ptbxl")
    assert (len(dataset), dataset.leads, dataset.sampling_rate_hz) == (RECORDS, LEADS, 100)
    for row in range(RECORDS):
        signal_mv = wfdb.rdrecord(str(archive / f"records100/00000/{row + 1:05d}_lr")).p_signal.T  # [leads, samples]
        np.testing.assert_allclose(dataset.batch([row])[0], signal_mv, atol=5.1e-4)
    assert contents(tmp_path / "ptbxl-download") == wanted(archive)

    said = capsys.readouterr().out
    for fact in ("0.55 GB", "CC BY 4.0", "Wagner et al. 2020", "Ctrl-C", site.url, "20 recordings of"):
        assert fact in said
    opened = re.search(r"sd\.EcgDataset\.open\((.*?)\)", said)[1]
    assert opened == repr(str(tmp_path / "ptbxl"))
    assert f"{tmp_path / 'ptbxl-download'}" in said.splitlines()[-1]


def test_the_labels_and_folds_are_the_archives(site, tmp_path):
    source = write_ptbxl_tree(tmp_path / "same", records=RECORDS)  # the same seed
    run(tmp_path / "ptbxl", "--url", site.url)
    dataset = EcgDataset.open(tmp_path / "ptbxl")
    assert set(dataset.label_names) == {"NORM", "MI", "STTC", "CD", "HYP"}
    assert dataset.table[list(dataset.label_names)].to_numpy().tolist() == source[list(dataset.label_names)].to_numpy().tolist()
    assert dataset.folds.tolist() == source["fold"].tolist()


@pytest.mark.parametrize("dest", ["here", "."])
def test_a_dest_that_exists_is_refused_before_anything_is_fetched(site, tmp_path, monkeypatch, capsys, dest):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    assert run(dest, "--url", site.url) == 2
    assert f"{dest} exists already" in capsys.readouterr().err
    assert site.requests == []


@pytest.mark.parametrize("url", ["physionet.org", None])
def test_a_download_that_fails_ends_in_one_sentence(site, tmp_path, capsys, url):
    site.fault = lambda name, visit: busy(404)
    assert run(tmp_path / "ptbxl", "--url", url or site.url) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("The address is 'physionet.org'" if url else f"{site.url}SHA256SUMS.txt answers 404 Not Found")
    assert not (tmp_path / "ptbxl").exists()


# --- killed, and run again ------------------------------------------------------------


class Runs:
    """Runs of the command that can be killed: a process that has imported it forks for each, so that a run starts at once."""

    CODE = """if True:
        import os, sys
        from selfdana_lite.ptbxl import main
        for line in sys.stdin:
            child = os.fork()
            if not child:
                os.dup2(2, 1)
                main(line.split())
                os._exit(0)
            print("begun", child, flush=True)
            print("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    """

    def __init__(self, log):
        self.log = log
        command = [sys.executable, "-c", self.CODE]
        with log.open("w") as said:
            self._parent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True)

    @contextmanager
    def run(self, *arguments):
        """Start one and give the function that kills it; at the end of the block, wait for the end of the run."""
        self._parent.stdin.write(" ".join(map(str, arguments)) + "\n")
        self._parent.stdin.flush()
        process_id = self._told("begun")

        def kill(by=signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(process_id, by)

        try:
            yield kill
        finally:
            self.status = self._told("ended")  # or the signal that killed it, as a negative number

    def _told(self, what: str) -> int:
        word, number = self._parent.stdout.readline().split()
        assert word == what
        return int(number)

    def close(self):
        self._parent.communicate()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    runs = Runs(tmp_path_factory.mktemp("runs") / "log")
    yield runs
    runs.close()


@pytest.fixture(scope="module")
def uninterrupted(archive, tmp_path_factory):
    """The folder of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    with PhysioNet(archive) as site:
        assert run(folder / "ptbxl", "--url", site.url) == 0
    return folder


def finish_and_compare(folder, site, uninterrupted):
    site.after_slice = lambda sent_bytes: None
    if not (folder / "ptbxl").exists():
        assert run(folder / "ptbxl", "--url", site.url) == 0
    for name in ("ptbxl", "ptbxl-download"):
        assert contents(folder / name) == contents(uninterrupted / name)


@pytest.mark.parametrize("seed", range(5))
def test_killed_four_times_while_it_downloads(seed, runs, site, archive, uninterrupted, tmp_path):
    rng, all_bytes, killed = np.random.default_rng(seed), sum(map(len, wanted(archive).values())), 0
    for _ in range(4):
        left_bytes = all_bytes - sum(map(len, contents(tmp_path).values()))
        kill_at = site.sent_bytes + rng.integers(left_bytes)
        with runs.run(tmp_path / "ptbxl", "--url", site.url) as kill:
            site.after_slice = lambda sent_bytes, kill=kill, kill_at=kill_at: kill() if sent_bytes >= kill_at else None
        killed += runs.status == -signal.SIGKILL
    assert killed >= 3  # when there is little left, its last byte may have left the server too early
    finish_and_compare(tmp_path, site, uninterrupted)


def test_ctrl_c_ends_in_one_sentence_and_the_same_command_goes_on(runs, site, uninterrupted, tmp_path):
    kills = iter([signal.SIGINT])  # one is enough
    with runs.run(tmp_path / "ptbxl", "--url", site.url) as kill:
        site.after_slice = lambda sent_bytes: [kill(by) for by in kills] if sent_bytes > 200_000 else None
    assert runs.status == 130
    assert runs.log.read_text().splitlines()[-1] == "Stopped; the same command goes on from there."
    finish_and_compare(tmp_path, site, uninterrupted)


@pytest.fixture(scope="module")
def usual_s(runs, archive, tmp_path_factory):
    """How long a run takes."""
    with PhysioNet(archive) as site, runs.run(tmp_path_factory.mktemp("usual") / "ptbxl", "--url", site.url):
        start = time.perf_counter()
    return time.perf_counter() - start


@pytest.mark.parametrize("seed", range(5))
def test_killed_four_times_at_any_moment(seed, runs, usual_s, site, uninterrupted, tmp_path):
    rng = np.random.default_rng(seed)
    for _ in range(4):
        if not (tmp_path / "ptbxl").exists():
            with runs.run(tmp_path / "ptbxl", "--url", site.url) as kill:
                time.sleep(rng.uniform(0, usual_s))
                kill()
    finish_and_compare(tmp_path, site, uninterrupted)
