"""Augmentations: the laws that they draw from, seeds, and what they must leave alone."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from selfdana_lite import RandomLeadMasking, RandomLeadSelection
from selfdana_lite.augment import random_crop, random_gain, random_noise, select_leads

SEEDS = st.integers(0, 2**32)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def labelled(batch, samples=3):
    """Signals that say where they come from: 100 * row + lead at every sample."""
    return (100.0 * torch.arange(batch)[:, None] + torch.arange(12.0))[..., None].expand(batch, 12, samples)


def drawn_counts(law, draws=6000):
    select, generator, signals = RandomLeadSelection(law=law), seeded(1), torch.zeros(1, 12, 1)
    return torch.bincount(torch.tensor([select(signals, generator)[1].shape[1] for _ in range(draws)]), minlength=13)


# --- Random Lead Selection ----------------------------------------------------------


def test_uniform_law_by_chi_square():
    counts = drawn_counts("uniform")
    assert counts[0] == 0
    assert stats.chisquare(counts[1:]).pvalue > 0.01


def test_binomial_law_by_chi_square():
    """The counts that masking leaves, were it never to mask all twelve leads."""
    counts = drawn_counts("binomial")
    law = stats.binom.pmf(range(1, 13), 12, 0.5) / (1 - 0.5**12)
    rare = [0, 1, 10, 11]  # 1, 2, 11 and 12 leads together: the test needs some five in every bin
    observed = [*counts[3:11], counts[1:][rare].sum()]
    expected = [*law[2:10], law[rare].sum()]
    assert counts[0] == 0
    assert stats.chisquare(observed, 6000 * torch.tensor(expected).double().numpy()).pvalue > 0.01


@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from(["uniform", "binomial"]))
@settings(deadline=None)
def test_the_stated_law_is_the_closed_form_within_its_bounds(a, b, law):
    fewest, most = sorted((a, b))
    stated = RandomLeadSelection(fewest, most, law).count_probabilities()
    weights = [(1 if law == "uniform" else math.comb(12, k)) if fewest <= k <= most else 0 for k in range(13)]
    torch.testing.assert_close(stated, torch.tensor(weights).double() / sum(weights))


def test_few_leads_are_rehearsed_by_selection_and_hardly_by_masking():
    selection, masking = RandomLeadSelection(), stats.binom(12, 0.5)
    assert selection.count_probabilities()[:4].sum() == pytest.approx(0.25)
    assert (masking.pmf(1), masking.cdf(3)) == (pytest.approx(0.003, abs=5e-4), pytest.approx(0.073, abs=5e-4))


def test_every_lead_and_every_pair_of_leads_is_equally_likely():
    _, kept = RandomLeadSelection(2, 2)(torch.zeros(6600, 12, 1), seeded(2))
    low, high = kept.sort(dim=1).values.T
    pairs = torch.bincount(low * 12 + high, minlength=144).reshape(12, 12)
    assert stats.chisquare(pairs[torch.triu_indices(12, 12, offset=1).unbind()]).pvalue > 0.01  # all 66 pairs
    assert stats.chisquare(torch.bincount(kept.flatten())).pvalue > 0.01
    assert stats.chisquare(torch.bincount(kept[:, 0])).pvalue > 0.01  # the order is drawn too


@given(SEEDS, st.integers(1, 12), st.integers(1, 12), st.booleans())
@settings(deadline=None)
def test_the_tensor_shrinks_to_the_leads_that_it_names(seed, a, b, per_recording):
    fewest, most = sorted((a, b))
    signals, ids = RandomLeadSelection(fewest, most, per_recording=per_recording)(labelled(5), seeded(seed))
    batch, k = ids.shape
    assert (batch, signals.shape, ids.dtype) == (5, (5, k, 3), torch.int64)
    assert fewest <= k <= most
    assert torch.equal(signals, (100 * torch.arange(5)[:, None] + ids)[..., None].expand(5, k, 3).float())
    assert all(len(set(row)) == k for row in ids.tolist())  # none twice


def test_one_draw_for_the_batch_or_one_for_each_recording():
    signals = torch.zeros(64, 12, 1)
    _, together = RandomLeadSelection(6, 6, per_recording=False)(signals, seeded(0))
    _, apart = RandomLeadSelection(6, 6)(signals, seeded(0))
    assert (together == together[0]).all()
    assert len({tuple(sorted(row)) for row in apart.tolist()}) > 50  # of 924 possible


@given(SEEDS, st.integers(0, 11))
@settings(deadline=None)
def test_a_lead_that_is_not_selected_changes_nothing(seed, lead):
    signals = torch.randn(4, 12, 6, generator=seeded(0))
    poisoned = signals.clone()
    poisoned[:, lead] = torch.nan
    before, ids = RandomLeadSelection(max_leads=11)(signals, seeded(seed))
    after, same_ids = RandomLeadSelection(max_leads=11)(poisoned, seeded(seed))
    assert torch.equal(ids, same_ids)
    spared = (ids != lead).all(dim=1)
    assert torch.equal(before[spared], after[spared])


def test_selected_leads_equal_loops():
    signals, kept = torch.randn(3, 5, 4), torch.tensor([[4, 0], [1, 2], [3, 3]])
    expected = torch.stack([torch.stack([signals[b, lead] for lead in kept[b]]) for b in range(3)])
    assert torch.equal(select_leads(signals, kept), expected)


@pytest.mark.parametrize("bounds", [(0, 3), (5, 3), (1, 13), (-1, 12)])
def test_impossible_bounds_are_refused(bounds):
    with pytest.raises(ValueError, match=rf"min_leads {bounds[0]} and max_leads {bounds[1]} must satisfy 1 <= min_leads"):
        RandomLeadSelection(*bounds)


def test_an_unknown_law_is_refused():
    with pytest.raises(ValueError, match=r"Unknown law 'poisson'; choose 'uniform' or 'binomial'"):
        RandomLeadSelection(law="poisson")


def test_more_leads_than_there_are_cannot_be_kept():
    with pytest.raises(ValueError, match=r"at least 5 leads; the signals have 3"):
        RandomLeadSelection(min_leads=5).draw(torch.zeros(1, 3, 10))


# --- recordings with different leads ---------------------------------------------------

PRESENCE = st.lists(st.lists(st.booleans(), min_size=12, max_size=12).filter(any), min_size=1, max_size=6).map(
    torch.tensor
)  # bool [B, 12]


@given(SEEDS, PRESENCE, st.sampled_from(["uniform", "binomial"]), st.booleans())
@settings(deadline=None)
def test_never_an_absent_lead(seed, present, law, per_recording):
    gaps = labelled(len(present)).masked_fill(~present[..., None], torch.nan)
    signals, ids = RandomLeadSelection(law=law, per_recording=per_recording)(gaps, seeded(seed), present)
    assert 1 <= ids.shape[1] <= present.sum(dim=1).min()
    assert present.gather(1, ids).all()
    assert all(len(set(row)) == ids.shape[1] for row in ids.tolist())  # none twice
    assert torch.equal(signals, select_leads(labelled(len(present)), ids))  # no gap, and each lead its own


@given(SEEDS, st.integers(1, 12), st.integers(1, 12), st.booleans())
@settings(deadline=None)
def test_where_all_are_present_the_draws_are_those_without_presence(seed, a, b, per_recording):
    """So that a seed keeps its meaning."""
    augmentations = (RandomLeadSelection(min(a, b), max(a, b), per_recording=per_recording), RandomLeadMasking(a / 13))
    for augment in augmentations:
        generators = seeded(seed), seeded(seed)
        plain = augment(labelled(5), generators[0])
        assert same(plain, augment(labelled(5), generators[1], torch.ones(5, 12, dtype=torch.bool)))
        assert torch.equal(*(generator.get_state() for generator in generators))


@pytest.mark.parametrize("there", [1, 2, 7])
def test_the_count_is_uniform_up_to_the_leads_that_are_there(there):
    present, select, generator = torch.zeros(2, 12, dtype=torch.bool), RandomLeadSelection(), seeded(4)
    present[0, -there:], present[1] = True, True  # a rich recording beside it changes nothing
    counts = torch.bincount(
        torch.tensor([select(labelled(2), generator, present)[1].shape[1] for _ in range(2000)]), minlength=there + 1
    )
    assert counts[0] == 0
    assert len(counts) == there + 1
    assert there == 1 or stats.chisquare(counts[1:]).pvalue > 0.01


def test_every_lead_that_is_there_is_equally_likely():
    present = torch.tensor([True, False, True, True, False, True] * 2).expand(4000, 12)
    _, kept = RandomLeadSelection(3, 3)(torch.zeros(4000, 12, 1), seeded(5), present)
    counts = torch.bincount(kept.flatten(), minlength=12)
    assert (counts[~present[0]] == 0).all()
    assert stats.chisquare(counts[present[0]]).pvalue > 0.01


def test_one_draw_for_the_batch_is_one_ranking_of_the_leads():
    """Recordings with the same leads keep the same, and one that lacks a lead keeps the next in the ranking instead."""
    present = torch.ones(3, 12, dtype=torch.bool)
    present[2, 5] = False
    _, ids = RandomLeadSelection(11, 11, per_recording=False)(labelled(3), seeded(0), present)
    full, again, lacking = ids.tolist()
    assert full == again
    assert sorted(lacking) == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    assert lacking[:10] == [lead for lead in full if lead != 5][:10]


def test_fewer_leads_than_are_to_be_kept_are_refused():
    present = torch.ones(4, 12, dtype=torch.bool)
    present[2, 3:] = False
    with pytest.raises(ValueError, match=r"at least 5 leads; the signals have 3"):
        RandomLeadSelection(min_leads=5)(labelled(4), present=present)


@given(SEEDS, PRESENCE, st.floats(0, 0.9))
@settings(deadline=None)
def test_masking_makes_what_is_absent_zero_and_draws_as_ever(seed, present, p):
    signals = labelled(len(present)) + 1
    masked, _ = RandomLeadMasking(p)(signals.masked_fill(~present[..., None], torch.nan), seeded(seed), present)
    everything, _ = RandomLeadMasking(p)(signals, seeded(seed))
    assert torch.equal(masked, everything * present[..., None])


@pytest.mark.parametrize("augment", [RandomLeadSelection(), RandomLeadMasking()])
@pytest.mark.parametrize("present", [torch.ones(3, 12), torch.ones(12, dtype=torch.bool), torch.ones(2, 12, dtype=torch.bool)])
def test_presence_of_another_shape_or_kind_is_refused(augment, present):
    with pytest.raises(
        ValueError, match=r"Expected present bool \(3, 12\), one for each lead of each recording; found torch\."
    ):
        augment(labelled(3), present=present)


# --- Random Lead Masking ------------------------------------------------------------


@pytest.mark.parametrize("p", [0.5, 0.2])
def test_masking_leaves_a_binomial_number_of_leads(p):
    masked, ids = RandomLeadMasking(p)(torch.ones(20_000, 12, 1), seeded(3))
    left = torch.bincount(masked[..., 0].sum(dim=1).long(), minlength=13).double()
    law = torch.tensor(stats.binom.pmf(range(13), 12, 1 - p)) * 20_000
    often = law >= 5
    observed, expected = [*left[often], left[~often].sum()], [*law[often], law[~often].sum()]
    assert stats.chisquare(torch.tensor(observed), torch.tensor(expected)).pvalue > 0.01
    assert torch.equal(ids, torch.arange(12).expand(20_000, 12))  # nothing is said about what was masked


@given(SEEDS, st.floats(0, 0.99))
@settings(deadline=None)
def test_a_masked_lead_is_zero_throughout_and_the_others_are_untouched(seed, p):
    signals = torch.randn(6, 12, 9, generator=seeded(0))
    masked, _ = RandomLeadMasking(p)(signals, seeded(seed))
    gone = (masked == 0).all(dim=2)
    assert masked.shape == signals.shape
    assert torch.equal(masked[~gone], signals[~gone])


def test_masking_with_probability_zero_masks_nothing():
    signals = torch.randn(50, 12, 4)
    assert torch.equal(RandomLeadMasking(0.0)(signals)[0], signals)


@pytest.mark.parametrize("p", [-0.1, 1, 1.5, math.nan])
def test_an_impossible_probability_is_refused(p):
    with pytest.raises(ValueError, match=rf"p is {p}; the probability .* must lie in \[0, 1\)"):
        RandomLeadMasking(p)


# --- crops, gain, noise ---------------------------------------------------------------


def ramps(batch=4000, samples=50):
    """Sample t of every lead is t, plus 1000 a lead: a crop shows where it begins."""
    return (torch.arange(float(samples)) + 1000 * torch.arange(2.0)[:, None]).expand(batch, 2, samples)


def test_a_crop_is_one_window_for_all_leads_of_a_recording():
    cropped = random_crop(ramps(), 20, seeded(0))
    start = cropped[:, :1, :1]
    window = torch.arange(20.0) + torch.tensor([[0.0], [1000.0]])
    assert cropped.shape == (4000, 2, 20)
    assert torch.equal(cropped, start + window)


def test_every_place_of_a_crop_is_equally_likely():
    starts = random_crop(ramps(), 20, seeded(0))[:, 0, 0].long()
    counts = torch.bincount(starts)
    assert len(counts) == 31  # the first place and the last are drawn too
    assert stats.chisquare(counts).pvalue > 0.01


def test_a_crop_of_the_whole_recording_is_the_recording():
    assert torch.equal(random_crop(ramps(3), 50), ramps(3))


@pytest.mark.parametrize("samples", [0, 51, -5])
def test_a_recording_too_short_for_the_crop_is_refused(samples):
    with pytest.raises(ValueError, match=rf"Cannot crop {samples} samples from a recording of 50; ask for 1 to 50"):
        random_crop(ramps(3), samples)


def test_gain_is_log_normal_and_one_for_all_leads():
    signals = torch.rand(5000, 3, 4, generator=seeded(0)) + 0.5
    factor = random_gain(signals, 0.2, seeded(1)) / signals
    torch.testing.assert_close(factor, factor[:, :1, :1].expand_as(factor))  # lead ratios are the heart's axis
    assert stats.kstest(factor[:, 0, 0].log(), stats.norm(0, 0.2).cdf).pvalue > 0.01


def test_gain_without_spread_changes_nothing():
    assert torch.equal(random_gain(ramps(3), 0.0), ramps(3))


def test_noise_is_white_with_a_level_of_its_own_in_every_recording():
    noise = random_noise(torch.zeros(1500, 3, 400), 0.1, seeded(0))
    level = noise.std(dim=(1, 2))
    assert stats.kstest(level, stats.uniform(0, 0.1).cdf).pvalue > 0.01
    white = noise / level[:, None, None]
    assert abs(white.mean()) < 0.005
    assert abs((white[..., 1:] * white[..., :-1]).mean()) < 0.005  # one sample says nothing about the next
    assert abs((white[:, 0] * white[:, 1]).mean()) < 0.005  # nor one lead about another
    assert stats.kurtosis(white.flatten()) == pytest.approx(0, abs=0.05)  # normal: short tails


def test_no_noise_is_no_noise():
    assert torch.equal(random_noise(ramps(3), 0.0), ramps(3))


# --- what all have in common ----------------------------------------------------------

AUGMENTATIONS = {
    "selection": RandomLeadSelection(),
    "masking": RandomLeadMasking(),
    "crop": lambda signals, generator=None: random_crop(signals, 20, generator),
    "gain": lambda signals, generator=None: random_gain(signals, 0.3, generator),
    "noise": lambda signals, generator=None: random_noise(signals, 0.3, generator),
}
every_augmentation = pytest.mark.parametrize("augment", list(AUGMENTATIONS.values()), ids=list(AUGMENTATIONS))


def parts(result):
    return result if isinstance(result, tuple) else (result,)


def same(one, other):
    return all(a.shape == b.shape and torch.equal(a, b) for a, b in zip(parts(one), parts(other), strict=True))


@every_augmentation
def test_the_generator_alone_decides(augment):
    signals = torch.randn(8, 12, 30, generator=seeded(0))
    torch.manual_seed(1)
    first = augment(signals, generator=seeded(7))
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert same(first, augment(signals, generator=seeded(7)))  # whatever the global seed
    assert torch.equal(state, torch.get_rng_state())  # which is not even touched
    generator = seeded(7)
    assert not same(augment(signals, generator=generator), augment(signals, generator=generator))  # and it moves on


@every_augmentation
def test_without_a_generator_the_global_seed_decides(augment):
    signals = torch.randn(8, 12, 30, generator=seeded(0))
    results = []
    for _ in range(2):
        torch.manual_seed(5)
        results.append(augment(signals))
    assert same(*results)


@every_augmentation
def test_signals_are_not_changed_in_place_and_keep_their_precision(augment):
    for dtype in (torch.float32, torch.float64):
        signals = torch.randn(8, 12, 30, generator=seeded(0)).to(dtype)
        before = signals.clone()
        assert parts(augment(signals, generator=seeded(0)))[0].dtype == dtype
        assert torch.equal(signals, before)


@every_augmentation
@pytest.mark.parametrize("wrong", [torch.zeros(12, 30), torch.zeros(2, 12, 30, dtype=torch.int16)], ids=["2-D", "int16"])
def test_what_is_no_batch_in_millivolt_is_refused(augment, wrong):
    with pytest.raises(ValueError, match=r"Expected floating-point signals \[batch, leads, samples\] in mV; found torch\."):
        augment(wrong)


@pytest.mark.parametrize("augment", [RandomLeadSelection(), RandomLeadMasking()])
def test_lead_augmentations_choose_from_all_twelve(augment):
    with pytest.raises(ValueError, match=r"Expected the twelve leads in the order of LEADS.*found 8 leads"):
        augment(torch.zeros(2, 8, 30))
