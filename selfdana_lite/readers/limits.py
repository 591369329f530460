"""How large one recording may be. A few kilobytes, packed or sparse, can stand for any number of samples."""

from selfdana_lite.recording import RecordingError

# A day of one lead at 250 Hz, two hours of twelve. Unpacking and scaling take up to 36 bytes a sample, at one time or another:
# this many stay below 1 GB.
MAX_SAMPLES = 25_000_000
MAX_LEADS = 4096  # a body surface map has a few hundred; the largest EEG caps a thousand


def check_extent(n_leads: int, samples: int, source: object) -> None:
    """RecordingError, before memory is taken, for more leads than one recording may have, or more samples in all of them."""
    if n_leads > MAX_LEADS or samples > MAX_SAMPLES:
        raise RecordingError(
            f"{source} has {samples} samples in {n_leads} leads; one recording may have {MAX_SAMPLES} samples and "
            f"{MAX_LEADS} leads: cut it into shorter ones, or into ones of fewer leads."
        )
