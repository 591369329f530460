"""Poolings over leads, each held against a plain loop; what holds for every number of leads and slots."""

import copy
import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from selfdana_lite import LEADS, DimensionAdaptivePooling, LeadAttentionPooling, LeadNames, make_channel_adaptive
from selfdana_lite.adapter import PerLeadConv1d, slot_bounds

ONE_TO_TWELVE = range(1, 13)
COUNTS = st.integers(1, 12)
OPS, FILLS = ("max", "mean"), ("repeat", "tile")


def maps_of(leads, batch=2, channels=3, frames=5, seed=0):
    return torch.randn(batch, channels, leads, frames, generator=torch.Generator().manual_seed(seed))


# --- Dimension-Adaptive Pooling ---------------------------------------------------


def test_no_slot_is_ever_empty_and_no_lead_is_left_out():
    for leads, slots in itertools.product(ONE_TO_TWELVE, ONE_TO_TWELVE):
        bounds = slot_bounds(leads, slots)
        assert len(bounds) == slots
        assert all(0 <= start < stop <= leads for start, stop in bounds), (leads, slots)
        assert {lead for start, stop in bounds for lead in range(start, stop)} == set(range(leads))


def original_bounds(leads, slots):
    """The public code of DANA: whole copies of the sensors are appended, one for every three that lack
    (its sensors are tri-axial), cut at the number of slots; every slot then starts a rounded step further.
    """
    copies = max(math.ceil((slots - leads) / 3), 0)
    step = math.floor((copies + 1) * leads / slots) if copies else leads / slots
    columns = min((copies + 1) * leads, max(leads, slots))
    return [(min(round(j * step), columns), min(round((j + 1) * step), columns)) for j in range(slots)]


def test_the_original_formula_pools_over_nothing_for_some_pairs():
    """Why slot_bounds is not DANA's own formula: maximum over nothing, for counts that ECGs have."""
    leads, slots = (1, 2, 3, 4, 6, 8, 12), (1, 2, 3, 4, 6, 9, 12)
    empty = {pair for pair in itertools.product(leads, slots) if any(lo == hi for lo, hi in original_bounds(*pair))}
    assert empty == {(1, 3), (1, 4), (1, 6), (1, 9), (1, 12), (2, 9), (2, 12), (8, 12)}


def test_the_original_formula_agrees_where_it_was_meant_to_work():
    for leads, slots in itertools.product((3, 6, 9, 12), (3, 6, 9, 12)):  # tri-axial sensors
        if leads % slots == 0:
            assert original_bounds(leads, slots) == slot_bounds(leads, slots)


def pooled_with_loops(maps, slots, op, fill):
    """One number at a time, from the definition."""
    batch, channels, leads, frames = maps.shape
    pooled = torch.empty(batch, channels, slots, frames, dtype=maps.dtype)
    for b, c, slot, t in itertools.product(range(batch), range(channels), range(slots), range(frames)):
        if fill == "tile" and leads < slots:
            members = [slot % leads]
        else:
            members = [lead for lead in range(leads) if lead * slots < (slot + 1) * leads and (lead + 1) * slots > slot * leads]
        values = [maps[b, c, lead, t] for lead in members]
        pooled[b, c, slot, t] = max(values) if op == "max" else sum(values) / len(values)
    return pooled


@given(COUNTS, COUNTS, st.sampled_from(OPS), st.sampled_from(FILLS))
@settings(deadline=None, max_examples=60)
def test_pooling_equals_loops(leads, slots, op, fill):
    maps = maps_of(leads, batch=1, channels=2, frames=2).double()
    torch.testing.assert_close(DimensionAdaptivePooling(slots, op, fill)(maps), pooled_with_loops(maps, slots, op, fill))


@pytest.mark.parametrize("op", OPS)
def test_pooling_equals_torchs_adaptive_pooling(op):
    """A second oracle: torch has the same bounds, for pictures."""
    torchs = {"max": F.adaptive_max_pool2d, "mean": F.adaptive_avg_pool2d}[op]
    for leads, slots in itertools.product(ONE_TO_TWELVE, ONE_TO_TWELVE):
        maps = maps_of(leads)
        torch.testing.assert_close(DimensionAdaptivePooling(slots, op)(maps), torchs(maps, (slots, 5)))


def test_the_two_fills_as_a_picture():
    maps = torch.tensor([10.0, 20.0]).reshape(1, 1, 2, 1)
    assert DimensionAdaptivePooling(4, fill="repeat")(maps).flatten().tolist() == [10, 10, 20, 20]
    assert DimensionAdaptivePooling(4, fill="tile")(maps).flatten().tolist() == [10, 20, 10, 20]
    assert DimensionAdaptivePooling(5, fill="tile")(maps).flatten().tolist() == [10, 20, 10, 20, 10]


@given(COUNTS, COUNTS, st.sampled_from(OPS), st.sampled_from(FILLS))
@settings(deadline=None)
def test_equal_leads_stay_what_they_are(leads, slots, op, fill):
    one = maps_of(1)
    pooled = DimensionAdaptivePooling(slots, op, fill)(one.expand(-1, -1, leads, -1))
    torch.testing.assert_close(pooled, one.expand(-1, -1, slots, -1))


@given(st.permutations(range(7)), st.sampled_from(OPS))
@settings(deadline=None)
def test_one_slot_ignores_the_order_of_the_leads(order, op):
    pool = DimensionAdaptivePooling(1, op)
    torch.testing.assert_close(pool(maps_of(7)), pool(maps_of(7)[:, :, list(order)]))


def test_two_slots_do_not_ignore_it():
    pool = DimensionAdaptivePooling(2)
    assert not torch.equal(pool(maps_of(7)), pool(maps_of(7).flip(2)))


@pytest.mark.parametrize(("op", "fill"), list(itertools.product(OPS, FILLS)))
def test_gradients_of_pooling_are_those_of_finite_differences(op, fill):
    for leads, slots in ((1, 4), (3, 4), (5, 4), (12, 5)):
        maps = maps_of(leads, batch=1, channels=2, frames=2).double().requires_grad_()
        assert torch.autograd.gradcheck(DimensionAdaptivePooling(slots, op, fill), maps)


def test_mean_pooling_gives_every_lead_a_gradient_and_max_pooling_the_winners():
    for leads, slots in itertools.product(ONE_TO_TWELVE, ONE_TO_TWELVE):
        maps = maps_of(leads).requires_grad_()
        (gradient,) = torch.autograd.grad(DimensionAdaptivePooling(slots, "mean")(maps).sum(), maps)
        assert (gradient > 0).all()
        (gradient,) = torch.autograd.grad(DimensionAdaptivePooling(slots, "max")(maps).sum(), maps)
        torch.testing.assert_close(gradient.sum(2), torch.full((2, 3, 5), float(slots)))  # one winner a slot


def test_pooling_has_nothing_to_learn_and_says_what_it_is():
    pool = DimensionAdaptivePooling(4, "mean", "tile")
    assert list(pool.parameters()) == []
    assert repr(pool) == "DimensionAdaptivePooling(slots=4, op='mean', fill='tile')"


@pytest.mark.parametrize("slots", [0, -3])
def test_pooling_into_no_slot_is_refused(slots):
    with pytest.raises(ValueError, match=rf"slots is {slots}; pooling needs at least one slot"):
        DimensionAdaptivePooling(slots)


@pytest.mark.parametrize("wrong", [{"op": "median"}, {"fill": "zeros"}])
def test_unknown_ways_of_pooling_are_refused(wrong):
    with pytest.raises(ValueError, match=rf"{next(iter(wrong.values()))}.*choose op 'max' or 'mean', fill 'repeat' or 'tile'"):
        DimensionAdaptivePooling(4, **wrong)


@pytest.mark.parametrize("shape", [(2, 3, 0, 5), (2, 3, 5), (2, 3, 4, 5, 6)])
def test_maps_without_leads_are_refused(shape):
    with pytest.raises(ValueError, match=r"\[B, C, leads, T\] with at least one lead; found \(2, 3"):
        DimensionAdaptivePooling(1)(torch.zeros(shape))


# --- poolings that know which lead is which ---------------------------------------


def some_ids(leads, batch=2, seed=0):
    return torch.rand(batch, 12, generator=torch.Generator().manual_seed(seed)).argsort(1)[:, :leads]


def test_lead_names_equal_loops():
    names, maps, ids = LeadNames(3), maps_of(4), some_ids(4)
    expected = torch.empty_like(maps)
    for b, c, k in itertools.product(range(2), range(3), range(4)):
        row = names.scale_shift.weight[ids[b, k]]  # [scales of 3 channels, shifts of 3 channels]
        expected[b, c, k] = (maps[b, c, k] * (1 + row[c]) + row[3 + c]).clamp(min=0)
    torch.testing.assert_close(names(maps, ids), expected)


@torch.no_grad()
def test_attention_equals_loops():
    pooling, maps, ids = LeadAttentionPooling(3, slots=2), maps_of(4), some_ids(4)
    expected = torch.empty(2, 3, 2, 5)
    for b, slot, t in itertools.product(range(2), range(2), range(5)):
        shown = [maps[b, :, k, t] @ pooling.score.weight[slot] + pooling.score.bias[slot] for k in range(4)]
        liked = [pooling.liking.weight[ids[b, k], slot] for k in range(4)]
        powers = [math.exp(s + n) for s, n in zip(shown, liked, strict=True)]
        expected[b, :, slot, t] = sum(p * maps[b, :, k, t] for k, p in enumerate(powers)) / sum(powers)
    torch.testing.assert_close(pooling(maps, ids), expected)


def test_attention_over_one_lead_is_that_lead():
    pooled = LeadAttentionPooling(3, slots=4)(maps_of(1), some_ids(1))
    torch.testing.assert_close(pooled, maps_of(1).expand(-1, -1, 4, -1))


def test_attention_stays_within_what_the_leads_show():
    """A weighted mean with positive weights that sum to one lies between the least and the most."""
    for leads in ONE_TO_TWELVE:
        maps, pooled = maps_of(leads), LeadAttentionPooling(3, slots=2)(maps_of(leads), some_ids(leads))
        assert pooled.shape == (2, 3, 2, 5)
        assert (pooled <= maps.amax(2, keepdim=True) + 1e-6).all()
        assert (pooled >= maps.amin(2, keepdim=True) - 1e-6).all()


@given(st.permutations(range(6)))
@settings(deadline=None)
def test_order_never_matters_once_leads_have_names(order):
    torch.manual_seed(0)
    order, maps, ids = list(order), maps_of(6), some_ids(6)
    attention, names, most = LeadAttentionPooling(3, slots=2), LeadNames(3), DimensionAdaptivePooling(1)
    torch.testing.assert_close(attention(maps, ids), attention(maps[:, :, order], ids[:, order]))
    torch.testing.assert_close(most(names(maps, ids)), most(names(maps[:, :, order], ids[:, order])))


def test_the_name_of_a_lead_matters():
    torch.manual_seed(0)
    attention, names = LeadAttentionPooling(3), LeadNames(3)
    for layer in (attention, names):
        assert not torch.allclose(layer(maps_of(4), some_ids(4)), layer(maps_of(4), (some_ids(4) + 1) % 12))


def test_gradients_of_named_poolings_are_those_of_finite_differences():
    torch.manual_seed(0)
    maps = maps_of(3, batch=1, channels=2, frames=2).double().requires_grad_()
    for layer in (LeadAttentionPooling(2, slots=2).double(), LeadNames(2).double()):
        assert torch.autograd.gradcheck(lambda maps, layer=layer: layer(maps, torch.tensor([[0, 7, 11]])), maps)


# --- any network whose first convolution expects 12 leads --------------------------

CONVOLUTIONS = {
    "plain": {"kernel_size": 7},
    "strided": {"kernel_size": 15, "stride": 2, "padding": 7, "bias": False},
    "dilated": {"kernel_size": 5, "dilation": 3, "padding": "same"},
    "reflecting": {"kernel_size": 5, "padding": 2, "padding_mode": "reflect"},
    "grouped": {"kernel_size": 3, "groups": 4},
}


@pytest.mark.parametrize("options", list(CONVOLUTIONS.values()), ids=CONVOLUTIONS)
@pytest.mark.parametrize(("slots", "op", "fill"), [(1, "max", "repeat"), (4, "mean", "tile"), (12, "max", "tile")])
def test_twelve_equal_leads_go_through_as_before(options, slots, op, fill):
    mixing = nn.Conv1d(12, 8, **options)
    layer = make_channel_adaptive(mixing, slots, op, fill)
    same = torch.randn(3, 1, 60)
    torch.testing.assert_close(layer(same.expand(-1, 12, -1)), mixing(same.expand(-1, 12, -1)), atol=1e-5, rtol=1e-4)
    for leads in ONE_TO_TWELVE:  # and with fewer equal leads: the sum of the kernel is all that counts
        torch.testing.assert_close(layer(same.expand(-1, leads, -1)), mixing(same.expand(-1, 12, -1)), atol=1e-5, rtol=1e-4)


def test_per_lead_convolution_equals_loops():
    torch.manual_seed(0)
    mixing = nn.Conv1d(12, 4, 5, stride=2, padding=2)
    layer = PerLeadConv1d(mixing, DimensionAdaptivePooling(2, "mean"))
    nn.init.normal_(layer.mix_slots.weight)
    signals = torch.randn(2, 3, 20)
    alone = [F.conv1d(signals[:, k : k + 1], mixing.weight.sum(1, keepdim=True), mixing.bias, 2, 2) for k in range(3)]
    slots = [(alone[0] + alone[1]) / 2, (alone[1] + alone[2]) / 2]  # three leads, two slots: the middle one is in both
    weight = layer.mix_slots.weight[..., 0].reshape(4, 4, 2)  # [out, in, slot]
    expected = sum(torch.einsum("oi,bit->bot", weight[:, :, s], slots[s]) for s in range(2))
    torch.testing.assert_close(layer(signals), expected, atol=1e-5, rtol=1e-4)


def test_precision_is_kept():
    layer = make_channel_adaptive(nn.Conv1d(12, 4, 3).double())
    assert layer(torch.zeros(1, 3, 10, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize("shape", [(2, 0, 50), (2, 13, 50), (12, 50)])
def test_too_many_or_no_leads_are_refused(shape):
    with pytest.raises(ValueError, match=r"1\.\.12 leads, samples\]; found \(" + f"{shape[0]}, {shape[1]}"):
        make_channel_adaptive(nn.Conv1d(12, 4, 3))(torch.zeros(shape))


def test_a_network_without_such_a_convolution_is_refused():
    with pytest.raises(ValueError, match=r"No Conv1d in Linear expects 12 channels.*through which twelve leads enter"):
        make_channel_adaptive(nn.Linear(12, 3))


@pytest.mark.parametrize("named", [["head"], ["0", "nowhere"], "0"])
def test_a_convolution_that_is_not_there_is_refused(named):
    model = nn.Sequential(nn.Conv1d(12, 4, 3), nn.ReLU())
    with pytest.raises(ValueError, match=r"convolutions=.*must be a list out of \['0'\].*expect 12 channels"):
        make_channel_adaptive(model, convolutions=named)


class Undecided(nn.Module):
    """Two convolutions of 12 channels; needs exactly 480 samples, so a trial run on 1000 must fail."""

    def __init__(self):
        super().__init__()
        self.enter, self.inner, self.head = nn.Conv1d(12, 12, 3, padding=1), nn.Conv1d(12, 4, 3, padding=1), nn.Linear(480, 2)

    def forward(self, signals):
        return self.head(self.inner(self.enter(signals)))


def test_where_a_trial_cannot_tell_the_caller_names_the_layer():
    with pytest.raises(
        ValueError, match=r"A trial run .*failed \(mat1.*which of enter, inner sees the leads is not clear; name them"
    ):
        make_channel_adaptive(Undecided())
    adaptive = make_channel_adaptive(Undecided(), convolutions=["enter"])
    assert isinstance(adaptive.enter, PerLeadConv1d)
    assert isinstance(adaptive.inner, nn.Conv1d)
    assert adaptive(torch.randn(2, 5, 480)).shape == (2, 4, 2)


def test_a_network_whose_first_convolution_takes_one_lead_is_not_taken_for_a_twelve_lead_one():
    with pytest.raises(ValueError, match=r"which of 1 sees the leads is not clear"):
        make_channel_adaptive(nn.Sequential(nn.Conv1d(1, 12, 3), nn.Conv1d(12, 4, 3)))


class Causal(nn.Conv1d):
    """A convolution that pads on the left alone, in a forward of its own."""

    def forward(self, signals):
        return super().forward(nn.functional.pad(signals, (self.kernel_size[0] - 1, 0)))


def test_what_a_subclass_of_conv1d_does_is_kept():
    causal, same = Causal(12, 8, 15), torch.randn(2, 1, 100).expand(-1, 12, -1)
    adaptive = make_channel_adaptive(causal)
    assert adaptive(torch.randn(2, 3, 100)).shape == (2, 8, 100)
    assert torch.allclose(adaptive(same), causal(same), atol=1e-5)


def test_a_computed_weight_is_refused():
    with pytest.raises(ValueError, match=r"computed from others .* remove the parametrization first"):
        make_channel_adaptive(nn.utils.parametrizations.weight_norm(nn.Conv1d(12, 8, 5)))


def test_the_model_handed_in_and_its_copy_share_nothing():
    model = nn.Sequential(nn.Conv1d(12, 4, 3), nn.BatchNorm1d(4), nn.Flatten(), nn.Linear(4 * 48, 2))
    before = copy.deepcopy(model.state_dict())
    adaptive = make_channel_adaptive(model)
    for parameter in adaptive.parameters():
        nn.init.zeros_(parameter)
    adaptive(torch.randn(4, 2, 50))  # moves the copy's batch statistics
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_order_is_what_leads_are_known_by_here():
    """The documented limit: with more than one slot, a lead in another place is another lead."""
    layer = make_channel_adaptive(nn.Conv1d(12, 4, 3))
    nn.init.normal_(layer.mix_slots.weight)
    signals = torch.randn(2, len(LEADS), 50)
    assert not torch.allclose(layer(signals), layer(signals.flip(1)))
