"""The networks: one folder per network, all behind the port in `channels.port`; this lists them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from suggest_api.channels.generic import GenericChannel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from suggest_api.channels.port import Channel


def all_channels() -> Mapping[str, Channel]:
    """Every network that can be configured, by name."""
    channels: tuple[Channel, ...] = (GenericChannel(),)
    return MappingProxyType({channel.name: channel for channel in channels})
