"""Tests cannot reach another machine."""

from __future__ import annotations

import socket

import pytest


@pytest.mark.parametrize(
    "address", [("192.0.2.1", 80), ("example.com", 443), ("::ffff:192.0.2.1", 80)]
)
def test_other_machines_are_out_of_reach(address: tuple[str, int]) -> None:
    with socket.socket() as client, pytest.raises(RuntimeError, match="only loopback is allowed"):
        client.connect(address)


def test_loopback_is_in_reach() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.connect(server.getsockname())
        assert client.getpeername() == server.getsockname()
