"""The page that longask writes: whole in itself, safe, and looked at in a real browser."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from film_parts import draw_film, index_with

from goldfish_cli.backends.native import NativeModel
from goldfish_cli.longvideo.coordinator import Coordinator
from goldfish_cli.longvideo.page import page
from goldfish_cli.longvideo.records import ClipRecord
from goldfish_cli.longvideo.store import IndexStore
from goldfish_cli.media.cues import Cue
from goldfish_cli.profiles import load_profile

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
CLICK_THE_LAST = """
<script>
const places = document.querySelectorAll("li .time");
const player = document.querySelector("video");
player.addEventListener("seeked", () => {
  document.title = "at " + player.currentTime + " of " + places.length + " " +
    document.querySelector("li.current").id;
});
player.addEventListener("loadedmetadata", () => places[places.length - 1].click());
</script>
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A page about a real film, and the time of its last citation."""
    folder = tmp_path_factory.mktemp("page")
    drawn = draw_film(folder / "films", minutes=0.5)
    minnow = NativeModel.load("minnow", load_profile("cpu", threads=1), offline=True)
    with IndexStore.create_or_open(folder / "index", wait_s=0) as store:
        index_with(store, minnow, drawn.video)
        answer = Coordinator(store).answer("What happens between 0:00 and 0:30?", store.films())
        path = folder / "it's a page.html"
        path.write_text(page(store, answer, store.films()), encoding="utf-8")
    assert len(answer.citations) > 3
    return path, answer.citations[-1].start


def test_a_page_fetches_nothing_and_holds_its_pictures(written: tuple[Path, float]) -> None:
    text = written[0].read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="https?:', text)
    assert text.count("data:image/jpeg;base64,") > 3
    assert "$" not in re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)


def test_what_films_and_questions_say_is_no_markup(tmp_path: Path) -> None:
    from index_parts import film

    evil = "<script>alert(1)</script>"
    with IndexStore.create_or_open(tmp_path / "index", wait_s=0) as store:
        store.put_film(replace(film(name=f"{evil}.mp4"), summary=evil, chapters=()))
        cues = (Cue(6.0, 8.0, f"he said {evil}"),)
        store.put_clip("f00dcafe", ClipRecord(0, 5.0, 15.0, f"A {evil} star grows.", cues))
        answer = Coordinator(store).answer(f"When is the star? {evil}", store.films())
        text = page(store, answer, store.films())
    assert evil not in text
    assert "&lt;script&gt;" in text


def test_in_a_browser_a_citation_moves_the_player(
    written: tuple[Path, float], tmp_path: Path
) -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no browser on this machine")
    path, last = written
    clicking = path.with_name("clicking.html")
    text = path.read_text(encoding="utf-8")
    clicking.write_text(text.replace("</body>", CLICK_THE_LAST + "</body>"), encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--timeout=20000"]
    command += [f"--user-data-dir={tmp_path}", "--virtual-time-budget=15000", "--dump-dom"]
    done = subprocess.run([*command, clicking.as_uri()], capture_output=True, text=True, timeout=90)
    title = re.search(r"<title>at ([\d.]+) of (\d+) (\S+)</title>", done.stdout)
    if title is None and "cannot play it" in done.stdout:
        pytest.skip("this browser plays no h264")
    assert title is not None, done.stdout[:500]
    assert float(title[1]) >= last - 0.01
    assert title[3] == f"c0-{int(title[2]) - 1}"
