"""Pages as a browser lays them out: chromium without a screen."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium")

PROBE = """
<script>
addEventListener("load", () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
  const root = document.documentElement;
  const sizes = [...document.querySelectorAll("svg, img, image")].map((drawing) => {
    const box = drawing.getBoundingClientRect();
    return Math.min(box.width, box.height);
  });
  parent.postMessage(JSON.stringify({
    wide: innerWidth,
    overflow: root.scrollWidth - root.clientWidth,
    drawings: document.querySelectorAll("svg").length,
    smallest: Math.min(...sizes),
    loaded: performance.getEntriesByType("resource").filter(
      (entry) => !entry.name.startsWith("data:")).length,
    background: getComputedStyle(document.body).backgroundColor,
  }), "*");
});
</script>
"""


# Chromium has no window narrower than 500 pixels, but a frame may be.
FRAME = """<!doctype html><meta name="color-scheme" content="light dark">
<script>
onmessage = (event) => document.documentElement.setAttribute("data-probe", event.data);
</script>
<iframe src="probed.html" style="border: 0; width: WIDTHpx; height: HEIGHTpx"></iframe>
"""


def chromium(
    folder: Path, page: Path, width: int, height: int, *options: str, query: str = ""
) -> str:
    """Open a page without a screen, with words for its search, and return what chromium prints."""
    assert CHROMIUM is not None
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--no-first-run",
        "--hide-scrollbars",
        f"--user-data-dir={folder / 'profile'}",
        f"--window-size={width},{height}",
        *options,
        page.as_uri() + (f"?q={query}" if query else ""),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def looked_at(page: Path, folder: Path, width: int, *, dark: bool = False) -> dict[str, Any]:
    """Return how a page was laid out in a frame of some width; ``folder`` is for copies of it."""
    # The page's own policy forbids scripts.
    scripted = re.sub(r"<meta http-equiv[^>]*>", "", page.read_text())
    (folder / "probed.html").write_text(scripted.replace("</body>", PROBE + "</body>"))
    outer = folder / "outer.html"
    outer.write_text(FRAME.replace("WIDTH", str(width)).replace("HEIGHT", "900"))
    theme = ["--blink-settings=preferredColorScheme=0"] if dark else []
    options = ["--dump-dom", "--virtual-time-budget=5000", *theme]
    dom = chromium(folder, outer, 1400, 1000, *options)
    match = re.search(r'data-probe="([^"]*)"', dom)
    assert match is not None
    seen: dict[str, Any] = json.loads(unescape(match[1]))
    assert seen["wide"] == width
    return seen
