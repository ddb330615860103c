"""A report is one page with all it needs inside, whatever the model can be asked."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import stanmix as sm
from stanmix.stacking import of_chains

pytestmark = pytest.mark.engine

RUN = {"engine": "stanli", "chains": 2, "warmup": 300, "draws": 200, "seed": 1}
RNG = np.random.default_rng(5)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


class Page(HTMLParser):
    """Headings, text, links and tags of a page; void elements aside, every tag must be closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.counts: dict[str, int] = {}
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img"):
            self.open.append(tag)
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.links += [str(v) for name, v in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def chain_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    y = np.array([0, 1, 0, 9, 8, 11, 9, 1, 0, 0, 2, 1, 8, 12, 7, 1, 0, 1])
    fit = sm.fit("y ~ hmm(poisson, states=2)", {"y": y}, **RUN)
    return fit.report(tmp_path_factory.mktemp("report") / "out.html", title="Counts & <states>")


def test_a_page_holds_all_it_shows(chain_page: Path) -> None:
    text = chain_page.read_text(encoding="utf-8")
    page = Page(text)
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in page.links)
    anchors = [link[1:] for link in page.links if link.startswith("#")]
    assert all(f'id="{anchor}"' in text for anchor in anchors) and len(anchors) == 8
    assert page.counts["img"] >= 8
    assert "Counts & <states>" in page.text
    assert "y ~ hmm(poisson, states=2)" in page.text
    assert "transition[2, 1]" in page.text and "PSIS-LOO" in page.text
    assert "target += hmm_log_density" in page.text


def test_what_is_wrong_comes_first_with_what_to_try(tmp_path: Path) -> None:
    y = np.concatenate([*(RNG.normal(mean, 1, 95) for mean in (-3, 3)), np.full(5, 8.0)])
    y = np.append(y, np.full(5, -8.2))
    modes = [[-3.3, 3.1, 8.0], [-8.1, -3.2, 3.2]]
    inits = [{"mu": np.array(mode), "weights": np.full(3, 1 / 3)} for mode in modes]
    with pytest.warns(sm.ConvergenceWarning, match="different modes"):
        fit = sm.fit("y ~ mix(normal(sigma=1), K=3)", {"y": y}, inits=inits, **RUN)
    page = Page(fit.report(tmp_path / "apart.html").read_text(encoding="utf-8"))
    assert page.text.index("they are in different modes") < page.text.index("categorical(weights)")
    assert "Try: modes()" in page.text
    assert "chain 1" in page.text
    assert "each group of chains that agree has means of its own" in page.text


def test_questions_without_an_answer_say_why(tmp_path: Path) -> None:
    words = np.array(["a", "b", "b", "c", "a", "c"] * 6)
    fit = sm.fit("word ~ mix(categorical, K=2)", {"word": words}, **RUN)
    fit = of_chains(fit, [0])
    page = Page(fit.report(tmp_path / "out.html").read_text(encoding="utf-8"))
    assert "There is no picture of the components of categories" in page.text
    assert "No column of the response has a distribution function" in page.text
    assert "Draw four chains." in page.text


def test_a_report_needs_a_folder(chain_page: Path, tmp_path: Path) -> None:
    fit = sm.fit("y ~ mix(normal(sigma=1), K=1)", {"y": [0.1, 0.4, -0.3, 1.0]}, **RUN)
    for path in (tmp_path, tmp_path / "none" / "out.html", None):
        with pytest.raises(
            sm.DataError, match="is a folder|its folder must exist|by text or a path"
        ):
            fit.report(path)


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("width", [500, 1280])
def test_a_browser_shows_the_page_without_scrolling_sideways(
    chain_page: Path, width: int, tmp_path: Path
) -> None:
    script = "document.title = document.documentElement.scrollWidth <= innerWidth ? 'fits' : 'wide'"
    page = chain_page.read_text(encoding="utf-8")
    copy = tmp_path / "page.html"
    copy.write_text(page.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--window-size={width},900"]
    options.append(f"--user-data-dir={tmp_path / 'profile'}")
    shown = subprocess.run(
        [str(CHROMIUM), *options, "--dump-dom", copy.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert re.findall("<title>(.*?)</title>", shown.stdout) == ["fits"]
