"""Which caches the commands about them mean: those of the settings, or one folder that is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from mirrorhub.config import Settings

F = TypeVar("F", bound=Callable[..., Any])


def cache_option(command: F) -> F:
    """Add the option that names a folder, as `download` has it."""
    option = click.option(
        "--cache-dir", type=click.Path(file_okay=False), help="The cache directory, of either hub; else both hubs' own."
    )
    return option(command)


def settings_for(cache_dir: str | None) -> Settings:
    """Return the settings, with the caches of both hubs in one folder where one is named."""
    from mirrorhub.config import Settings

    return Settings.load({"modelscope_cache": cache_dir, "huggingface_cache": cache_dir})


def nothing_in(settings: Settings) -> str:
    """Say that nothing is there, and where."""
    folders = dict.fromkeys(str(one) for one in (settings.modelscope_cache, settings.huggingface_cache))
    return f"Nothing is in the caches: {', '.join(folders)}."
