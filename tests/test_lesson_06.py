"""Lesson 06: what it measures of embeddings is what it says, the checks say what is wrong, and the claims hold."""

import numpy as np
import pandas as pd
import pytest
from course import lesson_06
from course.halves import embed_half, found_rate, lifted
from scipy.spatial.distance import cdist, pdist
from small import seeded_encoder

import selfdana_lite as sd

RNG = np.random.default_rng(0)
CLOUD = RNG.normal(size=(40, 6)) * [5, 3, 2, 1, 1, 1] + 2  # 40 recordings; most of the variance in a plane, off the origin
MOVED = CLOUD + RNG.normal(size=CLOUD.shape)
OTHER = CLOUD - RNG.normal(size=CLOUD.shape)


# The measures


@pytest.fixture(scope="module")
def few(samples_path):
    return sd.EcgDataset.open(samples_path).where(folds=[9]).where(rows=range(24))


def test_the_table_of_leads_holds_what_its_parts_say(few):
    encoder = seeded_encoder()
    table = lesson_06.measure_leads({"one": encoder}, few).set_index("lead_set")
    assert list(table.index) == list(sd.LEAD_SETS)
    assert table.loc["12-lead", ["drift", "common", "neighbours_kept"]].tolist() == [0, 0, 1]
    twelve, two = sd.embed(encoder, few), sd.embed(encoder, few, "I, II")
    assert table.loc["2-lead", "drift"] == pytest.approx(np.linalg.norm(two - twelve, axis=1).mean() / pdist(twelve).mean())
    distances = cdist(embed_half(encoder, few, "I, II", 1), embed_half(encoder, few, sd.LEADS, 0))
    assert table.loc["2-lead", "found"] == pytest.approx(np.mean([row.argmin() == i for i, row in enumerate(distances)]))
    assert (table["found_by_chance"] == 1 / 24).all()


def test_no_offset_moves_nothing_and_a_large_one_moves_far(few):
    encoder = seeded_encoder()
    offsets = lesson_06.measure_offsets(encoder, few, [0.0, 2.0]).set_index("offset_mv")
    assert offsets.loc[0.0, "drift"] == 0
    by_hand = np.linalg.norm(sd.embed(encoder, lifted(few, 2.0)) - sd.embed(encoder, few), axis=1).mean()
    assert offsets.loc[2.0, "drift"] == pytest.approx(by_hand / pdist(sd.embed(encoder, few)).mean())


def test_class_distances_are_those_of_the_means(few):
    embeddings = np.zeros((24, 3))
    has = few.labels[:, 1] == 1
    embeddings[has, 0] = 2.0  # the two groups lie 2 apart, and nothing else differs
    assert lesson_06.class_distances(embeddings, few)[few.label_names[1]] == pytest.approx(2 / pdist(embeddings).mean())


def test_nobody_keeps_every_number_and_no_recording():
    nobody = lesson_06.shuffled(CLOUD, seed=0)
    assert np.array_equal(np.sort(nobody, axis=0), np.sort(CLOUD, axis=0))
    correlated = np.column_stack([CLOUD[:, 0], 2 * CLOUD[:, 0]])
    assert abs(np.corrcoef(lesson_06.shuffled(correlated, seed=0).T)[0, 1]) < 0.5  # was 1


def test_a_map_is_judged_by_what_it_keeps():
    assert lesson_06.judge_map(CLOUD[:, :2], CLOUD[:, :2]) == pytest.approx({"distances_in_order": 1, "neighbours_kept": 1})
    turned = CLOUD[:, :2] @ np.array([[0.0, 1.0], [-1.0, 0.0]])
    assert lesson_06.judge_map(3 * turned, CLOUD[:, :2]) == pytest.approx({"distances_in_order": 1, "neighbours_kept": 1})
    of_nothing = lesson_06.judge_map(RNG.normal(size=(40, 2)), CLOUD)
    assert abs(of_nothing["distances_in_order"]) < 0.3
    assert of_nothing["neighbours_kept"] < 0.4


def test_each_encoder_has_its_line():
    table = pd.DataFrame({"encoder": ["pre-trained", "untrained"] * 2, "lead_set": list("aabb"), "found": [0.9, 0.2, 0.5, 0.1]})
    figure = lesson_06.lead_set_figure(table, "found", "Title", chance=0.05)
    assert {trace.name: tuple(trace.y) for trace in figure.data} == {"pre-trained": (0.9, 0.5), "untrained": (0.2, 0.1)}
    assert figure.layout.shapes[0].y0 == 0.05


# The self-checks

SQUARES = np.linalg.svd(CLOUD - CLOUD.mean(axis=0), compute_uv=False) ** 2
OF_ALL = SQUARES / SQUARES.sum()
UNCENTRED = np.linalg.svd(CLOUD, compute_uv=False) ** 2


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (OF_ALL[:2].sum(), "Right: two numbers hold"),
        (None, "No answer yet"),
        ("half", "one number"),
        (np.sqrt(SQUARES)[:2].sum() / np.sqrt(SQUARES).sum(), "not squared"),
        (UNCENTRED[:2].sum() / UNCENTRED.sum(), "the mean is still in"),
        (OF_ALL[0], "the first component alone"),
        (OF_ALL[:3].sum(), "three components"),
        (1 - OF_ALL[:2].sum(), "what the map leaves out"),
        (100 * OF_ALL[:2].sum(), "in percent"),
        (2 / 6, "Measure them"),
        (0.123, "this is not the first two squared singular values"),
    ],
)
def test_check_variance(share, said):
    assert said in lesson_06.check_variance(share, CLOUD)
    assert lesson_06.check_variance(share, CLOUD).startswith("Right") == (share == OF_ALL[:2].sum())


def test_the_share_is_what_a_second_library_finds():
    decomposition = pytest.importorskip("sklearn.decomposition")
    share = decomposition.PCA(2).fit(CLOUD).explained_variance_ratio_.sum()
    assert lesson_06.check_variance(float(share), CLOUD).startswith("Right")


STEPS = np.linalg.norm(MOVED - CLOUD, axis=1)
FARTHEST, STRANGER = int(STEPS.argmax()), int(np.linalg.norm(MOVED - MOVED.mean(axis=0), axis=1).argmax())


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (FARTHEST, f"Right: recording {FARTHEST} moves by"),
        (np.int64(FARTHEST), f"Right: recording {FARTHEST} moves by"),
        (None, "No answer yet"),
        (int(STEPS.argmin()), "moves least"),
        (int(np.linalg.norm(OTHER - CLOUD, axis=1).argmax()), "moves most to I and II"),
        (int((MOVED - CLOUD).sum(axis=1).argmax()), "cancel in a sum"),
        (STRANGER, "lies farthest from the others"),
        (int(STEPS.argsort()[-2]), "its move is number 2 of 40"),
        (40, "whole number from 0 to 39"),
        (1.5, "whole number from 0 to 39"),
        (True, "whole number from 0 to 39"),
    ],
)
def test_check_most_moved(row, said):
    answer = lesson_06.check_most_moved(row, CLOUD, MOVED, OTHER)
    assert said in answer
    assert answer.startswith("Right") == said.startswith("Right")


DISTANCES = cdist(MOVED, CLOUD)
FOUND = float((DISTANCES.argmin(axis=1) == np.arange(40)).mean())


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (FOUND, "Right:"),
        (None, "No answer yet"),
        (np.array([FOUND]), "one number"),
        (40 * FOUND, "this is how many"),
        (100 * FOUND, "in percent"),
        (1 - FOUND, "not found"),
        ((DISTANCES.argmax(axis=1) == np.arange(40)).mean(), "farthest"),
        ((DISTANCES.argmin(axis=0) == np.arange(40)).mean(), "from the gallery for the queries"),
        ((DISTANCES.argsort(axis=1)[:, :5] == np.arange(40)[:, None]).any(axis=1).mean(), "five nearest"),
        (1 / 40, "this is chance"),
        (0.111, "the share of rows whose smallest distance"),
    ],
)
def test_check_found(rate, said):
    answer = lesson_06.check_found(rate, MOVED, CLOUD)
    assert said in answer
    assert answer.startswith("Right") == said.startswith("Right")


def test_the_rate_by_hand_is_the_lesson_s():
    assert found_rate(MOVED, CLOUD) == FOUND


# What the lesson claims, on what it measured


@pytest.fixture(scope="module")
def measured(lesson):
    run = lesson("06")
    assert run.errors == ()
    return run.results


@pytest.fixture(scope="module")
def by_leads(measured):
    """[encoder and lead set] -> one column a measure."""
    return measured.pivot_table(index=["encoder", "lead_set"], columns="measure", values="value")


def test_most_hearts_are_found_with_two_leads_and_fewer_with_one(by_leads):
    """Retrieval falls with the leads; ten times chance even with one. Measured .86, .73, .46."""
    found = by_leads.loc["pre-trained", "found"]
    assert found["12-lead"] > found["1-lead"] + 0.1
    assert found["12-lead"] >= found["2-lead"] > found["1-lead"]
    assert found["2-lead"] > 0.5
    assert found.min() > 10 * by_leads["found_by_chance"].iloc[0]


def test_an_untrained_network_finds_hardly_any(by_leads):
    """At every lead set at most half of what pre-training finds. Measured .03 to .29, against .46 to .86."""
    assert (by_leads.loc["untrained", "found"] < 0.5 * by_leads.loc["pre-trained", "found"]).all()


def test_drift_grows_when_leads_go(by_leads):
    drift = by_leads.loc["pre-trained", "drift"]
    assert drift["12-lead"] == 0
    assert 0 < drift["3-lead"] < drift["1-lead"]
    assert drift["2-lead"] < 0.8 * by_leads.loc["untrained", "drift"]["2-lead"], "training made embeddings keep still"


def test_equal_information_is_not_an_equal_embedding(measured):
    """From 6 to 2 leads embeddings move by their habit alone, and less than from 12 to 1. Measured 0.25 and 0.52."""
    of = measured.set_index("measure")["value"]
    assert of["drift from 6 to 2 leads"] > 0.02
    one_lead = measured.query("measure == 'drift' and lead_set == '1-lead' and encoder == 'pre-trained'")["value"].item()
    assert of["drift from 6 to 2 leads"] < one_lead


def test_neighbours_share_labels_more_often_than_chance(by_leads):
    trained = by_leads.loc["pre-trained"]
    assert (trained["share_a_label"] > trained["share_a_label_by_chance"] + 0.03).all()


def test_two_axes_leave_out_most_and_no_map_keeps_all_neighbours(measured):
    """Less than two thirds of the variance; at most 90 % of the neighbours on any map; t-SNE keeps more than PCA."""
    of = measured.set_index("measure")["value"]
    assert of["variance of two axes"] < 0.67
    kept = of[of.index.str.endswith(", neighbours_kept")]
    assert len(kept) == 5
    assert kept.max() < 0.9
    assert of["t-SNE, perplexity 30, neighbours_kept"] > of["PCA, neighbours_kept"] + 0.1
    assert of["t-SNE 5 of nobody, neighbours_kept"] > 5 / 126 + 0.05, "a map of nothing has its islands, too"


def test_an_offset_moves_an_embedding_farther_than_a_diagnosis(measured):
    """0.3 mV, against the smallest and the largest step from the others to a label. Measured 0.60, 0.19 and 0.35."""
    of = measured.set_index("measure")["value"]
    steps = of[of.index.str.startswith("distance of label ")]
    assert len(steps) == 5
    assert of["offset 0.3 mV, drift"] > steps.min()
    assert of["offset 0.1 mV, drift"] < of["offset 0.3 mV, drift"] < of["offset 1 mV, drift"]


def test_the_lesson_leaves_its_column(lesson, by_leads):
    mine = lesson("06").my_results.query("lesson == '06'").set_index("lead_set")["value"]
    assert mine.to_dict() == pytest.approx(by_leads.loc["pre-trained", "found"].to_dict())
