"""The upper part of a poster: each decade has its palettes and its patterns, and a gig's own dice choose and vary them.

A pattern fills a box of WIDTH by `height` px, and may reach beyond it, with (element, attributes).
"""

import math
from random import Random
from typing import NamedTuple

WIDTH = 600  # px


class Palette(NamedTuple):
    paper: str
    ink: str  # on the paper it has a contrast of 7:1 or better
    colours: tuple[str, str, str]


def rings(dice: Random, palette: Palette, height: int) -> list:
    """Psychedelia: rings that breathe around a sun off the centre."""
    x, y = dice.randint(180, 420), round(height * dice.uniform(0.45, 0.7))
    turn = dice.choice([7, 11, 13])
    return [
        (
            "ellipse",
            {
                "cx": x,
                "cy": y,
                "rx": radius,
                "ry": round(radius * 0.9 + 20 * (i % 2)),
                "fill": palette.colours[i % 3],
                "transform": f"rotate({i * turn} {x} {y})",
            },
        )
        for i, radius in enumerate(range(30 + 40 * 19, 30, -40))
    ]


def swirl(dice: Random, palette: Palette, height: int) -> list:
    """A sun whose rays turn with the music."""
    x, y, reach, rays = dice.randint(200, 400), round(height * dice.uniform(0.5, 0.8)), 900, 14
    twist = dice.choice([-0.55, 0.55])
    edges = []
    for i in range(rays * 2):
        angle = math.tau * i / rays / 2
        bend = (round(x + reach / 2 * math.cos(angle + twist)), round(y + reach / 2 * math.sin(angle + twist)))
        edges.append((bend, (round(x + reach * math.cos(angle)), round(y + reach * math.sin(angle)))))
    wedges = [
        (
            "path",
            {
                "d": f"M{x} {y}Q{a[0]} {a[1]} {b[0]} {b[1]}L{d[0]} {d[1]}Q{c[0]} {c[1]} {x} {y}z",
                "fill": palette.colours[i % 2],
            },
        )
        for i, ((a, b), (c, d)) in enumerate(zip(edges[::2], edges[1::2], strict=True))
    ]
    suns = [(92, palette.paper), (74, palette.colours[1]), (44, palette.colours[0])]
    sun = [("circle", {"cx": x, "cy": y, "r": radius, "fill": colour}) for radius, colour in suns]
    return [("rect", {"width": WIDTH, "height": height, "fill": palette.colours[2]}), *wedges, *sun]


def waves(dice: Random, palette: Palette, height: int) -> list:
    """Op art: stripes that all sway alike."""
    sway, knee = dice.choice([-90, 90]), round(height / 3)
    stripes = [
        (
            "path",
            {
                "d": f"M{x} {-knee}q{sway} {knee // 2} 0 {knee}" + f"t0 {knee}" * 4,
                "fill": "none",
                "stroke": palette.colours[i % 3],
                "stroke-width": 26,
            },
        )
        for i, x in enumerate(range(-60, WIDTH + 100, 46))
    ]
    return [("rect", {"width": WIDTH, "height": height, "fill": palette.ink}), *stripes]


def arcs(dice: Random, palette: Palette, height: int) -> list:
    """The seventies' stripes: a rainbow that rises from the floor."""
    x = dice.choice([90, 300, 510])
    reach = max(height - 30, 520 if x != 300 else 0)
    return [
        (
            "circle",
            {"cx": x, "cy": height, "r": radius, "fill": "none", "stroke": palette.colours[i % 3], "stroke-width": 40},
        )
        for i, radius in enumerate(range(reach, 20, -54))
    ]


def bends(dice: Random, palette: Palette, height: int) -> list:
    """Stripes along a wall that turn up at a corner, as in an office of 1973."""
    x, y = 180, height - 330
    mirrored = {"transform": f"matrix(-1 0 0 1 {WIDTH} 0)"} if dice.random() < 0.5 else {}
    return [
        (
            "path",
            {
                "d": f"M-20 {y + radius}H{x}a{radius} {radius} 0 0 0 {radius} -{radius}V-20",
                "fill": "none",
                "stroke": palette.colours[i % 3],
                "stroke-width": 42,
            }
            | mirrored,
        )
        for i, radius in enumerate(range(300, 20, -52))
    ]


def sunset(dice: Random, palette: Palette, height: int) -> list:
    """A striped sun over a grid that runs to the horizon."""
    x, horizon = dice.choice([210, 300, 390]), round(height * 0.66)
    radius = round(horizon * 0.72)
    sun = [("circle", {"cx": x, "cy": horizon - radius // 3, "r": radius, "fill": palette.colours[0]})]
    slats = [
        ("rect", {"y": horizon - 26 * i, "width": WIDTH, "height": 14 - 2 * i, "fill": palette.paper})
        for i in range(1, 7)
    ]
    floor = ("rect", {"y": horizon, "width": WIDTH, "height": height, "fill": palette.paper})
    lines = "".join(f"M0 {horizon + 6 * i * i}H{WIDTH}" for i in range(int(((height - horizon) / 6) ** 0.5) + 1))
    rays = "".join(f"M{x + 22 * i} {horizon}L{x + 170 * i} {horizon + 300}" for i in range(-9, 10))
    return [*sun, *slats, floor, ("path", {"d": lines + rays, "stroke": palette.colours[1], "stroke-width": 3})]


def memphis(dice: Random, palette: Palette, height: int) -> list:
    """Squiggles, triangles and dots, each a little out of its place."""
    shapes = [("rect", {"width": WIDTH, "height": height, "fill": palette.colours[2]})]
    for row in range(-(-height // 130)):
        for column in range(5):
            x, y = 60 + column * 126 + dice.randint(-16, 16), 66 + row * 130 + dice.randint(-16, 16)
            colour = dice.choice([palette.ink, *palette.colours[:2], "#fff"])
            line = {"fill": "none", "stroke": colour, "stroke-width": 12}
            turned = {"transform": f"rotate({dice.randrange(0, 360, 15)} {x} {y})"}
            match (row * 5 + column + dice.randint(0, 1)) % 5:
                case 0:
                    shapes.append(("circle", {"cx": x, "cy": y, "r": 34, "fill": colour}))
                case 1:
                    shapes.append(("path", {"d": f"M{x - 40} {y + 30}h80l-40-70z", "fill": colour} | turned))
                case 2:
                    shapes.append(("path", {"d": f"M{x - 54} {y}l18-24 18 48 18-48 18 48 18-48 18 48"} | line | turned))
                case 3:
                    shapes.append(("circle", {"cx": x, "cy": y, "r": 30} | line))
                case 4:
                    shapes.append(
                        ("path", {"d": f"M{x - 44} {y}h88M{x - 44} {y - 22}h88M{x - 44} {y + 22}h88"} | line | turned)
                    )
    return shapes


def strips(dice: Random, palette: Palette, height: int) -> list:
    """Torn strips, put on the copier a little askew."""
    step = height / 8
    return [
        (
            "rect",
            {
                "x": dice.randint(-80, 260),
                "y": round(step * (i + 0.1)),
                "width": dice.randint(320, 620),
                "height": dice.randint(round(step * 0.5), round(step * 1.4)),
                "fill": palette.colours[[0, 1, 0, 2][i % 4]],
                "transform": f"rotate({dice.randint(-8, 8)} 300 {round(step * (i + 0.5))})",
            },
        )
        for i in range(8)
    ]


def scribble(dice: Random, palette: Palette, height: int) -> list:
    """A disc, and a felt pen that was angry with it."""
    x, y, radius = dice.randint(230, 370), height // 2, round(height * 0.42)
    points, side = [], 1
    for i in range(15):
        side = -side
        points.append((x + side * dice.randint(150, 290), round(height * (0.08 + 0.06 * i)) + dice.randint(-14, 14)))
    return [
        ("rect", {"width": WIDTH, "height": height, "fill": palette.colours[2]}),
        ("circle", {"cx": x, "cy": y, "r": radius, "fill": palette.colours[1]}),
        (
            "path",
            {
                "d": "M" + "L".join(f"{x} {y}" for x, y in points),
                "fill": "none",
                "stroke": palette.colours[0],
                "stroke-width": 15,
                "stroke-linejoin": "round",
                "stroke-linecap": "round",
            },
        ),
    ]


def halftone(dice: Random, palette: Palette, height: int) -> list:
    """Dots that swell towards a point, as a screen printer's."""
    x, y = dice.randint(120, 480), height * dice.uniform(0.3, 0.7)
    dots = []
    for row in range(-(-height // 46) + 1):
        for column in range(14):
            cx, cy = column * 46, 8 + row * 46
            radius = round(max(3, 25 - math.hypot(cx - x, cy - y) / 15))
            dots.append(("circle", {"cx": cx, "cy": cy, "r": radius, "fill": palette.colours[(row + column) % 7 == 0]}))
    return dots


def equaliser(dice: Random, palette: Palette, height: int) -> list:
    """Columns of lights, highest where the bass is."""
    peak, rows = dice.randint(4, 9), (height - 30) // 26
    columns = []
    for column in range(14):
        lit = max(2, round(rows * (1 - abs(column - peak) / 9)) - dice.randint(0, 3))
        x = 16 + column * 41
        for first, last, colour in ((0, lit - 3, 2), (lit - 3, lit - 1, 1), (lit - 1, lit, 0)):
            lights = "".join(f"M{x} {height - 14 - 26 * i}h33" for i in range(max(0, first), last))
            columns.append(("path", {"d": lights, "stroke": palette.colours[colour], "stroke-width": 18}))
    return columns


def discs(dice: Random, palette: Palette, height: int) -> list:
    """Three plain discs that lie over one another."""
    ground = ("rect", {"width": WIDTH, "height": height, "fill": palette.colours[2]})
    return [
        ground,
        *(
            (
                "circle",
                {
                    "cx": dice.randint(*across),
                    "cy": round(height * dice.uniform(0.35, 0.65)),
                    "r": round(height * share),
                    "fill": colour,
                    "fill-opacity": 0.9,
                },
            )
            for share, colour, across in (
                (0.62, palette.colours[0], (120, 220)),
                (0.46, palette.colours[1], (330, 480)),
                (0.2, palette.ink, (260, 400)),
            )
        ),
    ]


def tiles(dice: Random, palette: Palette, height: int) -> list:
    """Quarter and half circles, laid as tiles."""
    side = 120
    shapes = []
    for row in range(-(-height // side)):
        for column in range(WIDTH // side):
            x, y = column * side, row * side
            ground, shape = dice.sample([palette.paper, palette.ink, *palette.colours], 2)
            shapes.append(("path", {"d": f"M{x} {y}h{side}v{side}H{x}z", "fill": ground}))
            turned = {"transform": f"rotate({dice.randrange(0, 360, 90)} {x + side // 2} {y + side // 2})"}
            forms = (
                f"h{side}a{side} {side} 0 0 1 -{side} {side}z",
                f"h{side}a{side // 2} {side // 2} 0 0 1 -{side} 0z",
                f"l{side} {side}H{x}z",
            )
            shapes.append(("path", {"d": f"M{x} {y}{dice.choice(forms)}", "fill": shape} | turned))
    return shapes


DECADES = {
    1960: (
        [
            Palette("#2b0f3a", "#ffe9c9", ("#ff5d3b", "#ffb52e", "#e0337e")),
            Palette("#f3e6c6", "#1f1a33", ("#e4502c", "#1f7a8c", "#f2a516")),
            Palette("#0d3b36", "#fdf0d0", ("#f9a03f", "#e63b7a", "#f7d154")),
        ],
        [rings, swirl, waves],
    ),
    1970: (
        [
            Palette("#f6e7c8", "#3a1d0d", ("#d9541e", "#eda12b", "#7d3a16")),
            Palette("#3d1a12", "#fbe3b5", ("#e2711d", "#ffb627", "#3a8f84")),
        ],
        [arcs, bends],
    ),
    1980: (
        [
            Palette("#150f3d", "#f7f2ff", ("#ff3d9a", "#27d3f5", "#ffd23f")),
            Palette("#fbf3e4", "#1b1530", ("#ff3d7f", "#0097a7", "#ffce1f")),
        ],
        [sunset, memphis],
    ),
    1990: (
        [
            Palette("#f0c419", "#141414", ("#141414", "#c3342b", "#fdf6e3")),
            Palette("#e7e3d8", "#141414", ("#141414", "#d3273b", "#b9c4b1")),
        ],
        [strips, scribble],
    ),
    2000: (
        [
            Palette("#1c2321", "#e9f5db", ("#b5e61d", "#3a6b5c", "#7fae9b")),
            Palette("#10182b", "#eef3ff", ("#ff5a1f", "#f4f7ff", "#3f6fd8")),
        ],
        [halftone, equaliser],
    ),
    2010: (
        [
            Palette("#fbeee6", "#1d2445", ("#ff6f59", "#2a9d8f", "#f2c14e")),
            Palette("#1d2445", "#fbeee6", ("#ff6f59", "#2a9d8f", "#f2c14e")),
        ],
        [discs, tiles],
    ),
}
