"""Every lead subset scored: exactly what evaluate says, whatever the encoder; and what follows from the table."""

from itertools import combinations, permutations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small import in_memory, seeded_encoder, small_dataset
from torch import nn

import selfdana_lite as sd
from selfdana_lite import shared_leads
from selfdana_lite.backbones import AlongTime, one_layer_trunk, residual_trunk
from selfdana_lite.folded import folded
from selfdana_lite.partial_sums import partial_maxima, partial_sums, weighted_partial_sums
from selfdana_lite.scores import auroc, auroc_of_each
from selfdana_lite.shared_leads import can_share, predict_subsets
from selfdana_lite.shared_trunk import can_share_trunk, trunk_of_subsets

LABELS = ("NORM", "MI", "STTC", "CD", "HYP")
ENCODERS = [
    ("lead-attention", {}),
    ("lead-attention", {"slots": 3}),
    ("lead-attention", {"backbone": "conv-transformer"}),
    ("lead-max", {}),
    ("lead-max", {"slots": 2}),
    ("dap", {}),
    ("dap", {"slots": 1, "op": "mean"}),
    ("dap", {"slots": 3, "op": "mean", "fill": "tile"}),
    ("zero-pad", {}),
    ("zero-pad-sliced", {"backbone": "conv-transformer"}),
]


def classifier(encoder) -> sd.Classifier:
    """A classifier whose logits spread enough to tell recordings apart, batch norm statistics that are not 0 and 1."""
    generator = torch.Generator().manual_seed(1)
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.copy_(torch.randn(module.num_features, generator=generator) * 0.1)
            module.running_var.copy_(torch.rand(module.num_features, generator=generator) * 0.2 + 0.05)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        return sd.Classifier(encoder, LABELS, "any").eval()


@pytest.fixture(scope="module")
def recordings():
    return small_dataset(folds=[9], records=40, samples=160)


@pytest.fixture(scope="module")
def clf():
    return classifier(seeded_encoder())


@pytest.fixture(scope="module")
def four(recordings):
    """The same recordings with four leads only, in an order of their own."""
    leads = ("V2", "II", "aVL", "I")
    columns = [sd.LEADS.index(lead) for lead in leads]
    return in_memory(recordings.signals[:, columns], recordings.table, leads, recordings.label_names)


@pytest.fixture(scope="module")
def table(clf, four):
    return sd.what_if(clf, four)


def made_up(leads, worth) -> pd.DataFrame:
    """A table in which worth says what a frozenset of leads scores."""
    sets = [names for n in range(1, len(leads) + 1) for names in combinations(leads, n)]
    scores = [worth(frozenset(names)) for names in sets]
    lead_sets = [", ".join(names) for names in sets]
    return pd.DataFrame({"lead_set": lead_sets, "n_leads": [len(names) for names in sets], "macro_auroc": scores, "MI": scores})


# Exact


@pytest.mark.parametrize("many", [0, shared_leads.MANY], ids=["sharing the trunk", "sharing the stem"])
@pytest.mark.parametrize(("kind", "options"), ENCODERS)
def test_every_encoder_of_the_kit_gives_what_evaluate_gives(recordings, monkeypatch, kind, options, many):
    monkeypatch.setattr(shared_leads, "MANY", many)
    clf = classifier(seeded_encoder(kind=kind, **options))
    assert can_share(clf)
    lead_sets = ["12-lead", "6-lead", "I", "V6", "aVR, V1", "II, V2, V3, V5", "III, aVL, aVF, V1, V4, V5, V6"]
    table = sd.what_if(clf, recordings, lead_sets)
    assert table["macro_auroc"].nunique() > 4, "the leads are to matter"
    for row in table.itertuples():
        scores = sd.evaluate(clf, recordings, row.lead_set, bootstrap=0)
        assert row.macro_auroc == pytest.approx(scores.macro_auroc, abs=1e-3)  # a pair of near equals may change places
        names = [sd.LEADS.index(name) for name in row.lead_set.split(", ")]
        shared = predict_subsets(clf, recordings, sd.LEADS, np.array([sum(1 << i for i in names)]))[0]
        assert shared == pytest.approx(clf.predict_proba(recordings, row.lead_set), abs=2e-6)


@pytest.mark.parametrize(("kind", "options"), ENCODERS)
def test_leads_may_be_asked_for_in_any_order(recordings, kind, options):
    clf, leads = classifier(seeded_encoder(kind=kind, **options)), ("V2", "II", "V6", "I")
    found = predict_subsets(clf, recordings, leads, np.array([0b1111, 0b1011]))
    for shared, names in zip(found, (leads, ("V2", "II", "I")), strict=True):
        assert shared == pytest.approx(clf.predict_proba(recordings, names), abs=2e-6)


def test_all_subsets_in_the_order_of_size_each_as_evaluate_scores_it(clf, four, table):
    assert list(table.columns) == ["lead_set", "n_leads", "macro_auroc", *LABELS]
    assert table["lead_set"].tolist() == [
        *("I", "II", "aVL", "V2", "I, II", "I, aVL", "I, V2", "II, aVL", "II, V2", "aVL, V2"),
        *("I, II, aVL", "I, II, V2", "I, aVL, V2", "II, aVL, V2", "I, II, aVL, V2"),
    ]
    assert table["n_leads"].tolist() == [1] * 4 + [2] * 6 + [3] * 4 + [4]
    for row in table.itertuples():
        scores = sd.evaluate(clf, four, row.lead_set, bootstrap=0)
        assert row.macro_auroc == pytest.approx(scores.macro_auroc, abs=1e-3)
        assert [getattr(row, name) for name in LABELS] == pytest.approx(list(scores.per_class.values()), abs=4e-3)


def test_twelve_leads_have_4095_subsets(recordings, monkeypatch):
    """Asked of an encoder that costs nothing: the number of leads and the sum of the mean voltages."""

    class Cheap(nn.Module):
        embedding_size = 5

        def __init__(self):
            super().__init__()
            self.unused = nn.Parameter(torch.zeros(1))

        def refuse_other_rate(self, sampling_rate_hz):
            pass

        def forward(self, signals_mv, leads):
            return signals_mv.mean(dim=2).sum(dim=1, keepdim=True).expand(-1, 5)

    clf = classifier(Cheap())
    assert not can_share(clf)
    few = sd.what_if(clf, recordings, ["V1, I", "3-lead"])
    assert few["lead_set"].tolist() == ["I, V1", "I, II, V2"]
    assert few["macro_auroc"][1] == sd.evaluate(clf, recordings, "I, II, V2", bootstrap=0).macro_auroc
    whole = sd.what_if(clf, recordings)
    assert len(whole) == whole["lead_set"].nunique() == 4095


def test_a_subclass_may_do_anything_and_is_asked_plainly(four):
    class Doubtful(sd.Classifier):
        def predict_proba(self, dataset, leads):
            return super().predict_proba(dataset, leads)[:, ::-1]

    plain = classifier(seeded_encoder())
    turned = Doubtful(plain.encoder, LABELS, "any").eval()
    turned.head = plain.head
    row = sd.what_if(turned, four, ["I"]).iloc[0]
    assert row["macro_auroc"] == sd.evaluate(turned, four, "I", bootstrap=0).macro_auroc


def test_lead_sets_keep_the_order_asked_for_and_read_only_their_leads(clf, recordings, monkeypatch):
    asked, read = set(), sd.EcgDataset.batch
    monkeypatch.setattr(sd.EcgDataset, "batch", lambda self, rows, leads=None: asked.update(leads) or read(self, rows, leads))
    table = sd.what_if(clf, recordings, [("V2", "I"), "aVF", "I"])
    assert table["lead_set"].tolist() == ["I, V2", "aVF", "I"]
    assert asked == {"I", "V2", "aVF"}


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_and_batches_change_nothing_and_are_put_back(clf, recordings, threads):
    before, masks = torch.get_num_threads(), np.arange(1, 64)
    try:
        torch.set_num_threads(threads)
        whole = predict_subsets(clf, recordings, sd.LEADS[:6], masks)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    one = predict_subsets(clf, recordings.where(rows=[7]), sd.LEADS[:6], masks[40:41])
    assert whole[40, 7] == pytest.approx(one[0, 0], abs=1e-6)
    assert whole.shape == (63, 40, 5)


def test_the_classifier_is_left_as_it_was(recordings):
    clf = classifier(seeded_encoder())
    before = {name: value.clone() for name, value in clf.state_dict().items()}
    sd.what_if(clf, recordings, ["I, V2", "II"])
    assert all(value.equal(before[name]) for name, value in clf.state_dict().items())
    assert any(isinstance(module, nn.BatchNorm2d) for module in clf.encoder.trunk.modules())


# What makes it exact


@given(st.integers(1, 7), st.booleans(), st.data())
def test_partial_sums_are_sums_over_the_leads_of_each_mask(k, largest, data):
    terms = torch.randn(k, 3, generator=torch.Generator().manual_seed(k))
    masks = data.draw(st.lists(st.integers(1, 2**k - 1), min_size=1, max_size=9))
    sums = partial_maxima(terms) if largest else partial_sums(terms)
    for mask, found in zip(masks, sums(torch.tensor(masks)), strict=True):
        inside = terms[[i for i in range(k) if mask >> i & 1]]
        assert found.numpy() == pytest.approx((inside.amax(0) if largest else inside.sum(0)).numpy(), abs=1e-6)


@given(st.integers(1, 7), st.integers(1, 3), st.integers(1, 4), st.data())
def test_weighted_partial_sums_are_sums_over_the_leads_of_each_mask(k, places, n, data):
    generator = torch.Generator().manual_seed(k)
    terms = torch.randn(k, places, n, 2, generator=generator)
    masks = data.draw(st.lists(st.integers(1, 2**k - 1), min_size=1, max_size=9))
    weights = torch.rand(len(masks), places, n, generator=generator)
    for mask, own, found in zip(masks, weights, weighted_partial_sums(terms)(torch.tensor(masks), weights), strict=True):
        inside = terms[[i for i in range(k) if mask >> i & 1]].sum(0)  # [places, n, 2]
        assert found.numpy() == pytest.approx((own[..., None] * inside).sum(1).numpy(), abs=1e-5)


@pytest.mark.parametrize("many", [0, shared_leads.MANY], ids=["sharing the trunk", "sharing the stem"])
def test_one_lead_that_outshouts_the_others_does_not_spoil_subsets_without_it(recordings, monkeypatch, many):
    """Scores 60 apart: a softmax over all leads would leave nothing of the quiet ones."""
    monkeypatch.setattr(shared_leads, "MANY", many)
    clf = classifier(seeded_encoder())
    with torch.no_grad():
        clf.encoder.join_leads.pooling.liking.weight[3] += 60
    quiet = predict_subsets(clf, recordings, sd.LEADS, np.array([0b000000000011]))[0]
    assert quiet == pytest.approx(clf.predict_proba(recordings, "I, II"), abs=2e-6)
    with torch.no_grad():
        clf.encoder.join_leads.pooling.liking.weight[3] += 140
    with pytest.raises(ValueError, match=r"scores of two leads differ by 20\d, too much .*score each subset with evaluate"):
        sd.what_if(clf, recordings, ["12-lead", "I"])


@given(st.integers(1, 3), st.integers(2, 9), st.integers(1, 5))
def test_a_trunk_of_weighted_leads_is_the_trunk_of_their_weighted_mean(records, frames, k):
    generator = torch.Generator().manual_seed(frames)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(k)
        trunk = one_layer_trunk(6, 5, kernel=3)
        trunk(torch.randn(16, 6, 20) + 1)  # a step of batch norm
        for norm in (module for module in trunk.modules() if isinstance(module, nn.BatchNorm2d)):
            nn.init.normal_(norm.bias)
        trunk = folded(trunk)
    maps = torch.randn(records, 6, k, frames, generator=generator)
    raw = torch.rand(k, records, frames, generator=generator) + 0.1
    masks = torch.arange(1, 2**k)
    there = (masks[:, None] >> torch.arange(k) & 1).float()  # [subsets, k]
    with torch.no_grad():
        mean = torch.einsum("sk,krt,rckt->srct", there, raw, maps) / torch.einsum("sk,krt->srt", there, raw)[:, :, None]
        wanted = trunk(mean.flatten(0, 1))  # [subsets * R, 5, frames / 2]
        found = trunk_of_subsets(trunk[0], maps, raw)(masks)
    assert found.numpy() == pytest.approx(wanted.numpy(), abs=1e-5)


def test_only_the_trunk_that_is_known_is_taken_apart():
    trunk = one_layer_trunk(6, 5, kernel=3)
    assert can_share_trunk(folded(trunk))
    assert not can_share_trunk(trunk), "batch norm would be left out"
    trunk = folded(trunk)
    assert not can_share_trunk(AlongTime(*trunk, *trunk)), "a second layer would be left out"
    assert not can_share_trunk(AlongTime(trunk[0])), "a ReLU would be put in"
    assert not can_share_trunk(folded(one_layer_trunk(6, 5, kernel=5)))
    assert not can_share_trunk(AlongTime(nn.Conv2d(6, 5, (1, 3), padding=(0, 1)), nn.ReLU())), "stride 1"
    assert not can_share_trunk(AlongTime(nn.Conv2d(6, 5, (1, 3), (1, 2)), nn.ReLU())), "no padding"
    assert not can_share_trunk(folded(residual_trunk(6, [5], kernel=3)))
    assert not can_share_trunk(nn.Sequential(*trunk))


def test_a_folded_network_is_the_same_network():
    torch_state = torch.random.get_rng_state()
    torch.manual_seed(3)
    trunk = residual_trunk(64, channels=(96, 128), kernel=3)
    trunk(torch.randn(16, 64, 63))  # one step of batch norm, so that there is something to fold
    torch.random.set_rng_state(torch_state)
    maps = torch.randn(4, 64, 63, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        found = folded(trunk)(maps)
        assert trunk.training
        assert found.numpy() == pytest.approx(trunk.eval()(maps).numpy(), abs=1e-5)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded(trunk).modules())


@given(st.integers(0, 10**6), st.integers(2, 40))
def test_counting_pairs_gives_the_auroc_of_each_prediction(seed, n):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([[0, 1], rng.integers(0, 2, n)])
    scores = rng.integers(0, 6, size=(4, n + 2)) / 5  # with ties
    assert auroc_of_each(labels, scores) == pytest.approx([auroc(labels, row)[0] for row in scores], abs=1e-12)


# Refusals


@pytest.mark.parametrize(
    ("lead_sets", "words"),
    [
        ("I, II", r'lead_sets is \'I, II\'; expected "all", or a list of lead sets: \[\'I, II\'\]'),
        (["I, II", "2-lead"], "lead set I, II is asked for more than once"),
        ([], "lead_sets is empty"),
        (["V9"], "Unknown lead 'V9'"),
    ],
)
def test_lead_sets_that_cannot_be_meant_are_refused(clf, recordings, lead_sets, words):
    with pytest.raises(sd.LeadError, match=words):
        sd.what_if(clf, recordings, lead_sets)


def test_what_evaluate_refuses_is_refused_before_the_work(clf, four, recordings, monkeypatch):
    monkeypatch.setattr(shared_leads, "ThreadPoolExecutor", lambda *_, **__: pytest.fail("the long work has begun"))
    with pytest.raises(sd.LeadError, match="no lead V6"):
        sd.what_if(clf, four, ["I", "V6"])
    names = [*LABELS[:4], "other"]
    renamed = in_memory(recordings.signals, recordings.table.rename(columns={"HYP": "other"}), recordings.leads, names)
    with pytest.raises(ValueError, match=r"knows NORM, MI, STTC, CD, HYP; the dataset's labels are NORM, MI, STTC, CD, other"):
        sd.what_if(clf, renamed)
    constant = in_memory(recordings.signals, recordings.table.assign(MI=0), recordings.leads, LABELS)
    with pytest.raises(ValueError, match="40 recordings MI is present in all or in none"):
        sd.what_if(clf, constant)
    faster = sd.EcgDataset(
        recordings.signals.transpose(1, 0, 2), recordings.table, recordings.leads, 500, recordings.label_names
    )
    with pytest.raises(ValueError, match="500 Hz"):
        sd.what_if(clf, faster)


# What each lead is worth


def by_permutations(leads, worth):
    """Shapley's definition: the mean gain over all orders."""
    gains = {lead: [] for lead in leads}
    for order in permutations(leads):
        for i, lead in enumerate(order):
            before = frozenset(order[:i])
            gains[lead].append(worth(before | {lead}) - (worth(before) if before else 0.5))
    return [np.mean(gains[lead]) for lead in leads]


def random_worth(seed, leads):
    rng = np.random.default_rng(seed)
    drawn = {frozenset(s): rng.uniform(0.4, 1) for n in range(1, len(leads) + 1) for s in combinations(leads, n)}
    return drawn.__getitem__


@pytest.mark.parametrize("leads", [("V2",), ("I", "aVF"), ("I", "II", "V1", "V6"), ("I", "II", "aVR", "V1", "V2", "V6")])
def test_values_are_shapleys_by_his_definition(leads):
    worth = random_worth(len(leads), leads)
    values = sd.lead_values(made_up(leads, worth))
    assert values["lead"].tolist() == list(leads)
    assert values["macro_auroc"].tolist() == pytest.approx(by_permutations(leads, worth), abs=1e-12)
    assert (values["macro_auroc"] == values["MI"]).all()


@given(st.integers(0, 10**6), st.integers(1, 7))
def test_values_add_up_to_the_score_of_all_leads_less_chance_and_are_linear(seed, n):
    leads = sd.LEADS[:n]
    one, other = random_worth(seed, leads), random_worth(seed + 1, leads)
    values, others = (sd.lead_values(made_up(leads, worth))["macro_auroc"] for worth in (one, other))
    assert values.sum() == pytest.approx(one(frozenset(leads)) - 0.5)
    mixed = sd.lead_values(made_up(leads, lambda s: 0.3 * one(s) + 0.7 * other(s)))["macro_auroc"]
    assert mixed.to_numpy() == pytest.approx((0.3 * values + 0.7 * others).to_numpy())


def test_twins_are_worth_the_same_and_a_lead_that_never_helps_nothing():
    def worth(leads):  # I and II say the same, V1 adds a tenth, V6 nothing
        return 0.5 + 0.2 * bool(leads & {"I", "II"}) + 0.1 * ("V1" in leads)

    values = sd.lead_values(made_up(("I", "II", "V1", "V6"), worth)).set_index("lead")["macro_auroc"]
    assert values.to_dict() == pytest.approx({"I": 0.1, "II": 0.1, "V1": 0.1, "V6": 0})


def test_a_table_with_gaps_or_repeats_has_no_values(table):
    with pytest.raises(sd.LeadError, match=r"14 lead sets; values of 4 leads take all 15 .*\(1 are missing, I, aVL for one\)"):
        sd.lead_values(table[table["lead_set"] != "I, aVL"])
    with pytest.raises(sd.LeadError, match=r"16 lead sets.*once each \(0 are missing\)"):
        sd.lead_values(pd.concat([table, table.iloc[:1]]))


# What follows from the table


WORTH = {"I": 0.7, "II": 0.6, "V2": 0.55, "I, II": 0.71, "I, V2": 0.70, "II, V2": 0.8, "I, II, V2": 0.78}


@pytest.fixture(scope="module")
def trap():
    """The best single lead is not among the best two."""
    return made_up(("I", "II", "V2"), lambda leads: WORTH[", ".join(sorted(leads, key=sd.LEADS.index))])


def test_extremes_and_the_pareto_front(trap):
    found = sd.extremes(trap).to_dict("list")
    assert found["best"] == ["I", "II, V2", "I, II, V2"]
    assert found["best_score"] == [0.7, 0.8, 0.78]
    assert found["worst"] == ["V2", "I, V2", "I, II, V2"]
    assert sd.pareto_front(trap)["lead_set"].tolist() == ["I", "II, V2"], "three leads score less than two"


def test_the_greedy_path_beside_the_optimum(trap):
    path = sd.greedy_path(trap)
    assert path["added"].tolist() == ["I", "II", "V2"]
    assert path["lead_set"].tolist() == ["I", "I, II", "I, II, V2"]
    assert path["best"].tolist() == ["I", "II, V2", "I, II, V2"]
    assert path["shortfall"].tolist() == pytest.approx([0, 0.09, 0])


def test_which_lead_to_add_next(trap):
    grown = sd.next_lead(trap, "V2")
    assert grown["lead"].tolist() == ["II", "I"]
    assert grown["lead_set"].tolist() == ["II, V2", "I, V2"]
    assert grown["gain"].tolist() == pytest.approx([0.25, 0.15])
    assert sd.next_lead(trap, score="MI")["gain"].tolist() == pytest.approx([0.2, 0.1, 0.05]), "beside chance"
    with pytest.raises(sd.LeadError, match="No lead is left to add to I, II, V2"):
        sd.next_lead(trap, "I, II, V2")
    with pytest.raises(sd.LeadError, match="no row for II, V2"):
        sd.next_lead(trap[trap["lead_set"] != "II, V2"], "V2")


@given(st.integers(0, 10**6), st.integers(1, 6))
def test_bounds_that_hold_for_any_table(seed, n):
    table = made_up(sd.LEADS[:n], random_worth(seed, sd.LEADS[:n]))
    path, ends, front = sd.greedy_path(table), sd.extremes(table), sd.pareto_front(table)
    assert (path["shortfall"] >= 0).all()
    assert path["shortfall"].iloc[[0, -1]].tolist() == [0, 0], "one lead and all leads leave no room for error"
    assert (ends["best_score"] >= ends["worst_score"]).all()
    assert (front["macro_auroc"].diff().dropna() > 0).all()
    assert front["macro_auroc"].max() == table["macro_auroc"].max()


# An honest score for what was chosen


def test_patients_are_split_in_halves_with_all_their_recordings(recordings):
    table = recordings.table.assign(patient_id=np.arange(40) // 3)
    dataset = in_memory(recordings.signals, table, recordings.leads, LABELS)
    one, other = sd.split_patients(dataset, seed=0)
    assert not set(one.patient_ids) & set(other.patient_ids)
    assert len(one) + len(other) == 40
    assert abs(len(set(one.patient_ids)) - len(set(other.patient_ids))) <= 1
    assert (sd.split_patients(dataset, seed=0)[0].patient_ids == one.patient_ids).all()
    assert set(sd.split_patients(dataset, seed=1)[0].patient_ids) != set(one.patient_ids)


def test_the_best_of_many_equals_is_confirmed_at_what_they_are_worth():
    """Subsets that are all worth 0.8, seen through noise: the chosen one looks better, and is not."""
    rng = np.random.default_rng(0)
    gaps = []
    for _ in range(30):
        noisy = [made_up(sd.LEADS[:6], lambda leads: 0.8 + rng.normal() * 0.02) for _ in range(2)]
        confirmed = sd.confirm_choice(*noisy)
        middle = confirmed[confirmed["n_leads"] == 3]
        gaps.append(middle[["chosen_score", "confirmed_score"]].to_numpy()[0] - 0.8)
    chosen, honest = np.mean(gaps, axis=0)
    assert chosen > 0.03
    assert abs(honest) < 0.015


def test_confirming_looks_up_the_chosen_sets_in_the_second_table(trap):
    worse = trap.assign(macro_auroc=[0.7, 0.75, 0.5, 0.6, 0.65, 0.62, 0.7])
    confirmed = sd.confirm_choice(trap, worse)
    assert confirmed["lead_set"].tolist() == ["I", "II, V2", "I, II, V2"]
    assert confirmed["chosen_score"].tolist() == [0.7, 0.8, 0.78]
    assert confirmed["confirmed_score"].tolist() == [0.7, 0.62, 0.7]
    assert confirmed["best_there"].tolist() == [0.75, 0.65, 0.7]
    assert confirmed["rank"].tolist() == [2, 2, 1]
    with pytest.raises(sd.LeadError, match="second table lacks the lead set II, V2"):
        sd.confirm_choice(trap, worse[worse["lead_set"] != "II, V2"])
