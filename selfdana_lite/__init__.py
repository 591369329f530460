"""selfdana_lite: learn, and try out, how an ECG encoder copes with fewer leads. Not for diagnosis."""

from selfdana_lite.adapter import DimensionAdaptivePooling, LeadAttentionPooling, LeadNames, make_channel_adaptive
from selfdana_lite.augment import RandomLeadMasking, RandomLeadSelection
from selfdana_lite.build import build_summary
from selfdana_lite.checkpoint import CheckpointError, load_encoder, save_encoder
from selfdana_lite.comparison import compare
from selfdana_lite.counted_costs import count_costs
from selfdana_lite.dataset import SAMPLES, DatasetError, EcgDataset, FlatLeadWarning, write_dataset
from selfdana_lite.downstream import Classifier, embed, evaluate, linear_probe, settle_batch_norm
from selfdana_lite.encoders import EncoderConfig, build_encoder
from selfdana_lite.export import export_encoder
from selfdana_lite.few_labels import few_labels
from selfdana_lite.fine_tuning import FineTuneConfig, fine_tune
from selfdana_lite.lead_values import lead_values
from selfdana_lite.leads import LEAD_SETS, LEADS, LeadError, parse_leads
from selfdana_lite.loop import TrainConfig, TrainingError
from selfdana_lite.pretraining import PretrainConfig, pretrain
from selfdana_lite.quality import quality_report
from selfdana_lite.reading import read_recording
from selfdana_lite.recording import Recording, RecordingError
from selfdana_lite.resources import measure_resources
from selfdana_lite.scores import Difference, Scores
from selfdana_lite.what_if import confirm_choice, extremes, greedy_path, next_lead, pareto_front, split_patients, what_if

__all__ = [
    "LEADS",
    "LEAD_SETS",
    "SAMPLES",
    "CheckpointError",
    "Classifier",
    "DatasetError",
    "Difference",
    "DimensionAdaptivePooling",
    "EcgDataset",
    "EncoderConfig",
    "FineTuneConfig",
    "FlatLeadWarning",
    "LeadAttentionPooling",
    "LeadError",
    "LeadNames",
    "PretrainConfig",
    "RandomLeadMasking",
    "RandomLeadSelection",
    "Recording",
    "RecordingError",
    "Scores",
    "TrainConfig",
    "TrainingError",
    "build_encoder",
    "build_summary",
    "compare",
    "confirm_choice",
    "count_costs",
    "embed",
    "evaluate",
    "export_encoder",
    "extremes",
    "few_labels",
    "fine_tune",
    "greedy_path",
    "lead_values",
    "linear_probe",
    "load_encoder",
    "make_channel_adaptive",
    "measure_resources",
    "next_lead",
    "pareto_front",
    "parse_leads",
    "pretrain",
    "quality_report",
    "read_recording",
    "save_encoder",
    "settle_batch_norm",
    "split_patients",
    "what_if",
    "write_dataset",
]
