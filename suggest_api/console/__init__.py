"""The console: server-rendered pages for agents, live through server-sent events."""
