"""The assistant as the service sees it: one customer turn in, approved answers or a hand-over out."""

from suggest_api.bot_client.service import BotClient

__all__ = ["BotClient"]
