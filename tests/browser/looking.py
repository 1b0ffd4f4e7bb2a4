"""Looking at a page: does it fit, does axe find fault with it, does anything move that should not; and a picture.

Faults are gathered rather than raised, so that one walk finds all that is wrong. What the browser logs as an error, or
loads against the content security policy, `new_page` holds against the test by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

from tests.harness.browser import NewPage

WIDE: Final = 1280
NARROW: Final = 360
HEIGHT: Final = 800
LOCALES: Final = {"ru": "ru-RU", "en": "en-GB"}
SIDEWAYS: Final = """
Math.max(...[document.documentElement, ...document.querySelectorAll("nav, .card")]
  .map((part) => part.scrollWidth - part.clientWidth))
"""
AXE: Final = """
async () => (await axe.run({ resultTypes: ["violations"] })).violations.flatMap(
  ({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target}: ${failureSummary}`))
"""
WATCH_SHIFTS: Final = """
window.shifts = [];
window.painted = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    // Nothing but texts: a figure that ends at its column's edge has got a digit more.
    if (entry.sources.length && entry.sources.every(({ node }) => node && node.nodeType === Node.TEXT_NODE)) continue;
    const moved = entry.sources.map(({ node }) => node && (node.id || node.className || node.nodeName)).join(", ");
    window.shifts.push(`${entry.value.toFixed(4)} of ${moved}`);
  }
}).observe({ type: "layout-shift" });
document.addEventListener("pomni:state", () => { window.painted += 1; });
"""
FRAMES: Final = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@dataclass
class Looking:
    """A page in one language and theme. `pictures`: the folder for what it looked like; None takes none."""

    page: Page
    language: str
    theme: str
    widths: tuple[int, ...]
    pictures: Path | None = None
    faults: list[str] = field(default_factory=list)

    @classmethod
    def begin(
        cls, new_page: NewPage, language: str, theme: str, widths: tuple[int, ...], pictures: Path | None
    ) -> Looking:
        context: dict[str, Any] = {
            "locale": LOCALES[language],
            "color_scheme": theme,
            "viewport": {"width": widths[0], "height": HEIGHT},
            "reduced_motion": "reduce",
        }
        page = new_page(**context)
        page.add_init_script(WATCH_SHIFTS)
        if pictures:
            pictures.mkdir(parents=True, exist_ok=True)
        return cls(page, language, theme, widths, pictures)

    def at(self, name: str) -> None:
        """Look at what the page shows now, at every width; it is left at the first of them.

        Without pictures axe, which takes a third of a second, looks at that one only.
        """
        self.page.evaluate(AXE_SCRIPT)
        for width in self.widths:
            self._resize(width)
            where = f"{name}-{self.language}-{self.theme}-{width}"
            if (wide := self.page.evaluate(SIDEWAYS)) > 0:
                self.faults.append(f"{where} scrolls sideways by {wide} px")
            if self.pictures or width == self.widths[0]:
                self.faults += [f"{where}: {fault}" for fault in self.page.evaluate(AXE)]
            if self.pictures:
                self.page.screenshot(path=str(self.pictures / f"{where}.png"), full_page=True)
        self._resize(self.widths[0])

    def still(self, name: str, change: Callable[[], None]) -> None:
        """Have a live page shown another state, by calling `change`, at every width: nothing on it may move."""
        for width in self.widths:
            self._resize(width)
            before = self.page.evaluate("window.shifts.length = 0, window.painted")
            change()
            self.page.wait_for_function("(before) => window.painted > before", arg=before)
            self.page.evaluate(FRAMES)
            self.faults += [
                f"{name}-{self.language}-{self.theme}-{width} moved: {shift}"
                for shift in self.page.evaluate("window.shifts")
            ]
        self._resize(self.widths[0])

    def _resize(self, width: int) -> None:
        size = self.page.viewport_size
        if size is None or size["width"] != width:
            self.page.set_viewport_size({"width": width, "height": HEIGHT})
            self.page.evaluate(FRAMES)
