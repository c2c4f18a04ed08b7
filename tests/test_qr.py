import io
import re
from uuid import uuid4

import pytest
import segno
import zxingcpp
from PIL import Image, ImageDraw

from tickets import codes, qr


@pytest.fixture
def code():
    return codes.sign(uuid4(), 1)


def read(picture: Image.Image) -> list[str]:
    return [found.text for found in zxingcpp.read_barcodes(picture.convert("L"))]


def drawn(svg: str, pixels: int = 8) -> Image.Image:
    """Draw the SVG as a browser would: its one path goes from module to module, in strokes of one module's height."""
    width, height = map(int, re.search(r'viewBox="0 0 (\d+) (\d+)"', svg).groups())
    picture = Image.new("L", (width * pixels, height * pixels), "white")
    draw, x, y = ImageDraw.Draw(picture), 0.0, 0.0
    path = re.search(r'stroke="#000" d="([^"]+)"', svg)[1]
    for command, numbers in re.findall(r"([Mmh])([-\d. ]+)", path):
        dx, dy = [float(number) for number in re.findall(r"-?[\d.]+", numbers)] + [0.0] * (command == "h")
        if command == "h":
            draw.rectangle([x * pixels, (y - 0.5) * pixels, (x + dx) * pixels - 1, (y + 0.5) * pixels - 1], "black")
        x, y = (dx, dy) if command == "M" else (x + dx, y + dy)
    return picture


def test_the_png_holds_the_code(code):
    picture = Image.open(io.BytesIO(qr.png(code)))
    assert read(picture) == [code]
    assert picture.size == (392, 392)
    assert len(qr.png(code)) < 1024


def test_the_svg_holds_the_code_and_stands_in_a_page_with_a_strict_policy(code):
    svg = qr.svg(code)
    assert read(drawn(svg)) == [code]
    assert "style" not in svg
    assert len(svg) < 4096


@pytest.mark.parametrize(("correction", "legible"), [(qr.ERROR_CORRECTION, True), ("L", False)])
def test_under_a_crack_and_a_thumb_the_code_is_legible(code, monkeypatch, correction, legible):
    monkeypatch.setattr(qr, "ERROR_CORRECTION", correction)
    picture = Image.open(io.BytesIO(qr.png(code))).convert("L").resize((392, 392))
    draw = ImageDraw.Draw(picture)
    draw.line([60, 392, 250, 0], "white", 6)
    draw.ellipse([205, 195, 295, 285], "black")
    assert read(picture) == [code] * legible


def test_another_library_draws_the_same():
    modules = [bytes(module == qr.DARK[0] for module in row[4:-4]) for row in qr.rows("8052-7D99-4CE1")[4:-4]]
    assert modules == list(segno.make_qr("8052-7D99-4CE1", error="q", mask=qr.MASK).matrix)


def test_a_text_that_is_not_ascii_is_kept(code):
    assert read(Image.open(io.BytesIO(qr.png("Zoë 🎸")))) == ["Zoë 🎸"]
