"""`mirrorhub config`: each setting, its value and where it came from; and what the SDKs would use by themselves."""

from __future__ import annotations

import contextlib
import io
import json
import warnings
from collections.abc import Callable

import click

from mirrorhub.cli.table import Column, print_table
from mirrorhub.http.redact import bare_address, redact

Row = tuple[str, str, str]
COLUMNS = tuple(Column(heading, is_text=True) for heading in ("setting", "value", "from"))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def config(as_json: bool) -> None:
    """Show every setting, its value, and where it came from."""
    ours, theirs = _ours(), _theirs()
    if as_json:
        record = {
            "settings": {name: {"value": value, "source": source} for name, value, source in ours},
            "sdks": _by_sdk(theirs),
        }
        click.echo(json.dumps(record, ensure_ascii=False, indent=2))
        return
    print_table(COLUMNS, ours, title="mirrorhub")
    print_table(COLUMNS, theirs, title="the SDKs by themselves")


def _ours() -> list[Row]:
    import os

    from mirrorhub.config import Settings, config_path
    from mirrorhub.http.route import proxy_for, trust_store

    settings = Settings.load()
    file = config_path(os.environ)
    found = "config file" if file.is_file() else "not there"
    store = trust_store(settings)
    rows = [("config_file", str(file), found), *settings.rows()]
    rows.append(("trust_store", str(store or "certifi"), settings.sources["ca_file"] if settings.ca_file else "system"))
    proxies = {scheme: bare_address(proxy_for(f"{scheme}://example.com") or "none") for scheme in ("https", "http")}
    return [*rows, *((f"{scheme}_proxy", proxy, "environment or system") for scheme, proxy in proxies.items())]


def _theirs() -> list[Row]:
    return [*_asked("modelscope", _modelscope), *_asked("huggingface_hub", _huggingface)]


def _modelscope() -> list[Row]:
    from importlib.metadata import version

    from modelscope_hub.config import HubConfig

    sdk = HubConfig()
    name = f"modelscope {version('modelscope')}"
    return [("endpoint", bare_address(str(sdk.endpoint)), name), ("cache", str(sdk.cache_dir), name)]


def _huggingface() -> list[Row]:
    import huggingface_hub
    from huggingface_hub import constants

    name = f"huggingface_hub {huggingface_hub.__version__}"
    return [
        ("endpoint", bare_address(constants.ENDPOINT), name),
        ("cache", constants.HF_HUB_CACHE, name),
        ("offline", str(constants.HF_HUB_OFFLINE), name),
    ]


def _by_sdk(rows: list[Row]) -> dict[str, dict[str, str]]:
    grouped: dict[str, dict[str, str]] = {}
    for name, value, sdk in rows:
        grouped.setdefault(sdk, {})[name] = value
    return grouped


def _asked(sdk: str, ask: Callable[[], list[Row]]) -> list[Row]:
    """Ask an SDK what it would use; whatever it prints or warns of meanwhile is its own business."""
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            return ask()
    except ImportError as error:
        return [("not installed", str(error), sdk)]
    except Exception as error:
        return [("cannot be asked", f"{type(error).__name__}: {redact(str(error))}", sdk)]
