"""Reading by pieces: the same numbers as an array, only those, whoever else reads, and whatever the system does."""

import copy
import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfdana_lite import signal_file
from selfdana_lite.parts import DatasetError
from selfdana_lite.signal_file import SignalFile

ARRAY = np.random.default_rng(0).integers(-3000, 3000, (3, 20, 7), dtype=np.int16)
PAIRS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 19)), min_size=1, max_size=30)


@pytest.fixture
def by_pieces(monkeypatch):
    """Every file counts as large."""
    if not hasattr(os, "preadv"):
        pytest.skip("this system cannot read at a place; files are mapped instead")
    monkeypatch.setattr(signal_file, "MAPPED_UP_TO_BYTES", 0)


@pytest.fixture
def path(tmp_path):
    np.save(tmp_path / "signals.npy", ARRAY)
    return tmp_path / "signals.npy"


@pytest.fixture(params=["pieces", "map"])
def file(request, path):
    if request.param == "pieces":
        request.getfixturevalue("by_pieces")
    return SignalFile(path)


def test_it_looks_like_the_array_that_it_holds(file):
    assert (file.shape, file.dtype, file.ndim, file.size) == (ARRAY.shape, ARRAY.dtype, 3, ARRAY.size)
    np.testing.assert_array_equal(file.mapped, ARRAY)


def test_pieces_are_what_an_array_would_give(tmp_path_factory):
    path = tmp_path_factory.mktemp("signals") / "signals.npy"
    np.save(path, ARRAY)

    @given(PAIRS)
    def check(pairs):
        leads, rows = np.array(pairs).T
        np.testing.assert_array_equal(SignalFile(path)[leads, rows], ARRAY[leads, rows])

    for most in (0, 2**28):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(signal_file, "MAPPED_UP_TO_BYTES", most)
            check()


def test_index_arrays_are_broadcast_as_numpy_does(file):
    leads, rows = np.array([2, 0])[:, None], np.array([5, 5, 19, 0])
    np.testing.assert_array_equal(file[leads, rows], ARRAY[leads, rows])
    assert file[leads, rows[:0]].shape == (2, 0, 7)


def test_what_is_read_is_the_callers_own(file, path):
    before = path.read_bytes()
    file[np.array([0]), np.array([0])][:] = 0
    np.testing.assert_array_equal(file[np.array([0]), np.array([0])], ARRAY[:1, 0])
    assert path.read_bytes() == before


def counted(monkeypatch, most_bytes=2**31):
    """preadv, noting how much each call was asked for and giving no more than so many bytes."""
    asked, real = [], os.preadv

    def preadv(descriptor, buffers, offset):
        asked.append(len(buffers[0]))
        return real(descriptor, [buffers[0][:most_bytes]], offset)

    monkeypatch.setattr(os, "preadv", preadv)
    return asked


def test_neighbours_are_read_in_one_go_and_nothing_else_is_read(by_pieces, path, monkeypatch):
    asked = counted(monkeypatch)
    SignalFile(path)[np.array([0, 0, 0, 2, 2, 1]), np.array([4, 5, 6, 9, 8, 19])]
    assert asked == [3 * 14, 14, 14, 14]  # a piece has 7 samples of 2 bytes


def test_a_system_that_reads_less_than_asked_is_asked_again(by_pieces, path, monkeypatch):
    counted(monkeypatch, most_bytes=5)
    file = SignalFile(path)
    for rows in (np.arange(20), np.arange(20)[::-1]):  # twice: fresh memory may happen to hold the right numbers
        np.testing.assert_array_equal(file[np.arange(3)[:, None], rows], ARRAY[:, rows])


def test_a_file_cut_short_under_our_feet_is_reported(by_pieces, path):
    file = SignalFile(path)
    os.truncate(path, path.stat().st_size - 14)
    with pytest.raises(DatasetError, match=r"signals\.npy has become shorter since it was opened; write or download it again"):
        file[np.array([2]), np.array([19])]
    np.testing.assert_array_equal(file[np.array([2]), np.array([18])], ARRAY[2:, 18])


def test_threads_share_a_file(by_pieces, path):
    file, rng = SignalFile(path), np.random.default_rng(1)
    wanted = [(rng.integers(0, 3, 50), rng.integers(0, 20, 50)) for _ in range(200)]
    with ThreadPoolExecutor(8) as pool:
        for (leads, rows), found in zip(wanted, pool.map(file.__getitem__, wanted), strict=True):
            np.testing.assert_array_equal(found, ARRAY[leads, rows])


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda file: pickle.loads(pickle.dumps(file))])
def test_a_copy_opens_the_file_itself_and_carries_no_signals(by_pieces, path, copied, monkeypatch):
    monkeypatch.chdir(path.parent)
    file = SignalFile("signals.npy")  # a relative path still holds where another process works in another folder
    assert len(pickle.dumps(file)) < 500
    again = copied(file)
    assert again._descriptor != file._descriptor
    del file
    monkeypatch.chdir("/")
    np.testing.assert_array_equal(copied(again)[np.array([1]), np.array([3])], ARRAY[1:2, 3])


def test_the_file_is_closed_with_its_last_reader(by_pieces, path):
    file = SignalFile(path)
    descriptor = file._descriptor
    assert os.fstat(descriptor)
    del file
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(descriptor)


def test_samples_that_lie_otherwise_are_mapped_and_right(by_pieces, path):
    np.save(path, np.asfortranarray(ARRAY))
    np.testing.assert_array_equal(SignalFile(path)[np.array([2, 0]), np.array([4, 19])], ARRAY[[2, 0], [4, 19]])
