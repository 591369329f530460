"""The pictures of all lead sets show what the table holds, and the words say the same."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

import selfdana_lite as sd
from selfdana_lite.explore import lattice
from selfdana_lite.explore.colours import LEAD_COLOURS
from selfdana_lite.explore.lattice import describe_lattice, describe_lead_values, lattice_figure, lead_value_figure

LEADS = ("I", "II", "V2", "V6")
TRACES = ["15 lead sets", "worst of each size", "best of each size", "Pareto front: nothing smaller scores as much"]


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    rows = [(", ".join(names), n) for n in range(1, 5) for names in combinations(LEADS, n)]
    scores = rng.uniform(0.6, 0.9, size=(15, 3))
    return pd.DataFrame(rows, columns=["lead_set", "n_leads"]).assign(
        macro_auroc=scores.mean(axis=1), MI=scores[:, 0], CD=scores[:, 1], HYP=scores[:, 2]
    )


@pytest.fixture(scope="module")
def values(table):
    return sd.lead_values(table)


def drawn(figure):
    return {trace.name: trace for trace in figure.data}


def test_every_lead_set_is_a_point_near_its_size_at_its_score(table):
    figure = lattice_figure(table)
    points = figure.data[0]
    assert [trace.name for trace in figure.data] == [*TRACES, "the usual lead sets", "chosen"]
    assert np.abs(points.x - table["n_leads"]).max() <= 0.35
    assert points.x[-1] == 4, "what is alone stands in the middle"
    assert len(np.unique(points.x)) == 15, "no point hides another"
    np.testing.assert_array_equal(points.y, table["macro_auroc"])
    assert points.hovertext[4] == f"I, II<br>{table['macro_auroc'][4]:.3f}"


@pytest.mark.parametrize("score", ["macro_auroc", "MI"])
def test_the_lines_are_the_extremes_and_the_front(table, score):
    traces, ends = drawn(lattice_figure(table, score=score)), sd.extremes(table, score)
    for end in ("best", "worst"):
        line = traces[f"{end} of each size"]
        np.testing.assert_array_equal(line.y, ends[f"{end}_score"])
        assert line.hovertext[1].startswith(ends[end][1])
        by_loop = [table.loc[table["n_leads"] == n, score].agg("max" if end == "best" else "min") for n in range(1, 5)]
        assert list(line.y) == by_loop
    np.testing.assert_array_equal(traces[TRACES[3]].y, sd.pareto_front(table, score)[score])


def test_the_usual_lead_sets_are_named_where_the_table_has_them(table):
    named = lattice_figure(table).data[4]
    assert list(named.text) == ["1-lead", "2-lead", "3-lead"]
    assert list(named.x) == [1, 2, 3]
    assert len(lattice_figure(table[table["n_leads"] == 4]).data[4].text) == 0


def test_the_chosen_leads_are_pointed_out_in_the_same_traces(table):
    before, after = lattice_figure(table), lattice_figure(table, "V2, I")
    assert len(before.data) == len(after.data)
    assert len(before.data[5].x) == 0
    row = table[table["lead_set"] == "I, V2"].iloc[0]
    assert (after.data[5].x[0], after.data[5].y[0]) == (2, row["macro_auroc"])
    assert after.layout.title.text == f"What every lead set scores; I, V2: {row['macro_auroc']:.3f}"
    for draw_or_describe in (lattice_figure, describe_lattice):
        with pytest.raises(sd.LeadError, match="no row for I, aVF"):
            draw_or_describe(table, ["aVF", "I"])


def test_the_lattice_in_words():
    table = pd.DataFrame(
        {
            "lead_set": ["I", "II", "V2", "I, II", "I, V2", "II, V2", "I, II, V2"],
            "n_leads": [1, 1, 1, 2, 2, 2, 3],
            "macro_auroc": [0.7, 0.6, 0.55, 0.71, 0.7, 0.8, 0.78],
        }
    )
    assert describe_lattice(table, "V2, I") == (
        "The 7 lead sets score 0.550 to 0.800. Pareto front: I 0.700; II, V2 0.800. The usual lead sets: "
        "1-lead 0.700, 2-lead 0.710, 3-lead 0.780. Chosen: I, V2, 0.700, number 3 of 3 with as many leads (0.700 to 0.800). "
        "The best of so many is best partly by luck: choose on some patients and score on others."
    )
    assert "Chosen" not in describe_lattice(table)
    assert "usual" not in describe_lattice(table[table["lead_set"] == "V2"])


def test_lead_values_are_bars_and_cells_in_the_order_of_the_leads(values):
    bars, cells = lead_value_figure(values).data
    assert list(bars.y) == list(cells.y) == list(LEADS)
    np.testing.assert_array_equal(bars.x, values["macro_auroc"])
    assert list(bars.marker.color) == [LEAD_COLOURS[lead] for lead in LEADS]
    assert list(cells.x) == ["MI", "CD", "HYP"]
    np.testing.assert_array_equal(np.array(cells.z), values[["MI", "CD", "HYP"]])
    assert cells.zmin == -cells.zmax, "nothing gained is white"
    assert np.abs(cells.z).max() == cells.zmax


@pytest.mark.parametrize("sign", [1, -1])
def test_no_bar_and_no_number_is_cut_off(values, sign):
    low, high = lead_value_figure(values.assign(macro_auroc=sign * values["macro_auroc"].abs())).layout.xaxis.range
    longest = values["macro_auroc"].abs().max()
    assert (high if sign == 1 else -low) > 1.2 * longest
    assert low <= 0 <= high


def test_lead_values_in_words():
    values = pd.DataFrame({"lead": ["I", "V2"], "macro_auroc": [0.1, 0.25], "MI": [0.02, -0.01], "CD": [0.1, 0.3]})
    assert describe_lead_values(values) == (
        "Mean gain in macro AUROC from adding a lead, over all orders: V2 +0.250, I +0.100; together +0.350 above chance "
        "(0.5). Worth most for each class: MI: I +0.020; CD: V2 +0.300. Leads that say the same share their worth."
    )


def contrast_with_white(colour: str) -> float:
    """WCAG's contrast ratio."""
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05)


def test_lines_markers_and_numbers_stand_out():
    assert min(map(contrast_with_white, (lattice.BEST, lattice.WORST, lattice.CHOSEN, lattice.INK))) > 3
    ink = contrast_with_white(lattice.INK)
    assert min(ink / contrast_with_white(end) for end in (lattice.LEAST, lattice.MOST)) > 4.5, "numbers in the heat map"
