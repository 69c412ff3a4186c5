"""Several processes that search one index on disk: questions a second together, and the memory of each."""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import numpy as np

from knowledge_base.index.encoder import Vectors
from knowledge_base.index.search import read_faiss, sample_queries, write_faiss

SECONDS = 3.0  # of searching with each number of processes
QUESTIONS = 200
RETRIEVED = 256  # rows of a question, as ranking asks for
STARTING = 120.0  # seconds after which a process that does not answer has failed


def processes(vectors: Vectors, folder: Path, most: int) -> list[dict[str, Any]]:
    """One line for each number of processes from 1 to `most`; all map the same two files."""
    np.save(folder / "vectors.npy", vectors)
    write_faiss(vectors, folder / "index.faiss")
    return [_together(folder, number) for number in range(1, most + 1)]


def _together(folder: Path, number: int) -> dict[str, Any]:
    """Start so many processes, let all search at once, and read what each holds in memory."""
    context = multiprocessing.get_context("spawn")
    running: list[tuple[SpawnProcess, Connection]] = []
    for _ in range(number):
        mine, theirs = context.Pipe()
        process = context.Process(target=_search, args=(folder, theirs))
        process.start()
        running.append((process, mine))
    for step in ("open", "search"):
        for _, pipe in running:
            pipe.send(step)
        # Of the first step the figures are those before any question.
        figures = [_answer(pipe) for _, pipe in running]
    for process, pipe in running:
        pipe.send("stop")
        process.join()
    times = np.concatenate([one["times"] for one in figures])
    return {
        "processes": number,
        "questions_a_second": round(sum(len(one["times"]) / one["seconds"] for one in figures), 1),
        "p50_ms": round(float(np.quantile(times, 0.5)), 2),
        "p99_ms": round(float(np.quantile(times, 0.99)), 2),
        # The proportional set size shares out the pages that several have mapped: the sum is what they cost.
        "pss_mb_each": [one["pss_mb"] for one in figures],
        "pss_mb_together": sum(one["pss_mb"] for one in figures),
        "rss_mb_together": sum(one["rss_mb"] for one in figures),
        "private_mb_each": [one["private_mb"] for one in figures],
    }


def _answer(pipe: Connection) -> dict[str, Any]:
    if not pipe.poll(STARTING):
        raise TimeoutError("a searching process did not answer")
    found: dict[str, Any] = pipe.recv()
    return found


def _search(folder: Path, pipe: Connection) -> None:
    """A process: open the files read-only, and search when it is told to."""
    import faiss

    faiss.omp_set_num_threads(1)
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    index = read_faiss(folder / "index.faiss", vectors)
    asked = sample_queries(vectors[:: max(1, len(vectors) // 10_000)], count=QUESTIONS)
    while (step := pipe.recv()) != "stop":
        times: list[float] = []
        began = time.perf_counter()
        while step == "search" and time.perf_counter() - began < SECONDS:
            asking = time.perf_counter()
            index.search(asked[len(times) % len(asked)], k=RETRIEVED)
            times.append((time.perf_counter() - asking) * 1000)
        pipe.send({"times": times, "seconds": time.perf_counter() - began, **memory()})


def memory() -> dict[str, int]:
    """Of this process, in megabytes: resident, proportional (shared pages shared out), and its own alone."""
    sizes: dict[str, int] = {}
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        sizes[name] = int(rest.split()[0]) * 1024
    private = sizes["Private_Clean"] + sizes["Private_Dirty"]
    return {
        name: round(size / 1e6)
        for name, size in (
            ("rss_mb", sizes["Rss"]),
            ("pss_mb", sizes["Pss"]),
            ("private_mb", private),
        )
    }
