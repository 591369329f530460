"""What a person looks at and touches: pure functions that draw and describe, and thin widgets over them."""

from selfdana_lite.explore.ecg_paper import describe_ecg, ecg_figure
from selfdana_lite.explore.lead_set_explorer import Choice, LeadSetExplorer
from selfdana_lite.explore.scores import (
    comparison_figure,
    describe_comparison,
    describe_scores,
    format_scores,
    score_figure,
    score_table,
)

__all__ = [
    "Choice",
    "LeadSetExplorer",
    "comparison_figure",
    "describe_comparison",
    "describe_ecg",
    "describe_scores",
    "ecg_figure",
    "format_scores",
    "score_figure",
    "score_table",
]
