"""Draws how latency grows, as an SVG with logarithmic axes."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

PLOT = Path(__file__).with_name("growth.svg")
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 420, 60, 220, 20, 50
COLOURS = ("#1b6ca8", "#c8553d", "#4c8b57", "#7b4f9d", "#b58900", "#2f4858", "#a23e6c", "#777777")
# Of each line, latencies in milliseconds by how many records there are.
Lines = Mapping[str, Mapping[int, float]]


def _decades(values: Iterable[float]) -> tuple[int, int]:
    logs = [math.log10(value) for value in values]
    low, high = math.floor(min(logs)), math.ceil(max(logs))
    return low, max(high, low + 1)


def _scale(value: float, decades: tuple[int, int], begin: float, end: float) -> float:
    low, high = decades
    return begin + (math.log10(value) - low) / (high - low) * (end - begin)


def _text(x: float, y: float, text: str, *, anchor: str = "middle", colour: str = "#333") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{colour}">{escape(text)}</text>'


def _line(points: Sequence[tuple[float, float]], colour: str) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def draw(lines: Lines, horizontal: str) -> str:
    """Return a plot of latency, with a legend."""
    across = _decades(x for line in lines.values() for x in line)
    up = _decades(y for line in lines.values() for y in line.values())
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for power in range(across[0], across[1] + 1):
        x = _scale(10**power, across, LEFT, right)
        parts += [_line([(x, TOP), (x, bottom)], "#ddd"), _text(x, bottom + 18, f"{10**power:,}")]
    for power in range(up[0], up[1] + 1):
        y = _scale(10**power, up, bottom, TOP)
        parts += [_line([(LEFT, y), (right, y)], "#ddd")]
        parts += [_text(LEFT - 6, y + 4, f"{10.0**power:g} ms", anchor="end")]
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = [
            (_scale(x, across, LEFT, right), _scale(y, up, bottom, TOP)) for x, y in line.items()
        ]
        parts += itertools.chain(
            [_line(points, colour)],
            (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points),
            [_text(right + 12, TOP + 16 + 18 * number, name, anchor="start", colour=colour)],
        )
    parts.append(_text((LEFT + right) / 2, HEIGHT - 10, horizontal))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )
