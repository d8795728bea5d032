"""Ports of the local stack."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from relay.local.ports import HOST, free_port, is_free, listener


def test_a_chosen_port_can_be_listened_on() -> None:
    port = free_port()

    with socket.create_server((HOST, port)):
        taken = not is_free(port)

    assert taken
    assert is_free(port)


def test_a_chosen_port_is_never_given_to_outgoing_connections() -> None:
    file = Path("/proc/sys/net/ipv4/ip_local_port_range")
    if not file.exists():
        pytest.skip("this system does not say which ports outgoing connections get")
    lowest, highest = map(int, file.read_text().split())

    assert not lowest <= free_port() <= highest


def test_the_process_that_listens_on_a_port_is_found() -> None:
    with socket.create_server((HOST, 0)) as server:
        found = listener(server.getsockname()[1])

    assert found is not None
    assert found.pid == os.getpid()
