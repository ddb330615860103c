"""The cache as one file: complete on the other side, or refused."""

import io
import os
import tarfile

import pytest

from stanmix.engines import archive, cache
from stanmix.errors import EngineError

HOME, PROGRAM = cache.key("home"), cache.key("program")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STANMIX_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def filled(tmp_path):
    """A cache with a home and a program, and the file that they are packed in."""

    def home(folder):
        (folder / "wheel").symlink_to(tmp_path / "wheel")
        (folder / "bin").mkdir()
        (folder / "bin" / "stanc").symlink_to("../wheel/stanc")
        (folder / "shared").mkdir()
        (folder / "shared" / "main.o").write_text("object")
        (folder / "shared" / "run.o.4711").write_text("half an obj")
        os.utime(folder / "shared" / "main.o", (10**9, 10**9))

    def program(folder):
        (folder / "model").write_text("executable")
        (folder / "model").chmod(0o755)

    cache.obtain("homes", HOME, home)
    cache.obtain("programs", PROGRAM, program)
    assert archive.pack(tmp_path / "cache.tar.gz") == 2
    return tmp_path / "cache.tar.gz"


def test_what_is_packed_is_unpacked_elsewhere(filled, tmp_path, monkeypatch):
    monkeypatch.setenv("STANMIX_CACHE", str(tmp_path / "another place"))
    assert archive.unpack(filled) == 2
    home, program = (entry.path for entry in cache.entries())
    assert home == tmp_path / "another place" / "homes" / HOME
    assert os.readlink(home / "wheel") == str(tmp_path / "wheel")
    assert os.readlink(home / "bin" / "stanc") == "../wheel/stanc"
    assert (home / "shared" / "main.o").read_text() == "object"
    assert (home / "shared" / "main.o").stat().st_mtime == 10**9
    assert not (home / "shared" / "run.o.4711").exists()
    assert os.access(program / "model", os.X_OK)


def test_what_is_there_stays(filled):
    (cache.folder() / "programs" / PROGRAM / "model").write_text("mine")
    assert archive.unpack(filled) == 0
    assert (cache.folder() / "programs" / PROGRAM / "model").read_text() == "mine"


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_a_damaged_file_adds_nothing(filled, share, tmp_path, monkeypatch):
    whole = filled.read_bytes()
    filled.write_bytes(whole[: int(share * len(whole))])
    monkeypatch.setenv("STANMIX_CACHE", str(tmp_path / "another place"))
    with pytest.raises(EngineError, match="is no exported cache, or a damaged one"):
        archive.unpack(filled)
    assert cache.entries() == []


def member(name, **fields):
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info


LINK = {"type": tarfile.SYMTYPE, "linkname": "/etc"}


@pytest.mark.parametrize(
    "members",
    [
        [member("/etc/passwd")],
        [member("programs/../../x")],
        [member(f"programs/{PROGRAM}/../../x")],
        [member(f"programs/{PROGRAM}//x")],
        [member(f"elsewhere/{PROGRAM}/x")],
        [member("programs/short/x")],
        [member("programs", type=tarfile.DIRTYPE)],
        [member(f"programs/{PROGRAM}/wheel", **LINK)],
        [member(f"homes/{HOME}/shared", **LINK)],
        [member(f"homes/{HOME}/wheel", **LINK), member(f"homes/{HOME}/wheel/x")],
        [member(f"homes/{HOME}/bin/stanc", **LINK), member(f"homes/{HOME}/bin/stanc/x")],
        [member(f"homes/{HOME}/wheel", **LINK), member(f"homes/{HOME}/Wheel/x")],
        [member(f"homes/{HOME}/x", type=tarfile.LNKTYPE, linkname="/etc/passwd")],
        [member(f"programs/{PROGRAM}/x", type=tarfile.FIFOTYPE)],
    ],
    ids=lambda members: members[-1].name[:12] + members[-1].name[-8:],
)
def test_what_would_be_written_elsewhere_is_refused(members, tmp_path):
    with tarfile.open(tmp_path / "bad.tar.gz", "w:gz") as tar:
        tar.addfile(member(f"programs/{PROGRAM}", type=tarfile.DIRTYPE))
        for info in members:
            tar.addfile(info, io.BytesIO())
    with pytest.raises(EngineError, match="is no exported cache: it holds"):
        archive.unpack(tmp_path / "bad.tar.gz")
    assert cache.entries() == []


def test_a_file_that_cannot_be_read_or_written(tmp_path):
    with pytest.raises(EngineError, match=r"none\.tar\.gz` cannot be read: No such file"):
        archive.unpack(tmp_path / "none.tar.gz")
    with pytest.raises(EngineError, match="cannot be written: No such file"):
        archive.pack(tmp_path / "none" / "cache.tar.gz")
    (tmp_path / "file").touch()
    with pytest.raises(EngineError, match="cannot be written: Not a directory"):
        archive.pack(tmp_path / "file" / "cache.tar.gz")
    with pytest.raises(EngineError, match="is a folder"):
        archive.pack(tmp_path)
