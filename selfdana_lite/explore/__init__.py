"""What a person looks at and touches: pure functions that draw and describe, and thin widgets over them."""

from selfdana_lite.explore.colours import CLASS_COLOURS, LEAD_COLOURS, LEAD_DASHES, class_colours
from selfdana_lite.explore.ecg_paper import describe_ecg, ecg_figure
from selfdana_lite.explore.explorer import Explorer
from selfdana_lite.explore.lattice import describe_lattice, describe_lead_values, lattice_figure, lead_value_figure
from selfdana_lite.explore.lead_picker import LeadPicker
from selfdana_lite.explore.lead_set_explorer import Choice, LeadSetExplorer
from selfdana_lite.explore.live_figure import LiveFigure, figure_html
from selfdana_lite.explore.scores import (
    comparison_figure,
    describe_comparison,
    describe_scores,
    format_scores,
    score_figure,
    score_table,
)
from selfdana_lite.explore.torso import describe_choice, redundant, torso_svg

__all__ = [
    "CLASS_COLOURS",
    "LEAD_COLOURS",
    "LEAD_DASHES",
    "Choice",
    "Explorer",
    "LeadPicker",
    "LeadSetExplorer",
    "LiveFigure",
    "class_colours",
    "comparison_figure",
    "describe_choice",
    "describe_comparison",
    "describe_ecg",
    "describe_lattice",
    "describe_lead_values",
    "describe_scores",
    "ecg_figure",
    "figure_html",
    "format_scores",
    "lattice_figure",
    "lead_value_figure",
    "redundant",
    "score_figure",
    "score_table",
    "torso_svg",
]
