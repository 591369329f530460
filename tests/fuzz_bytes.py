"""Damage that fits any file: odd values for a field, flipped bytes, pieces lost and doubled."""

import random

NUMBERS = (
    "0", "-0", "1", "-1", "2", "12", "513", "65536", "2147483647", "-2147483648", "4294967296", "999999999", "1000000000000",
    "9" * 15, "9" * 30, "9" * 400, "-99999999999999999999", "1e9", "1e-9", "1e308", "1e-308", "1e999", "-1e999", "nan", "inf",
    "-inf", "NaN", "Infinity", "1.5", ".5", "5.", "1,5", "1_000", "0x10", "1d5", "+1", "--1", "１２", "١٢", "²", "½", "٠",
    "1e", "e5", "", " ", "1 2", "true", "None",
)  # fmt: skip
WORDS = (
    "I", "II", "MLII", "V1", "v1", "ECG lead V1", "-aVR", "I-II", "lead_ii_uV", "time", "", " ", "x" * 201, "x" * 5000,
    "é", "µV", "μV", "mV", "MV", "mv", "uV", "nV", "V", "kV", "mmHg", "%", "NU", "adu", "a\x00b", "a\nb", "\x1b[31m", "\u202e",
    "\ufeff", "🫀", "e\u0301" * 50, "ﬁ", "Ⅱ", "%s%n", "{0}", "$HOME", "`id`", "';--", "=1+1", "(",
    "[", "))", "\\", '"', "'", "#", ",", ";",
    "\t", "CON", "NUL", "null", "NA", "-", "~", "*", "?",
)  # fmt: skip
# Where a file's name stands; each of those that could be there is there, outside, and readable.
PATHS = (
    "../secret.dat", "../secret", "../secret.hea", "..", ".", "/etc/passwd", "/dev/zero", "/dev/stdin", "/proc/self/environ",
    "~", "~root", "~/x", "%2e%2e/secret.dat", "..%2fsecret.dat", "..\\secret.dat", "C:\\secret.dat", "C:secret.dat",
    "\\\\host\\share\\x", "file:///etc/passwd", "file://secret", "http://127.0.0.1:9/x.dat", "https://physionet.org/x.dat",
    "ftp://127.0.0.1/x", "s3://bucket/x.dat", "gs://bucket/x", "simplecache::../secret.dat", "zip://x::file:///tmp/x.zip",
    "memory://x", "sub/rec.dat", "sub/../rec.dat", "./rec.dat", "rec.dat/", "rec.dat\x00", "rec.dat\n", "link.dat", "out",
    "fifo.dat", "socket", "CON", "NUL.dat", "-", "-rf", "|id", "$(id)", "rec*", "re?.dat", "é.dat", "x" * 300, "rec.hea",
)  # fmt: skip


def odd_value(rng: random.Random) -> str:
    """A number or a word that a field may or may not be able to hold."""
    kind = rng.random()
    if kind < 0.5:
        return rng.choice(NUMBERS)
    if kind < 0.8:
        return rng.choice(WORDS)
    return str(rng.choice([rng.randint(-300, 300), rng.randint(0, 2**40), round(rng.gauss(0, 1000), 3)]))


def damaged(rng: random.Random, data: bytes, first: int = 0) -> bytes:
    """Bytes flipped, lost, doubled, cut off or put in, from byte number `first` on."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        at, many = rng.randint(min(first, len(data)), len(data)), rng.choice([1, 2, 4, 16, 300])
        kind = rng.random()
        if kind < 0.4 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind < 0.6:
            data[at : at + many] = rng.randbytes(len(data[at : at + many]))
        elif kind < 0.7:
            del data[at : at + many]
        elif kind < 0.8:
            data[at:at] = data[max(0, at - many) : at]
        elif kind < 0.9:
            data[at:at] = rng.choice([b"\x00", b"\xff" * 8, b"\r\n", b"\x00" * many, rng.randbytes(many)])
        else:
            del data[at:]
    return bytes(data)


def flipped(rng: random.Random, data: bytes, first: int = 0) -> bytes:
    """Some bytes from `first` on are others; the length stays."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        if len(data) > first:
            data[rng.randrange(first, len(data))] = rng.randrange(256)
    return bytes(data)
