"""Downloads end with the right bytes or with one sentence, whatever a server does, and nothing is fetched twice in vain."""

import _thread
import re
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from physionet_server import (
    PhysioNet,
    answer_another_range,
    break_off,
    busy,
    cut_short,
    hang,
    ignore_range,
    ignore_range_and_break_off,
    redirect,
    state_too_much,
    unstated_and_cut_short,
    wrong_byte,
)

from selfdana_lite.checksums import missing_files, sha256_of
from selfdana_lite.download import Downloader, DownloadError, Patience

PATIENCE = Patience(tries=4, first_wait_s=0.01, longest_wait_s=1, answer_timeout_s=10)  # on a busy machine, that is soon
IMPATIENT = replace(PATIENCE, answer_timeout_s=0.4)
SIZES = {"table.csv": 90_000, "a/1.dat": 24_000, "a/1.hea": 600, "a/2.dat": 24_000, "b c/#3.dat": 1, "b c/empty": 0}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("source"), np.random.default_rng(0)
    for name, size in SIZES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(rng.bytes(size))
    return folder


@pytest.fixture(scope="module")
def checksums(source):
    return {name: sha256_of(source / name) for name in SIZES}


@pytest.fixture
def site(source):
    with PhysioNet(source) as site:
        yield site


def fetch(site, folder, checksums, names=None, url=None, **options):
    options = {"patience": PATIENCE} | options
    Downloader(url or site.url, folder, **options).fetch(names or list(checksums), checksums, progress=False)


def assert_whole(folder, checksums):
    assert missing_files(folder, checksums) == []
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == set(checksums)  # no .part


# --- a server that does its work ------------------------------------------------------


def test_every_file_is_asked_for_once_over_few_connections(site, tmp_path, checksums):
    fetch(site, tmp_path, checksums, connections=2)
    assert_whole(tmp_path, checksums)
    assert sorted(site.requests) == sorted((name, 0) for name in SIZES)
    assert site.connections <= 2  # kept open, not one a file


def test_a_part_is_continued_where_it_ends(site, tmp_path, source, checksums):
    (tmp_path / "table.csv.part").write_bytes((source / "table.csv").read_bytes()[:70_000])
    fetch(site, tmp_path, checksums, ["table.csv"])
    assert site.requests == [("table.csv", 70_000)]
    assert site.sent_bytes == 20_000
    assert missing_files(tmp_path, {"table.csv": checksums["table.csv"]}) == []


def test_a_part_that_is_whole_already_needs_no_server(site, tmp_path, source, checksums):
    (tmp_path / "table.csv.part").write_bytes((source / "table.csv").read_bytes())
    fetch(site, tmp_path, checksums, ["table.csv"])
    assert site.requests == []
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


@pytest.mark.parametrize("part", [b"of an older version" * 100, b"longer than the file is now" * 10_000])
def test_a_part_of_another_file_is_given_up(site, tmp_path, checksums, part):
    (tmp_path / "table.csv.part").write_bytes(part)
    fetch(site, tmp_path, checksums, ["table.csv"])
    assert site.requests == [("table.csv", len(part)), ("table.csv", 0)]
    assert missing_files(tmp_path, {"table.csv": checksums["table.csv"]}) == []


def test_without_a_checksum_nothing_is_continued(site, tmp_path, source):
    (tmp_path / "table.csv.part").write_bytes(b"of an older version")
    fetch(site, tmp_path, {}, ["table.csv"])
    assert (tmp_path / "table.csv").read_bytes() == (source / "table.csv").read_bytes()


def test_a_damaged_file_is_replaced(site, tmp_path, checksums):
    (tmp_path / "table.csv").write_text("damaged")
    fetch(site, tmp_path, checksums)
    assert_whole(tmp_path, checksums)


# --- a server that fails now and then -------------------------------------------------

PASSING = {
    "no byte": break_off(0),
    "half": break_off(0.5),
    "503": busy(503),
    "500": busy(500, "soon"),  # not a number of seconds: then as long as we think best
    "429": busy(429, "0"),
    "wrong byte": wrong_byte,
    "cut short": cut_short,
    "unstated and cut short": unstated_and_cut_short,
    "stated too long": state_too_much,
    "another range": answer_another_range,
    "no ranges": ignore_range,
    "no ranges, and half": ignore_range_and_break_off(0.5),
}


@pytest.mark.parametrize("first_half_here", [False, True])
@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_a_fault_that_passes_leaves_no_trace(site, tmp_path, source, checksums, fault, first_half_here):
    if first_half_here:
        (tmp_path / "table.csv.part").write_bytes((source / "table.csv").read_bytes()[:45_000])
    site.fault = lambda name, visit: fault if visit == 1 else None
    few = {name: checksums[name] for name in ("table.csv", "a/1.dat")}
    fetch(site, tmp_path, few)
    assert_whole(tmp_path, few)


@pytest.mark.parametrize("first_half_here", [False, True])
def test_an_answer_that_comes_too_late_is_asked_for_again(site, tmp_path, source, checksums, first_half_here):
    if first_half_here:
        (tmp_path / "table.csv.part").write_bytes((source / "table.csv").read_bytes()[:45_000])
    site.fault = lambda name, visit: hang(1) if visit == 1 else None
    few = {name: checksums[name] for name in ("table.csv", "a/1.dat")}
    fetch(site, tmp_path, few, patience=replace(IMPATIENT, tries=40))  # also where the machine is too busy to answer at once
    assert_whole(tmp_path, few)
    assert site.times_asked("table.csv") >= 2


def test_answers_that_all_come_too_late_are_told(site, tmp_path, checksums):
    site.fault = lambda name, visit: hang(0.6)
    with pytest.raises(DownloadError, match=r"1\.dat could not be fetched in 4 tries \(timed out\)"):
        fetch(site, tmp_path, checksums, ["a/1.dat"], patience=IMPATIENT)
    assert len(site.requests) == 4
    assert not (tmp_path / "a/1.dat").exists()


def test_a_line_that_breaks_at_random_costs_time_but_few_bytes(site, tmp_path, checksums):
    rng = np.random.default_rng(1)
    site.fault = lambda name, visit: break_off(rng.random()) if rng.random() < 0.7 else None
    fetch(site, tmp_path, checksums)
    assert_whole(tmp_path, checksums)
    assert len(site.requests) > len(SIZES)
    assert site.sent_bytes < 1.2 * sum(SIZES.values())  # what had arrived was not sent again


def test_as_long_as_it_gets_further_it_does_not_give_up(site, tmp_path, checksums):
    site.fault = lambda name, visit: break_off(0.1) if visit <= 2 * PATIENCE.tries else None
    fetch(site, tmp_path, checksums, ["table.csv"])
    assert site.times_asked("table.csv") == 2 * PATIENCE.tries + 1


def test_it_comes_back_when_the_server_says(site, tmp_path, checksums):
    site.fault = lambda name, visit: busy(429, "1") if visit == 1 else None
    start = time.perf_counter()
    fetch(site, tmp_path, checksums, ["a/1.hea"])
    assert 1 <= time.perf_counter() - start < 30  # the upper bound is for a busy machine


# --- a server that goes on failing: one sentence, and what has arrived is kept --------


@pytest.mark.parametrize(
    ("fault", "requests", "told"),
    [
        (wrong_byte, 2, "arrived twice with another SHA-256"),
        (cut_short, 2, "arrived twice with another SHA-256"),
        (busy(404), 1, "answers 404 Not Found. Is the address right?"),
        (busy(403), 1, "answers 403 Forbidden"),
        (busy(304), 1, "answers 304 Not Modified"),
        (busy(503), 4, r"could not be fetched in 4 tries \(503 Service Unavailable\)"),
        (busy(429, "3600"), 1, "429 Too Many Requests and asks to come back in 3600 s"),
        (break_off(0), 4, r"in 4 tries \(IncompleteRead"),
        (ignore_range_and_break_off(0.5), 4, "in 4 tries"),  # always the same half is no progress
        (redirect("http://elsewhere.example/x"), 1, r"sends us on to elsewhere\.example, another server"),
        (redirect("//127.0.0.1:1/x"), 1, "sends us on to 127.0.0.1:1, another server"),
        (redirect("file:///etc/passwd"), 1, "another server"),
    ],
)
def test_a_fault_that_stays_is_told_with_the_address(site, tmp_path, checksums, fault, requests, told):
    site.fault = lambda name, visit: fault
    with pytest.raises(DownloadError, match=told) as error:
        fetch(site, tmp_path, checksums, ["a/1.dat"])
    assert f"{site.url}a/1.dat" in str(error.value)
    assert "\n" not in str(error.value)
    assert len(site.requests) == requests
    assert not (tmp_path / "a/1.dat").exists()


def test_redirects_within_the_host_are_followed_until_they_go_in_a_circle(site, tmp_path, checksums):
    site.fault = lambda name, visit: redirect(f"{site.url}a/1.dat") if name == "a/2.dat" else None
    fetch(site, tmp_path, {"a/2.dat": checksums["a/1.dat"]})
    site.fault = lambda name, visit: redirect(f"{site.url}{name}")
    with pytest.raises(DownloadError, match=r"1\.dat cannot be fetched: Exceeded 30 redirects"):
        fetch(site, tmp_path, checksums, ["a/1.dat"])


def test_no_server_at_all(site, tmp_path, checksums):
    with PhysioNet(tmp_path) as gone:
        pass
    with pytest.raises(DownloadError, match=r"Connection refused.*Is the network up, and the address right"):
        fetch(site, tmp_path, checksums, url=gone.url)


@pytest.mark.parametrize("address", ["physionet.org/files/", "ftp://physionet.org/", "file:///etc/", "https://", ""])
def test_addresses_that_are_not_of_the_web_are_refused(tmp_path, address):
    with pytest.raises(DownloadError, match=re.escape(f"The address is {address!r}; expected one that starts with http://")):
        Downloader(address, tmp_path)


def test_one_file_that_fails_ends_the_download_and_the_next_goes_on(site, tmp_path, checksums):
    site.fault = lambda name, visit: busy(404) if name == "table.csv" else break_off(0.5)
    with pytest.raises(DownloadError, match=r"table\.csv answers 404"):
        fetch(site, tmp_path, checksums)
    assert threading.active_count() <= 2 + len(site.requests)  # pytest's and the server's, none of the download's
    site.fault = lambda name, visit: None
    fetch(site, tmp_path, checksums, missing_files(tmp_path, checksums))
    assert_whole(tmp_path, checksums)


def test_ctrl_c_ends_it_soon_and_the_next_goes_on(site, tmp_path, checksums):
    site.fault = lambda name, visit: None if name == "table.csv" else busy(503, "30")  # the others wait meanwhile
    site.after_slice = lambda sent: _thread.interrupt_main() if sent == 45_056 else None
    start = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        fetch(site, tmp_path, checksums, patience=replace(PATIENCE, longest_wait_s=60))
    assert time.perf_counter() - start < 15
    site.fault = lambda name, visit: None
    fetch(site, tmp_path, checksums, missing_files(tmp_path, checksums))
    assert_whole(tmp_path, checksums)


# --- surroundings ---------------------------------------------------------------------


def test_the_proxy_of_the_environment_is_used(site, tmp_path, checksums, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://{site.host}")
    fetch(site, tmp_path, checksums, url="http://archive.example/files/ptb-xl/1.0.3/")  # which nothing here could look up
    assert_whole(tmp_path, checksums)


def test_the_bar_counts_files_and_bytes(site, tmp_path, checksums, capsys):
    downloader = Downloader(site.url, tmp_path, patience=PATIENCE)
    downloader.fetch(["table.csv", "a/1.dat"], checksums, here=3)
    last = capsys.readouterr().err.split("\r")[-1]
    assert "5/5" in last
    assert "0.1 MB" in last
    downloader.fetch([], checksums)
    assert capsys.readouterr() == ("", "")
