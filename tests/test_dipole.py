import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from selfdana_lite.leads import LEADS, derive_limb_leads, limb_lead_residual
from selfdana_lite.simulation.dipole import ELECTRODES, Waves, add_waves, electrode_vectors, leads_from_electrodes, rotation

ANGLES = arrays(float, 3, elements=st.floats(-180, 180))


@pytest.fixture
def waves():
    return Waves.of((40, 8, (1.0, 0.5, -0.2)), (300, 40, (0.3, 0.2, 0.1)))


def test_a_wave_is_the_sum_of_its_gaussians(waves):
    time_ms = np.linspace(-100, 500, 61)
    by_loop = np.zeros((61, 3))
    for t, row in zip(time_ms, by_loop, strict=True):
        for centre, width, vector in zip(waves.centre_ms, waves.width_ms, waves.vector_mv, strict=True):
            row += np.exp(-((t - centre) ** 2) / (2 * width**2)) * vector
    np.testing.assert_allclose(waves.at(time_ms), by_loop, atol=1e-12)


def test_area_is_the_integral(waves):
    time_ms = np.arange(-500, 1000)
    np.testing.assert_allclose(waves.area_mv_ms(), waves.at(time_ms).sum(axis=0), rtol=1e-6)


def test_stretching_keeps_the_loop_and_transforming_keeps_the_clock(waves):
    time_ms = np.linspace(0, 400, 21)
    np.testing.assert_allclose(waves.stretched(1.5).at(1.5 * time_ms), waves.at(time_ms))
    np.testing.assert_allclose(waves.scaled(2).at(time_ms), 2 * waves.at(time_ms))
    turn = rotation([0, 0, 30])
    np.testing.assert_allclose(waves.transformed(turn).at(time_ms), waves.at(time_ms) @ turn.T)
    np.testing.assert_allclose((waves + waves).at(time_ms), 2 * waves.at(time_ms))


def test_a_quarter_turn_about_the_front_takes_left_to_the_feet():
    np.testing.assert_allclose(rotation([0, 0, 90]) @ [1, 0, 0], [0, 1, 0], atol=1e-12)
    np.testing.assert_array_equal(rotation([0, 0, 0]), np.eye(3))


@given(ANGLES)
def test_rotations_keep_lengths_and_are_undone_by_their_opposite(degrees):
    turn = rotation(degrees)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(turn @ rotation(-degrees), np.eye(3), atol=1e-9)
    assert np.linalg.det(turn) == pytest.approx(1)


@pytest.mark.parametrize("start_ms", [-350.0, -20.0, 0.0, 433.3, 9950.0])
def test_waves_are_added_at_their_time_even_across_the_edges(waves, start_ms):
    dipole = np.ones((1000, 3))
    add_waves(dipole, waves, start_ms, sampling_rate_hz=100)
    everywhere = 1 + waves.at(np.arange(1000) * 10 - start_ms)
    np.testing.assert_allclose(dipole, everywhere, atol=1e-5)  # five widths out, a Gaussian is down to 4e-6


@pytest.mark.parametrize("start_ms", [-5000.0, 20_000.0])
def test_waves_outside_the_recording_leave_it_alone(waves, start_ms):
    dipole = np.zeros((1000, 3))
    add_waves(dipole, waves, start_ms, sampling_rate_hz=100)
    assert not dipole.any()


def test_wilsons_terminal_is_the_zero_of_the_average_chest():
    vectors = electrode_vectors()
    assert vectors.shape == (len(ELECTRODES), 3)
    np.testing.assert_allclose(vectors[:3].sum(axis=0), 0, atol=1e-12)


def test_the_average_chest_sees_each_direction_where_it_should():
    """To the left: I, V5, V6. To the feet: II, III, aVF. To the front: V1 to V3. And aVR sees the heart from behind."""
    left, down, front = np.moveaxis(leads_from_electrodes(electrode_vectors()), -1, 0)  # each [12]
    see = lambda view, *names: [view[LEADS.index(name)] for name in names]  # noqa: E731
    assert min(see(left, "I", "aVL", "V5", "V6")) > 0.5 > 0 > max(see(left, "aVR", "V1"))
    assert min(see(down, "II", "III", "aVF")) > 0.9 > 0 > max(see(down, "aVR", "aVL"))
    assert min(see(front, "V1", "V2", "V3")) > 0.7 > 0 > see(front, "V6")[0]


@given(arrays(float, (9, 4), elements=st.floats(-5, 5, width=32)))
def test_whatever_enters_at_electrodes_obeys_einthoven_and_goldberger_exactly(potentials):
    leads = leads_from_electrodes(potentials)
    assert leads.shape == (12, 4)
    np.testing.assert_array_equal(leads[:6], derive_limb_leads(leads[0], leads[1]))
    assert limb_lead_residual(leads, LEADS) == 0


@given(arrays(float, (9, 4), elements=st.floats(-5, 5, width=32)), st.floats(-5, 5))
def test_what_all_electrodes_share_cancels(potentials, common):
    np.testing.assert_allclose(leads_from_electrodes(potentials + common), leads_from_electrodes(potentials), atol=1e-12)


def test_one_chest_electrode_reaches_one_lead_and_one_limb_electrode_reaches_all_but_one():
    touched = np.zeros((9, 1))
    touched[ELECTRODES.index("V3")] = 1
    np.testing.assert_array_equal(np.flatnonzero(leads_from_electrodes(touched)), [LEADS.index("V3")])
    touched = np.zeros((9, 1))
    touched[ELECTRODES.index("LA")] = 1
    np.testing.assert_array_equal(np.flatnonzero(leads_from_electrodes(touched) == 0), [LEADS.index("II")])
