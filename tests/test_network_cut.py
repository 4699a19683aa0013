"""The network namespace behind a link that can be cut; what is done in it is a soak of its own."""

import os
import shutil
import socketserver
import subprocess
import sys
import threading

import pytest

from benchmarks.soak import cut_network
from benchmarks.soak.cut_network import HOST, NAME, CutNetwork
from docs.weekly import wait_for
from tasks.errors import ChildError, ConfigError

ASK = "import socket, sys; print(socket.create_connection(sys.argv[1:], 3).makefile().readline())"


class Greeting(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b"hello\n")


@pytest.fixture
def port():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Greeting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def heard(network, port):
    """What a process in the namespace hears from the server."""
    command = network.command([sys.executable, "-c", ASK, HOST, str(port)])
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def test_without_root_it_says_that_root_is_needed(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ConfigError, match="run this as root"):
        CutNetwork([]).__enter__()


def test_without_ip_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ConfigError, match="apt-get install iproute2"):
        CutNetwork([]).__enter__()


def is_possible():
    try:
        cut_network.check_possible()
        cut_network.run_ip("netns", "add", f"{NAME}-test")
    except (ConfigError, ChildError):
        return False
    cut_network.run_ip("netns", "delete", f"{NAME}-test")
    return True


@pytest.mark.slow
def test_a_server_of_the_loopback_is_heard_until_the_link_is_cut_and_again_after(port):
    if not is_possible():
        pytest.skip("no network namespace can be made here")
    with CutNetwork([port]) as network:
        assert heard(network, port) == "hello"
        network.cut()
        assert heard(network, port) == ""
        network.mend()
        wait_for("the link", lambda: heard(network, port) == "hello", 30)
    assert NAME not in cut_network.run_ip("netns", "list").split()
