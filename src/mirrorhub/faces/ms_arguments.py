"""modelscope's arguments as ours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from mirrorhub.arguments import Options
from mirrorhub.config import Settings
from mirrorhub.faces.fitting import own_chain, settings_for
from mirrorhub.faces.ms_errors import invalid
from mirrorhub.faces.signatures import Given
from mirrorhub.models import RepoType

_WORKERS = 4
_NAMES = ("repo_id", "model_id", "dataset_id")
_SITES = ("https://modelscope.cn", "https://www.modelscope.cn")


@dataclass(frozen=True, slots=True)
class Call:
    """A call of one of the SDK's functions.

    Attributes:
        given: What it was called with.
        kind: The repository's type.
        repo_id: The repository.
        local_dir: Where plain files go: as given, or where an older version has put them.
    """

    given: Given
    kind: RepoType
    repo_id: str
    local_dir: Any


def options_of(call: Call) -> Options:
    """Return the options of the call."""
    given = call.given
    named = Settings.load().modelscope_endpoint
    chain = own_chain(given["endpoint"], given["token"] or None, sites=_SITES, named=named)
    options = {
        "hub": "modelscope",
        "repo_type": call.kind,
        "settings": settings_for("modelscope", chain, whole(given["cache_dir"]), is_there=False),
        "local_dir": _folder(call),
        "local_files_only": is_offline(given),
        "token": given["token"] or None,
        "user_agent": given["user_agent"],
        "max_workers": _WORKERS if given["max_workers"] is None else given["max_workers"],
        "progress_callbacks": given["progress_callbacks"],
        "allow_patterns": _patterns(given["allow_patterns"]) or _patterns(given["allow_file_pattern"]),
        "ignore_patterns": _patterns(given["ignore_patterns"]) or _patterns(given["ignore_file_pattern"]),
    }
    return cast("Options", options)


def whole(directory: Any) -> Path | None:
    """Return a directory as it is meant now: the process may go elsewhere before the next call."""
    return Path(directory).expanduser().absolute() if directory else None


def _folder(call: Call) -> Path | None:
    """Return where plain files go; an older directory may stand elsewhere, behind a link that the SDK follows."""
    folder = whole(call.local_dir)
    return folder.resolve() if folder and not call.given["local_dir"] else folder


def is_offline(given: Given) -> bool:
    """Whether nobody may be asked."""
    return bool(given["local_files_only"]) or Settings.load().offline_for("modelscope")


def repo_id_of(given: Given) -> str:
    """Return the repository's id.

    Raises:
        InvalidParameter: There is none.
    """
    # Of two ids a dataset's own counts there, and `repo_id` elsewhere.
    names = _NAMES if given["dataset_id"] is None else reversed(_NAMES)
    found = next((given[name] for name in names if given[name]), None)
    if found is None:
        raise invalid("Neither model_id nor repo_id says which repository: owner/name")
    return str(found)


def _patterns(given: object) -> list[str] | None:
    """Return patterns as the SDK reads them: what is no text is no pattern, and none is no wish."""
    listed = [given] if isinstance(given, str) else list(given) if isinstance(given, Iterable) else []
    found = [one for one in listed if isinstance(one, str) and one.replace(",", " ").strip()]
    return found or None
