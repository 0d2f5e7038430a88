"""The installer's command line: `python3 kit.zip`, `python3 install.py kit.zip`, or from the folder of an unpacked kit.

Exit codes: 0 done, 1 the kit or the disk cannot be used, 2 wrong usage, another Python or another system.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mirrorhub.bundle.kit.archive import MANIFEST, FolderKit, ZipKit, open_kit
from mirrorhub.bundle.kit.caches import Caches, Seat, caches_of, seat_of
from mirrorhub.bundle.kit.checking import check_members, verify_members
from mirrorhub.bundle.kit.contents import Contents, KitModel, KitWheels, read_contents
from mirrorhub.bundle.kit.noting import write_note
from mirrorhub.bundle.kit.placing import clear, publish, stage
from mirrorhub.bundle.kit.project import check_lock, place_lock
from mirrorhub.bundle.kit.python import check_fits, default_python, interpreter_of
from mirrorhub.bundle.kit.wheels import Environment, are_installed, install_wheels, unpack, work_folder
from mirrorhub.bundle.kit.words import LANGUAGES, KitError, language_of, shown_text, size_text, told


class Say(Protocol):
    """Tells somebody: one of `WORDS`, with its values."""

    def __call__(self, key: str, **values: object) -> None:
        """Tell it."""


@dataclass(frozen=True)
class Wish:
    """What is to be done with a kit.

    Attributes:
        kit: Where it is.
        caches: Where models go.
        sha256: What its manifest's digest has to be.
        venv: An environment for the wheels, made if it is not there.
        python: The Python of an environment that is there, instead.
        models: Models are installed.
        wheels: Wheels are.
        lock_to: A folder that the kit's lock file is to be put into.
    """

    kit: str
    caches: Caches
    sha256: str | None = None
    venv: str | None = None
    python: str | None = None
    models: bool = True
    wheels: bool = True
    lock_to: str | None = None


def install(wish: Wish, say: Say) -> Contents:
    """Install a kit: all of it is checked before any of it is published.

    Raises:
        KitError: It is not what it should be, or cannot be installed here.
    """
    kit, contents = opened_kit(wish.kit, wish.sha256)
    try:
        tell_contents(contents, say)
        if wish.lock_to is not None:
            check_lock(contents, Path(wish.lock_to))
        wheels = contents.wheels if wish.wheels else None
        environment = _environment_for(wish, wheels) if wheels else None
        seats = [seat_of(model, wish.caches, contents.sha256) for model in contents.models if wish.models]
        staged = stage(kit, contents, seats)
        verify_members(kit, contents, lambda member: member.kind not in ("model", "wheel"))
        is_done = wheels is None or environment is None or _is_installed(wheels, environment)
        if not is_done:
            unpack(kit, contents, work_folder(os.environ, contents.sha256))
        say("checked")
        for one in staged:
            publish(one)
            write_note(one.seat, contents.sha256)
            clear(one.seat)
            _tell_placed(one.seat, len(one.missing), say)
        if wheels is not None and environment is not None:
            _install_wheels(contents, wheels, environment, say, is_done=is_done)
        if wish.lock_to is not None:
            lock = place_lock(kit, contents, Path(wish.lock_to))
            if lock is not None:
                say("lock_placed", place=lock)
    except OSError as error:
        raise KitError("disk", error.filename or wish.kit, reason=error.strerror or str(error)) from error
    finally:
        kit.close()
    return contents


def verify(path: str, sha256: str | None, say: Say) -> Contents:
    """Compare every member of a kit with its manifest; nothing is written.

    Raises:
        KitError: It is not what it should be.
    """
    kit, contents = opened_kit(path, sha256)
    try:
        tell_contents(contents, say)
        say("verified", count=verify_members(kit, contents) + 1)
    except OSError as error:
        raise KitError("disk", error.filename or path, reason=error.strerror or str(error)) from error
    finally:
        kit.close()
    return contents


def opened_kit(path: str, sha256: str | None) -> tuple[ZipKit | FolderKit, Contents]:
    """Open a kit and read its manifest; its members are those that are listed, of these sizes.

    Raises:
        KitError: It is not what it should be.
    """
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise KitError("bad_sha256", code=2)
    try:
        kit = open_kit(path)
        try:
            contents = read_contents(kit, sha256)
            check_members(kit, contents)
        except BaseException:
            kit.close()
            raise
    except OSError as error:
        raise KitError("disk", error.filename or path, reason=error.strerror or str(error)) from error
    return kit, contents


def tell_contents(contents: Contents, say: Say) -> None:
    """Say what is in a kit."""
    say("reading", digest=contents.sha256, maker=contents.maker)
    for model in contents.models:
        size = sum(file.size or 0 for file in model.shipped)
        voucher = " ".join(model.voucher).strip()
        say("has_model", name=model.name, files=len(model.shipped), size=size_text(size), voucher=voucher)
    if contents.wheels is not None:
        wheels, size = contents.wheels, sum(one.size for one in contents.members.values() if one.kind == "wheel")
        platform = ", ".join(wheels.platforms)
        count = len(wheels.packages)
        say("has_wheels", count=count, size=size_text(size), python=wheels.python, platform=platform)


def main(arguments: Sequence[str] | None = None, here: str = "") -> int:
    """Run the command line; return the exit code.

    Args:
        arguments: What was typed.
        here: Where this script lies, which may be in a kit.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    options = _parser().parse_args(arguments)
    language = language_of(options.lang)

    def say(key: str, **values: object) -> None:
        sys.stdout.write(shown_text(told(key, language, **values)) + "\n")
        sys.stdout.flush()

    try:
        return _carry_out(options, here, say)
    except KitError as error:
        sys.stderr.write(f"install: {error.told(language)}\n")
        return error.code
    except KeyboardInterrupt:
        sys.stderr.write(told("interrupted", language) + "\n")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141


def _carry_out(options: argparse.Namespace, here: str, say: Say) -> int:
    path = options.kit or (here if here and _holds_kit(here) else None)
    if path is None:
        raise KitError("not_said", code=2)
    if options.verify_only:
        verify(path, options.sha256, say)
        return 0
    caches = caches_of(os.environ, options.modelscope_cache, options.huggingface_cache)
    venv, python = options.venv, options.python
    wish = Wish(
        path, caches, options.sha256, venv, python, not options.no_models, not options.no_wheels, options.lockfile_to
    )
    contents = install(wish, say)
    _tell_caches(caches, contents.models, say)
    return 0


def _parser() -> argparse.ArgumentParser:
    about = "Install an offline kit / 安装离线包"
    # An option that is not known here must not be taken for a longer one: --lockfile for --lockfile-to.
    parser = argparse.ArgumentParser("install.py", description=about, allow_abbrev=False)
    parser.add_argument("kit", nargs="?", help="kit.zip, or the folder where it was unpacked / 离线包或解压后的文件夹")
    parser.add_argument("--modelscope-cache", metavar="DIR", help="instead of MODELSCOPE_CACHE or ~/.cache/modelscope")
    parser.add_argument("--huggingface-cache", metavar="DIR", help="instead of HF_HUB_CACHE or HF_HOME/hub")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--venv", metavar="DIR", help="install the wheels here; made if need be / 安装到这个虚拟环境")
    place.add_argument("--python", metavar="EXE", help="install them for this Python / 安装到这个 Python")
    parser.add_argument("--no-wheels", action="store_true", help="models only / 只安装模型")
    parser.add_argument("--no-models", action="store_true", help="wheels only / 只安装 wheel")
    parser.add_argument("--verify-only", action="store_true", help="check everything, write nothing / 只验证，不写入")
    parser.add_argument("--sha256", metavar="X", help="as printed where it was made / 制作时输出的 sha256")
    parser.add_argument("--lockfile-to", metavar="DIR", help="put mirrorhub.lock there / 放置 mirrorhub.lock")
    parser.add_argument("--lang", choices=LANGUAGES, help="language / 语言")
    return parser


def _holds_kit(path: str) -> bool:
    return Path(path).is_file() or Path(path, MANIFEST).is_file()


def _environment_for(wish: Wish, wheels: KitWheels) -> Environment:
    """Find the Python that wheels are to be installed for, and whether they can be."""
    python, venv = default_python(wish.venv, wish.python, wish.kit)
    found = interpreter_of(python)
    check_fits(wheels, found)
    return Environment(found, venv)


def _is_installed(wheels: KitWheels, environment: Environment) -> bool:
    return environment.venv is None and are_installed(wheels, environment.python.path)


def _install_wheels(
    contents: Contents, wheels: KitWheels, environment: Environment, say: Say, *, is_done: bool
) -> None:
    if is_done:
        say("installed_already", python=environment.python.path)
        return
    if environment.venv is not None:
        say("making_venv", place=environment.venv)
    python = install_wheels(contents, wheels, work_folder(os.environ, contents.sha256), environment)
    say("installed", count=len(wheels.packages), python=python)
    say("run_with", python=python)


def _tell_placed(seat: Seat, count: int, say: Say) -> None:
    if count:
        say("placed", name=seat.model.name, count=count, place=seat.target)
    else:
        say("placed_already", name=seat.model.name, place=seat.target)


def _tell_caches(caches: Caches, models: Sequence[KitModel], say: Say) -> None:
    """Say what programs need to be told where the models lie somewhere else than they look."""
    usual, hubs = _usual_caches(), {model.hub for model in models}
    told_of = []
    if "modelscope" in hubs and (usual is None or caches.modelscope != usual.modelscope):
        told_of.append(f"MODELSCOPE_CACHE={caches.modelscope}")
    if "huggingface" in hubs and (usual is None or caches.huggingface != usual.huggingface):
        told_of.append(f"HF_HUB_CACHE={caches.huggingface}")
    if told_of:
        say("say_caches", assignments=" ".join(told_of))


def _usual_caches() -> Caches | None:
    try:
        return caches_of(os.environ)
    except KitError:
        return None
