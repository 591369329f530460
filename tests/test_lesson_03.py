"""Lesson 03: its checks say what is wrong, the original formula breaks where it is said to, and the lesson's claims hold."""

import itertools
import math

import pytest
import torch
from course import lesson_03, pooling_lab
from hypothesis import given
from hypothesis import strategies as st

import selfdana_lite as sd
from selfdana_lite.adapter import slot_bounds

FROM_ECG = (1, 2, 3, 4, 6, 8, 12)  # leads of usual devices, and eight: what a twelve-lead recorder measures itself
OF_DANA = (1, 2, 3, 4, 6, 9, 12)  # slots: one to four, and the multiples of three for which the formula was made


def pairs(table):
    return {(leads, slots) for leads in table.index for slots in table.columns if table.loc[leads, slots]}


def test_the_original_formula_breaks_for_exactly_the_pairs_named():
    broken = pairs(pooling_lab.broken_pairs(pooling_lab.original_bounds))
    named = {(1, 3), (1, 4), (1, 6), (1, 9), (1, 12), (2, 9), (2, 12), (8, 12)}
    assert broken & set(itertools.product(FROM_ECG, OF_DANA)) == named
    assert broken == {(1, n) for n in range(3, 13)} | {(2, n) for n in (5, 7, 8, 9, 10, 11, 12)} | {(8, 12)}


def test_the_original_formula_tiles_three_axes_as_it_was_meant_to():
    assert pooling_lab.original_bounds(3, 6) == [(j, j + 1) for j in range(6)]  # columns 0 1 2 0 1 2, one a slot
    for leads, slots in itertools.product((3, 6, 9, 12), (1, 3, 6, 9, 12)):
        if leads % slots == 0:
            assert pooling_lab.original_bounds(leads, slots) == slot_bounds(leads, slots)


def test_floor_and_ceil_never_leave_a_slot_empty():
    assert pairs(pooling_lab.broken_pairs(slot_bounds)) == set()


def test_empty_slots_are_counted():
    assert pooling_lab.empty_slots([(0, 1), (1, 1), (2, 1), (1, 2)]) == 2


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 999))
def test_torch_pools_leads_with_the_same_bounds(leads, slots, seed):
    maps = torch.randn(2, 3, leads, 5, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(pooling_lab.torch_pooling(maps, slots), sd.DimensionAdaptivePooling(slots)(maps))


MAPS = torch.randn(4, 3, 12, 50, generator=torch.Generator().manual_seed(0))
IDS = torch.arange(12)


@pytest.mark.parametrize("op", ["max", "mean"])
def test_one_slot_ignores_order_and_several_do_not(op):
    """Rounding of a mean in float32 is below 1e-6; shuffled noise changes by half of itself and more."""
    assert pooling_lab.order_gap(sd.DimensionAdaptivePooling(1, op), MAPS) < 1e-6
    for slots in (2, 3, 4, 6, 12):
        assert pooling_lab.order_gap(sd.DimensionAdaptivePooling(slots, op), MAPS) > 0.4


def test_a_gap_is_a_share_of_the_result_and_follows_its_seed():
    def pool(maps):
        return maps[:, :, :6]

    assert pooling_lab.relative_change(torch.tensor([3.0, 4.0]), torch.tensor([3.0, 9.0])) == 1.0
    first, again, other = (pooling_lab.order_gap(pool, MAPS, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert pooling_lab.order_gap(pool, 100 * MAPS, seed=1) == pytest.approx(first)


def test_named_poolings_heed_names_and_not_order():
    torch.manual_seed(0)
    names, attention, one = sd.LeadNames(3), sd.LeadAttentionPooling(3), sd.DimensionAdaptivePooling(1)
    blind = pooling_lab.named_gaps(lambda maps, ids: one(maps), MAPS, IDS)
    named = pooling_lab.named_gaps(lambda maps, ids: one(names(maps, ids)), MAPS, IDS)
    attending = pooling_lab.named_gaps(attention, MAPS, IDS)
    placed = pooling_lab.named_gaps(lambda maps, ids: sd.DimensionAdaptivePooling(4)(maps), MAPS, IDS)
    assert list(blind.values()) == [0, 0]
    assert placed["leads and names shuffled"] > 0.4
    assert placed["names alone shuffled"] == 0
    for gaps in (named, attending):
        assert gaps["leads and names shuffled"] < 1e-6  # rounding
        assert gaps["names alone shuffled"] > 0.05


@pytest.mark.parametrize(
    ("lead_set", "slots"), [("12-lead", [3]), ("4-lead", [4]), ("3-lead", [3, 4]), ("2-lead", []), (("V2",), [1, 2, 3, 4])]
)
def test_where_v2_lands(lead_set, slots):
    assert pooling_lab.slots_of("V2", lead_set, 4) == slots


def test_a_place_is_in_the_order_of_the_leads():
    assert pooling_lab.slots_of("V2", "V2, II, I", 4) == pooling_lab.slots_of("V2", "I, II, V2", 4)


# The checks


def raising(leads, slots):
    raise KeyError("II")


@pytest.mark.parametrize(
    ("bounds_of", "said"),
    [
        (slot_bounds, "Right: for all 144 pairs"),
        (None, "No answer yet"),
        ([(0, 1)], "a function of (leads, slots) is wanted, and this is a list"),
        (raising, "with 1 leads and 1 slots it raises KeyError"),
        (lambda leads, slots: [(0, leads)], "found 1 pairs, and every slot needs one"),
        (pooling_lab.original_bounds, "1 leads and 2 slots: a stop lies behind the last lead: [(0, 1), (1, 2)]"),
        (lambda n, h: [(j * n // h, (j + 1) * n // h) for j in range(h)], "must be rounded up"),
        (lambda n, h: [(j * n // h, j * n // h + 1) for j in range(h)], "lead 1 (counted from 0) goes to no slot"),
        (lambda n, h: [(j * n // h, (j + 1) * n // h + 1) for j in range(h)], "a stop lies behind the last lead"),
        (lambda n, h: [(start, stop - 1) for start, stop in slot_bounds(n, h)], "Python's slices want the one after it"),
        (lambda n, h: [(0, n)] * h, "and no others"),
    ],
)
def test_check_bounds(bounds_of, said):
    found = lesson_03.check_bounds(bounds_of)
    assert said in found
    assert found.startswith("Right") == (bounds_of is slot_bounds)


def with_loops(maps, slots):
    """A loop for each slot and lead, apart from the library's slices."""
    pooled = torch.empty(*maps.shape[:2], slots, maps.shape[3])
    for j in range(slots):
        start, stop = math.floor(j * maps.shape[2] / slots), math.ceil((j + 1) * maps.shape[2] / slots)
        pooled[:, :, j] = maps[:, :, start]
        for lead in range(start, stop):
            pooled[:, :, j] = torch.maximum(pooled[:, :, j], maps[:, :, lead])
    return pooled


def from_zeros(maps, slots):
    return torch.maximum(with_loops(maps, slots), torch.tensor(0.0))


def in_place(maps, slots):
    maps[:, :, 0] = 0
    return with_loops(maps, slots)


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        (with_loops, "Right: with loops"),
        (pooling_lab.torch_pooling, "Right: with loops"),
        (None, "No answer yet"),
        (3, "a function of (maps, slots) is wanted, and this is a int"),
        (from_zeros, "negative numbers have become 0"),
        (in_place, "it changes the maps"),
        (lambda maps: maps, "with 4 leads and 2 slots it raises TypeError"),
        (lambda maps, slots: maps.tolist(), "a tensor is wanted, and this is a list"),
        (lambda maps, slots: maps, "4 leads and 2 slots: the result has shape [2, 3, 4, 5]; [B, C, slots, T] is [2, 3, 2, 5]"),
        (lambda maps, slots: sd.DimensionAdaptivePooling(slots, op="mean")(maps), "this is the mean"),
        (lambda maps, slots: sd.DimensionAdaptivePooling(slots, fill="tile")(maps), "repeated in turn"),
        (lambda maps, slots: with_loops(maps, slots).flip(2), "the numbers differ"),
    ],
)
def test_check_pool(pool, said):
    found = lesson_03.check_pool(pool)
    assert said in found
    assert found.startswith("Right") == said.startswith("Right")


SETS = ["12-lead", "4-lead", "3-lead"]


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ({"12-lead": [3], "4-lead": [4], "3-lead": [3, 4]}, "Right: 12-lead: slot 3; 4-lead: slot 4; 3-lead: slots 3 and 4"),
        ({"12-lead": 3, "4-lead": 4, "3-lead": (4, 3)}, "Right:"),
        (None, "No answer yet"),
        ([3, 4, 3], "write a dictionary"),
        ({"12-lead": [3]}, "write a dictionary with a list of slots for each of 12-lead, 4-lead, 3-lead"),
        ({"12-lead": [2], "4-lead": [3], "3-lead": [2, 3]}, "12-lead: the numbers are right from 0"),
        ({"12-lead": [3], "4-lead": [4], "3-lead": [3]}, "3-lead: V2 is in slot 3, but in another one, too"),
        ({"12-lead": [3], "4-lead": [3, 4], "3-lead": [3, 4]}, "4-lead: V2 does not reach every one of slots 3 and 4"),
        ({"12-lead": [1], "4-lead": [4], "3-lead": [3, 4]}, "12-lead: not slot 1. Put the leads in a row"),
        ({"12-lead": "3", "4-lead": [4], "3-lead": [3, 4]}, "12-lead: slots are numbers"),
    ],
)
def test_check_place(places, said):
    found = lesson_03.check_place(places, "V2", SETS, slots=4)
    assert said in found
    assert found.startswith("Right") == said.startswith("Right")


@pytest.mark.parametrize(
    ("example", "said"),
    [
        (([1, 2], 4), "Right: repeat gives 1 1 2 2, tile 1 2 1 2"),
        (((0, -1, 0.5), 5), "Right: repeat gives"),
        (None, "No answer yet"),
        (([1, 2], 2), "2 leads fill 2 slots without being repeated"),
        (([3, 1, 2], 1), "3 leads fill 1 slots"),
        (([7], 4), "A single lead fills every slot"),
        (([1, 1], 4), "All leads show the same number"),
        ([1, 2, 4], "write ([a number for each lead], slots)"),
        (([1, 2], 0), "slots is 0; pooling needs at least one slot"),
        (([], 3), "at least one lead"),
    ],
)
def test_check_fills(example, said):
    found = lesson_03.check_fills(example)
    assert said in found
    assert found.startswith("Right") == said.startswith("Right")


# What the lesson itself shows


@pytest.fixture(scope="module")
def results(lesson):
    run = lesson("03")
    assert run.errors == ()
    return run.results


def measured(results, measure):
    return results[results["measure"] == measure]


def test_in_the_lesson_one_slot_ignores_order_and_several_do_not(results):
    gaps = measured(results, "order gap").set_index(["merge", "slots"])["value"]
    assert (gaps.xs(1, level="slots") < 1e-6).all()  # a mean's rounding
    assert (gaps.drop(1, level="slots") > 0.1).all()  # found: above 0.5 on the samples


def test_in_the_lesson_names_are_heeded_and_order_is_not(results):
    together, alone = (
        measured(results, what).set_index("model")["value"] for what in ("leads and names shuffled", "names alone shuffled")
    )
    named = ["lead names, then 1 slot", "attention over named leads"]
    assert (together[named] < 1e-5).all()
    assert (alone[named] > 0.01).all()
    assert (alone[["DAP, 1 slot", "DAP, 4 slots"]] == 0).all()
    assert together["DAP, 1 slot"] == 0 < 0.1 < together["DAP, 4 slots"]


def test_the_lesson_shows_the_formula_breaking_and_mended(results):
    original, mended = (measured(results, f"empty slots, {formula}") for formula in ("original", "floor and ceil"))
    assert len(original) == len(mended) == 144
    assert (mended["value"] == 0).all()
    assert (original.set_index(["leads", "slots"])["value"] > 0).sum() == 18


def test_the_lesson_scores_each_pooling_at_each_lead_set(results):
    """Nothing is claimed of who is ahead; a trained network is above chance with twelve leads (found: 0.70 and more)."""
    scores = measured(results, "macro AUROC").set_index(["model", "lead_set"])["value"]
    assert len(scores) == 4 * len(sd.LEAD_SETS)
    assert (scores.xs("12-lead", level="lead_set") > 0.55).all()
