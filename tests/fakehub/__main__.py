"""Serve a hub by hand or for a child process: python -m tests.fakehub --repo org/name --folder DIR.

The first line of the output is JSON with the URL and the CA file. It serves until its standard input is closed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path
from typing import get_args

from tests.fakehub import FakeHub, Repo, faults
from tests.fakehub.certs import CertKind
from tests.fakehub.repo import HubName, RepoType, sample_bytes
from tests.fakehub.rules import Rule


def main(argv: list[str] | None = None) -> int:
    """Serve what the arguments say."""
    arguments = _parser().parse_args(argv)
    repos = [_repo(arguments, hub) for hub in arguments.hub or get_args(HubName)]
    with contextlib.ExitStack() as stack:
        cdn = stack.enter_context(FakeHub(repos, name="cdn", alpn=("http/1.1",))) if arguments.cdn else None
        hub = stack.enter_context(_hub(arguments, repos, cdn))
        opening = {"url": hub.url, "ca_file": str(hub.ca_file), "cdn": cdn.url if cdn else None}
        print(json.dumps(opening), flush=True)
        sys.stdin.read()
    if arguments.dump_log:
        hub.log.dump(arguments.dump_log)
    return 0


def fault_from_text(text: str) -> Rule:
    """Read a fault such as `Drip` or `Status:{"status": 503, "match": "body", "times": 2}`.

    Raises:
        AttributeError: There is no such fault.
        TypeError: It has no such field.
    """
    name, _, fields = text.partition(":")
    values = json.loads(fields or "{}")
    rule = {key: values.pop(key) for key in ("match", "times", "after") if key in values}
    return Rule(getattr(faults, name)(**values), **rule)


def _hub(arguments: argparse.Namespace, repos: list[Repo], cdn: FakeHub | None) -> FakeHub:
    return FakeHub(
        repos,
        [fault_from_text(text) for text in arguments.fault],
        token=arguments.token,
        prefix=arguments.prefix,
        cdn=cdn,
        tls=not arguments.plain,
        alpn=arguments.alpn.split(","),
        stream_limit=arguments.stream_limit,
        cert=arguments.cert,
    )


def _repo(arguments: argparse.Namespace, hub: HubName) -> Repo:
    files = _generated(arguments.generate) if arguments.folder is None else _files_of(arguments.folder)
    return Repo(hub, arguments.repo, files, repo_type=arguments.repo_type, private=arguments.private)


def _generated(shape: str) -> dict[str, bytes]:
    count, _, size = shape.partition("x")
    return {f"file-{n:06d}.bin": sample_bytes(f"file-{n}", int(size)) for n in range(int(count))}


def _files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fakehub", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--hub", action="append", choices=get_args(HubName), help="whose protocol; both by default")
    parser.add_argument("--repo", default="org/name", help="the id of the repository")
    parser.add_argument("--repo-type", default="model", choices=get_args(RepoType))
    parser.add_argument("--folder", type=Path, help="the files of the repository")
    parser.add_argument("--generate", default="10x1000", metavar="COUNTxBYTES", help="files to make up instead")
    parser.add_argument("--private", action="store_true")
    parser.add_argument("--token")
    parser.add_argument("--prefix", default="", help="the path that the hub is mounted below")
    parser.add_argument("--cdn", action="store_true", help="redirect LFS files to a second host")
    parser.add_argument("--plain", action="store_true", help="http, not https")
    parser.add_argument("--alpn", default="h2,http/1.1")
    parser.add_argument("--stream-limit", type=int, default=128)
    parser.add_argument("--cert", default="good", choices=get_args(CertKind))
    parser.add_argument("--fault", action="append", default=[], metavar="NAME[:JSON]", help="see fault_from_text")
    parser.add_argument("--dump-log", type=Path, metavar="FILE", help="where the log goes at the end, as JSON")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
