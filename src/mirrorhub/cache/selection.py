"""Which of what lies in the caches is meant: `owner/name`, `hf://owner/name@revision`, or a folder.

A folder is written as one: `/data/model`, `./model`, `~/model`. What is named only like a repository is that one, even
where a folder happens to lie here under the same name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from mirrorhub.cache.inventory import StoredRepo, StoredSnapshot, stored_folder, stored_repos
from mirrorhub.config import Settings
from mirrorhub.errors import ConfigError

_SHORT = {"modelscope": "ms", "huggingface": "hf"}
"""What the command line calls a hub, by the name that stands in messages and reports."""
Selected = tuple[StoredRepo, tuple[StoredSnapshot, ...]]


def selected(settings: Settings, names: Iterable[str]) -> list[Selected]:
    """Return what is named; without a name, everything in both caches.

    Raises:
        ConfigError: Something is named that is not there.
    """
    named = tuple(dict.fromkeys(names))
    repos = stored_repos(settings)
    if not named:
        return [(repo, repo.snapshots) for repo in repos]
    # Each repository once, or what is named twice would be counted twice.
    found: dict[Path, Selected] = {}
    for name in named:
        folder = _folder(name) if _is_folder(name) else None
        for repo, snapshots in [folder] if folder else _in_cache(name, repos):
            _, before = found.get(repo.home, (repo, ()))
            found[repo.home] = repo, (*before, *(one for one in snapshots if one not in before))
    return list(found.values())


def _is_folder(name: str) -> bool:
    """Whether a name is written as a folder: no repository's begins with a dot."""
    return name.startswith((".", "~")) or Path(name).is_absolute()


def _folder(name: str) -> Selected | None:
    folder = Path(name).expanduser().absolute()
    repo = stored_folder(folder) if folder.is_dir() else None
    return (repo, repo.snapshots) if repo else None


def _in_cache(name: str, repos: Sequence[StoredRepo]) -> list[Selected]:
    """Return what is called so: more than one folder, where an older modelscope has left one, too."""
    address, mark, revision = name.partition("@")
    long, _, rest = address.partition(":")
    if "://" not in address:
        address = f"{_SHORT[long]}://{rest}" if long in _SHORT else f"ms://{address}"
    named = (
        (repo, tuple(one for one in repo.snapshots if not mark or _is_called(one, revision)))
        for repo in repos
        if repo.address == address
    )
    if found := [(repo, snapshots) for repo, snapshots in named if snapshots or not mark]:
        return found
    raise ConfigError(f"nothing in the caches is called {name!r}: {_hint(name, repos)}")


def _is_called(snapshot: StoredSnapshot, revision: str) -> bool:
    short = len(revision) >= 7 and len(snapshot.name) == 40 and snapshot.name.startswith(revision)
    return short or revision in (snapshot.name, *snapshot.revisions)


def _hint(name: str, repos: Sequence[StoredRepo]) -> str:
    import difflib  # only on the way to an error

    if "://" not in name and not _is_folder(name) and _folder(f"./{name}"):
        return f"a folder here is called so; write ./{name} if you mean it"
    addresses = [repo.address for repo in repos]
    bare = name.partition("://")[2] or name
    same = [address for address in addresses if address.partition("://")[2] == bare.partition("@")[0]]
    close = same or difflib.get_close_matches(name, addresses, n=1)
    return f"did you mean {close[0]}?" if close else "`mirrorhub cache list` shows what is there"
