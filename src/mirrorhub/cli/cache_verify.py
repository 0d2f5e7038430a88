"""`mirrorhub cache verify`: hash everything that we published, and bring again what is not right."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from mirrorhub.cli.cache_rows import shown, size_words

if TYPE_CHECKING:
    from mirrorhub.cache.inventory import StoredRepo
    from mirrorhub.cache.selection import Selected
    from mirrorhub.cache.verification import Finding, Verdict

DONE_IN_PART = 5


@click.command()
@click.argument("repos", nargs=-1, metavar="[REPO]...")
@click.option("--repair", is_flag=True, help="Put aside what is damaged, and bring it again.")
@click.option("--endpoint", "endpoints", multiple=True, help="With --repair: an endpoint of the chain; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(repos: tuple[str, ...], repair: bool, endpoints: tuple[str, ...], as_json: bool) -> int:
    """Compare every file with its digest; exit code 5 where one is damaged or missing.

    A file that no listing has is told of and is no damage. What an SDK stored bears no digests and is left out.
    """
    from mirrorhub.cache.selection import selected
    from mirrorhub.config import Settings

    selection = selected(Settings.load(), repos)
    verdicts = _verdicts(selection)
    mended = [_repaired(repo, verdict, endpoints) for repo, verdict in verdicts] if repair else [None] * len(verdicts)
    if as_json:
        records = [_record(repo, one, error) for (repo, one), error in zip(verdicts, mended, strict=True)]
        click.echo(json.dumps(records, ensure_ascii=False, indent=2))
    else:
        for (repo, one), error in zip(verdicts, mended, strict=True):
            _tell(repo, one, repair, error)
        _tell_the_rest(selection)
    broken = [error for (_, one), error in zip(verdicts, mended, strict=True) if one.lost and (error or not repair)]
    return DONE_IN_PART if broken else 0


def _verdicts(selection: list[Selected]) -> list[tuple[StoredRepo, Verdict]]:
    from mirrorhub.cache.verification import Verification, size_to_read

    chosen = [(repo, one) for repo, snapshots in selection for one in snapshots if one.ours]
    size = size_to_read(one for _, one in chosen)
    with click.progressbar(length=size, label=f"{size_words(size)} to read", file=sys.stderr) as bar:
        verification = Verification(bar.update)
        return [(repo, verification.verify(repo, one)) for repo, one in chosen]


def _repaired(repo: StoredRepo, verdict: Verdict, endpoints: tuple[str, ...]) -> str | None:
    """Bring again what is lost; return what went wrong."""
    from mirrorhub.cache.verification import repair
    from mirrorhub.errors import MirrorHubError

    if not verdict.lost:
        return None
    try:
        repair(repo, verdict, {"endpoints": endpoints} if endpoints else {})
    except MirrorHubError as error:
        return str(error)
    return None


def _tell(repo: StoredRepo, verdict: Verdict, repaired: bool, error: str | None) -> None:
    name = f"{repo.address}@{', '.join(verdict.snapshot.revisions)}"
    told = f"{verdict.checked} files right"
    if verdict.bare:
        told += f", {verdict.bare} without a digest as they were"
    click.echo(f"{shown(name)}: {told}")
    for finding in verdict.findings:
        click.echo(f"  {_line(finding)}")
    if error:
        click.echo(shown_lines(error), err=True)
    elif verdict.lost and repaired:
        click.echo("  brought again; what was damaged is put aside: see `mirrorhub cache list`")
    elif verdict.lost:
        click.echo("  `mirrorhub cache verify --repair` puts aside what is damaged, and brings it again")


def shown_lines(text: str) -> str:
    """Write a message of several lines, each so that it can do nothing to a terminal."""
    return "\n".join(f"  {shown(line)}" for line in text.splitlines())


def _line(finding: Finding) -> str:
    path = shown(finding.path)
    if finding.problem == "extra":
        return f"extra: {path}: there, and in no listing"
    origin = f"; it came from {', '.join(map(shown, finding.origins))}" if finding.origins else ""
    if finding.problem == "missing":
        return f"missing: {path}{origin}"
    actual = finding.actual or "another size or time"
    return f"damaged: {path}: {finding.expected} was vouched for, {actual} is there{origin}"


def _tell_the_rest(selection: list[Selected]) -> None:
    others = sum(not one.ours for _, snapshots in selection for one in snapshots)
    if others:
        click.echo(f"{others} snapshots are not ours: an SDK stored them, and nothing says what they should be")


def _record(repo: StoredRepo, verdict: Verdict, error: str | None) -> dict[str, Any]:
    return {
        "repo": shown(repo.address),
        "revisions": [shown(name) for name in verdict.snapshot.revisions],
        "path": str(verdict.snapshot.path),
        "right": verdict.checked,
        "without_digest": verdict.bare,
        "findings": [
            {
                "path": shown(one.path),
                "problem": one.problem,
                "expected": one.expected,
                "actual": one.actual,
                "from": [shown(origin) for origin in one.origins],
            }
            for one in verdict.findings
        ],
        "error": error and shown_lines(error),
    }
