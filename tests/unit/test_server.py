"""The listening socket: no answer waits for the client's delayed acknowledgement."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from knowledge_base.errors import ConfigurationError
from suggest_api.server import bind


def test_an_accepted_connection_sends_its_answer_at_once():
    """Nagle's algorithm is off, as asyncio sets it for sockets that name their protocol."""
    seen: list[int] = []

    async def accept_one() -> None:
        listening = bind("127.0.0.1", 0)
        done = asyncio.Event()

        async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted = writer.get_extra_info("socket")
            seen.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()
            await writer.wait_closed()
            done.set()

        async with await asyncio.start_server(serve, sock=listening):
            _reader, writer = await asyncio.open_connection(*listening.getsockname())
            await done.wait()
            writer.close()
            await writer.wait_closed()

    # In a thread: a browser test in the same process may have left a loop running in this one.
    with ThreadPoolExecutor(1) as apart:
        apart.submit(lambda: asyncio.run(accept_one())).result()

    assert len(seen) == 1
    assert seen[0] != 0


def test_a_port_in_use_is_one_clear_line():
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port} on 127.0.0.1 is in use"):
            bind("127.0.0.1", port)
