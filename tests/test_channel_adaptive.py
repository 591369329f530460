"""Easy to integrate: networks that we did not write take any leads after one call, and start out as what they were.

MONAI's DenseNet and ResNet, a wav2vec 2.0 encoder from transformers, and the shapes of two networks of the PTB-XL
benchmarks (a three-stage residual network, and one whose stem has several convolutions that see the leads).
"""

import copy

import pytest
import torch
from monai.networks.nets import DenseNet121, resnet18
from torch import nn
from torch.nn import functional as F
from transformers import Wav2Vec2Config, Wav2Vec2Model

from selfdana_lite import make_channel_adaptive
from selfdana_lite.adapter import PerLeadConv1d

CLASSES, SAMPLES = 5, 160


class Wav2Vec2OfLeads(nn.Module):
    """A small random wav2vec 2.0, its first convolution swapped for one that takes twelve leads instead of one sound."""

    def __init__(self):
        super().__init__()
        no_dropout = dict.fromkeys(("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout"), 0.0)
        config = Wav2Vec2Config(
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=64,
            conv_dim=(32, 32, 32),
            conv_kernel=(10, 3, 3),
            conv_stride=(5, 2, 2),
            num_conv_pos_embeddings=16,
            num_conv_pos_embedding_groups=4,
            layerdrop=0.0,
            **no_dropout,
        )
        model = Wav2Vec2Model(config)
        self.convolutions, self.project, self.encoder = model.feature_extractor, model.feature_projection, model.encoder
        self.convolutions.conv_layers[0].conv = nn.Conv1d(12, 32, 10, 5, bias=False)
        self.head = nn.Linear(32, CLASSES)

    def forward(self, signals):
        maps = signals
        for layer in self.convolutions.conv_layers:
            maps = layer(maps)  # [B, 32, frames]
        hidden, _ = self.project(maps.transpose(1, 2))  # [B, frames, 32]
        return self.head(self.encoder(hidden).last_hidden_state.mean(dim=1))


class Residual(nn.Module):
    """One stage of the benchmark's residual network: two convolutions, and the input around them."""

    def __init__(self, stride):
        super().__init__()
        self.first, self.norm1 = nn.Conv1d(128, 128, 5, stride, 2, bias=False), nn.BatchNorm1d(128)
        self.second, self.norm2 = nn.Conv1d(128, 128, 3, 1, 1, bias=False), nn.BatchNorm1d(128)
        self.around = nn.Sequential(nn.Conv1d(128, 128, 1, stride, bias=False), nn.BatchNorm1d(128))

    def forward(self, maps):
        return F.relu(self.norm2(self.second(F.relu(self.norm1(self.first(maps))))) + self.around(maps))


def resnet1d_wang():
    """The shape that the PTB-XL benchmarks report on: a stem, three stages of 128 channels, both poolings, one layer."""
    stem = nn.Sequential(nn.Conv1d(12, 128, 7, padding=3, bias=False), nn.BatchNorm1d(128), nn.ReLU())
    return nn.Sequential(stem, Residual(1), Residual(2), Residual(2), MeanAndMax(), nn.Linear(256, CLASSES))


class MeanAndMax(nn.Module):
    def forward(self, maps):
        return torch.cat([maps.mean(dim=2), maps.amax(dim=2)], dim=1)


class Inception(nn.Module):
    """Three kernels and a pooled branch look at the leads side by side; deeper, a narrow part has 12 channels too."""

    def __init__(self):
        super().__init__()
        self.short, self.middle, self.long = (nn.Conv1d(12, 8, kernel, padding=kernel // 2) for kernel in (9, 19, 39))
        self.pooled = nn.Sequential(nn.MaxPool1d(3, stride=1, padding=1), nn.Conv1d(12, 8, 1))
        self.norm = nn.BatchNorm1d(32)
        self.narrow = Bottleneck(32)
        self.head = nn.Linear(64, CLASSES)

    def forward(self, signals):
        branches = [self.short(signals), self.middle(signals), self.long(signals), self.pooled(signals)]
        maps = F.relu(self.norm(torch.cat(branches, dim=1)))  # [B, 32, T]
        return self.head(MeanAndMax()(self.narrow(maps)))


class Bottleneck(nn.Module):
    """Down to 12 channels, a convolution among them, and up again: 12 inputs, but no leads."""

    def __init__(self, channels):
        super().__init__()
        self.down, self.among, self.up = nn.Conv1d(channels, 12, 1), nn.Conv1d(12, 12, 3, padding=1), nn.Conv1d(12, channels, 1)

    def forward(self, maps):
        return maps + self.up(F.relu(self.among(F.relu(self.down(maps)))))


def bottlenecked():
    return nn.Sequential(nn.Conv1d(12, 32, 7, 2, 3), nn.ReLU(), Bottleneck(32), MeanAndMax(), nn.Linear(64, CLASSES))


# Each network, and the names of the convolutions through which the leads enter.
NETWORKS = {
    "monai-densenet121": (lambda: DenseNet121(spatial_dims=1, in_channels=12, out_channels=CLASSES), {"features.conv0"}),
    "monai-resnet18": (lambda: resnet18(spatial_dims=1, n_input_channels=12, num_classes=CLASSES), {"conv1"}),
    "wav2vec2": (Wav2Vec2OfLeads, {"convolutions.conv_layers.0.conv"}),
    "resnet1d_wang": (resnet1d_wang, {"0.0"}),
    "inception": (Inception, {"short", "middle", "long", "pooled.1"}),
    "bottleneck": (bottlenecked, {"0"}),
}


@pytest.fixture(scope="module", params=list(NETWORKS))
def network(request):
    """(the network as its authors made it, its channel-adaptive copy, the names of the layers to replace)"""
    build, enters = NETWORKS[request.param]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        original = build().eval()
        return original, make_channel_adaptive(original), enters


def signals_of(leads, batch=2, samples=SAMPLES):
    return torch.randn(batch, leads, samples, generator=torch.Generator().manual_seed(0))


def adapted_layers(model):
    return {name: layer for name, layer in model.named_modules() if isinstance(layer, PerLeadConv1d)}


@torch.no_grad()
def test_one_to_twelve_leads_give_the_same_shape(network):
    original, adaptive, _ = network
    outputs = {n: adaptive(signals_of(n)) for n in range(1, 13)}
    assert {output.shape for output in outputs.values()} == {original(signals_of(12)).shape} == {(2, CLASSES)}
    assert all(output.isfinite().all() for output in outputs.values())


def test_the_layers_that_see_leads_are_replaced_and_no_other(network):
    original, adaptive, enters = network
    assert set(adapted_layers(adaptive)) == enters
    kept = {
        name: tensor for name, tensor in adaptive.state_dict().items() if not name.startswith(tuple(f"{e}." for e in enters))
    }
    before = original.state_dict()
    assert set(before) - set(kept) == {name for e in enters for name in before if name.startswith(f"{e}.")}
    assert all(torch.equal(tensor, before[name]) for name, tensor in kept.items())


@torch.no_grad()
def test_for_twelve_equal_leads_it_is_the_network_that_it_was(network):
    original, adaptive, _ = network
    same = signals_of(1).expand(-1, 12, -1)
    torch.testing.assert_close(adaptive(same), original(same), atol=1e-3, rtol=1e-3)
    unlike = signals_of(12)  # and for leads that differ it is a new network, so the agreement above says something
    assert not torch.allclose(adaptive(unlike), original(unlike), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("leads", [1, 3, 12])
def test_gradients_reach_every_weight_of_the_new_layers(network, leads):
    layers = adapted_layers(network[1])
    weights = [p for layer in layers.values() for p in layer.parameters()]
    gradients = torch.autograd.grad((network[1](signals_of(leads)) ** 2).sum(), weights)
    assert len(layers) >= 1
    assert all(gradient.isfinite().all() and gradient.any() for gradient in gradients)


def test_it_learns_from_three_leads_and_the_network_handed_in_stays_as_it_was(network):
    """Eight recordings of three leads, told apart by the frequency of a wave."""
    original, adaptive, _ = network
    before, learner = copy.deepcopy(original.state_dict()), copy.deepcopy(adaptive).train()
    signals, target = 0.3 * signals_of(3, batch=8), torch.arange(8) % 4
    signals += torch.sin(torch.arange(SAMPLES) * (1 + target)[:, None] / 10)[:, None]
    optimiser = torch.optim.Adam(learner.parameters(), lr=3e-3)
    losses = []
    for _ in range(5):
        loss = F.cross_entropy(learner(signals), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0], losses
    assert all(torch.equal(tensor, before[name]) for name, tensor in original.state_dict().items())
    assert original(signals_of(12)).shape == (2, CLASSES)  # it still takes twelve


def test_a_whole_encoder_may_be_one_layer_of_another():
    inside = nn.ModuleDict({"encoder": nn.ModuleList([resnet1d_wang()])})
    inside.forward = lambda signals: inside["encoder"][0](signals)
    assert set(adapted_layers(make_channel_adaptive(inside))) == {"encoder.0.0.0"}


def test_naming_the_layers_gives_what_finding_them_gives():
    torch.manual_seed(0)
    model = Inception().eval()
    found, named = (
        make_channel_adaptive(model),
        make_channel_adaptive(model, convolutions=["short", "middle", "long", "pooled.1"]),
    )
    assert torch.equal(found(signals_of(5)), named(signals_of(5)))


def test_finding_the_layers_leaves_batch_statistics_and_mode_alone():
    model = Inception().train()
    before = copy.deepcopy(model.state_dict())
    adaptive = make_channel_adaptive(model)
    assert model.training
    assert adaptive.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
