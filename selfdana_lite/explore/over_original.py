"""One view that an augmentation drew, over the recording that it was drawn from, on ECG paper."""

import plotly.graph_objects as go

from selfdana_lite.explore.augmentation_figures import Drawn
from selfdana_lite.explore.ecg_paper import ecg_figure
from selfdana_lite.leads import LEADS
from selfdana_lite.recording import Recording


def draw_over(view: Drawn, original: Recording, title: str = "") -> go.Figure:
    """The original wide and pale, "before"; the view as a thin dark line, "after": flat where a lead became zeros.

    original: the recording of standard leads that the view was drawn from, from its start.
    """
    after = Recording(view.signals_mv, original.sampling_rate_hz, view.leads)
    return ecg_figure(original.signal_mv, original.leads, original.sampling_rate_hz, title, overlay=after)


def describe_over(view: Drawn, original: Recording) -> str:
    """What became of each lead of the original."""
    fates = {"as it was": [], "zeros": [], "not in the tensor": []}
    for lead in LEADS:
        if lead in original.leads:
            fates["as it was" if view.keeps(lead) else "zeros" if lead in view.leads else "not in the tensor"].append(lead)
    words = [f"{fate}: {', '.join(leads)}" for fate, leads in fates.items() if leads]
    return f"Of the original, after the augmentation: {'; '.join(words)}."
