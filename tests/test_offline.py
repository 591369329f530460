"""The guard of conftest.py: tests and what they start talk to this machine only."""

import socket
import subprocess
import sys

import pytest
from no_network import NetworkBlocked

ELSEWHERE = ("192.0.2.1", 80)  # an address reserved for documentation: nothing is ever there


@pytest.mark.parametrize("method", ["connect", "connect_ex"])
def test_connecting_elsewhere_is_refused(method):
    with socket.socket() as client, pytest.raises(NetworkBlocked, match=r"tried to reach 192\.0\.2\.1"):
        getattr(client, method)(ELSEWHERE)


def test_connecting_elsewhere_over_ipv6_is_refused():
    with socket.socket(socket.AF_INET6) as client, pytest.raises(NetworkBlocked, match="2001:db8::1"):
        client.connect(("2001:db8::1", 80))


def test_a_datagram_elsewhere_is_refused():
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        with pytest.raises(NetworkBlocked):
            client.sendto(b"hello", ELSEWHERE)
        with pytest.raises(NetworkBlocked):
            client.sendmsg([b"hello"], [], 0, ELSEWHERE)


@pytest.mark.parametrize("name", ["example.org", b"example.org"])
def test_asking_for_an_address_is_refused(name):
    with pytest.raises(NetworkBlocked, match=r"asked for the address of .*example\.org"):
        socket.getaddrinfo(name, 80)
    with pytest.raises(NetworkBlocked):
        socket.gethostbyname(name)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_can_be_reached(host):
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection((host, server.getsockname()[1]))
        connection, _ = server.accept()
        with client, connection:
            client.sendall(b"hello")
            assert connection.recv(5) == b"hello"


def test_a_unix_socket_is_not_the_network():
    one, other = socket.socketpair()
    with one, other:
        one.sendmsg([b"hello"])
        assert other.recv(5) == b"hello"


def test_a_library_cannot_swallow_the_refusal():
    # Most code that tries a download goes on without it after an OSError; here it must not get away with trying.
    assert not issubclass(NetworkBlocked, OSError)


def test_a_child_process_is_offline_too():
    child = [sys.executable, "-c", f"import socket; socket.create_connection({ELSEWHERE}, timeout=5)"]
    failed = subprocess.run(child, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "NetworkBlocked" in failed.stderr
