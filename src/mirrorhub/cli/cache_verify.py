"""`mirrorhub cache verify`: hash everything that we published, and bring again what is not right."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from mirrorhub.cli.cache_folders import cache_option, nothing_in, settings_for
from mirrorhub.cli.cache_rows import counted, shown, size_words

if TYPE_CHECKING:
    from mirrorhub.cache.inventory import StoredRepo
    from mirrorhub.cache.selection import Selected
    from mirrorhub.cache.verification import Finding, Verdict

DONE_IN_PART = 5


@click.command()
@click.argument("repos", nargs=-1, metavar="[REPO]...")
@cache_option
@click.option("--repair", is_flag=True, help="Put aside what is damaged, and bring it again.")
@click.option("--endpoint", "endpoints", multiple=True, help="With --repair: an endpoint of the chain; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(
    repos: tuple[str, ...], cache_dir: str | None, repair: bool, endpoints: tuple[str, ...], as_json: bool
) -> int:
    """Compare every file with its digest; exit code 5 where one is damaged or missing.

    A file that no listing has is told of and is no damage. What an SDK stored bears no digests and is left out.
    """
    from mirrorhub.cache.selection import selected

    settings = settings_for(cache_dir)
    selection = selected(settings, repos)
    verdicts = _verdicts(selection)
    mended = [_mended(repo, one, cache_dir, endpoints) if repair else None for repo, one in verdicts]
    if as_json:
        records = [_record(repo, one, error) for (repo, one), error in zip(verdicts, mended, strict=True)]
        click.echo(json.dumps(records, ensure_ascii=False, indent=2))
    else:
        for (repo, one), error in zip(verdicts, mended, strict=True):
            _tell(repo, one, repair, error)
        _tell_the_rest(selection)
        if not any(snapshots for _, snapshots in selection):
            click.echo(nothing_in(settings) if not selection else "No snapshot is there.")
    broken = [
        error for (_, one), error in zip(verdicts, mended, strict=True) if one.is_damage and (error or not repair)
    ]
    return DONE_IN_PART if broken else 0


def _verdicts(selection: list[Selected]) -> list[tuple[StoredRepo, Verdict]]:
    from mirrorhub.cache.verification import Verification, size_to_read

    chosen = [(repo, one) for repo, snapshots in selection for one in snapshots if one.ours or one.unreadable]
    size = size_to_read(one for _, one in chosen)
    if not size:
        verification = Verification(lambda _: None)
        return [(repo, verification.verify(repo, one)) for repo, one in chosen]
    with click.progressbar(length=size, label=f"{size_words(size)} to read", file=sys.stderr) as bar:
        verification = Verification(bar.update)
        return [(repo, verification.verify(repo, one)) for repo, one in chosen]


def _mended(repo: StoredRepo, verdict: Verdict, cache_dir: str | None, endpoints: tuple[str, ...]) -> str | None:
    """Bring again what is lost; return what went wrong."""
    from mirrorhub.cache.verification import repair
    from mirrorhub.errors import ChainError, MirrorHubError

    if verdict.snapshot.unreadable:
        return _written_anew(repo)
    if not verdict.lost:
        return None
    try:
        repair(repo, verdict, cache_dir, {"endpoints": endpoints} if endpoints else {})
    except MirrorHubError as error:
        # Who had given it may be in no chain of today.
        hint = f"\n{_whom_to_name(verdict)}" if isinstance(error, ChainError) and not endpoints else ""
        return f"{error}{hint}"
    return None


def _whom_to_name(verdict: Verdict) -> str:
    givers = dict.fromkeys(origin for finding in verdict.findings for origin in finding.origins)
    came = f"It had come from {', '.join(givers)}: name" if givers else "Name"
    return f"{came} an endpoint that has it with --endpoint."


def _written_anew(repo: StoredRepo) -> str:
    """Say how a note that cannot be read is replaced: what was wanted of the repository stood only there."""
    what = f"... --local-dir {repo.home}" if repo.plain else repo.address
    return f"`mirrorhub download {what}` compares what is there with a fresh listing, and writes the note anew"


def _tell(repo: StoredRepo, verdict: Verdict, repaired: bool, error: str | None) -> None:
    name = f"{repo.address}@{', '.join(verdict.snapshot.revisions)}"
    told = "nothing says what its files should be"
    if not verdict.snapshot.unreadable:
        told = f"{counted(verdict.checked, 'file', 'files')} right"
    if verdict.bare:
        told += f", {verdict.bare} without a digest as they were"
    click.echo(f"{shown(name)}: {told}")
    for finding in verdict.findings:
        click.echo(f"  {_line(finding)}")
    if error:
        click.echo(shown_lines(error), err=True)
    elif verdict.snapshot.unreadable:
        click.echo(f"  {shown(_written_anew(repo))}")
    elif verdict.lost and repaired:
        click.echo("  brought again; what was damaged is put aside: see `mirrorhub cache list`")
    elif verdict.lost:
        click.echo("  `mirrorhub cache verify --repair` puts aside what is damaged, and brings it again")


def shown_lines(text: str) -> str:
    """Write a message of several lines, each so that it can do nothing to a terminal."""
    return "\n".join(f"  {shown(line)}" for line in text.splitlines())


def _line(finding: Finding) -> str:
    path = shown(finding.path)
    if finding.problem == "unreadable":
        return f"damaged: its note cannot be read: {path}"
    if finding.problem == "extra":
        return f"extra: {path}: there, and in no listing"
    origin = f"; it came from {', '.join(map(shown, finding.origins))}" if finding.origins else ""
    if finding.problem == "missing":
        return f"missing: {path}{origin}"
    actual = finding.actual or "another size or time"
    return f"damaged: {path}: {shown(finding.expected)} was vouched for, {actual} is there{origin}"


def _tell_the_rest(selection: list[Selected]) -> None:
    others = sum(not one.ours and not one.unreadable for _, snapshots in selection for one in snapshots)
    if others == 1:
        click.echo("1 snapshot is not ours: an SDK stored it, and nothing says what it should be")
    elif others:
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
                "expected": shown(one.expected),
                "actual": one.actual,
                "from": [shown(origin) for origin in one.origins],
            }
            for one in verdict.findings
        ],
        "error": error and shown_lines(error),
    }
