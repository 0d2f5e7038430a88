"""What an SDK asks about a repository beside its files. Pure: read from a request, and nobody is asked here.

Only what reads: the API of one repository, and the head of a file. Files themselves, uploads, accounts, searches and
everything that is not about one repository are no questions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from mirrorhub.models import HubName, Repo, RepoType

_TYPES: dict[str | None, RepoType] = {
    None: "model",
    "models": "model",
    "datasets": "dataset",
    "spaces": "space",
    "kernels": "kernel",
}
# On Hugging Face a name may stand without an owner: what follows it then is what is asked.
_ASKED = r"(?:revision|tree|refs|commits|compare|discussions|treesize|resolve)(?:[/?]|$)"
_APIS: dict[HubName, re.Pattern[str]] = {
    "huggingface": re.compile(
        rf"/api/(?P<type>models|datasets|spaces|kernels)/(?P<id>[^/?]+(?:/(?!{_ASKED})[^/?]+)?)(?P<rest>[/?].*)?"
    ),
    "modelscope": re.compile(r"/(?:open)?api/v1/(?P<type>models|datasets)/(?P<id>[^/?]+/[^/?]+)(?P<rest>[/?].*)?"),
}
_FILE = re.compile(
    r"/(?:(?P<type>datasets|spaces|kernels)/)?(?P<id>[^/?]+(?:/[^/?]+)?)/resolve/(?P<rev>[^/?]+)/(?P<path>[^?]+)"
)


@dataclass(frozen=True, slots=True)
class Question:
    """One question of an SDK.

    Attributes:
        repo: What it is about.
        home: The address that the SDK asks by itself.
        path: Path and query below an endpoint.
        token: The token that the SDK would send; False for none.
        is_existence: It asks for the repository itself, and for nothing in it.
        file: The file whose head is asked for.
        revision: The revision that is asked for, of a file.
    """

    repo: Repo
    home: str
    path: str
    token: str | bool
    is_existence: bool = False
    file: str | None = None
    revision: str | None = None


def question_of(hub: HubName, method: str, home: str, path: str, token: str | bool) -> Question | None:
    """Read a question about a repository; None for everything else that a hub can be asked.

    Args:
        hub: Whose SDK asks.
        method: How.
        home: The address that it asks.
        path: Path and query below that.
        token: What it would send.
    """
    if method == "HEAD" and hub == "huggingface" and (found := _FILE.fullmatch(path)):
        repo = Repo(hub, unquote(found["id"]), _TYPES[found["type"]])
        return Question(repo, home, path, token, file=unquote(found["path"]), revision=unquote(found["rev"]))
    found = _APIS[hub].fullmatch(path) if method == "GET" else None
    if found is None or "FilePath=" in path:
        return None
    rest = (found["rest"] or "").partition("?")[0]
    repo = Repo(hub, unquote(found["id"]), _TYPES[found["type"]])
    return Question(repo, home, path, token, is_existence=not rest.strip("/"))
