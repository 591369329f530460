"""One file a format; each has read(path, gain, sampling_rate_hz, leads) -> Recording."""
