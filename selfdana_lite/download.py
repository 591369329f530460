"""Many small files from one web folder: each checked, each continued where it stopped, none fetched twice.

    folder/NAME         whole: it had the expected SHA-256 when it was given this name
    folder/NAME.part    what has arrived of it; the next run goes on from there

So a run that is killed, at any moment, and started again ends with the same bytes as one that was not.
"""

import os
import random
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit

import requests
from tqdm.auto import tqdm

from selfdana_lite.checksums import sha256_of

_CHUNK_BYTES = 4096  # small, because a chunk in which the line breaks is lost as a whole
_NOT_NOW = (408, 429, 500, 502, 503, 504)  # the status of an answer that may be another one later
_BROKEN_OFF = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


class DownloadError(OSError):
    """Something cannot be fetched, or is not what it should be; the message has the address and what to do."""


class _NotNowError(Exception):
    """The server was busy, late, or broke off. Try again, in wait_s if the server said so."""

    def __init__(self, reason: str, wait_s: float | None = None):
        super().__init__(reason)
        self.wait_s = wait_s


class _StoppedError(Exception):
    """Ctrl-C, or a fault in another file, ended the whole download."""


@dataclass(frozen=True)
class Patience:
    """How long a server may be slow, busy or out of reach: with these numbers, about a minute."""

    tries: int = 8  # of one file, each without a byte of progress
    first_wait_s: float = 0.5  # doubles with every try
    longest_wait_s: float = 60.0  # also when the server itself names a time
    answer_timeout_s: float = 30.0


class Downloader:
    """Fetches files from below one address into a folder, over a few connections that stay open.

    address: http or https; redirects are followed within its host alone. Proxies and certificates
        are those of the environment, as requests finds them.
    connections: files at once. PhysioNet is a public service: leave it at a few.
    """

    def __init__(self, address: str, folder: Path, connections: int = 8, patience: Patience | None = None):
        if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).hostname:
            raise DownloadError(f"The address is {address!r}; expected one that starts with http:// or https://.")
        self.address = address.rstrip("/") + "/"
        self.folder, self.connections, self.patience = folder, connections, patience or Patience()
        self._stop, self._counting = threading.Event(), threading.Lock()
        self._received_bytes = 0

    def fetch(self, names: Sequence[str], checksums: Mapping[str, str], here: int = 0, progress: bool = True) -> None:
        """Fetch these files, each with its checksum; DownloadError at the first that fails.

        checksums: a name that is not in it is taken as it comes.
        here: how many files of the same kind are whole already, for the progress bar.
        """
        if not names:
            return
        self._stop.clear()
        self._bar = tqdm(None, "fetching", here + len(names), initial=here, unit=" files", miniters=0, disable=not progress)
        self._own = threading.local()  # a session for each thread: requests does not promise that one can be shared
        with self._bar, ExitStack() as self._sessions, ThreadPoolExecutor(self.connections) as pool:
            try:
                for _ in pool.map(lambda name: self._fetch_one(name, checksums.get(name)), names):
                    pass  # what a file raised is raised here
            except BaseException:  # Ctrl-C too
                self._stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _fetch_one(self, name: str, checksum: str | None) -> None:
        url, path = urljoin(self.address, quote(name)), self.folder / name
        part = path.with_name(f"{path.name}.part")
        part.parent.mkdir(parents=True, exist_ok=True)
        if checksum is None:  # nothing could tell whether an old beginning and a new end belong together
            part.unlink(missing_ok=True)
        for _ in range(2):  # the second time from the start, in case the first was damaged on its way
            if not (part.exists() and sha256_of(part) == checksum):  # else it was killed just before the last step
                self._fetch_rest(url, part)
            if checksum is None or sha256_of(part) == checksum:
                os.replace(part, path)
                return self._count(files=1)
            part.unlink()
        raise DownloadError(
            f"{url} arrived twice with another SHA-256 than the list of checksums gives ({checksum[:12]}...): either the file "
            f"or the list is wrong on that server. Try later, or another server."
        )

    def _fetch_rest(self, url: str, part: Path) -> None:
        """Receive what is missing, however often the server breaks off, as long as it gets further now and then."""
        failures, furthest = 0, _size(part)
        while True:
            try:
                return self._receive(url, part)
            except _NotNowError as error:
                failures = 1 if _size(part) > furthest else failures + 1
                furthest = max(furthest, _size(part))
                if failures == self.patience.tries:
                    raise DownloadError(
                        f"{url} could not be fetched in {failures} tries ({error}). Is the network up, and the address right? "
                        f"What has arrived is kept: the same command goes on from there."
                    ) from error
                self._wait(url, error, failures)

    def _wait(self, url: str, error: _NotNowError, failures: int) -> None:
        wait_s = self.patience.first_wait_s * 2 ** (failures - 1) * random.uniform(0.75, 1.25)  # not all at the same moment
        wait_s = min(wait_s, self.patience.longest_wait_s) if error.wait_s is None else error.wait_s
        if wait_s > self.patience.longest_wait_s:
            raise DownloadError(
                f"{url} answers {error} and asks to come back in {wait_s:.0f} s. What has arrived is kept: the same command "
                f"goes on from there."
            )
        self._bar.set_postfix_str(f"{error}; waiting {wait_s:.1f} s")
        if self._stop.wait(wait_s):
            raise _StoppedError

    def _receive(self, url: str, part: Path) -> None:
        """One request. What comes is appended to the part, or replaces it where the server starts anew."""
        headers = {"Range": f"bytes={_size(part)}-"} if _size(part) else {}
        try:
            with (
                self._session().get(url, headers=headers, stream=True, timeout=self.patience.answer_timeout_s) as answer,
                part.open("ab" if self._continues(answer, part) else "wb") as file,
            ):
                for chunk in answer.iter_content(_CHUNK_BYTES):
                    file.write(chunk)
                    self._count(received_bytes=len(chunk))
        except _BROKEN_OFF as error:
            raise _NotNowError(str(_first_cause(error))) from error
        except requests.RequestException as error:
            raise DownloadError(f"{url} cannot be fetched: {error}") from error

    def _continues(self, answer: requests.Response, part: Path) -> bool:
        """Whether this answer goes on where the part ends; raises where it is of no use at all."""
        status, said = answer.status_code, f"{answer.status_code} {answer.reason}"
        if status in _NOT_NOW:
            after = answer.headers.get("Retry-After", "")
            raise _NotNowError(said, int(after) if after.isdecimal() else None)
        if status == 416 or (status == 206 and not answer.headers.get("Content-Range", "").startswith(f"bytes {_size(part)}-")):
            part.unlink(missing_ok=True)  # it is longer than the file, or the server counts in another way
            raise _NotNowError(said)
        if status not in (200, 206):
            raise DownloadError(f"{answer.url} answers {said}. Is the address right?")
        return status == 206

    def _session(self) -> requests.Session:
        if not hasattr(self._own, "session"):
            session = self._own.session = self._sessions.enter_context(requests.Session())
            session.headers.update({"User-Agent": "selfdana_lite", "Accept-Encoding": "identity"})
            session.hooks["response"].append(_refuse_other_hosts)
            settings = session.merge_environment_settings(self.address, {}, None, None, None)
            session.proxies, session.verify = settings["proxies"], settings["verify"]
            session.trust_env = False  # else each of 43,600 requests reads the whole environment again
        return self._own.session

    def _count(self, files: int = 0, received_bytes: int = 0) -> None:
        if self._stop.is_set():
            raise _StoppedError
        with self._counting:
            self._received_bytes += received_bytes
            self._bar.set_postfix_str(f"{self._received_bytes / 1e6:.1f} MB", refresh=False)
            self._bar.update(files)


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _first_cause(error: BaseException) -> BaseException:
    while error.__context__ is not None:  # "Connection refused", instead of three lines about pools and retries
        error = error.__context__
    return error


def _refuse_other_hosts(answer: requests.Response, **_) -> None:
    target = urljoin(answer.url, answer.headers.get("Location", ""))
    if answer.is_redirect and urlsplit(target).netloc != urlsplit(answer.url).netloc:
        answer.close()
        raise DownloadError(
            f"{answer.url} sends us on to {urlsplit(target).netloc}, another server. If you trust that one, give its address."
        )
