"""Lesson 04: its checks say what is wrong, its laws hold against enumeration and draws, and so do its claims."""

import itertools
import math

import numpy as np
import pytest
import torch
from course import lead_draws, lesson_04, rehearsal
from course.lead_draws import masking_law, selection_law
from small import small_dataset

import selfdana_lite as sd
from selfdana_lite.leads import derive_limb_leads

RLS, RLM = sd.RandomLeadSelection(), sd.RandomLeadMasking()
EVERY_SUBSET = np.array(list(itertools.product([False, True], repeat=12)))  # bool [4096, 12], the results of twelve coins


def chances(law):
    """The probability of each subset where all subsets of one size are equally likely, float64 [4096]."""
    sizes = EVERY_SUBSET.sum(axis=1)
    return np.array([law[k] / math.comb(12, k) for k in sizes])


# The laws


def test_coins_leave_a_binomial_number_of_leads():
    np.testing.assert_allclose(masking_law(), np.bincount(EVERY_SUBSET.sum(axis=1)) / 4096)
    np.testing.assert_allclose(masking_law(0.0), [0] * 12 + [1])
    assert masking_law(0.8).sum() == pytest.approx(1)
    assert lead_draws.mean_leads(masking_law(0.8)) == pytest.approx(12 * 0.2)


def test_what_the_lesson_says_of_few_leads():
    """As in its text: at most three leads in 7.3 % and in 25 % of the views; one view in 4096 is empty."""
    assert lead_draws.at_most(masking_law(), 3) == pytest.approx(299 / 4096) == pytest.approx(0.073, abs=0.0005)
    assert lead_draws.at_most(selection_law(), 3) == pytest.approx(0.25)
    assert masking_law()[0] == 1 / 4096
    assert lead_draws.mean_leads(selection_law()) == pytest.approx(6.5)
    assert lead_draws.mean_leads(selection_law(1, 3)) == pytest.approx(2)
    assert lead_draws.at_least(selection_law(), 10) == pytest.approx(0.25)


def test_masking_with_a_p_of_its_own_for_each_view_is_uniform():
    """What the solution of exercise 4 says. The mean over a fine grid stands for the integral, right to 1e-6 here."""
    grid = (np.arange(4000) + 0.5) / 4000
    np.testing.assert_allclose(np.mean([masking_law(p) for p in grid], axis=0), 1 / 13, atol=1e-6)


@pytest.mark.parametrize("law", [selection_law(), masking_law(), masking_law(0.7), selection_law(2, 5)])
def test_limb_leads_and_shared_leads_against_all_subsets(law):
    chance = chances(law)
    two_left = chance[EVERY_SUBSET[:, :6].sum(axis=1) >= 2].sum()
    assert lead_draws.two_limb_leads_left(law) == pytest.approx(two_left)
    k_leads = [EVERY_SUBSET[EVERY_SUBSET.sum(axis=1) == k][0] for k in range(13)]  # by symmetry any subset stands for its size
    missed = sum(p * chance[~(EVERY_SUBSET & subset).any(axis=1)].sum() for p, subset in zip(law, k_leads, strict=True))
    assert lead_draws.no_lead_shared(law) == pytest.approx(missed)


def test_the_two_closed_forms_of_masking():
    assert lead_draws.two_limb_leads_left(masking_law()) == pytest.approx(57 / 64)
    assert lead_draws.no_lead_shared(masking_law()) == pytest.approx(0.75**12)


# Draws


@pytest.mark.parametrize(
    ("augmentation", "law"), [(RLS, selection_law()), (RLM, masking_law()), (sd.RandomLeadMasking(0.8), masking_law(0.8))]
)
def test_draws_follow_their_law_and_no_other(augmentation, law):
    """The seed is fixed; another one fails the first line once in a thousand, and the second never."""
    kept = lead_draws.kept_leads(augmentation, 2000, seed=1)
    assert lead_draws.chi_square_p(law, kept.sum(axis=1)) > 0.001
    for other in (selection_law(), masking_law(), masking_law(0.8)):
        assert np.array_equal(other, law) or lead_draws.chi_square_p(other, kept.sum(axis=1)) < 1e-6
    np.testing.assert_allclose(kept.mean(axis=0), lead_draws.mean_leads(law) / 12, atol=0.05)  # no lead is preferred


def test_draws_follow_their_seed():
    first, again, other = (lead_draws.kept_leads(RLS, 50, seed) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_draws_stand_beside_their_law():
    table = lead_draws.law_and_draws(masking_law(), np.array([6] * 30 + [5] * 70))
    assert table.loc[6, "drawn"] == 0.3
    assert table.loc[6, "law"] == 924 / 4096
    assert table.loc[6, "high"] - table.loc[6, "law"] == pytest.approx(2 * math.sqrt(924 / 4096 * 3172 / 4096 / 100))
    assert (table["low"] < table["law"]).all()


def test_chi_square_in_closed_form():
    """Two fair cells with 60 and 40 of 100: chi-square 4 with one degree of freedom, p = 0.0455."""
    law, counts = np.zeros(13), np.array([3] * 60 + [4] * 40)
    law[3:5] = 0.5
    assert lead_draws.chi_square_p(law, counts) == pytest.approx(0.0455, abs=1e-4)
    assert lead_draws.chi_square_p(law, np.append(counts, 5)) == 0  # never by this law


def test_any_two_limb_leads_give_back_all_six():
    i_mv, ii_mv = np.random.default_rng(0).normal(size=(2, 40))
    six = derive_limb_leads(i_mv, ii_mv)
    for one, other in itertools.combinations(range(6), 2):
        again = lead_draws.limb_leads_from(six[[one, other]], (sd.LEADS[one], sd.LEADS[other]))
        np.testing.assert_allclose(again, six, atol=1e-12)


# The rehearsal


def test_a_rehearsal_follows_its_seed_and_sees_what_the_augmentation_left(monkeypatch):
    few, seen = small_dataset([1], records=32), []

    def augmentation(signals_mv, generator):
        seen.append(signals_mv.shape)
        return RLS(signals_mv, generator)

    torch.manual_seed(7)
    state = torch.get_rng_state()
    first, again = (rehearsal.rehearse(augmentation, few, epochs=1, seed=0) for _ in range(2))
    assert torch.equal(state, torch.get_rng_state())  # nobody else's draws change
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    other = rehearsal.rehearse(augmentation, few, epochs=1, seed=1)
    assert not torch.equal(first.head.weight, other.head.weight)
    assert set(seen) == {(32, 12, 128)}  # half of the 256 samples


def test_a_table_of_what_was_asked():
    few = small_dataset([1, 2], records=64)
    table = rehearsal.rehearsed_and_asked("selection", RLS, few, few, epochs=1, seeds=[0, 1])
    assert table.groupby("seed")["lead_set"].agg(list).tolist() == [[*sd.LEAD_SETS, "a single lead"]] * 2
    assert table["macro_auroc"].between(0, 1).all()
    clf = rehearsal.rehearse(RLS, few, epochs=1, seed=0)
    singles = [sd.evaluate(clf, few, lead, bootstrap=0).macro_auroc for lead in sd.LEADS]
    found = rehearsal.asked(clf, few).set_index("lead_set")["macro_auroc"]
    assert found["a single lead"] == pytest.approx(np.mean(singles))
    assert found["1-lead"] == singles[0]


# The checks


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((2 / 12, 79 / 4096), "Right: 16.7% under selection and 1.9% under masking, 8.6 times less"),
        ([0.167, 0.019], "Right:"),
        ((np.float32(0.167), np.float32(0.019)), "Right:"),
        (None, "No answer yet"),
        (0.167, "two numbers are wanted"),
        ("ab", "two numbers are wanted"),
        ((79 / 4096, 2 / 12), "the wrong way round"),
        ((16.7, 1.9), "percentages"),
        ((1 / 12, 79 / 4096), "Two counts are at most 2"),
        ((3 / 13, 79 / 4096), "selection never leaves 0 leads"),
        ((2 / 12, 66 / 4096), "exactly 2 leads"),
        ((0.4, 79 / 4096), "the first number is wrong"),
        ((2 / 12, 0.3), "the second number is wrong"),
    ],
)
def test_check_few(answer, said):
    found = lesson_04.check_few(answer)
    assert said in found
    assert found.startswith("Right") == said.startswith("Right")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((6, 12, 6.5), "Right: masking leaves 6 leads on average and sends 12 rows"),
        (None, "No answer yet"),
        ((6, 12), "three numbers are wanted"),
        ((6, 12, 6), "not half of 12"),
        ((6, 6, 6.5), "sends the zeros along"),
        ((6, 11, 6.5), "whatever it zeroed"),
        ((6.5, 12, 6.5), "kept with probability 1/2"),
        ((6, 12, 7), "the mean of the counts"),
    ],
)
def test_check_tensors(answer, said):
    found = lesson_04.check_tensors(answer)
    assert said in found
    assert found.startswith("Right") == said.startswith("Right")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (57 / 64, "Right: 57 of 64"),
        (0.89, "Right:"),
        (None, "No answer yet"),
        ("57/64", "one number is wanted"),
        (63 / 64, "this is at least one"),
        (58 / 64, "exactly one is only one of the two ways"),
        (15 / 64, "this is exactly two"),
        (22 / 64, "at most two"),
        (7 / 64, "The opposite is asked for"),
        (89.0625, "a percentage"),
        (np.float32(0.5), "those that keep at least two"),
    ],
)
def test_check_bound(answer, said):
    found = lesson_04.check_bound(answer)
    assert said in found
    assert found.startswith("Right") == said.startswith("Right")


@pytest.mark.parametrize(
    ("p", "said"),
    [
        (0.61, "Right: with p = 0.61 masking leaves at most 3 leads in 24.7% of the views, at least 10 leads in 0.22%"),
        (None, "No answer yet"),
        (0.5, "in 7.3% of the views, at least 10 leads in 1.93%, and none in 0.02%. Selection leaves so few in 25%; mask more"),
        (0.75, "mask less"),
        (61, "a probability from 0 to 1 is wanted, and this is 61"),
        ("0.6", "a probability"),
        (1, "a probability"),
        (float("nan"), "a probability"),
    ],
)
def test_check_p(p, said):
    found = lesson_04.check_p(p)
    assert said in found
    assert found.startswith("Right") == said.startswith("Right")


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        (sd.RandomLeadSelection(1, 3), "Right: one, two and three leads in a third of the views each, and 2 leads in a tensor"),
        (None, "No answer yet"),
        ((1, 3), "write sd.RandomLeadSelection"),
        (sd.RandomLeadMasking(0.8), "write sd.RandomLeadSelection"),
        (sd.RandomLeadSelection(), "75% of its views have more than 3 leads"),
        (sd.RandomLeadSelection(1, 1), "no view has more than 1, and next year's watch has 3"),
        (sd.RandomLeadSelection(3, 3), "no view has fewer than 3 leads, and today's watch has one"),
        (sd.RandomLeadSelection(1, 3, law="binomial"), "its law is 'binomial': one lead in 4% of the views"),
    ],
)
def test_check_watch(selection, said):
    found = lesson_04.check_watch(selection)
    assert said in found
    assert found.startswith("Right") == said.startswith("Right")


# What the lesson itself shows


@pytest.fixture(scope="module")
def results(lesson):
    run = lesson("04")
    assert run.errors == ()
    return run.results


def measured(results, measure):
    return results[results["measure"] == measure]


def test_the_lesson_s_draws_follow_their_laws(results):
    assert (measured(results, "chi-square p")["value"] > 0.001).all()  # the seed is fixed
    for what, by_law in (
        ("as drawn", "at least two limb leads, by law"),
        ("none, as drawn", "no lead in common, by law"),
        ("mean, as drawn", "leads in common, mean by law"),
    ):
        drawn, law = (measured(results, column).set_index("rehearsal")["value"] for column in (what, by_law))
        tolerance = 0.2 if "mean" in what else 0.03  # four standard errors of 4,000 views, and more
        assert (drawn - law).abs().max() < tolerance, what


def test_what_was_never_rehearsed_cannot_be_asked_for(results):
    """Found with three seeds, on one thread and on two: 0.12 gained and more on average over five smaller lead sets, 0.02 and
    more lost with twelve leads, after 8 epochs. After 6, rounding alone moved these by up to 0.07.

    Nothing is claimed of selection against masking: with three seeds of so short a training masking was ahead at a single
    lead, and selection, with two of them, at three and four leads.
    """
    auroc = measured(results, "macro AUROC").groupby(["rehearsal", "lead_set"])["value"].mean().unstack()
    reduced, never = auroc[list(sd.LEAD_SETS)[1:]].mean(axis=1), rehearsal.NEVER
    for name in ("masking", "selection"):
        assert reduced[name] > reduced[never] + 0.08
        assert auroc.loc[name, "a single lead"] > auroc.loc[never, "a single lead"]
        assert auroc.loc[never, "12-lead"] > auroc.loc[name, "12-lead"]
    assert auroc.loc[never, "12-lead"] > reduced[never] + 0.15  # without a rehearsal it collapses
