"""Two plots as one SVG file: how often a confidence was right, and what answering more costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

SIZE, MARGIN, GAP = 360, 50, 60  # pixels of one plot's side, around it, and between the two
# Colours that stay apart for colour-blind readers (Okabe and Ito 2008).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#000000")
RISK_TOP = 0.5  # the largest share of errors that the right-hand plot shows

Point = tuple[float, float]


def write_plot(results: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Reliability on the left, risk by coverage on the right; one line for each result."""
    width = 2 * (SIZE + MARGIN) + GAP
    height = SIZE + 2 * MARGIN + 18 * len(results)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
            ' font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
        ),
        _frame(0, "confidence", "share right", 1.0),
        _frame(1, "share of questions answered", "share wrong", RISK_TOP),
        _line(0, [(0.0, 0.0), (1.0, 1.0)], "#999999", dashed=True),
    ]
    for number, result in enumerate(results):
        colour = COLOURS[number % len(COLOURS)]
        bins = [(row["confidence"], row["right"]) for row in result["reliability"]]
        curve = [
            (row["coverage"], min(row["risk"] / RISK_TOP, 1.0)) for row in result["risk_coverage"]
        ]
        parts += [_line(0, bins, colour), _line(1, curve, colour)]
        y = SIZE + 2 * MARGIN + 18 * number
        parts.append(f'<text x="{MARGIN}" y="{y}" fill="{colour}">{escape(result["task"])}</text>')
    path.write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")


def _at(plot: int, point: Point) -> Point:
    left = MARGIN + plot * (SIZE + GAP)
    return left + SIZE * point[0], MARGIN / 2 + SIZE * (1 - point[1])


def _frame(plot: int, across: str, upwards: str, top: float) -> str:
    left, upper = _at(plot, (0.0, 1.0))
    ticks = "".join(
        f'<text x="{_at(plot, (k / 4, 0))[0]:.0f}" y="{upper + SIZE + 16:.0f}" text-anchor="middle">'
        f"{k / 4:.2f}</text>"
        f'<text x="{left - 5:.0f}" y="{_at(plot, (0, k / 4))[1]:.0f}" text-anchor="end">{top * k / 4:.3g}</text>'
        for k in range(5)
    )
    return (
        f'<rect x="{left}" y="{upper}" width="{SIZE}" height="{SIZE}" fill="none" stroke="#333333"/>{ticks}'
        f'<text x="{left + SIZE / 2}" y="{upper + SIZE + 34}" text-anchor="middle">{across}</text>'
        f'<text x="{left}" y="{upper - 8}">{upwards}</text>'
    )


def _line(plot: int, points: Sequence[Point], colour: str, *, dashed: bool = False) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (_at(plot, point) for point in points))
    style = ' stroke-dasharray="4 4"' if dashed else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{style}/>'
