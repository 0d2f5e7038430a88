"""`mirrorhub bundle`: an offline kit, made, checked and installed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from mirrorhub.bundle.kit.words import size_text
from mirrorhub.cli.cache_rows import counted
from mirrorhub.cli.naming import parse_name
from mirrorhub.cli.source import FOLDER, given, source_options, story
from mirrorhub.cli.spelling import SpeltCommand
from mirrorhub.models import Snapshot, Wanted

if TYPE_CHECKING:
    from mirrorhub.arguments import Options
    from mirrorhub.bundle.creation import Made, WheelOrder

KIT = click.Path(path_type=Path)
_WHEEL_OPTIONS = (
    "wheels",
    "requirements",
    "python",
    "platform",
    "implementation",
    "abi",
    "index",
    "extra_index",
    "find_links",
)


@click.group(short_help="Bring models and programs to where there is no network.")
def bundle() -> None:
    """Make, check and install an offline kit: models, and the wheels of programs that use them, in one file."""


@bundle.command(cls=SpeltCommand, short_help="Make a kit.")
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@source_options
@click.option("--include", "allow_patterns", multiple=True, help="Only files that match, of every model.")
@click.option("--exclude", "ignore_patterns", multiple=True, help="No files that match.")
@click.option(
    "--wheels",
    multiple=True,
    metavar="REQUIREMENT",
    help="A package with all it needs: name, name==1.2, name[extra], a wheel, a checkout.",
)
@click.option("-r", "--requirement", "requirements", multiple=True, type=click.Path(), help="A file of requirements.")
@click.option("--python", help="The Python that the wheels are for: 3.11; without it this one.")
@click.option("--platform", multiple=True, metavar="TAG", help="The system: manylinux2014_x86_64; without it this one.")
@click.option("--implementation", metavar="TAG", help="cp, pp.")
@click.option("--abi", multiple=True, metavar="TAG", help="cp311, abi3.")
@click.option("--index", metavar="URL", help="Instead of the index that pip is configured to.")
@click.option("--extra-index", multiple=True, metavar="URL", help="Beside it.")
@click.option("--find-links", multiple=True, metavar="DIR", help="A folder of wheels, or a page that lists some.")
@click.option("-o", "--output", type=KIT, default=Path("kit.zip"), show_default=True, help="The file to write.")
@click.option("--force", is_flag=True, help="Replace it if it is there.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def create(models: tuple[str, ...], output: Path, force: bool, as_json: bool, **options: Any) -> None:
    """Fetch MODELs, collect wheels with all that they need, and write both into one file.

    MODEL is owner/name on ModelScope, hf://owner/name on Hugging Face, with @revision for one. Of a model whose digests
    are built in (FSMN-VAD) the four files come that the detector reads; @master is the whole repository.

    On the other side: `python3 kit.zip`, or `mirrorhub bundle install kit.zip`.
    """
    from mirrorhub.bundle.creation import create as make
    from mirrorhub.bundle.models import shipment_of
    from mirrorhub.bundle.packing import check_output
    from mirrorhub.config import Settings

    check_output(output, force=force)
    order = _wheel_order({name: options.pop(name) for name in _WHEEL_OPTIONS})
    brought = [_bring(model, dict(options)) for model in dict.fromkeys(models)]
    shipments = [shipment_of(snapshot, wanted, Settings.load()) for snapshot, wanted in brought]
    if order is not None and not as_json:
        click.echo(f"collecting wheels for {order.target}", err=True)
    _print(make(output, shipments, order, force=force), as_json=as_json)


@bundle.command()
@click.argument("kit", type=KIT)
@click.option("--sha256", help="What the digest has to be, as printed where the kit was made.")
@click.option("--lockfile", type=KIT, help="Compare the models with a lock file, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(kit: Path, sha256: str | None, lockfile: Path | None, as_json: bool) -> None:
    """Compare every member of KIT, a file or the folder it was unpacked to, with its digest; nothing is written."""
    from mirrorhub.bundle.checked import verified

    lines: list[str] = []
    contents = verified(kit, sha256, lockfile, lines.append)
    if as_json:
        click.echo(json.dumps({"ok": True, "kit": str(kit), **_record(contents)}, ensure_ascii=False, indent=2))
        return
    for line in lines:
        click.echo(line)


@bundle.command()
@click.argument("kit", type=KIT)
@click.option("--modelscope-cache", type=FOLDER, help="Where ModelScope's models go; without it the cache that is set.")
@click.option("--huggingface-cache", type=FOLDER, help="Where Hugging Face's go.")
@click.option("--venv", type=FOLDER, help="An environment for the wheels; made if need be.")
@click.option("--python", type=click.Path(), help="A Python for them, instead.")
@click.option("--no-wheels", is_flag=True, help="Models only.")
@click.option("--no-models", is_flag=True, help="Wheels only.")
@click.option("--sha256", help="What the digest has to be, as printed where the kit was made.")
@click.option("--lockfile", type=KIT, help="Compare the models with a lock file first.")
@click.option("--lockfile-to", type=FOLDER, help="Put the kit's mirrorhub.lock into this folder.")
def install(kit: Path, lockfile: Path | None, **options: Any) -> None:
    """Check KIT, put its models into the SDKs' caches, and its wheels into an environment. No network is used.

    Without --venv and --python the wheels go into the environment that is active, else into a new one beside you.
    """
    from mirrorhub.bundle.checked import install_kit

    if options["venv"] and options["python"]:
        raise click.UsageError("--venv and --python each say where the wheels go: only one can be given.")
    install_kit(kit, lockfile, options, click.echo)


def _wheel_order(options: dict[str, Any]) -> WheelOrder | None:
    from mirrorhub.bundle.creation import WheelOrder
    from mirrorhub.bundle.pip import Sources
    from mirrorhub.bundle.requirements import read_requirements
    from mirrorhub.bundle.target import target_of

    asked = read_requirements(options["wheels"], options["requirements"])
    target = target_of(options["python"], options["platform"], options["implementation"], options["abi"])
    if not asked:
        if stray := [name for name in _WHEEL_OPTIONS if options[name]]:
            raise click.UsageError(f"--{stray[0].replace('_', '-')} is about wheels: name some with --wheels.")
        return None
    if lost := [one for one in options["find_links"] if "://" not in one and not Path(one).exists()]:
        raise click.UsageError(f"--find-links {lost[0]}: there is no such folder.")
    sources = Sources(options["index"], options["extra_index"], options["find_links"])
    return WheelOrder(tuple(asked), target, sources)


def _bring(model: str, options: dict[str, Any]) -> tuple[Snapshot, Wanted]:
    """Fetch a model as `mirrorhub download` does; where digests are built in, they are meant without a revision."""
    from mirrorhub.api import fetch, is_pinned
    from mirrorhub.arguments import request_of
    from mirrorhub.models import PINNED

    name, revision, paths = _parted(model)
    if revision and options["revision"]:
        raise click.UsageError(f"{model} names a revision: --revision cannot stand beside it.")
    revision = revision or options.pop("revision", None)
    options.pop("revision", None)
    if revision is None and is_pinned(name, options["hub"]):
        revision = PINNED
    if paths:
        options["allow_patterns"] = (*options["allow_patterns"], *paths)
    snapshot = fetch(name, revision, **given(options))
    _tell(model, snapshot)
    patterns = given({name: options[name] for name in ("allow_patterns", "ignore_patterns")})
    return snapshot, request_of(snapshot.manifest.repo, None, cast("Options", patterns)).wanted


def _parted(model: str) -> tuple[str, str | None, Sequence[str]]:
    """Part a model's name: a plain id may have a revision behind an @, too."""
    named = parse_name(model)
    name, at, revision = named.repo.partition("@")
    path = [f"{named.path}*" if named.path.endswith("/") else named.path] if named.path else []
    return name, named.revision or (revision if at else None), path


def _tell(model: str, snapshot: Snapshot) -> None:
    for line in story(snapshot):
        click.echo(line, err=True)
    files = counted(len(snapshot.files), "file", "files")
    click.echo(f"{model}: {files}, vouched for by: {snapshot.vouched_by}", err=True)
    if not snapshot.files:
        raise click.UsageError(f"{model}: no file matches, so there is nothing to put into a kit.")
    if snapshot.stale:
        click.echo(f"{model}: nobody could be asked; this is what was on disk.", err=True)
    if not snapshot.verified:
        click.echo(f"{model}: not verified: there is no digest to compare it with, or not for all of it.", err=True)


def _print(made: Made, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(made), default=str, ensure_ascii=False, indent=2))
        return
    if made.wheels:
        click.echo(f"wheels: {' '.join(made.wheels)}", err=True)
    click.echo(f"{made.members} members, {size_text(made.size)}", err=True)
    click.echo(f"sha256 of the file: {made.sha256}", err=True)
    click.echo(f"sha256 of the manifest: {made.manifest_sha256}", err=True)
    click.echo(str(made.path))


def _record(contents: Any) -> dict[str, Any]:
    return {
        "sha256": contents.sha256,
        "made_by": contents.maker,
        "members": [asdict(member) for member in contents.members.values()],
        "models": [asdict(model) for model in contents.models],
        "wheels": contents.wheels and asdict(contents.wheels),
    }
