"""Encoders: any leads in any order, absent leads absent, and zero-padding that is a kernel with fewer columns."""

import copy
import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from selfdana_lite import LEAD_SETS, LEADS, EncoderConfig, LeadError, build_encoder, parse_leads
from selfdana_lite.encoders import BACKBONES, KINDS, PER_LEAD_KINDS, ResidualBlock, as_lead_ids
from selfdana_lite.leads import lead_ids

SAMPLES = 96
EVERY = list(itertools.product(KINDS, BACKBONES))
every_encoder = pytest.mark.parametrize(("kind", "backbone"), EVERY)


def seeded_encoder(kind="lead-attention", **options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_encoder(kind, **options).eval()


ENCODERS = {(kind, backbone): seeded_encoder(kind, backbone=backbone) for kind, backbone in EVERY}


def signals_of(leads, batch=3, samples=SAMPLES, seed=0):
    return torch.randn(batch, leads, samples, generator=torch.Generator().manual_seed(seed))


def subsets_of_leads(min_size=1):
    return st.lists(st.sampled_from(LEADS), min_size=min_size, unique=True)


def random_ids(batch, leads, seed=0):
    """Leads of its own for each recording, int64 [B, k]."""
    return torch.rand(batch, 12, generator=torch.Generator().manual_seed(seed)).argsort(dim=1)[:, :leads]


# --- any leads, any order ---------------------------------------------------------------


@every_encoder
@torch.no_grad()
def test_every_number_of_leads_gives_an_embedding_of_the_same_size(kind, backbone):
    encoder = ENCODERS[kind, backbone]
    shapes = {encoder(signals_of(n), LEADS[:n]).shape for n in range(1, 13)}
    narrow = backbone == "conv" and kind not in ("zero-pad", "zero-pad-sliced")
    assert shapes == {(3, encoder.embedding_size)} == {(3, 192 if narrow else 256)}


@every_encoder
@given(data=st.data())
@settings(deadline=None, max_examples=10)
@torch.no_grad()
def test_the_order_of_named_leads_never_matters(kind, backbone, data):
    encoder, leads = ENCODERS[kind, backbone], data.draw(subsets_of_leads(min_size=2))
    order = data.draw(st.permutations(range(len(leads))))
    signals = signals_of(len(leads))
    torch.testing.assert_close(
        encoder(signals[:, order], [leads[place] for place in order]), encoder(signals, leads), atol=1e-4, rtol=1e-4
    )


@every_encoder
@torch.no_grad()
def test_the_name_of_a_lead_matters(kind, backbone):
    """But for pooling by order: whatever two leads are called, "dap" sees a first and a second."""
    encoder, signals = ENCODERS[kind, backbone], signals_of(2)
    same = torch.allclose(encoder(signals, "I, II"), encoder(signals, "V1, V6"), atol=1e-4)
    assert same == (kind == "dap")


@every_encoder
@torch.no_grad()
def test_recordings_with_leads_of_their_own_are_as_if_alone(kind, backbone):
    encoder, signals, ids = ENCODERS[kind, backbone], signals_of(4), random_ids(3, 4)
    alone = [encoder(signals[b : b + 1], [LEADS[lead] for lead in ids[b]]) for b in range(3)]
    torch.testing.assert_close(encoder(signals, ids), torch.cat(alone), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_names_text_and_ids_say_the_same():
    encoder, signals = ENCODERS["lead-attention", "conv"], signals_of(3)
    expected = encoder(signals, ("I", "II", "V2"))
    for leads in ("I, II, V2", "3-lead", ["i", "MLII", "ECG V2"], torch.tensor([0, 1, 7]), torch.tensor([[0, 1, 7]] * 3)):
        assert torch.equal(encoder(signals, leads), expected)


@pytest.mark.parametrize("kind", PER_LEAD_KINDS)
@torch.no_grad()
def test_work_follows_the_number_of_leads(kind):
    """Absent leads are absent: the stem sees k rows a recording, so one lead costs a twelfth of twelve."""
    encoder, rows = copy.deepcopy(ENCODERS[kind, "conv"]), []
    encoder.join_leads.stem.register_forward_pre_hook(lambda _, inputs: rows.append(inputs[0].shape[2]))
    for n in (12, 6, 1):
        encoder(signals_of(n), LEADS[:n])
    assert rows == [12, 6, 1]


# --- zero-padding is slicing, exactly -------------------------------------------------------


def twins(backbone="conv"):
    """The two kinds with the same weights: they differ in nothing that is learned."""
    padded, sliced = seeded_encoder("zero-pad", backbone=backbone), seeded_encoder("zero-pad-sliced", backbone=backbone)
    sliced.load_state_dict(padded.state_dict())
    return padded, sliced


TWINS = {backbone: [encoder.double() for encoder in twins(backbone)] for backbone in BACKBONES}


@pytest.mark.parametrize("backbone", BACKBONES)
@given(leads=subsets_of_leads())
@settings(deadline=None, max_examples=10)
def test_zero_padding_equals_kernel_slicing(backbone, leads):
    check_twins(TWINS[backbone], signals_of(len(leads)), leads)


@given(leads=st.integers(1, 12), seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=10)
def test_zero_padding_equals_kernel_slicing_with_leads_for_each_recording(leads, seed):
    check_twins(TWINS["conv"], signals_of(leads, seed=seed), random_ids(3, leads, seed))


def check_twins(pair, signals, leads):
    """Equal outputs, and equal gradients of every weight they share and of the signals."""
    outputs, gradients = [], []
    for encoder in pair:
        own = signals.double().requires_grad_()
        outputs.append(encoder(own, leads))
        learned = [p for name, p in encoder.named_parameters() if name != "trunk.mask_vector"]
        gradients.append(torch.autograd.grad((outputs[-1] ** 2).sum(), [own, *learned]))
    torch.testing.assert_close(*outputs)
    torch.testing.assert_close(*gradients)


def test_columns_of_absent_leads_get_no_gradient():
    for encoder in twins():
        encoder(signals_of(2), "II, V3").sum().backward()
        touched = encoder.join_leads.mix.weight.grad.abs().sum(dim=(0, 2, 3)) > 0  # [12]
        assert [LEADS[lead] for lead in touched.nonzero()[:, 0]] == ["II", "V3"]


@torch.no_grad()
def test_both_equal_the_plain_formula():
    """First convolution, sample by sample: out[b, c, t] = sum over leads k and taps j of w[c, id_k, j] x[b, k, 2 t + j - 7]."""
    signals, ids = signals_of(3, batch=2), torch.tensor([[0, 7, 4], [11, 3, 8]])
    for encoder in twins():
        weight = encoder.join_leads.mix.weight[:, :, 0]  # [64, 12, 15]
        padded = F.pad(signals, (7, 7))
        expected = torch.zeros(2, 64, SAMPLES // 2)
        for b, k, t in itertools.product(range(2), range(3), range(SAMPLES // 2)):
            expected[b, :, t] += weight[:, ids[b, k]] @ padded[b, k, 2 * t : 2 * t + 15]
        mixed = encoder.join_leads._sliced if encoder.join_leads.sliced else encoder.join_leads._zero_padded
        torch.testing.assert_close(mixed(signals, ids), expected, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_a_lead_of_zeros_is_an_absent_lead_to_a_mixing_network_only():
    signals = signals_of(3)
    with_zeros = torch.cat([signals, torch.zeros(3, 1, SAMPLES)], dim=1)
    for (kind, _), encoder in ENCODERS.items():
        gap = (encoder(with_zeros, "I, II, V2, V6") - encoder(signals, "I, II, V2")).abs().max()
        assert (gap < 1e-4) == kind.startswith("zero-pad"), (kind, gap)


# --- the parts -------------------------------------------------------------------------------


@every_encoder
def test_below_a_million_parameters(kind, backbone):
    assert sum(p.numel() for p in ENCODERS[kind, backbone].parameters()) < 1_000_000


@every_encoder
def test_every_parameter_learns(kind, backbone):
    """A weight that gets no gradient from twelve leads is dead; the vector for masked frames has another use."""
    encoder = copy.deepcopy(ENCODERS[kind, backbone]).train()
    embedding = encoder(signals_of(12, batch=8), LEADS)
    (embedding * torch.randn(embedding.shape, generator=torch.Generator().manual_seed(1))).sum().backward()
    dead = {name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.any()}
    assert dead == ({"trunk.mask_vector"} if backbone == "conv-transformer" else set())


@every_encoder
@torch.no_grad()
def test_a_frame_is_sixteen_samples(kind, backbone):
    encoder = ENCODERS[kind, backbone]
    for samples in (32, 500, 1000, 1001):
        frames = encoder.frames(signals_of(2, samples=samples), torch.tensor([[0, 1]] * 3))
        assert frames.shape == (3, encoder.join_leads.channels, -(-samples // 16))  # rounded up


@torch.no_grad()
def test_masked_frames_leave_no_trace_of_what_they_held():
    encoder = ENCODERS["lead-max", "conv-transformer"]
    trunk = encoder.trunk
    frames, masked = torch.randn(2, encoder.join_leads.channels, 10), torch.zeros(2, 10, dtype=torch.bool)
    masked[:, 3:5] = True
    other = frames.clone()
    other[:, :, 3:5] = 99.0
    assert torch.equal(trunk(frames, masked), trunk(other, masked))
    assert not torch.equal(trunk(frames, masked), trunk(frames))


@torch.no_grad()
def test_a_residual_block_whose_body_says_nothing_passes_its_input_on():
    block = ResidualBlock(4, 4, kernel=5, stride=1).eval()
    block.body[-1].weight.zero_()  # the last batch norm of the body now gives 0
    maps = torch.randn(2, 4, 1, 20)
    assert torch.equal(block(maps), maps.relu())


@every_encoder
def test_the_same_seed_builds_the_same_encoder(kind, backbone):
    one, other = ENCODERS[kind, backbone].state_dict(), seeded_encoder(kind, backbone=backbone).state_dict()
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_slots_and_what_fills_them_are_the_callers_choice():
    assert build_encoder("dap").config == EncoderConfig("dap", slots=4)
    assert build_encoder("dap", slots=2, op="mean", fill="tile").config == EncoderConfig("dap", "conv", 2, "mean", "tile")
    for kind, slots in itertools.product(PER_LEAD_KINDS, (1, 3, 12)):
        encoder = seeded_encoder(kind, slots=slots)
        assert encoder(signals_of(5), "I, II, V1, V2, V3").shape == (3, 192)


# --- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [{"kind": "dana"}, {"backbone": "vgg"}])
def test_unknown_kinds_and_backbones_are_refused(wrong):
    with pytest.raises(ValueError, match=rf"'{next(iter(wrong.values()))}'.*choose a kind of dap, .* and a backbone of conv"):
        EncoderConfig(**wrong)


@every_encoder
@pytest.mark.parametrize("n_signals", [2, 4, 12])
def test_leads_that_disagree_with_the_signals_are_refused(kind, backbone, n_signals):
    """A lead is never padded, dropped or broadcast silently."""
    with pytest.raises(ValueError, match=rf"3 leads are named .*hold {n_signals}; name exactly the leads that are there"):
        ENCODERS[kind, backbone](signals_of(n_signals), LEAD_SETS["3-lead"])


@pytest.mark.parametrize(("leads", "message"), [("I, V9", r"Unknown lead 'V9'"), ("II, MLII", r"II is named more than once")])
def test_unknown_and_repeated_names_are_refused(leads, message):
    with pytest.raises(LeadError, match=message):
        ENCODERS["dap", "conv"](signals_of(2), leads)


@pytest.mark.parametrize("ids", [[0, 12], [-1, 3], [5, 5], [[0, 1], [2, 3], [4, 4]]])
def test_ids_out_of_range_or_repeated_are_refused(ids):
    with pytest.raises(ValueError, match=r"different numbers from 0 to 11 in every recording; found \["):
        as_lead_ids(signals_of(2), torch.tensor(ids))


@pytest.mark.parametrize("ids", [torch.tensor(1), torch.tensor([0.0, 1.5])], ids=["a single number", "fractions"])
def test_what_cannot_be_ids_is_refused(ids):
    with pytest.raises(ValueError, match=r"Expected lead ids int64 \[leads\] or \[batch, leads\]; found torch\."):
        as_lead_ids(signals_of(2), ids)


@pytest.mark.parametrize("shape", [(4, 2), (1, 2), (3, 1, 2)])
def test_ids_of_another_batch_are_refused(shape):
    with pytest.raises(ValueError, match=r"lead ids \(" + ", ".join(map(str, shape))):
        as_lead_ids(signals_of(2), torch.zeros(shape, dtype=torch.int64))


@pytest.mark.parametrize("signals", [torch.zeros(2, 96), torch.zeros(1, 2, 96, dtype=torch.int16)], ids=["2-D", "int16"])
def test_what_is_no_batch_in_millivolt_is_refused(signals):
    with pytest.raises(ValueError, match=r"floating-point signals \[batch, leads, samples\] in mV; found torch\."):
        as_lead_ids(signals, "I, II")


@every_encoder
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_samples_that_are_no_numbers_are_found(kind, backbone, value):
    signals = signals_of(4)
    signals[2, 3, 50] = value
    with pytest.raises(
        ValueError, match=r"Row 2, lead at position 3, holds NaN or infinite samples \(1 of 3 rows do\); repair"
    ):
        ENCODERS[kind, backbone](signals, "I, II, V1, V2")


@every_encoder
def test_a_recording_too_short_is_refused(kind, backbone):
    with pytest.raises(ValueError, match=r"1 leads of 31 samples; .*32 samples \(0\.32 s at 100 Hz\)"):
        ENCODERS[kind, backbone](signals_of(1, samples=31), "I")


def test_no_lead_at_all_is_refused():
    with pytest.raises(ValueError, match=r"Found 0 leads of 96 samples; an encoder needs at least one lead"):
        ENCODERS["dap", "conv"](signals_of(0), torch.zeros(3, 0, dtype=torch.int64))


@given(subsets_of_leads())
@settings(deadline=None)
def test_names_become_ids_of_every_recording(leads):
    ids = as_lead_ids(signals_of(len(leads)), leads)
    assert ids.tolist() == [lead_ids(leads)] * 3
    assert parse_leads([LEADS[lead] for lead in ids[0]]) == tuple(leads)
