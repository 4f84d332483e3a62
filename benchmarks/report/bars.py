"""Draws charts of horizontal bars as SVG: names on the left, bars in parts, the target as a line across each bar."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from benchmarks.report.markdown import figure
from benchmarks.report.sections import Bar, Chart

WIDTH: Final = 960
NAMES: Final = 270
"""The width of the names."""
FIGURES: Final = 150
"""The width of the figures after the bars."""
ROW: Final = 26
HEAD: Final = 66
COLOURS: Final = ("#3b7dd8", "#e0903a", "#7a8ca3", "#58a55c", "#b65fcf")
MET: Final = "#3d9a5f"
MISSED: Final = "#d1495b"


def svg(chart: Chart) -> str:
    """Returns the chart as an SVG document; a bar with a target is green if it meets it, else red."""
    height = HEAD + ROW * len(chart.bars) + 14
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
        ' font-family="system-ui, sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="26" font-size="17" font-weight="600" fill="#1c2733">{escape(chart.title)}</text>',
        *_legend(chart),
        *_bars(chart),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _legend(chart: Chart) -> Iterator[str]:
    x = 16.0
    known = list(zip(chart.parts, COLOURS, strict=False)) if len(chart.parts) > 1 else []
    if any(bar.limit is not None for bar in chart.bars):
        known += [("target met", MET), ("not met", MISSED), ("the line is the target", "#1c2733")]
    for name, colour in known:
        yield f'<rect x="{x:.0f}" y="40" width="12" height="12" fill="{colour}"/>'
        yield f'<text x="{x + 17:.0f}" y="51" fill="#4a5866">{escape(name)}</text>'
        x += 32 + 7.2 * len(name)


def _bars(chart: Chart) -> Iterator[str]:
    longest = max(max(sum(bar.parts), bar.limit or 0) for bar in chart.bars) or 1
    scale = (WIDTH - NAMES - FIGURES) / longest
    for number, bar in enumerate(chart.bars):
        y = HEAD + ROW * number
        yield f'<text x="{NAMES - 10}" y="{y + 16}" text-anchor="end" fill="#1c2733">{escape(bar.name)}</text>'
        x = float(NAMES)
        for value, colour in zip(bar.parts, _colours(bar), strict=False):
            yield f'<rect x="{x:.1f}" y="{y + 3}" width="{value * scale:.1f}" height="{ROW - 8}" fill="{colour}"/>'
            x += value * scale
        if bar.limit is not None:
            at = NAMES + bar.limit * scale
            yield f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y}" y2="{y + ROW - 2}" stroke="#1c2733" stroke-width="2"/>'
            x = max(x, at)
        yield f'<text x="{x + 8:.1f}" y="{y + 16}" fill="#4a5866">{escape(_figures(bar))}</text>'


def _colours(bar: Bar) -> Sequence[str]:
    if bar.limit is None:
        return COLOURS
    total = sum(bar.parts)
    return [MET if (total >= bar.limit if bar.at_least else total <= bar.limit) else MISSED]


def _figures(bar: Bar) -> str:
    if len(bar.parts) > 1:
        return " + ".join(map(figure, bar.parts))
    return figure(bar.parts[0]) + (
        "" if bar.limit is None else f"  ({'≥' if bar.at_least else '≤'} {figure(bar.limit)})"
    )
