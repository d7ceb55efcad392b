"""What a person does on the page, in the words of the journeys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

AXE = Path(__file__).parents[2] / "frontend/node_modules/axe-core/axe.min.js"


@dataclass
class Screen:
    """The page, as a person sees and uses it."""

    page: Page

    def painted(self, layer: str) -> None:
        """Wait until all visible maps of a layer are painted."""
        self.page.wait_for_function(
            "layer => document.querySelector('[role=listbox][data-painted]')?.dataset.painted === layer", arg=layer
        )

    def finished(self) -> None:
        """Wait until the run has ended."""
        self.page.wait_for_function("() => document.querySelector('[role=progressbar], progress') === null")

    def choose(self, layer: str) -> None:
        """Choose a layer in the network, by its name."""
        field = self.page.locator("#search")
        field.fill(layer)
        field.press("Enter")
        expect(self.page.locator("h1")).to_contain_text(layer)

    @property
    def maps(self) -> Locator:
        """The grid of all maps."""
        return self.page.get_by_role("listbox").first

    @property
    def large(self) -> Locator:
        """The one map, large."""
        return self.page.locator("section.map .large")

    @property
    def why(self) -> Locator:
        """The explanation's panel."""
        return self.page.locator("[data-explained]")

    def click_pixel(self, across: float = 0.5, down: float = 0.5) -> None:
        """Click into the large map, at a share of its panel."""
        box = self.large.bounding_box()
        assert box is not None
        self.large.click(position={"x": box["width"] * across, "y": box["height"] * down})

    def explained(self, before: str = "") -> str:
        """Wait for an explanation that isn't ``before``; where it is of, as ``layer:index``."""
        self.page.wait_for_function(
            "before => { const now = document.querySelector('[data-explained]')?.dataset.explained;"
            " return now !== undefined && now !== '' && now !== before; }",
            arg=before,
        )
        found = self.why.get_attribute("data-explained")
        assert found
        return found

    def violations(self) -> list[str]:
        """What axe-core finds wrong with the page as it stands."""
        self.page.evaluate(AXE.read_text("utf-8"))
        found: dict[str, Any] = self.page.evaluate(
            "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
        )
        return [
            f"{one['id']}: {one['help']}: {node['html'][:200]} {node.get('failureSummary', '')[:300]}"
            for one in found["violations"]
            for node in one["nodes"]
        ]
