"""The course of a run as an SVG: messages accepted and arrived in each second."""

from __future__ import annotations

from bench.report import BenchFigures

WIDTH, HEIGHT, MARGIN = 720, 300, 48
COLOURS = {"accepted": "#2563eb", "arrived": "#16a34a"}


def draw(found: BenchFigures, title: str) -> str:
    series = {"accepted": found.accepted_each_second, "arrived": found.arrived_each_second}
    most = max(max(values, default=0) for values in series.values()) or 1
    seconds = max(len(values) for values in series.values())
    step = (WIDTH - 2 * MARGIN) / max(seconds - 1, 1)

    def place(second: int, value: int) -> str:
        return (
            f"{MARGIN + second * step:.1f},"
            f"{HEIGHT - MARGIN - value / most * (HEIGHT - 2 * MARGIN):.1f}"
        )

    drawn = []
    for index, (name, values) in enumerate(series.items()):
        points = " ".join(place(*point) for point in enumerate(values))
        drawn.append(
            f'<polyline fill="none" stroke="{COLOURS[name]}" stroke-width="2" points="{points}"/>'
        )
        drawn.append(
            f'<text x="{WIDTH - MARGIN - 150 + 80 * index}" y="{MARGIN - 10}" '
            f'fill="{COLOURS[name]}">{name}</text>'
        )
    base = HEIGHT - MARGIN
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
                'font-family="sans-serif" font-size="12">'
            ),
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            f'<text x="{MARGIN}" y="20" font-weight="bold">{title}</text>',
            (
                f'<path d="M{MARGIN},{MARGIN} V{base} H{WIDTH - MARGIN}" fill="none" '
                'stroke="#9ca3af"/>'
            ),
            f'<text x="{MARGIN - 6}" y="{MARGIN + 4}" text-anchor="end">{most}</text>',
            f'<text x="{MARGIN - 6}" y="{base + 4}" text-anchor="end">0</text>',
            f'<text x="{MARGIN}" y="{base + 18}">0 s</text>',
            f'<text x="{WIDTH - MARGIN}" y="{base + 18}" text-anchor="end">{seconds} s</text>',
            *drawn,
            "</svg>",
            "",
        ]
    )
