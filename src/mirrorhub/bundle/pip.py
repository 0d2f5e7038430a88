"""The user's own pip: with every index, proxy and certificate they configured, and the target's environment markers.

pip takes `python_version < "3.11"` and `sys_platform` from the Python that it runs on, also where it collects wheels
for another one. So it is given the target's values before it starts; should a later pip keep them elsewhere, `closure`
finds what is missing.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from mirrorhub.bundle.target import Target
from mirrorhub.config import Settings
from mirrorhub.credentials import installer_environment
from mirrorhub.errors import BundleError, ConfigError
from mirrorhub.http.redact import redact

_PROGRAM = """
import json, runpy, sys
values = json.loads(sys.argv.pop(1))
try:
    from pip._vendor.packaging import markers
    known = {**markers.default_environment(), **values}
    markers.default_environment = lambda: dict(known)
except Exception:
    pass
sys.argv[0] = "pip"
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
_QUIET = ("--quiet", "--no-input", "--disable-pip-version-check")
_OTHER_PYTHON = re.compile(r"Package '([^']+)' requires a different Python: (\S+) not in '([^']+)'")
_NONE_FOUND = re.compile(r"No matching distribution found for ([^\s(;]+)")


@dataclass(frozen=True, slots=True)
class Sources:
    """Where wheels may come from, beside what pip is configured to.

    Attributes:
        index: Instead of the configured index.
        extra: Beside it.
        links: Folders, or pages, with wheels.
    """

    index: str | None = field(default=None, repr=False)
    extra: tuple[str, ...] = field(default=(), repr=False)
    links: tuple[str, ...] = field(default=(), repr=False)

    def environment(self) -> dict[str, str]:
        """Return what pip's environment says of them: an address may hold a password, and arguments can be seen."""
        said = installer_environment(os.environ, Settings.load().own_tokens.keys())
        if self.index:
            said["PIP_INDEX_URL"] = self.index
        if self.extra:
            said["PIP_EXTRA_INDEX_URL"] = " ".join((*said.get("PIP_EXTRA_INDEX_URL", "").split(), *self.extra))
        if pages := [link for link in self.links if "://" in link]:
            said["PIP_FIND_LINKS"] = " ".join((*said.get("PIP_FIND_LINKS", "").split(), *pages))
        return said

    def options(self) -> list[str]:
        """Return what pip's arguments say of them: the folders."""
        return [part for link in self.links if "://" not in link for part in ("--find-links", link)]


def run_pip(arguments: Sequence[str], sources: Sources, target: Target | None = None) -> None:
    """Let pip do something.

    Raises:
        ConfigError: There is no pip.
        BundleError: It failed.
    """
    if importlib.util.find_spec("pip") is None:
        raise ConfigError(
            "Wheels are collected by pip, and this environment has none: `python -m ensurepip` brings it."
        )
    markers = json.dumps(target.environments()[0] if target and not target.is_here else {})
    verb, *rest = arguments
    done = subprocess.run(
        # -P: nothing is imported from the folder that happens to be the current one; -I would lose the user's own pip.
        [sys.executable, "-P", "-c", _PROGRAM, markers, verb, *_QUIET, *sources.options(), *rest],
        env=sources.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise _error(redact(done.stdout), target)


def _error(output: str, target: Target | None) -> BundleError:
    if match := _NONE_FOUND.search(output):
        where = f" for {target}" if target else ""
        if match[1] == "mirrorhub":
            advice = "give its checkout, or its wheel: --wheels /path/to/mirrorhub, or --find-links with their folder"
            return BundleError("mirrorhub", f"no wheel of it was found{where}; {advice}")
        return BundleError(
            match[1],
            f"no wheel of it was found{where}. Nothing is built for another machine: name a version that has one "
            f"({match[1]}==...), another --platform (manylinux_2_28_x86_64), or --index or --find-links where there is "
            f"one; or build it there with `pip wheel {match[1]}` and give the folder with --find-links",
        )
    if match := _OTHER_PYTHON.search(output):
        # Older releases of pip hold some packages to the Python that runs them, whatever they were told.
        is_pips_own = target is not None and not match[2].startswith(f"{target.python}.")
        upgrade = f"; this pip takes {match[2]} for it: `{sys.executable} -m pip install --upgrade pip`"
        advice = upgrade if is_pips_own else "; name a version of it that is for this one, or another --python"
        return BundleError(match[1], f"needs Python {match[3]}, and the kit is for {target}{advice}")
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")] or lines[-1:]
    conflict = [line for line in lines if " depends on " in line or "requested" in line]
    return BundleError("pip", "; ".join([*errors, *conflict])[:1000] or "it failed and said nothing")
