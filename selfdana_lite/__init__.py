"""selfdana_lite: learn, and try out, how an ECG encoder copes with fewer leads. Not for diagnosis."""

from selfdana_lite.adapter import DimensionAdaptivePooling, make_channel_adaptive
from selfdana_lite.augment import RandomLeadMasking, RandomLeadSelection
from selfdana_lite.dataset import SAMPLES, DatasetError, EcgDataset, write_dataset
from selfdana_lite.encoders import build_encoder
from selfdana_lite.leads import LEAD_SETS, LEADS, LeadError, parse_leads
