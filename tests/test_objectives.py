"""Losses over two views, held against loops, plain NumPy and closed forms."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small import seeded_encoder
from torch.nn import functional as F

from selfdana_lite.objectives import MaskedFrames, NTXent, TwoViews, VICReg, hide_spans, two_crops, two_halves

few_examples = settings(max_examples=30, deadline=None, derandomize=True)
seeds = st.integers(0, 2**31)


def two_views(seed: int, batch: int, features: int, apart: float = 0.5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(batch, features, generator=generator)
    return z, z + apart * torch.randn(batch, features, generator=generator)


def nt_xent_by_loops(z1: torch.Tensor, z2: torch.Tensor, temperature: float) -> float:
    """Equation 1 of SimCLR, word by word."""
    z = np.concatenate([z1.numpy(), z2.numpy()]).astype(np.float64)
    batch, total = len(z1), 0.0

    def similarity(i: int, j: int) -> float:
        return float(z[i] @ z[j] / np.linalg.norm(z[i]) / np.linalg.norm(z[j]) / temperature)

    for i in range(2 * batch):
        partner = i + batch if i < batch else i - batch
        others = sum(math.exp(similarity(i, j)) for j in range(2 * batch) if j != i)
        total += -math.log(math.exp(similarity(i, partner)) / others)
    return total / (2 * batch)


def vicreg_in_numpy(z1: np.ndarray, z2: np.ndarray) -> float:
    """The loss of Bardes et al., term by term, with the paper's weights 25, 25 and 1."""
    n, d = z1.shape
    loss = 25 * np.mean((z1 - z2) ** 2)
    for z in (z1, z2):
        centred = z - z.mean(axis=0)
        deviation = np.sqrt((centred**2).sum(axis=0) / (n - 1) + 1e-4)
        loss += 25 * np.mean(np.maximum(0, 1 - deviation)) / 2
        covariance = centred.T @ centred / (n - 1)
        loss += sum(covariance[i, j] ** 2 for i in range(d) for j in range(d) if i != j) / d
    return loss


@few_examples
@given(seeds, st.integers(2, 9), st.integers(1, 8), st.sampled_from([0.05, 0.1, 0.5, 2.0]))
def test_nt_xent_is_the_published_double_loop(seed, batch, features, temperature):
    z1, z2 = two_views(seed, batch, features)
    assert NTXent(temperature)(z1, z2).item() == pytest.approx(nt_xent_by_loops(z1, z2, temperature), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("batch", [2, 3, 64])
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_nt_xent_of_embeddings_all_alike_is_a_guess_among_the_others(batch, temperature):
    alike = torch.ones(batch, 5) * torch.arange(1, batch + 1)[:, None]  # length does not count, only direction
    assert NTXent(temperature)(alike, alike).item() == pytest.approx(math.log(2 * batch - 1), rel=1e-6)


def test_nt_xent_of_perfect_and_orthogonal_pairs():
    """Each embedding sees its partner at 1 / temperature and 2B - 2 others at 0."""
    batch, temperature = 6, 0.5
    z = torch.eye(batch)
    expected = math.log(1 + (2 * batch - 2) * math.exp(-1 / temperature))
    assert NTXent(temperature)(z, z).item() == pytest.approx(expected, rel=1e-5)


@few_examples
@given(seeds, st.sampled_from([NTXent(0.2), VICReg()]))
def test_losses_do_not_care_which_view_comes_first_nor_about_the_order_of_recordings(seed, loss):
    z1, z2 = two_views(seed, 8, 5)
    order = torch.randperm(8, generator=torch.Generator().manual_seed(seed))
    assert loss(z2, z1).item() == pytest.approx(loss(z1, z2).item(), rel=1e-5)
    assert loss(z1[order], z2[order]).item() == pytest.approx(loss(z1, z2).item(), rel=1e-5)


def test_losses_rise_when_partners_are_swapped():
    z1, z2 = two_views(0, 16, 8, apart=0.1)
    for loss in (NTXent(0.2), VICReg()):
        assert loss(z1, z2.roll(1, dims=0)) > loss(z1, z2) + 1


@few_examples
@given(seeds, st.integers(2, 12), st.integers(2, 6))
def test_vicreg_is_the_published_sum_of_three_terms(seed, batch, features):
    z1, z2 = two_views(seed, batch, features)
    expected = vicreg_in_numpy(z1.double().numpy(), z2.double().numpy())
    assert VICReg()(z1, z2).item() == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_vicreg_charges_nothing_for_invariance_when_views_are_equal():
    z, other = two_views(1, 10, 4)
    invariance_alone = VICReg(variance=0, covariance=0)
    assert invariance_alone(z, z).item() == 0
    assert invariance_alone(z, other).item() == pytest.approx(25 * F.mse_loss(z, other).item())


def test_vicreg_is_zero_for_views_that_agree_spread_and_do_not_repeat_and_charges_collapse_in_full():
    hadamard = torch.tensor([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1.0]])
    ideal = hadamard[:, 1:] * 2  # columns of mean 0, uncorrelated, deviation above 1
    assert VICReg()(ideal, ideal).item() == pytest.approx(0, abs=1e-6)
    collapsed = torch.full((4, 3), 7.0)
    assert VICReg()(collapsed, collapsed).item() == pytest.approx(25 * (1 - math.sqrt(1e-4)), rel=1e-6)


@pytest.mark.parametrize("loss", [NTXent(0.1), NTXent(0.2), VICReg()])
def test_autocast_leaves_a_loss_in_full_precision(loss):
    """Embeddings may come in bfloat16; what is computed from them, near-parallel as they are early on, may not be rounded."""
    z1, z2 = (1 + 0.05 * view.bfloat16() for view in two_views(2, 64, 128))
    with torch.autocast("cpu", torch.bfloat16):
        under_autocast = loss(z1, z2)
    assert under_autocast.dtype == torch.float32
    assert under_autocast.item() == pytest.approx(loss(z1.float(), z2.float()).item(), rel=1e-5)


@pytest.mark.parametrize("loss", [NTXent(), VICReg()])
@pytest.mark.parametrize(("first", "second"), [((4, 8), (3, 8)), ((1, 8), (1, 8)), ((4, 8, 2), (4, 8, 2))])
def test_views_that_do_not_pair_up_are_refused_with_their_shapes(loss, first, second):
    with pytest.raises(ValueError, match="two views") as refusal:
        loss(torch.zeros(first), torch.zeros(second))
    assert str(first) in str(refusal.value)
    assert str(second) in str(refusal.value)


@pytest.mark.parametrize("temperature", [0, -1, math.nan])
def test_a_temperature_that_is_not_above_zero_is_refused(temperature):
    with pytest.raises(ValueError, match="must be above 0"):
        NTXent(temperature)


@few_examples
@given(st.integers(2, 41))
def test_halves_follow_one_another_and_never_overlap(samples):
    signals_mv = torch.arange(samples).float().expand(3, 2, samples)
    first, second = two_halves(signals_mv)
    half = samples // 2
    assert first.shape == second.shape == (3, 2, half)
    assert first[0, 0].tolist() == list(range(half))
    assert second[0, 0].tolist() == list(range(half, 2 * half))


def test_crops_are_windows_of_their_own_recording_at_places_of_their_own():
    signals_mv = torch.arange(100).float() + 1000 * torch.arange(64).float()[:, None, None]  # [64, 1, 100]
    first, second = two_crops(signals_mv.expand(-1, 3, -1), torch.Generator().manual_seed(0))
    for crop in (first, second):
        assert crop.shape == (64, 3, 50)
        assert (crop.diff(dim=2) == 1).all(), "not a window of neighbouring samples"
        assert (crop // 1000 == torch.arange(64)[:, None, None]).all(), "a window of another recording"
    starts = torch.stack([first[:, 0, 0], second[:, 0, 0]]) % 1000
    assert (starts[0] != starts[1]).float().mean() > 0.9
    assert len(starts[0].unique()) > 20


def test_contrast_takes_views_with_different_leads_and_teaches_the_encoder():
    encoder = seeded_encoder()
    model = TwoViews(encoder, NTXent(0.2))
    views = [(torch.randn(8, 3, 128), torch.tensor([0, 1, 7])), (torch.randn(8, 1, 128), torch.tensor([4]))]
    model(*views).backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in encoder.parameters())


@pytest.fixture
def masked_game():
    encoder = seeded_encoder(backbone="conv-transformer")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        signals_mv = torch.randn(4, 2, 320)
        model = MaskedFrames(encoder, temperature=0.3).eval()
    ids = torch.tensor([0, 1]).expand(4, -1)
    return model, signals_mv, ids, hide_spans(4, 20, torch.Generator().manual_seed(2))


def test_masked_frames_is_a_cross_entropy_over_the_frames_of_the_same_recording(masked_game):
    model, signals_mv, ids, hidden = masked_game
    with torch.no_grad():
        loss = model((signals_mv, ids, hidden)).item()
        frames = model.encoder.frames(signals_mv, ids)  # [B, C, F]
        context = model.encoder.trunk(frames, hidden)
        guess, truth = model.predict(context.transpose(1, 2)), model.target(frames.transpose(1, 2))  # [B, F, 64]
    terms = []
    for row, frame in hidden.nonzero().tolist():
        scores = torch.stack([F.cosine_similarity(guess[row, frame], candidate, dim=0) / 0.3 for candidate in truth[row]])
        terms.append(-scores.log_softmax(dim=0)[frame].item())
    assert loss == pytest.approx(np.mean(terms), rel=1e-4)


def test_masked_frames_that_all_look_alike_can_only_be_guessed(masked_game):
    model, signals_mv, ids, hidden = masked_game
    torch.nn.init.zeros_(model.target.weight)
    assert model((signals_mv, ids, hidden)).item() == pytest.approx(math.log(20), rel=1e-5)


def test_the_trunk_does_not_see_a_hidden_frame(masked_game):
    model, signals_mv, ids, hidden = masked_game
    frames = model.encoder.frames(signals_mv, ids)
    spoilt = torch.where(hidden[:, None], 1e3, frames)
    with torch.no_grad():
        assert model.encoder.trunk(spoilt, hidden).equal(model.encoder.trunk(frames, hidden))


def test_the_masked_objective_refuses_a_trunk_that_cannot_look_around_a_gap():
    with pytest.raises(ValueError, match=r"'conv-transformer'.*'conv'"):
        MaskedFrames(seeded_encoder(backbone="conv"))


@few_examples
@given(seeds, st.integers(1, 20), st.integers(2, 70))
def test_spans_never_hide_all_and_never_none(seed, batch, frames):
    hidden = hide_spans(batch, frames, torch.Generator().manual_seed(seed))
    assert hidden.shape == (batch, frames)
    assert hidden.any(dim=1).all()
    assert not hidden.all(dim=1).any()


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_spans_hide_about_their_share_in_runs(share):
    hidden = hide_spans(4000, 32, torch.Generator().manual_seed(3), share=share)
    inner = [frame for frame in range(4, 32) if frame != 16]  # where a whole span fits before, and nothing is forced
    assert hidden[:, inner].float().mean(dim=0) == pytest.approx(np.full(len(inner), share), abs=0.04)
    assert hidden.float().mean().item() == pytest.approx(share, abs=0.05)
    begins = hidden[:, 1:] & ~hidden[:, :-1]  # a frame begins a run
    whole_spans = [hidden[:, i + 1 : i + 6].all(dim=1)[begins[:, i]] for i in range(1, 26) if i + 1 != 16]
    assert torch.cat(whole_spans).all(), "a run shorter than one span"
