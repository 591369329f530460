"""Recordings with different leads in one dataset: what is absent is never read, never seen, never learnt from."""

import contextlib
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small import PowerCut, differing, seeded_encoder, small_dataset, weights

from selfdana_lite.augment import RandomLeadMasking, RandomLeadSelection
from selfdana_lite.checkpoint import CheckpointError
from selfdana_lite.dataset import DatasetError, EcgDataset, FlatLeadWarning, write_dataset
from selfdana_lite.downstream import _embed_random_subsets, embed, evaluate, linear_probe, settle_batch_norm
from selfdana_lite.encoders import Encoder
from selfdana_lite.fine_tuning import FineTuneConfig, fine_tune
from selfdana_lite.leads import LEADS, LeadError
from selfdana_lite.mixed_leads import lead_counts
from selfdana_lite.pretraining import PretrainConfig, pretrain

POISON_UV = 31_000  # what lies where a lead is absent in the stores below: no heart makes 31 mV


def mixed_presence(records: int) -> np.ndarray:
    """A third of the recordings with twelve leads, a third with limb leads, a third with lead I: bool [records, 12]."""
    third, present = np.arange(records) % 3, np.ones((records, 12), bool)
    present[third == 1, 6:] = False
    present[third == 2, 1:] = False
    return present


def with_presence(dataset: EcgDataset, present: np.ndarray, absent_uv: int = POISON_UV) -> EcgDataset:
    """The dataset's recordings, with other numbers wherever a lead is said to be absent."""
    signals = np.where(present[..., None], dataset.signals, np.int16(absent_uv))  # [records, leads, samples]
    return EcgDataset(
        signals.transpose(1, 0, 2), dataset.table, dataset.leads, 100, dataset.label_names, present=present.T.copy()
    )


@pytest.fixture(scope="module")
def whole():
    return small_dataset(folds=[1, 2, 3], records=90, samples=128)


@pytest.fixture(scope="module")
def mixed(whole):
    return with_presence(whole, mixed_presence(90))


@pytest.fixture(scope="module")
def facts(whole):
    return {"leads": LEADS, "sampling_rate_hz": 100, "label_names": whole.label_names, "source": "made up", "licence": "none"}


# On disk


@pytest.fixture
def folder(tmp_path, whole, facts):
    present = mixed_presence(90)
    signals = np.where(present[..., None], whole.signals, np.int16(0))
    write_dataset(tmp_path / "mixed", signals, whole.table, present=present, **facts)
    return tmp_path / "mixed"


def test_presence_is_kept_beside_the_signals(folder, whole):
    opened = EcgDataset.open(folder)
    np.testing.assert_array_equal(opened.present, mixed_presence(90))
    np.testing.assert_array_equal(np.load(folder / "present.npy"), mixed_presence(90).T)
    np.testing.assert_array_equal(opened.where(rows=[4, 2]).present, mixed_presence(90)[[4, 2]])
    assert torch.equal(opened.batch([0, 3]), whole.batch([0, 3]))
    assert torch.equal(opened.batch([0, 2, 89], "I"), whole.batch([0, 2, 89], "I"))


def test_where_every_lead_is_there_no_file_says_so(tmp_path, whole, facts):
    plain = write_dataset(tmp_path / "plain", whole.signals, whole.table, **facts)
    stated = write_dataset(tmp_path / "stated", whole.signals, whole.table, present=np.ones((90, 12), bool), **facts)
    for dataset in (plain, stated, whole):
        assert dataset.present.shape == (90, 12)
        assert dataset.present.all()
    files = [{file.name: file.read_bytes() for file in (tmp_path / name).iterdir()} for name in ("plain", "stated")]
    assert files[0] == files[1]
    assert set(files[0]) == {"signals.npy", "table.csv", "dataset.json"}


def save_present(array):
    return lambda folder: np.save(folder / "present.npy", array)


GOOD = mixed_presence(90).T
FAULTS = {
    "lost": (lambda folder: (folder / "present.npy").unlink(), r"lacks present\.npy, which says which leads .*copy it"),
    "cut short": (lambda folder: (folder / "present.npy").write_bytes(b"\x93NUMPY"), r"damaged or truncated"),
    "pickled": (save_present(GOOD.astype(object)), r"damaged or truncated .*[Oo]bject"),
    "numbers": (save_present(GOOD.astype(np.int8)), r"presence of leads is int8 \(12, 90\); it must be bool \(12, 90\)"),
    "records first": (save_present(GOOD.T), r"bool \(90, 12\); it must be bool \(12, 90\)"),
    "nothing there": (save_present(GOOD & (np.arange(90) != 7)), r"Row 7 has no lead at all \(1 of 90 rows have none\)"),
}


@pytest.mark.parametrize(("injure", "message"), list(FAULTS.values()), ids=list(FAULTS))
def test_presence_that_is_damaged_is_refused(folder, injure, message):
    injure(folder)
    with pytest.raises(DatasetError, match=message):
        EcgDataset.open(folder)


def test_a_folder_with_presence_but_no_word_of_it_is_read_too(folder):
    facts = json.loads((folder / "dataset.json").read_text())
    del facts["mixed_leads"]
    (folder / "dataset.json").write_text(json.dumps(facts))
    np.testing.assert_array_equal(EcgDataset.open(folder).present, mixed_presence(90))


def test_signals_of_a_lead_that_is_said_to_be_absent_are_not_written(tmp_path, whole, facts):
    """Either the presence is wrong or the signals are: nobody but the caller can tell."""
    with pytest.raises(DatasetError, match=r"Lead number 1 of row 2 is said to be absent but holds other .* \(30 rows do\)"):
        write_dataset(tmp_path / "mixed", whole.signals, whole.table, present=mixed_presence(90), **facts)
    assert list(tmp_path.iterdir()) == []


# Batches


def test_a_lead_that_a_recording_lacks_is_refused_by_row_and_the_remedy_works(mixed):
    with pytest.raises(LeadError, match=r'Row 4 lacks V2, and 2 of 4 recordings .*where\(has="I, V2"\), or ask') as refusal:
        mixed.batch([0, 3, 4, 5], "I, V2")
    assert "V1" not in str(refusal.value)
    assert mixed.where(has="I, V2").batch(range(30), "I, V2").shape == (30, 2, 128)
    with pytest.raises(LeadError, match="Row 1 lacks II, and 1 of 2"):  # rows are those of the view that is asked
        mixed.where(rows=[0, 2, 1]).batch([2, 1], "I, II")
    with pytest.raises(LeadError, match="Row 1 lacks V1, V2, V3, V4, V5, V6, and"):
        mixed.batch([1])  # without names, all leads are meant


def test_the_dataset_as_a_whole_can_be_asked_for_its_leads(mixed):
    mixed.require("I")
    mixed.where(has="aVF").require(["II", "III"])
    with pytest.raises(LeadError, match="Row 2 lacks II, and 30 of 90 recordings lack some"):
        mixed.require("I, II")


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_where_has_keeps_those_that_have_and_a_batch_gives_what_was_stored(data):
    records, leads = 12, data.draw(st.permutations(LEADS).map(lambda order: order[:5]))
    present = np.array(data.draw(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=12, max_size=12)))
    present[:, 0] |= ~present.any(axis=1)  # at least one lead
    signals = np.random.default_rng(0).integers(-900, 900, (5, records, 6), dtype=np.int16)
    table = pd.DataFrame({"record_id": range(records), "patient_id": range(records), "fold": np.arange(records) % 3})
    dataset = EcgDataset(signals, table, leads, 100, [], present=present.T)
    wanted = data.draw(st.lists(st.sampled_from(leads), min_size=1, unique=True))
    columns = [leads.index(name) for name in wanted]
    kept = np.flatnonzero(present[:, columns].all(axis=1) & (table["fold"] < 2))
    if len(kept) == 0:
        with pytest.raises(DatasetError, match=rf"No recording in folds \[0, 1\] .* with {', '.join(wanted)}; this dataset"):
            dataset.where(folds=[0, 1], has=wanted)
        return
    view = dataset.where(folds=[0, 1], has=wanted)
    assert view.table["record_id"].tolist() == kept.tolist()
    np.testing.assert_allclose(view.batch(range(len(kept)), wanted), signals[columns][:, kept].swapaxes(0, 1) / 1e3, rtol=1e-6)
    np.testing.assert_array_equal(view.present, present[kept])  # the other leads are still there, or not


def test_a_lead_that_no_recording_has_cannot_be_asked_for(whole):
    two = EcgDataset(whole.signals[:, :2].transpose(1, 0, 2), whole.table, LEADS[:2], 100, whole.label_names)
    for ask in (lambda: two.where(has="V6"), lambda: two.require("V6")):
        with pytest.raises(LeadError, match="This dataset has no lead V6; it has I, II"):
            ask()


@pytest.mark.parametrize("order", [LEADS, LEADS[::-1], ("V3", "I", "aVF")])
def test_a_batch_with_gaps_has_all_that_is_there_and_nan_elsewhere(whole, order):
    columns = [LEADS.index(name) for name in order]
    present = mixed_presence(90)
    dataset = EcgDataset(
        whole.signals[:, columns].transpose(1, 0, 2), whole.table, order, 100, [], present=present[:, columns].T.copy()
    )
    rows = [5, 0, 1, 0]
    signals_mv, there = dataset.batch_with_gaps(rows)
    expected = present[rows] & np.isin(LEADS, order)
    np.testing.assert_array_equal(there, expected)
    np.testing.assert_array_equal(signals_mv.isfinite().all(dim=2), expected)
    np.testing.assert_array_equal(signals_mv.isnan().all(dim=2), ~expected)
    assert torch.equal(signals_mv[there], whole.batch(rows)[there])


def test_absent_leads_are_not_even_read(whole):
    class Watched(np.ndarray):
        def __getitem__(self, index):
            touched[index] = True
            return np.asarray(self)[index]

    store, present = whole.signals.transpose(1, 0, 2).view(Watched), mixed_presence(90)
    touched = np.zeros(store.shape, bool)
    dataset = EcgDataset(store, whole.table, LEADS, 100, [], present=present.T.copy())
    dataset.batch_with_gaps([1, 2, 3])
    read = np.zeros((90, 12), bool)
    read[[1, 2, 3]] = present[[1, 2, 3]]
    np.testing.assert_array_equal(touched, np.broadcast_to(read.T[..., None], touched.shape))


def test_signals_are_refused_where_some_are_missing(mixed, whole):
    """Zeros in an array would pass for a flat line that somebody recorded."""
    with pytest.raises(LeadError, match=r"Row 1 lacks V1, .*60 of 90 recordings lack some.*where\(has="):
        _ = mixed.signals
    np.testing.assert_array_equal(mixed.where(has="12-lead").signals, whole.signals[::3])


def test_an_absent_lead_is_not_called_flat_and_a_flat_one_is(whole):
    zeros = with_presence(whole, mixed_presence(90), absent_uv=0)
    zeros.batch_with_gaps(range(90))  # warnings are errors here
    signals = np.array(whole.signals)
    signals[4, LEADS.index("aVF")] = 3
    flat = EcgDataset(signals.transpose(1, 0, 2), whole.table, LEADS, 100, [], present=mixed_presence(90).T.copy())
    with pytest.warns(FlatLeadWarning, match=r"1 of 3 recordings .*row 4, lead aVF, always 3 microvolt") as caught:
        flat.batch_with_gaps([2, 4, 5])
    assert caught[0].filename == __file__
    flat.where(rows=[4]).batch_with_gaps([0])  # once is enough


def test_it_says_that_leads_differ(mixed, whole):
    assert "12 leads, of which 1 to 12 a recording, " in repr(mixed)
    assert "12 leads, of which 6 a recording, " in repr(mixed.where(rows=[1, 4]))
    assert repr(mixed.where(has="12-lead")) == repr(whole.where(rows=range(0, 90, 3)))


def test_the_digest_knows_which_leads_there_are(mixed, whole):
    assert mixed.digest != whole.digest
    assert mixed.where(rows=[0, 3]).digest == whole.where(rows=[0, 3]).digest  # these have all twelve
    two = [
        EcgDataset(whole.signals[:, c].transpose(1, 0, 2), whole.table, [LEADS[i] for i in c], 100, [])
        for c in ([0, 1], [1, 0])
    ]
    assert two[0].digest == two[1].digest != whole.digest  # the order in the file never matters


# Training


class Spy:
    """What reaches an encoder: the number of leads, and which, of every batch; fails on a lead that is not there."""

    def __init__(self, encoder, zeros_allowed=False):
        self.counts, self.leads, self.zeros_allowed = [], set(), zeros_allowed
        encoder.register_forward_pre_hook(self.look)

    def look(self, _, arguments):
        signals_mv, ids = arguments
        assert signals_mv.isfinite().all(), "a gap"
        assert signals_mv.abs().max() < 0.9 * POISON_UV / 1000, "what lies where nothing is"
        assert self.zeros_allowed or (signals_mv.std(dim=2) > 0).all(), "zeros"
        self.counts.append(signals_mv.shape[1])
        self.leads |= set(ids.unique().tolist())


def config(**settings) -> PretrainConfig:
    return PretrainConfig(**{"epochs": 3, "batch_size": 12, "precision": "float32"} | settings)


def quietly(encoder, dataset, settings=None, **options):
    return pretrain(encoder, dataset, settings or config(), progress=False, **options)


def cut_off_at(dataset: EcgDataset, call: int) -> EcgDataset:
    """A view of the dataset that ends training when its call-th batch (counted from 0) is read."""
    view, calls = dataset.where(rows=range(len(dataset))), iter(range(10**9))

    def read(rows):
        if next(calls) == call:
            raise PowerCut
        return dataset.batch_with_gaps(rows)

    view.batch_with_gaps = read
    return view


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"same_leads": True, "views": "crops", "gain_spread": 0.1, "noise_mv": 0.01},
        {"lead_augmentation": RandomLeadSelection(law="binomial", per_recording=False)},
        {"objective": "masked"},
    ],
    ids=["usual", "same leads", "together", "masked"],
)
def test_no_absent_lead_reaches_the_encoder_and_rich_recordings_are_used_in_full(mixed, settings):
    encoder = seeded_encoder(backbone="conv-transformer" if "objective" in settings else "conv")
    spy = Spy(encoder) if "objective" not in settings else Spy(encoder.join_leads)
    history = quietly(encoder, mixed, config(epochs=4, **settings), validation=mixed.where(rows=range(60, 90)))
    assert history[["loss", "validation_loss"]].notna().all(axis=None)
    assert max(spy.counts) > 6, "twelve leads were there to draw from"
    assert spy.leads == set(range(12))


def test_masking_fills_what_is_absent_with_zeros(mixed):
    encoder = seeded_encoder(kind="zero-pad")
    zero = []
    encoder.register_forward_pre_hook(lambda _, given: zero.append((given[0] == 0).all(dim=2).float().mean().item()))
    spy = Spy(encoder, zeros_allowed=True)
    quietly(encoder, mixed, config(epochs=4, lead_augmentation=RandomLeadMasking(0.2)))
    assert set(spy.counts) == {12}
    share = 1 - 0.8 * (12 + 6 + 1) / 36  # of zeros: one lead in five of those that are there, and all others
    assert np.mean(zero) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("augmentation", [RandomLeadSelection(), RandomLeadMasking()])
def test_what_lies_where_a_lead_is_absent_changes_nothing(whole, augmentation):
    encoders = [seeded_encoder(), seeded_encoder()]
    settings = config(epochs=2, lead_augmentation=augmentation)
    losses = [
        quietly(encoder, with_presence(whole, mixed_presence(90), absent_uv=absent_uv), settings)["loss"].tolist()
        for encoder, absent_uv in zip(encoders, (0, POISON_UV), strict=True)
    ]
    assert losses[0] == losses[1]
    assert differing(*map(weights, encoders)) == set()


def test_pretraining_on_mixed_recordings_lowers_the_loss(mixed):
    history = quietly(seeded_encoder(), mixed, config(epochs=10))
    assert history["loss"].iloc[-3:].mean() < 0.9 * history["loss"].iloc[0]


def test_a_mixed_run_cut_off_and_resumed_ends_as_if_it_had_never_stopped(mixed, tmp_path):
    whole_run, broken, revived = (seeded_encoder() for _ in range(3))
    expected = quietly(whole_run, mixed, validation=mixed)
    with contextlib.suppress(PowerCut):  # in the second epoch: 8 batches each of training and of validation
        quietly(broken, cut_off_at(mixed, 20), validation=mixed, checkpoint=tmp_path / "run")
    history = quietly(revived, mixed, validation=mixed, checkpoint=tmp_path / "run")
    columns = ["epoch", "loss", "validation_loss"]
    assert history[columns].equals(expected[columns])
    assert differing(weights(revived), weights(whole_run)) == set()


def test_going_on_with_other_leads_is_refused(mixed, whole, tmp_path):
    quietly(seeded_encoder(), mixed, config(epochs=1), checkpoint=tmp_path / "run")
    with pytest.raises(CheckpointError, match=r"digests was .* and is .* now"):
        quietly(seeded_encoder(), whole, config(epochs=1), checkpoint=tmp_path / "run")


@pytest.mark.parametrize("known", ["I, II", "12-lead"])
def test_a_corpus_where_nobody_has_twelve_leads_trains_too(whole, known):
    """A folder of two leads, and a folder of twelve where every recording has but two: the same to the last bit."""
    present = np.tile(np.arange(12) < 2, (90, 1))
    two = EcgDataset(whole.signals[:, :2].transpose(1, 0, 2), whole.table, LEADS[:2], 100, whole.label_names)
    corpus, encoder, twin = with_presence(whole, present) if known == "12-lead" else two, seeded_encoder(), seeded_encoder()
    spy = Spy(encoder)
    quietly(encoder, corpus, validation=corpus)
    assert spy.leads == {0, 1}
    assert set(spy.counts) == {1, 2}
    quietly(twin, two, validation=two)
    assert differing(weights(encoder), weights(twin)) == set()


def test_recordings_with_fewer_leads_than_the_augmentation_keeps_are_named(mixed):
    with pytest.raises(LeadError, match=r"at least 3 leads, and 30 of 90 recordings have fewer \(first: row 2, which has 1\)"):
        quietly(seeded_encoder(), mixed, config(lead_augmentation=RandomLeadSelection(min_leads=3)))
    rich = mixed.where(rows=mixed.present.sum(axis=1) >= 3)  # as the message advises
    quietly(seeded_encoder(), rich, config(epochs=1, lead_augmentation=RandomLeadSelection(min_leads=3)))


# Labels


def tune(encoder, dataset, leads="any", **options):
    settings = FineTuneConfig(epochs=2, batch_size=16, precision="float32")
    return fine_tune(encoder, dataset, leads, config=settings, progress=False, **options)


@pytest.mark.parametrize("use", [linear_probe, settle_batch_norm, tune], ids=["probe", "settle", "tune"])
def test_any_leads_means_any_of_those_that_are_there(mixed, use, monkeypatch):
    spy, forward = Spy(seeded_encoder()), Encoder.forward

    def look(self, signals_mv, ids):
        spy.look(self, (signals_mv, ids))
        return forward(self, signals_mv, ids)

    monkeypatch.setattr(Encoder, "forward", look)  # of the class: fine_tune works on a copy of the encoder
    use(seeded_encoder(), mixed)
    assert spy.leads == set(range(12))
    assert min(spy.counts) == 1
    assert max(spy.counts) > 1


def test_a_probe_for_any_leads_keeps_each_recordings_own_embedding(mixed):
    """Sorted by the number of leads for the batches, and back in the order of the dataset afterwards."""

    class CountsLeads(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.unused = torch.nn.Parameter(torch.zeros(1))

        def refuse_other_rate(self, sampling_rate_hz):
            pass

        def forward(self, signals_mv, ids):
            return torch.stack([signals_mv.std(dim=(1, 2)), ids.max(dim=1).values.float()], dim=1)

    found = _embed_random_subsets(CountsLeads(), mixed, draws=4, seed=0, batch_size=8).reshape(4, 90, 2)
    only_lead_i = np.arange(90) % 3 == 2
    spread = mixed.batch(np.flatnonzero(only_lead_i), "I").std(dim=(1, 2))
    for draw in found:
        np.testing.assert_allclose(draw[only_lead_i, 0], spread, rtol=1e-5)
        assert (draw[only_lead_i, 1] == 0).all()
        assert (draw[np.arange(90) % 3 == 1, 1] < 6).all()


def test_one_lead_set_asks_every_recording_for_it_before_anything_is_computed(mixed, whole):
    encoder = seeded_encoder()
    clf = linear_probe(encoder, whole, "I, II")
    encoder.register_forward_pre_hook(lambda *_: pytest.fail("computed first"))
    words = r'Row 2 lacks II, and 30 of 90 recordings lack some; keep those that have them with where\(has="I, II"\)'
    for use in (
        lambda: embed(encoder, mixed, "I, II", batch_size=2),  # whose first batch could well be computed
        lambda: clf.predict_proba(mixed, "I, II"),
        lambda: evaluate(clf, mixed, "I, II", bootstrap=0),
        lambda: linear_probe(encoder, mixed, "I, II"),
        lambda: tune(encoder, mixed, "I, II"),
        lambda: tune(encoder, whole, "I, II", validation=mixed),
    ):
        with pytest.raises(LeadError, match=words):
            use()


def test_those_that_have_the_leads_are_scored_as_in_a_dataset_of_their_own(mixed, whole):
    clf, have = linear_probe(seeded_encoder(), whole, "I, II"), np.flatnonzero(np.arange(90) % 3 < 2)
    expected = clf.predict_proba(whole.where(rows=have), "I, II")
    np.testing.assert_array_equal(clf.predict_proba(mixed.where(has="I, II"), "I, II"), expected)


def test_lead_counts_are_those_of_the_view(mixed):
    assert lead_counts(mixed)[:6].tolist() == [12, 6, 1, 12, 6, 1]
    assert lead_counts(mixed.where(rows=[5, 0])).tolist() == [1, 12]


def test_a_mixed_folder_trains_as_the_same_in_memory(folder, mixed, tmp_path):
    """And none of the zeros on disk is ever seen, wherever the folder lies."""
    encoders = [seeded_encoder(), seeded_encoder()]
    moved = shutil.move(folder, tmp_path / "elsewhere")
    for encoder, dataset in zip(encoders, (EcgDataset.open(moved), mixed), strict=True):
        Spy(encoder)
        quietly(encoder, dataset, config(epochs=1))
    assert differing(*map(weights, encoders)) == set()
