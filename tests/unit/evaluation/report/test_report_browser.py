"""The page in a real browser: nothing to complain of, everything has a size, wide and narrow."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from report_parts import evil_result, plain_result, whole_result

from goldfish_cli.evaluation.report.page import report_page
from goldfish_cli.evaluation.results import EvalResult

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
MEASURE = """
<script>
const sizes = (query) => [...document.querySelectorAll(query)].map((one) => {
  const box = one.getBoundingClientRect();
  return [box.width, box.height];
});
for (const one of document.querySelectorAll("details")) one.open = true;
const alerts = [];
const buttons = [...document.querySelectorAll("button.copy")];
const found = {
  tables: sizes("table"), plots: sizes("svg.plot"), bars: sizes("svg rect.main"),
  whiskers: sizes("svg .whisker").length, cases: sizes(".cases > li"),
  wide: document.documentElement.scrollWidth, view: document.documentElement.clientWidth,
  buttons: buttons.filter((one) => one.offsetWidth > 0).length,
  focusable: [...document.querySelectorAll(".scroll")].every((one) => one.tabIndex === 0),
  labels: sizes("svg.plot text").every(([width, height]) => height > 8 && height < 24),
};
document.title = "found " + JSON.stringify(found);
</script>
"""


@pytest.fixture(scope="module")
def browser() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no browser on this machine")
    return found


def run(browser: str, folder: Path, page: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--timeout=20000"]
    command += [f"--user-data-dir={folder / 'user'}", "--enable-logging=stderr", "--dump-dom"]
    command += ["--virtual-time-budget=3000", *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=90)


def measured(browser: str, folder: Path, result: EvalResult, *options: str) -> dict[str, Any]:
    """Open the page with a script of ours, which its own policy would forbid."""
    text = report_page(result)
    opened = re.sub(r"script-src 'sha256-[^']*'", "script-src 'unsafe-inline'", text)
    path = folder / "it's a report.html"
    path.write_text(opened.replace("</body>", MEASURE + "</body>"), encoding="utf-8")
    done = run(browser, folder, path, *options)
    title = re.search(r"<title>found (.*?)</title>", done.stdout)
    assert title is not None, done.stdout[:500] + done.stderr[-500:]
    found: dict[str, Any] = json.loads(unescape(title[1]))
    return found


@pytest.mark.parametrize("make", [plain_result, whole_result, evil_result])
def test_a_browser_has_nothing_to_complain_of(browser: str, tmp_path: Path, make: Any) -> None:
    path = tmp_path / "report.html"
    path.write_text(report_page(make()), encoding="utf-8")
    done = run(browser, tmp_path, path)
    assert "CONSOLE" not in done.stderr, done.stderr
    assert 'hidden=""' not in done.stdout  # the page's own script has run: its buttons are shown
    assert "Copy</button>" in done.stdout


@pytest.mark.parametrize("width", [1280, 500])
def test_tables_and_plots_are_seen_in_a_wide_and_in_a_narrow_window(
    browser: str, tmp_path: Path, width: int
) -> None:
    found = measured(browser, tmp_path, whole_result(), f"--window-size={width},900")
    assert found["view"] == pytest.approx(width, abs=20)
    assert found["wide"] <= found["view"]
    assert len(found["tables"]) == 13
    assert len(found["plots"]) == 5
    assert len(found["cases"]) == 2
    for kind in ("tables", "plots", "cases"):
        assert all(min(size) > 30 for size in found[kind]), kind
    whole, high = found["plots"][0]
    assert found["bars"][0][0] / whole == pytest.approx(0.634, abs=0.01)
    assert high > 200
    assert found["whiskers"] > 10
    assert found["buttons"] == 2
    assert found["focusable"]
    assert found["labels"]


def test_hostile_text_runs_nothing_and_bursts_nothing(browser: str, tmp_path: Path) -> None:
    found = measured(browser, tmp_path, evil_result(), "--window-size=500,900")
    assert found["wide"] <= found["view"]
