"""The wheels of a kit are all that its target needs, whatever the Python is that collects them."""

from __future__ import annotations

import itertools
import json
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from mirrorhub import errors
from mirrorhub.bundle.closure import reach, read_wheel
from mirrorhub.bundle.kit.contents import KitWheels, Package, check_paths
from mirrorhub.bundle.kit.python import Interpreter, check_fits, tag_fits
from mirrorhub.bundle.kit.script import main as install_script
from mirrorhub.bundle.kit.words import KitError
from mirrorhub.bundle.pip import Sources
from mirrorhub.bundle.requirements import read_requirements
from mirrorhub.bundle.target import target_of
from mirrorhub.cli import main
from tests.bundle.wheelwright import make_wheel

Capture = pytest.CaptureFixture[str]
NEEDS = (
    'for-old; python_version < "3.11"',
    'for-new; python_version >= "3.11"',
    'for-windows; sys_platform == "win32"',
    'for-arm; platform_machine == "aarch64"',
    'for-early; python_full_version < "3.10.2"',
    'for-fun; extra == "fun"',
    'for-fun-there; extra == "fun" and os_name == "nt"',
)
PACKAGES = ("for-old", "for-new", "for-windows", "for-arm", "for-early", "for-fun", "for-fun-there")
TARGETS = {
    "an older Python": (("3.10", ["manylinux2014_x86_64"]), {"app", "for-old", "for-early"}),
    "a newer one": (("3.13", ["manylinux_2_28_x86_64"]), {"app", "for-new"}),
    "another system": (("3.12", ["win_amd64"]), {"app", "for-new", "for-windows"}),
    "another machine": (("3.11", ["musllinux_1_2_aarch64"]), {"app", "for-new", "for-arm"}),
}


@pytest.fixture
def dist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an application and all that it may need; there is no index."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    folder = tmp_path / "dist"
    make_wheel(folder, "app", needs=NEEDS)
    for name in PACKAGES:
        make_wheel(folder, name)
    return folder


@pytest.mark.parametrize(("target", "expected"), TARGETS.values(), ids=TARGETS)
def test_what_a_target_needs(target: tuple[str, list[str]], expected: set[str], dist: Path) -> None:
    """Markers are read for the target, not for this Python; a patch that is not known may be any."""
    wheels = {wheel.name: wheel for wheel in map(read_wheel, dist.iterdir())}
    python, platforms = target
    assert reach([Requirement("app")], wheels, target_of(python, platforms, "cp", [])) == (expected, [])


def test_what_an_extra_needs(dist: Path) -> None:
    """An extra brings what it names, and what is not there is said to be missing."""
    wheels = {wheel.name: wheel for wheel in map(read_wheel, dist.iterdir())}
    del wheels[next(name for name in wheels if name == "for-fun")]
    target = target_of("3.11", ["manylinux2014_x86_64"], "cp", [])
    assert reach([Requirement("app[fun]")], wheels, target) == ({"app", "for-new"}, ["for-fun"])


def test_a_kit_for_another_python(dist: Path, tmp_path: Path, capsys: Capture) -> None:
    """pip, which runs on this Python, collects the closure for that one; there it is installed, and nowhere else."""
    kit = tmp_path / "kit.zip"
    wheels = [
        "--wheels",
        "app[fun]",
        "--find-links",
        str(dist),
        "--python",
        "3.10",
        "--platform",
        "manylinux2014_x86_64",
    ]
    assert main(["bundle", "create", *wheels, "-o", str(kit)]) == 0
    with zipfile.ZipFile(kit) as archive:
        members = archive.namelist()
        told = json.loads(archive.read("manifest.json"))["wheels"]
    assert members[:3] == ["manifest.json", "__main__.py", "install.py"]
    names = {name.split("-")[0] for name in members if name.startswith("wheels/")}
    assert names == {"wheels/app", "wheels/for_old", "wheels/for_early", "wheels/for_fun"}
    assert (told["python"], told["platforms"], told["requirements"]) == ("3.10", ["manylinux2014_x86_64"], ["app[fun]"])
    capsys.readouterr()
    assert install_script([str(kit), "--python", sys.executable, "--lang", "en"]) == 2
    refused = f"for Python 3.10, and this is Python {sys.version_info[0]}.{sys.version_info[1]}"
    assert refused in capsys.readouterr().err
    assert install_script([str(kit), "--python", str(tmp_path / "nothing")]) == 2


def test_no_wheel_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """A package without a wheel for the target is named, with what can be done; no kit is left behind."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    make_wheel(tmp_path / "dist", "app", tag="cp310-cp310-win_amd64")
    arguments = ["--wheels", "app", "--find-links", str(tmp_path / "dist"), "-o", str(tmp_path / "kit.zip")]
    assert main(["bundle", "create", *arguments]) == 1
    told = capsys.readouterr().err
    assert "mirrorhub: app: no wheel of it was found for Python" in told
    assert "pip wheel app" in told
    assert not (tmp_path / "kit.zip").exists()


def test_a_wheel_from_a_folder_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """What lay on disk is told by name and version; where it lay is nobody's business."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    wheel, kit = make_wheel(tmp_path / "house", "app"), tmp_path / "kit.zip"
    assert main(["bundle", "create", "--wheels", str(wheel), "-o", str(kit)]) == 0
    with zipfile.ZipFile(kit) as archive:
        assert json.loads(archive.read("manifest.json"))["wheels"]["requirements"] == ["app==1.0"]
        assert not [name for name in archive.namelist() if b"house" in archive.read(name)]


def test_a_wheel_for_a_later_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """A package that needs another Python than the kit is for is named, with both."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    wheel = make_wheel(tmp_path / "dist", "app", python=">=3.40")
    arguments = ["--wheels", str(wheel), "--python", "3.12", "-o", str(tmp_path / "kit.zip")]
    assert main(["bundle", "create", *arguments]) == 1
    told = capsys.readouterr().err
    assert "mirrorhub: app: needs Python >=3.40, and the kit is for Python 3.12 on" in told
    assert "another --python" in told


def test_a_wheel_that_climbs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """A wheel with a member that would be written elsewhere gets into no kit."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    wheel = make_wheel(tmp_path / "dist", "app")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("../../evil.py", "evil")
    assert main(["bundle", "create", "--wheels", str(wheel), "-o", str(tmp_path / "kit.zip")]) == 1
    assert "its member '../../evil.py' would be written somewhere else" in capsys.readouterr().err


def test_no_password_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A password in an index's address is in no message and in no arguments; tokens of hubs are not pip's business."""
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    index = "http://user:aSecret@127.0.0.1:9/simple"
    assert main(["bundle", "create", "--wheels", "app", "--index", index, "-o", str(tmp_path / "kit.zip")]) == 1
    assert "aSecret" not in "".join(capfd.readouterr())
    monkeypatch.setenv("HF_TOKEN", "aSecret")
    sources = Sources(index, (index,), (index, "dist"))
    assert sources.options() == ["--find-links", "dist"]
    assert "aSecret" not in repr(sources)
    environment = sources.environment()
    assert {name for name in environment if "aSecret" in environment[name]} == {
        "PIP_INDEX_URL",
        "PIP_EXTRA_INDEX_URL",
        "PIP_FIND_LINKS",
    }


WRONG = {
    "nothing": ([], "A kit of nothing"),
    "no Python": (["--wheels", "app", "--python", "snake"], "is no version of Python 3"),
    "no platform": (["--wheels", "app", "--platform", "linux"], "is no platform tag"),
    "two systems": (["--wheels", "app", "--platform", "win_amd64", "--platform", "linux_x86_64"], "different systems"),
    "no requirement": (["--wheels", "app=1"], "is no requirement"),
    "no such checkout": (["--wheels", "./nowhere"], "there is no such file or folder"),
    "no such folder": (["--wheels", "app", "--find-links", "nowhere"], "there is no such folder"),
    "an address": (["--wheels", "app @ https://example.com/app.whl"], "an address is not taken"),
    "options about nothing": (["org/name", "--python", "3.11"], "--python is about wheels"),
}


@pytest.mark.parametrize(("arguments", "told"), WRONG.values(), ids=WRONG)
def test_wrong_usage(arguments: list[str], told: str, tmp_path: Path, capsys: Capture) -> None:
    """What cannot be meant is refused with exit code 2, in a sentence that says what was meant to stand there."""
    assert main(["bundle", "create", *arguments, "-o", str(tmp_path / "kit.zip")]) == 2
    assert told in capsys.readouterr().err


def test_a_file_of_requirements(tmp_path: Path) -> None:
    """A file of requirements is read line by line, others that it names, too."""
    (tmp_path / "more.txt").write_text("deep[fun]==1  # why\n")
    (tmp_path / "all.txt").write_text(
        "# all\n-r more.txt\n\nflat>=2 ; python_version > '3'\npinned==1 --hash=sha256:00\n"
    )
    expected = ["first", "deep[fun]==1", "flat>=2 ; python_version > '3'", "pinned==1"]
    assert read_requirements(["first"], [str(tmp_path / "all.txt")]) == expected
    (tmp_path / "all.txt").write_text("--index-url https://example.com\n")
    with pytest.raises(errors.ConfigError, match="give it as an option"):
        read_requirements([], [str(tmp_path / "all.txt")])


FITS = [
    ("any", "linux-x86_64", (2, 36), True),
    ("manylinux2014_x86_64", "linux-x86_64", (2, 17), True),
    ("manylinux2014_x86_64", "linux-x86_64", (2, 12), False),
    ("manylinux2014_x86_64", "linux-aarch64", (2, 36), False),
    ("manylinux_2_28_x86_64", "linux-x86_64", (2, 28), True),
    ("manylinux_2_28_x86_64", "linux-x86_64", (2, 17), False),
    ("manylinux_2_28_x86_64", "linux-x86_64", None, False),
    ("musllinux_1_2_x86_64", "linux-x86_64", None, True),
    ("musllinux_1_2_x86_64", "linux-x86_64", (2, 36), False),
    ("linux_x86_64", "linux-x86_64", (2, 36), True),
    ("win_amd64", "linux-x86_64", (2, 36), False),
    ("win_amd64", "win-amd64", None, True),
    ("win32", "win-amd64", None, False),
    ("macosx_11_0_arm64", "macosx-11.0-arm64", None, True),
    ("macosx_10_9_universal2", "macosx-10.9-x86_64", None, True),
    ("macosx_11_0_arm64", "macosx-10.9-x86_64", None, False),
]


@pytest.mark.parametrize(("tag", "platform", "glibc", "expected"), FITS)
def test_where_a_wheel_runs(tag: str, platform: str, glibc: tuple[int, ...] | None, expected: bool) -> None:
    """A platform tag fits a system, or does not: known without packaging, which the other side may not have."""
    assert tag_fits(tag, platform, glibc) == expected


def test_another_system_is_refused() -> None:
    """The wheel that is for another system is named, and what this one is."""
    wheels = KitWheels("3.11", "cp", ("win_amd64",), (), (Package("a", "1", "wheels/a-1-cp311-cp311-win_amd64.whl"),))
    here = Interpreter("python3", "3.11", "cpython", "linux-x86_64", (2, 36), pip=True, ensurepip=True)
    with pytest.raises(KitError, match=r"wheels/a-1-.*: these wheels are for win_amd64, and this is linux-x86_64 with"):
        check_fits(wheels, here)
    with pytest.raises(KitError, match=r"for Python 3.11, and this is Python 3.11 .pypy"):
        check_fits(wheels, Interpreter("python3", "3.11", "pypy", "linux-x86_64", None, pip=True, ensurepip=True))


def test_older_tags_run_on_newer_systems() -> None:
    """Pip is told every tag that a system runs, of which it knows by itself some only."""
    options = target_of("3.11", ["manylinux_2_18_x86_64"], None, ["cp311"]).pip_options()
    tags = [value for name, value in itertools.pairwise(options) if name == "--platform"]
    assert tags[:4] == [
        "manylinux_2_18_x86_64",
        "manylinux_2_17_x86_64",
        "manylinux2014_x86_64",
        "manylinux_2_16_x86_64",
    ]
    assert tags[-3:] == ["manylinux_2_5_x86_64", "manylinux1_x86_64", "linux_x86_64"]
    assert target_of(None, [], None, []).pip_options() == []


class Watched(str):
    """A path that counts how often any is compared with another."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other: object) -> bool:
        Watched.compared += 1
        return super().__eq__(other)

    __hash__ = str.__hash__


def test_a_path_that_is_listed_twice() -> None:
    """To find one among many takes no time that grows with their square."""
    paths = [Watched(f"{number}.txt") for number in (*range(1000), 999)]
    with pytest.raises(KitError, match=r"999.txt: is there twice"):
        check_paths(paths, "posix")
    assert Watched.compared < 10_000


SYSTEMS = {
    "a name that Windows reserves": (["aux.json"], "nt", "reserves"),
    "a trailing dot": (["a."], "nt", "ends in a dot"),
    "twins on Windows": (["A.txt", "a.txt"], "nt", "is the same as 'A.txt' on this system"),
    "twins on macOS": (["\u00e9", "e\u0301"], "darwin", "is the same as"),
    "a file that is a folder": (["a", "a/b"], "posix", "is a file and a folder"),
}


@pytest.mark.parametrize(("paths", "system", "told"), SYSTEMS.values(), ids=SYSTEMS)
def test_what_a_system_cannot_hold(paths: list[str], system: str, told: str) -> None:
    """Paths that the system at hand cannot hold are refused; the others hold them."""
    with pytest.raises(KitError, match=told):
        check_paths(paths, system)
    if system != "posix":
        check_paths(paths, "posix")
