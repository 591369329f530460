"""What a person looks at and touches: pure functions that draw and describe, and thin widgets over them."""

from selfdana_lite.explore.augmentation_view import AugmentationChoice, AugmentationView
from selfdana_lite.explore.colours import CLASS_COLOURS, LEAD_COLOURS, LEAD_DASHES, class_colours
from selfdana_lite.explore.cost_chart import CostChart, cost_figure, describe_costs
from selfdana_lite.explore.crowd import Answer, Crowd, Crowds, answer_for, crowd_of, nearest_samples, strangeness, what_if_file
from selfdana_lite.explore.crowd_figures import crowd_figure, describe_crowd, describe_probabilities, probability_figure
from selfdana_lite.explore.design_chart import describe_designs, design_figure
from selfdana_lite.explore.differences import describe_differences, difference_figure
from selfdana_lite.explore.ecg_layout import LAYOUTS
from selfdana_lite.explore.ecg_marks import Marks, describe_marks, find_marks
from selfdana_lite.explore.ecg_paper import describe_ecg, ecg_figure
from selfdana_lite.explore.ecg_viewer import ECGView, ECGViewer
from selfdana_lite.explore.embedding_map import EmbeddingMap
from selfdana_lite.explore.explorer import Explorer
from selfdana_lite.explore.lattice import describe_lattice, describe_lead_values, lattice_figure, lead_value_figure
from selfdana_lite.explore.lead_answers import LeadAnswers
from selfdana_lite.explore.lead_mapper import LeadMapper, describe_limb_leads, limb_check, limb_figure
from selfdana_lite.explore.lead_picker import LeadPicker
from selfdana_lite.explore.lead_set_explorer import Choice, LeadSetExplorer
from selfdana_lite.explore.lead_view import LeadView
from selfdana_lite.explore.live_figure import LiveFigure, figure_html
from selfdana_lite.explore.own_ecg import OwnEcg
from selfdana_lite.explore.own_file import Asked, for_encoder, read_as_asked
from selfdana_lite.explore.padding_view import PaddingView, Rival, build_rivals, padding_bill, slicing_gap
from selfdana_lite.explore.paired_view import PairedView
from selfdana_lite.explore.pooling_view import PoolingChoice, PoolingView
from selfdana_lite.explore.scores import (
    comparison_figure,
    describe_comparison,
    describe_scores,
    format_scores,
    score_figure,
    score_table,
)
from selfdana_lite.explore.torso import describe_choice, redundant, torso_svg
from selfdana_lite.explore.turning_heart import (
    Pose,
    TurningHeart,
    describe_heart,
    draw_heart,
    frontal_angle,
    turned,
)
from selfdana_lite.explore.what_if_figure import WhatIf
from selfdana_lite.explore.what_if_lab import WhatIfLab
from selfdana_lite.explore.what_if_panel import WhatIfPanel

__all__ = [
    "CLASS_COLOURS",
    "LAYOUTS",
    "LEAD_COLOURS",
    "LEAD_DASHES",
    "Answer",
    "Asked",
    "AugmentationChoice",
    "AugmentationView",
    "Choice",
    "CostChart",
    "Crowd",
    "Crowds",
    "ECGView",
    "ECGViewer",
    "EmbeddingMap",
    "Explorer",
    "LeadAnswers",
    "LeadMapper",
    "LeadPicker",
    "LeadSetExplorer",
    "LeadView",
    "LiveFigure",
    "Marks",
    "OwnEcg",
    "PaddingView",
    "PairedView",
    "PoolingChoice",
    "PoolingView",
    "Pose",
    "Rival",
    "TurningHeart",
    "WhatIf",
    "WhatIfLab",
    "WhatIfPanel",
    "answer_for",
    "build_rivals",
    "class_colours",
    "comparison_figure",
    "cost_figure",
    "crowd_figure",
    "crowd_of",
    "describe_choice",
    "describe_comparison",
    "describe_costs",
    "describe_crowd",
    "describe_designs",
    "describe_differences",
    "describe_ecg",
    "describe_heart",
    "describe_lattice",
    "describe_lead_values",
    "describe_limb_leads",
    "describe_marks",
    "describe_probabilities",
    "describe_scores",
    "design_figure",
    "difference_figure",
    "draw_heart",
    "ecg_figure",
    "figure_html",
    "find_marks",
    "for_encoder",
    "format_scores",
    "frontal_angle",
    "lattice_figure",
    "lead_value_figure",
    "limb_check",
    "limb_figure",
    "nearest_samples",
    "padding_bill",
    "probability_figure",
    "read_as_asked",
    "redundant",
    "score_figure",
    "score_table",
    "slicing_gap",
    "strangeness",
    "torso_svg",
    "turned",
    "what_if_file",
]
