"""What the service counts and times, as Prometheus metrics in a registry of their own."""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

# Seconds. The encoder takes 3-5 ms and a whole request some 10 ms on two shared cores; the last
# bucket is where an agent would notice.
STAGE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """One process's metrics; built by the composition root, so that tests never share counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "firstline_http_requests",
            "Requests answered, by route template, method and status.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "firstline_http_request_seconds",
            "Seconds from the first byte of a request to the last of its answer.",
            ("route",),
            buckets=REQUEST_BUCKETS,
            registry=self.registry,
        )
        self.stage_seconds = Histogram(
            "firstline_suggestion_stage_seconds",
            "Seconds of one suggestion request spent in a stage: encode, search, rank, policy.",
            ("stage",),
            buckets=STAGE_BUCKETS,
            registry=self.registry,
        )
        self.suggestions = Counter(
            "firstline_suggestions",
            "Drafts offered, by use.",
            ("use",),
            registry=self.registry,
        )
        self.abstentions = Counter(
            "firstline_suggestion_abstentions",
            "Requests for suggestions that got none, by use and reason.",
            ("use", "reason"),
            registry=self.registry,
        )
        self.backlog = Gauge(
            "firstline_backlog",
            "Rows by table and state (inbox, bot_turn, outbox), counted when scraped.",
            ("queue", "state"),
            multiprocess_mode="mostrecent",  # counted in the database, so any worker's count is all of it
            registry=self.registry,
        )

        self.freezes = Gauge(
            "firstline_freezes",
            "Freezes in force, by kind (freeze, drill), counted when scraped.",
            ("kind",),
            multiprocess_mode="mostrecent",  # counted in the database, as above
            registry=self.registry,
        )

    def text(self) -> bytes:
        """All metrics in Prometheus' text format; of several workers, their sums."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:  # set by `workers` for its processes
            return generate_latest(self.registry)
        every = CollectorRegistry()
        MultiProcessCollector(every)  # type: ignore[no-untyped-call]  # the package has no types
        return generate_latest(every)
