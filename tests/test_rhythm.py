import numpy as np
import pytest

from selfdana_lite.simulation.rhythm import ATRIAL_EXTRA, SINUS, VENTRICULAR_EXTRA, draw_rhythm, fibrillation_waves


def many(n=200, **changes):
    usual = {"rate_bpm": 70, "variability": 0.03, "extra_beats": (0.0, 0.0), "fibrillating": False, "duration_s": 10}
    return [draw_rhythm(np.random.default_rng(seed), **(usual | changes)) for seed in range(n)]


@pytest.mark.parametrize("rate_bpm", [45, 70, 130])
@pytest.mark.parametrize("fibrillating", [False, True])
def test_the_mean_rate_is_the_rate_asked_for(rate_bpm, fibrillating):
    rr_ms = np.concatenate([np.diff(r.onset_ms) for r in many(rate_bpm=rate_bpm, fibrillating=fibrillating)])
    assert rr_ms.mean() == pytest.approx(60_000 / rate_bpm, rel=0.04)


def test_beats_cover_the_recording_from_before_its_start_to_after_its_end():
    for rhythm in many(rate_bpm=50):
        assert rhythm.onset_ms[0] < 800
        assert rhythm.onset_ms[-1] > 10_000 - 800
        assert (np.diff(rhythm.onset_ms) > 250).all()


def test_fibrillation_is_irregular_without_memory_and_sinus_rhythm_is_neither():
    def irregularity(rhythms):
        intervals = [np.diff(r.onset_ms) for r in rhythms]
        spread = np.mean([rr.std() / rr.mean() for rr in intervals])
        return spread, np.mean([np.corrcoef(rr[1:], rr[:-1])[0, 1] for rr in intervals])

    spread, memory = irregularity(many(rate_bpm=90, fibrillating=True))
    assert spread > 0.15
    assert abs(memory) < 0.15
    spread, memory = irregularity(many())
    assert spread < 0.06
    assert memory > 0.1


def test_variability_scales_the_spread_of_rr():
    spread = [np.mean([np.diff(r.onset_ms).std() for r in many(variability=v)]) for v in (0.01, 0.04)]
    assert spread[1] == pytest.approx(4 * spread[0], rel=0.05)


def test_a_ventricular_extra_beat_is_early_and_its_pause_makes_up_for_it():
    """R to R across the extra beat lasts two sinus cycles."""
    across, before = [], []
    for rhythm in many(variability=0.0, extra_beats=(0.0, 0.15)):
        inner = np.flatnonzero(rhythm.kind[1:-1] == VENTRICULAR_EXTRA) + 1
        across += [*(rhythm.onset_ms[inner + 1] - rhythm.onset_ms[inner - 1])]
        before += [*(rhythm.onset_ms[inner] - rhythm.onset_ms[inner - 1])]
    cycle = 60_000 / 70
    np.testing.assert_allclose(across, 2 * cycle)
    assert max(before) < 0.76 * cycle


def test_an_atrial_extra_beat_resets_the_sinus_node():
    for rhythm in many(variability=0.0, extra_beats=(0.15, 0.0)):
        inner = np.flatnonzero(rhythm.kind[1:-1] == ATRIAL_EXTRA) + 1
        assert (rhythm.onset_ms[inner + 1] - rhythm.onset_ms[inner - 1] < 1.92 * 60_000 / 70).all()


def test_extra_beats_come_as_often_as_asked_and_never_in_a_row():
    kinds = [r.kind for r in many(extra_beats=(0.05, 0.1))]
    assert np.mean(np.concatenate(kinds) != SINUS) == pytest.approx(0.13, abs=0.03)
    assert not any((kind[1:] * kind[:-1]).any() for kind in kinds)


def test_f_waves_beat_five_to_eight_times_a_second():
    waves = fibrillation_waves(np.random.default_rng(0), 1000, 100, 0.05)
    assert waves.shape == (1000, 3)
    spectrum = np.abs(np.fft.rfft(waves, axis=0)).sum(axis=1)
    assert 4 < np.fft.rfftfreq(1000, 0.01)[spectrum.argmax()] < 9
