import numpy as np

from selfdana_lite.simulation.noise import draw_noise, shaped_noise


def test_shaped_noise_has_unit_size_and_only_the_frequencies_asked_for():
    noise = shaped_noise(np.random.default_rng(0), 4, 1000, 100, lambda hz: (hz > 10) & (hz < 20))
    np.testing.assert_allclose(noise.std(axis=1), 1)
    power = np.abs(np.fft.rfft(noise)) ** 2
    hz = np.fft.rfftfreq(1000, 0.01)
    assert power[:, (hz > 10) & (hz < 20)].sum() / power.sum() > 0.999


def test_electrodes_have_noise_of_their_own():
    noise = draw_noise(np.random.default_rng(0), 9, 1000, 100, breaths_hz=0.25)
    assert noise.shape == (9, 1000)
    others = np.abs(np.corrcoef(noise)[~np.eye(9, dtype=bool)])
    assert np.median(others) < 0.7


def test_noise_is_slow_mostly_and_of_a_clinical_size():
    """Tens of microvolt below 1 Hz, a few above 10 Hz, more of the latter on the limbs than on the chest."""
    rng = np.random.default_rng(1)
    noise = 1000 * np.stack([draw_noise(rng, 9, 1000, 100, 0.25) for _ in range(200)])  # [200, 9, 1000], microvolt
    hz = np.fft.rfftfreq(1000, 0.01)
    power = 2 * np.abs(np.fft.rfft(noise) / 1000) ** 2
    slow, fast = (np.median(np.sqrt(power[..., band].sum(axis=-1)), axis=0) for band in (hz < 1, hz > 10))
    assert (slow > 8).all()
    assert (slow < 60).all()
    assert (fast > 0.5).all()
    assert (fast < 8).all()
    assert fast[:3].min() > fast[3:].max()


def test_some_recordings_have_a_touched_electrode_and_most_have_none():
    rng = np.random.default_rng(2)
    sizes = np.array([np.ptp(draw_noise(rng, 9, 1000, 100, 0.25), axis=1).max() for _ in range(300)])
    assert 0.001 < (sizes > 0.4).mean() < 0.4
