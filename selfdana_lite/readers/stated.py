"""What a caller states beside a file: it fills in what the file leaves out, and may not contradict it."""

from collections.abc import Iterable, Sequence

from selfdana_lite.leads import LeadError, canonical_lead, split_names
from selfdana_lite.recording import RecordingError, name_leads

MAX_RATE_DEVIATION = 1e-3  # crystals are a hundred times better; a rate that was rounded (360 for 360.2) is not the same rate


def stated_names(leads: str | Iterable[str], found: Sequence[str] = ()) -> tuple[str, ...]:
    """The names that a caller gives: "I, II", "I II", "12-lead" or a sequence; canonical where known.

    found: the file's own names, in which spaces part nothing. LeadError for none or repeats.
    """

    def is_name(part: str) -> bool:  # "ECG II" and "Resp rate" are; "I II" is not
        return part in found or canonical_lead(part) is not None or not any(map(canonical_lead, part.split()))

    spellings = split_names(leads, is_name) if isinstance(leads, str) else [str(name) for name in leads]
    names = tuple(name_leads([spelling])[0] for spelling in spellings)
    if not names or len(set(names)) < len(names):
        raise LeadError(f"leads={leads!r} must name at least one lead, and each once.")
    return names


def chosen_rows(found: Sequence[str], leads: str | Iterable[str] | None, source: str) -> list[int]:
    """Which of the leads found in a file to read: all of them, or those named, in that order. LeadError names absent ones."""
    if leads is None:
        return list(range(len(found)))
    names = stated_names(leads, found)
    absent = [name for name in names if name not in found]
    if absent:
        raise LeadError(
            f"{source} names its own leads, {', '.join(found)}, and {', '.join(absent)} is not among them; leave leads= out, "
            f"or name those that you want."
        )
    return [found.index(name) for name in names]


def agreed_rate_hz(found: float | None, stated: float | None, source: str) -> float:
    """The sampling rate, from the file or, where that says none, from the caller. RecordingError for none, or for two."""
    if found is None and stated is None:
        raise RecordingError(f"{source} does not say its sampling rate; give sampling_rate_hz=.")
    if found is not None and stated is not None and not abs(found - stated) <= MAX_RATE_DEVIATION * found:
        raise RecordingError(
            f"{source} says {found:g} Hz, and sampling_rate_hz={stated:g} contradicts it; leave it out, or mend the file."
        )
    rate_hz = float(stated if found is None else found)
    if not 0 < rate_hz < float("inf"):
        raise RecordingError(f"{source}: the sampling rate is {rate_hz:g} Hz; expected a finite number above 0.")
    return rate_hz
