"""The pages on the config file: every block in them is read as it stands, and every key is told of."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mirrorhub import Settings, resolve
from mirrorhub.config import SETTINGS
from mirrorhub.endpoints import endpoints_for
from mirrorhub.models import Repo
from tests.fakehub import certs

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {"en": DOCS / "how-to" / "configure.md", "zh": DOCS / "how-to" / "configure.zh-CN.md"}
HUB = "https://hub.example.corp"


def blocks(page: str) -> list[str]:
    """The TOML of a page."""
    return re.findall(r"^```toml\n(.*?)^```", PAGES[page].read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


BLOCKS = blocks("en")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Settings]:
    """Write a block where it belongs, and read it."""
    monkeypatch.setenv("MIRRORHUB_CONFIG", str(tmp_path / "config.toml"))
    for name in (variable for setting in SETTINGS for variable in setting.variables):
        monkeypatch.delenv(name, raising=False)

    def write(text: str) -> Settings:
        name = "aliases.toml" if "[[content]]" in text else "config.toml"
        (tmp_path / "config.toml").touch()
        text = text.replace("/etc/ssl/certs/house.pem", certs.ca_file().as_posix())
        (tmp_path / name).write_text(text, encoding="utf-8")
        return Settings.load()

    return write


def test_the_pages_agree() -> None:
    """Both languages show the same blocks."""
    assert blocks("zh") == BLOCKS
    assert len(BLOCKS) == 6


@pytest.mark.parametrize("text", BLOCKS, ids=[block.splitlines()[0][:20] for block in BLOCKS])
def test_every_block_is_read(text: str, files: Callable[[str], Settings]) -> None:
    """Whatever is shown can be copied."""
    settings = files(text)
    for hub in ("modelscope", "huggingface"):
        assert endpoints_for(Repo(hub, "team/model"), settings)  # type: ignore[arg-type]


def test_every_key(files: Callable[[str], Settings]) -> None:
    """The long example has every key of the file, and each of them a value that is not the default."""
    keys = {setting.name for setting in SETTINGS if setting.in_file}
    settings = files(BLOCKS[0])
    assert {name for name, source in settings.sources.items() if source == "config file"} == keys
    for page in PAGES.values():
        rows = set(re.findall(r"^\| `(\w+)` \|", page.read_text(encoding="utf-8"), re.MULTILINE))
        assert keys <= rows
        told = page.read_text(encoding="utf-8")
        assert [name for setting in SETTINGS for name in setting.variables if f"`{name}`" not in told] == [
            "HUGGINGFACE_HUB_CACHE",
            "HUGGING_FACE_HUB_TOKEN",
        ]


def test_the_private_hub(files: Callable[[str], Settings]) -> None:
    """The tables of the example are what the text says of them."""
    chain = endpoints_for(Repo("huggingface", "team/model"), files(BLOCKS[2]))
    assert [(one.url, one.token_variable, one.auth) for one in chain[:2]] == [
        (HUB, "EXAMPLE_HUB_TOKEN", False),
        ("https://other.example.org", None, False),
    ]
    (alone, *_) = endpoints_for(Repo("huggingface", "team/model"), files(BLOCKS[3]))
    assert (alone.url, alone.token_variable) == (HUB, "EXAMPLE_HUB_TOKEN")


def test_the_digests(files: Callable[[str], Settings]) -> None:
    """Digests in the alias table are pinned."""
    files(BLOCKS[5])
    manifest = resolve("team/model", trust="lock")
    assert ([one.path for one in manifest.files], manifest.vouched_by.kind) == (["config.json"], "pin")
