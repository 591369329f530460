"""Let a Python process talk to its own machine only."""

import ipaddress
import socket
import sys


class NetworkBlocked(RuntimeError):  # not an OSError: libraries swallow those and quietly go on without the network
    """Something tried to leave this machine."""


def block() -> None:
    """From here on, reaching out through Python's sockets raises NetworkBlocked; nothing in the process can undo it."""
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]  # (host, port, ...) over IP, a path for a Unix socket, None where connect came before
        if isinstance(address, tuple) and not _is_here(address[0]):
            raise NetworkBlocked(f"Nothing may use the network here, but something tried to reach {address[0]}.")
    elif event in ("socket.getaddrinfo", "socket.gethostbyname") and not _needs_no_lookup(arguments[0]):
        raise NetworkBlocked(f"Nothing may use the network here, but something asked for the address of {arguments[0]!r}.")


def _is_here(host: object) -> bool:
    if host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, which would have to be looked up
        return False


def _needs_no_lookup(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost", socket.gethostname()):
        return True
    try:
        ipaddress.ip_address(name)  # a number may be parsed; connecting to it is another event
        return True
    except ValueError:
        return False
