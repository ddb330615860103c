"""The command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from stanmix.cli import main
from stanmix.engines import cache


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STANMIX_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def filled() -> None:
    def home(folder: Path) -> None:
        (folder / "makefile").write_text("CMDSTAN_VERSION := 2.99.1\n# httpstan 9.9.0\n")

    def program(folder: Path) -> None:
        (folder / "model.stan").write_text("// y ~ mix(normal, K=2)\n" + "x" * 976)

    cache.obtain("homes", cache.key("home"), home)
    cache.obtain("programs", cache.key("program"), program)


def test_the_cache_is_listed_in_the_users_words(
    filled: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cache", "list"]) == 0
    home, program, total = capsys.readouterr().out.splitlines()
    assert home.startswith("homes          43 B  20")
    assert home.endswith("  CmdStan 2.99.1 (httpstan 9.9.0)")
    assert program.endswith("  y ~ mix(normal, K=2)")
    assert total == f"2 things, 1.04 kB, in {cache.folder()}"


def test_an_empty_cache_has_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "list"]) == 0
    assert capsys.readouterr().out == f"0 things, 0 B, in {cache.folder()}\n"


@pytest.mark.parametrize(("words", "left"), [([], []), (["programs"], ["homes"])])
def test_the_cache_is_cleared_whole_or_by_kind(
    filled: None, words: list[str], left: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cache", "clear", *words]) == 0
    assert capsys.readouterr().out.startswith("Removed ")
    assert [entry.kind for entry in cache.entries()] == left


def test_the_cache_goes_through_a_file(
    filled: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "cache.tar.gz"
    assert main(["cache", "export", str(file)]) == 0
    monkeypatch.setenv("STANMIX_CACHE", str(tmp_path / "other"))
    assert main(["cache", "import", str(file)]) == 0
    assert capsys.readouterr().out == (f"Wrote 2 things to {file}.\nAdded 2 things to the cache.\n")


def test_a_failure_is_said_on_standard_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cache", "import", str(tmp_path / "none")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"stanmix: `{tmp_path / 'none'}` cannot be read: No such file or directory.\n"


@pytest.mark.parametrize("words", [[], ["cache"], ["cache", "eat"], ["nonsense"]])
def test_a_wrong_command_shows_how_it_is_called(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert "usage: stanmix" in capsys.readouterr().err
