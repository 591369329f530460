"""selfdana_lite: learn, and try out, how an ECG encoder copes with fewer leads. Not for diagnosis."""

from selfdana_lite.leads import LEAD_SETS, LEADS, LeadError, parse_leads

__all__ = ["LEADS", "LEAD_SETS", "LeadError", "parse_leads"]
