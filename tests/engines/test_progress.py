"""Progress bars, and progress lines heard from samplers."""

import io
import sys

from stanmix.engines import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_silent_where_there_is_no_terminal(capsys):
    with progress.bars(chains=2, iterations=10) as update:
        assert update is None
    assert capsys.readouterr() == ("", "")


def test_a_bar_per_chain(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with progress.bars(chains=2, iterations=10) as update:
        update(0, 5, True)
        update(0, 10, False)
        update(1, 4, True)
    shown = screen.getvalue()
    first, second = (
        [line for line in shown.splitlines() if line.startswith(f"chain {chain}")][-1]
        for chain in (1, 2)
    )
    assert "10/10" in first and "sampling" in first
    assert "4/10" in second and "warmup" in second


def test_one_bar_for_many_with_the_time_left(monkeypatch, capsys):
    with progress.bar(3, 1, "fits") as advance:
        advance()
    assert capsys.readouterr() == ("", "")
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with progress.bar(3, 1, "fits") as advance:
        advance()
        advance()
    last = screen.getvalue().replace("\r", "\n").strip().splitlines()[-1]
    assert last.startswith("fits: 100%") and "3/3 [00:00<00:00" in last


def test_lines_of_samplers_become_calls(capsys):
    calls = []
    with progress.heard(lambda *call: calls.append(call)):
        print("Chain [1] Iteration:    1 / 2000 [  0%]  (Warmup)")
        print("Chain [12] Iteration: 2000 / 2000 [100%]  (Sampling)")
        print("\nChain [1] Elapsed Time: 0.036 seconds (Warm-up)")
        print("Warning: 2 of 200 post-warmup transitions (1.0%) ended with a divergence.")
    assert calls == [(0, 1, True), (11, 2000, False)]
    assert capsys.readouterr() == ("", "")


def test_without_a_listener_nothing_is_captured(capsys):
    with progress.heard(None):
        print("hello")
    assert capsys.readouterr().out == "hello\n"


def test_about_a_hundred_reports():
    assert [progress.stride(n) for n in (1, 99, 2000)] == [1, 1, 20]
