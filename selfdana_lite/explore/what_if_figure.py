"""The figure of the what-if panel: scores, cost, one recording's probabilities and the gain of each next lead."""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from selfdana_lite.explore.colours import CHOSEN, FAINT, LEAD_COLOURS, class_colours
from selfdana_lite.explore.ecg_paper import FONT
from selfdana_lite.explore.lattice import BEST
from selfdana_lite.explore.lead_answers import LeadAnswers
from selfdana_lite.lead_values import CHANCE
from selfdana_lite.leads import LEADS
from selfdana_lite.scores import Scores

GRID = "#dddddd"
SMALL = FONT | {"size": 13}
LEFT, RIGHT = [0, 0.47], [0.56, 1]  # shares of the width
LONGEST_NAME = 58  # letters that fit in the legend


@dataclass(frozen=True)
class WhatIf:
    """What is asked: the leads, in the order of LEADS, and the row of one recording."""

    leads: tuple[str, ...] = LEADS
    row: int = 0


def draw(asked: WhatIf, answers: LeadAnswers) -> go.Figure:
    """Four parts: the scores, and the cost beneath them; one recording's probabilities, and the gain of each next lead."""
    next_lead = "No lead is left to add" if asked.leads == answers.leads else "AUROC one more lead gains, in the table"
    traces = [*_score_traces(asked, answers), _cost_trace(asked, answers), *_patient_traces(asked, answers)]
    layout = _score_axes(asked, answers) | _other_axes(asked, answers)
    layout |= {"width": 910, "height": 480, "margin": {"l": 92, "r": 8, "t": 6, "b": 26}, "plot_bgcolor": "white"}
    layout |= {"font": SMALL, "bargap": 0.25, "barmode": "group"}
    layout["legend"] = {"x": 0, "xanchor": "left", "y": 0.37, "yanchor": "top", "font": SMALL}
    layout["annotations"] = [
        _title(LEFT[0], 1, "AUROC with 95 % interval; the numbers: chosen leads"),
        _title(LEFT[0], 0.16, f"Cost of fine-tuning, counted, % of {len(answers.leads)} leads"),
        _title(RIGHT[0], 1, f"Recording {asked.row}, outline: all leads, filled: chosen"),
        _title(RIGHT[0], 0.4, next_lead),
    ]
    return go.Figure([*traces, _next_trace(asked, answers)], layout)


def labels_of(row: int, answers: LeadAnswers) -> list[str]:
    """The diagnoses that a recording is labelled with."""
    labels = answers.dataset.labels[row]
    return [name for name, label in zip(answers.dataset.label_names, labels, strict=True) if label]


def cost_shares(asked: WhatIf, answers: LeadAnswers) -> tuple[float, float]:
    """Operations and memory of training with the chosen leads, as shares of those with all leads."""
    chosen, everything = answers.costs.loc[len(asked.leads)], answers.costs.loc[len(answers.leads)]
    return chosen["gflop"] / everything["gflop"], chosen["kept_mb"] / everything["kept_mb"]


def _score_axes(asked: WhatIf, answers: LeadAnswers) -> dict:
    scores = answers.scores(asked.leads)
    values = {"macro": scores.macro_auroc} | scores.per_class
    ticks = {"tickvals": [*range(len(values))], "ticktext": [f"{name} <b>{value:.2f}</b>" for name, value in values.items()]}
    shown = [answers.scores(leads) for leads in (answers.leads, answers.best(len(asked.leads)), asked.leads) if leads]
    lowest = min(_intervals(scores)[:, 0].min() for scores in shown)
    return {
        "xaxis": _axis(domain=LEFT, range=[min(CHANCE, lowest) - 0.02, 1.01], gridcolor=GRID),
        "yaxis": _axis(domain=[0.44, 0.95], range=[len(values) - 0.5, -0.5], showgrid=False) | ticks,
    }


def _other_axes(asked: WhatIf, answers: LeadAnswers) -> dict:
    leads = list(answers.leads)
    each = {"tickvals": leads, "tickangle": 0, "tickfont": {"size": 12}, "range": [-0.6, len(leads) - 0.4]}
    gains = answers.next_leads(asked.leads)["gain"]
    reach = [min(0, gains.min()), max(0, gains.max())] if len(gains) else [0, 0]
    room = 0.1 * max(reach[1] - reach[0], 0.01)
    return {
        "xaxis2": _axis(domain=LEFT, anchor="y2", range=[0, 119], tickvals=[0, 50, 100], gridcolor=GRID),
        "yaxis2": _axis(domain=[0, 0.11], anchor="x2", autorange="reversed", showgrid=False),
        "xaxis3": _axis(domain=RIGHT, anchor="y3", showgrid=False),
        "yaxis3": _axis(domain=[0.53, 0.93], anchor="x3", range=[0, 1.12], tickvals=[0, 0.5, 1], gridcolor=GRID),
        "xaxis4": _axis(domain=RIGHT, anchor="y4", type="category", showgrid=False) | each,
        "yaxis4": _axis(domain=[0, 0.34], anchor="x4", range=[reach[0] - room, reach[1] + room], nticks=5, gridcolor=GRID)
        | {"zeroline": True, "zerolinecolor": FAINT},
    }


def _axis(**looks: object) -> dict:
    return {"fixedrange": True, "zeroline": False} | looks


def _title(x: float, y: float, text: str) -> dict:
    at = {"x": x, "y": y, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "top", "showarrow": False}
    return at | {"text": f"<b>{text}</b>", "font": SMALL}


def _intervals(scores: Scores) -> np.ndarray:
    """[1 + classes, 2]: macro first."""
    return np.array([scores.interval, *scores.per_class_interval.values()])


def _score_traces(asked: WhatIf, answers: LeadAnswers) -> list[dict]:
    best = answers.best(len(asked.leads))
    shown = [(f"all {len(answers.leads)} leads", answers.leads, FAINT, "circle")]
    shown += [(f"best {len(best)} in the table: {', '.join(best)}", best, BEST, "diamond")] if best else []
    shown += [("chosen", asked.leads, CHOSEN, "square")]
    return [_whiskers(name, answers.scores(leads), -0.25 + 0.25 * i, *look) for i, (name, leads, *look) in enumerate(shown)]


def _whiskers(name: str, scores: Scores, offset: float, colour: str, symbol: str) -> dict:
    values = np.array([scores.macro_auroc, *scores.per_class.values()])
    low, high = _intervals(scores).T
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…",
        "x": values,
        "y": np.arange(len(values)) + offset,
        "error_x": {"type": "data", "symmetric": False, "array": high - values, "arrayminus": values - low, "width": 3},
        "marker": {"color": colour, "symbol": symbol, "size": 9},
        "hovertext": [f"{name}: {v:.3f} [{lo:.3f}, {hi:.3f}]" for v, lo, hi in zip(values, low, high, strict=True)],
        "hoverinfo": "text",
    }


def _cost_trace(asked: WhatIf, answers: LeadAnswers) -> dict:
    shares = [100 * share for share in cost_shares(asked, answers)]
    bars = {"type": "bar", "orientation": "h", "x": shares, "y": ["operations", "memory"], "marker": {"color": CHOSEN}}
    looks = {"text": [f"{share:.0f} %" for share in shares], "textposition": "outside", "cliponaxis": False}
    return bars | looks | {"xaxis": "x2", "yaxis": "y2", "showlegend": False, "hoverinfo": "skip"}


def _patient_traces(asked: WhatIf, answers: LeadAnswers) -> list[dict]:
    names = answers.dataset.label_names
    ticks = [f"<b>✓ {name}</b>" if name in labels_of(asked.row, answers) else name for name in names]
    colours = list(class_colours(names).values())
    both = [("all leads", answers.leads, "white"), ("chosen", asked.leads, colours)]
    given = {name: answers.predict(leads)[asked.row] for name, leads, _ in both}
    return [
        {
            "type": "bar",
            "name": name,
            "x": ticks,
            "y": given[name],
            "marker": {"color": fill, "line": {"color": colours, "width": 1.5}},
            "text": [f"{probability:.2f}".lstrip("0") for probability in given[name]],  # .50: two fit side by side
            "textposition": "outside",
            "textfont": {"size": 12},
            "cliponaxis": False,
            "hovertemplate": f"{name}: %{{y:.3f}}<extra></extra>",
            "xaxis": "x3",
            "yaxis": "y3",
            "showlegend": False,
        }
        for name, _, fill in both
    ]


def _next_trace(asked: WhatIf, answers: LeadAnswers) -> dict:
    gains = answers.next_leads(asked.leads).set_index("lead")["gain"].reindex(answers.leads)
    marker = {"color": [LEAD_COLOURS[lead] for lead in answers.leads]}
    bars = {"type": "bar", "x": list(answers.leads), "y": gains.to_numpy(), "marker": marker, "showlegend": False}
    return bars | {"hovertemplate": "add %{x}: %{y:+.3f}<extra></extra>", "xaxis": "x4", "yaxis": "y4"}
