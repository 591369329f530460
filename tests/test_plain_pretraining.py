"""What `pretrain` is measured against must be the same model, and must do its work."""

import numpy as np
import torch
from plain_pretraining import PlainEncoder, PlainViews, compare
from small import small_dataset

import selfdana_lite as sd
from selfdana_lite.downstream import settle_batch_norm

EVERY_LEAD = torch.arange(12)


def test_the_plain_encoder_is_the_default_one_in_other_layers():
    """The same embedding and the same gradients of every weight."""
    dataset = small_dataset([1], 12, 320)
    torch.manual_seed(0)
    encoder, plain = settle_batch_norm(sd.build_encoder(), dataset).double().train(), PlainEncoder().double()
    plain.take_weights(encoder)
    signals_mv = dataset.batch(np.arange(12)).double()
    torch.testing.assert_close(plain(signals_mv, EVERY_LEAD), encoder(signals_mv, EVERY_LEAD))
    gradients = {}
    for name, network in (("kit", encoder), ("plain", plain)):
        network(signals_mv, EVERY_LEAD).square().sum().backward()
        gradients[name] = sorted(p.grad.norm().item() for p in network.parameters())
    assert len(gradients["plain"]) == len(list(encoder.parameters()))
    np.testing.assert_allclose(gradients["plain"], gradients["kit"], rtol=1e-6, atol=1e-9)


def test_a_plain_view_is_half_a_recording_with_some_leads_and_zeros():
    signals_uv = np.arange(1, 1 + 12 * 20, dtype=np.int16).reshape(1, 12, 20)
    views, counts = PlainViews(signals_uv), set()
    for _ in range(200):
        for half, view in zip(np.split(signals_uv[0], 2, axis=1), views[0], strict=True):
            kept = view.numpy().any(axis=1)
            np.testing.assert_allclose(view.numpy(), half * kept[:, None] / 1000, rtol=1e-6)
            counts.add(int(kept.sum()))
    assert counts == set(range(1, 13))


def test_both_are_timed_and_both_learn():
    table = compare(small_dataset([1, 2, 3], 130, 320), repeats=1)
    assert list(table.index) == ["plain", "ours"]
    assert (table[["wall", "CPU"]] > 0).all(axis=None)
    assert table["loss"].between(0.5, 8).all()
