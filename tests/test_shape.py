"""The shape of the package: what imports what, what importing costs, what is public, and that all of it is told."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mirrorhub
from mirrorhub import fetch
from tests.fakehub import FakeHub, Repo

ROOT = Path(mirrorhub.__file__).parent
TESTS = Path(__file__).parent

# From the bottom to the top: a module imports only what stands before it.
ORDER = (
    "paths models errors http http.redact repo_names",
    "faults rawfile flock records pickled digest plan spans secret credentials progress owner",
    "ours partial partials together",
    "report report.tally report.logbook stopwatch",
    "health.impressions health.memory health.ledger health health.preference",
    "lockfile lockfile.finding lockfile.comparing lockfile.writing lockfile.turns tables config",
    "hubs hubs.aliases hubs.listing lockfile.reading",
    "endpoints chain.verdicts chain.beat chain.standing chain chain.errand chain.race chain.handover chain.walk",
    "refusals diagnosis",
    "http.origin http.timing http.causes http.request http.head http.backoff",
    "http.curl_options http.curl_causes http.curl_silence http.curl_multi http.curl_transfer http.curl_lane http.curl",
    "http.hushed http.plain http.carrier http.route http.packed http.names http.reach http.client",
    "lane hubs.pages hubs.envelope hubs.folders hubs.narrow hubs.looks",
    "hubs.modelscope hubs.huggingface hubs.wheel hubs.registry",
    "pinned contacts health.findings",
    "transfer.budget transfer.lanes",
    "health.revival",
    "stores stores.disk exclusive stores.seen stores.notes stores.publish",
    "stores.aside stores.healing stores.trash stores.leftovers stores.elsewhere stores.books stores.marks",
    "stores.folder stores.local stores.older stores.modelscope stores.huggingface stores.registry stores.fitting",
    "report.discretion report.shelf report.account",
    "strays recall listings resolver asking lookup departure doubt stale",
    "transfer.suspect transfer.provenance transfer.writing transfer.piece transfer.pieces transfer.intake",
    "transfer.pace transfer seat planning preview publication snapshot",
    "bench bench.saving bench.comparison bench.rates bench.flow bench.visit bench.rounds bench.keeping",
    "bench.outlook",
    "loop",
    "vad.tensors vad.samples vad.decode vad.features vad.mix vad.audio vad.weights vad.options vad.scores vad.segments",
    "vad.detector vad",
    "arguments call api lockfile.locking lockfile.checking",
    "faces faces.submodules faces.signatures faces.raised faces.fitting",
    "faces.hf_errors faces.hf_bars faces.hf_arguments faces.hf_preview faces.hf",
    "huggingface_hub faces.ms_errors faces.ms_arguments faces.ms_disk faces.ms_types faces.ms modelscope",
    "routing routing.detour routing.question routing.reply routing.inquiry routing.sessions",
    "routing.hub_api routing.routes routing.installation",
    "startup.sitecustomize",
    "cache cache.inventory cache.selection cache.verification cache.pruning",
    "bundle bundle.kit bundle.kit.words bundle.kit.archive bundle.kit.contents bundle.kit.checking bundle.kit.caches",
    "bundle.kit.placing bundle.kit.project bundle.kit.noting bundle.kit.python bundle.kit.wheels bundle.kit.script",
    "bundle.joined bundle.target bundle.pip bundle.requirements bundle.closure bundle.packing bundle.models",
    "bundle.readme bundle.creation bundle.checked",
    "cli.source cli.table cli.page cli.page_file cli.bench_page cli.bench_table cli.bench",
    "cli.endpoints_table cli.endpoints",
    "cli.cache_folders cli.cache_rows cli.cache_verify cli.cache_prune cli.cache cli.config",
    "cli.naming cli.lock_arguments cli.lock_report cli.lock",
    "cli.spelling cli.token_option cli.order cli.dry_run cli.download cli.vad",
    "cli.warmup cli.run",
    "cli.bundle",
    "cli.why_errors cli.why_words cli.why_sheets cli.why_view cli.why_text cli.why_page cli.why cli __main__",
)
LAYERS = [module for layer in ORDER for module in layer.split()]

HEAVY = ("httpx", "numpy", "modelscope", "modelscope_hub", "huggingface_hub", "curl_cffi", "click", "rich", "asyncio")

PUBLIC = [
    "Endpoint",
    "Manifest",
    "Segment",
    "Settings",
    "Snapshot",
    "afetch",
    "afile_download",
    "aload_vad",
    "aresolve",
    "asnapshot_download",
    "close",
    "errors",
    "fetch",
    "file_download",
    "install",
    "load_vad",
    "resolve",
    "snapshot_download",
    "uninstall",
]


def name_of(path: Path) -> str:
    """The module's name below the package; of the package itself, nothing."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix("__init__").removesuffix(".")


MODULES = {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(ROOT.rglob("*.py"))}


def imported(tree: ast.Module) -> Iterator[str]:
    """Every module that is imported anywhere in a module, in functions, too; `a.b` also for `from a import b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(tree: ast.Module) -> set[str]:
    """The modules of this package that a module imports, by their names below it."""
    found = set()
    for name in imported(tree):
        parts = name.split(".")
        if parts[0] == "mirrorhub":
            below = [".".join(parts[1:end]) for end in range(len(parts), 1, -1)]
            found.update([module for module in below if module in MODULES][:1])
    return found


def theirs(tree: ast.Module) -> set[str]:
    """The foreign packages that a module imports."""
    return {name.partition(".")[0] for name in imported(tree)} - {"mirrorhub"}


def test_the_list_is_whole() -> None:
    """Every module has its place in the list, and every place a module."""
    assert sorted(LAYERS) == sorted(name for name in MODULES if name)


@pytest.mark.parametrize("module", [name for name in MODULES if name])
def test_imports_point_downwards(module: str) -> None:
    """A module imports only what stands before it in the list, in its functions, too: there is no cycle anywhere."""
    before = set(LAYERS[: LAYERS.index(module)])
    assert ours(MODULES[module]) - before == set()


def test_who_imports_what_is_heavy() -> None:
    """Each foreign library has one home: HTTP, libcurl, terminals and arrays stay where they belong."""
    users = {package: {name for name, tree in MODULES.items() if package in theirs(tree)} for package in HEAVY}
    assert {name for name in users["httpx"] if not name.startswith("http.")} == set()
    assert {name for name in users["curl_cffi"] if not name.startswith("http.curl")} == set()
    assert {name for name in users["numpy"] if not name.startswith("vad")} == set()
    assert {name for name in users["click"] | users["rich"] if not name.startswith("cli")} == set()
    sdks = users["modelscope"] | users["huggingface_hub"] | users["modelscope_hub"]
    assert {name for name in sdks if not name.startswith(("faces.", "routing."))} <= {
        "cli.config",
        "huggingface_hub",
        "modelscope",
    }


def run(program: str, *arguments: str) -> object:
    """Run a program in another process; return what it says last, as JSON."""
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_what_importing_costs() -> None:
    """`import mirrorhub` brings in nothing that is heavy, and `dir` shows the names all the same."""
    program = (
        "import json, sys, mirrorhub; names = dir(mirrorhub); "
        f"print(json.dumps([[m for m in {HEAVY} if m in sys.modules], sorted(set(mirrorhub.__all__) - set(names))]))"
    )
    assert run(program) == [[], []]


def test_what_a_hit_costs() -> None:
    """A call that is answered from disk imports no HTTP library, no event loop and neither of the SDKs."""
    with FakeHub([Repo("modelscope", "org/name", {"a.txt": b"a"})]) as hub:
        path = fetch("org/name", endpoints=hub.url).path
    program = (
        "import json, sys, mirrorhub; path = mirrorhub.snapshot_download('org/name', local_files_only=True); "
        f"print(json.dumps([path, [m for m in {HEAVY} if m in sys.modules]]))"
    )
    assert run(program) == [str(path), []]


def test_the_public_names() -> None:
    """These are the public names; each can be had, and no other is promised."""
    assert mirrorhub.__all__ == PUBLIC
    assert [name for name in PUBLIC if getattr(mirrorhub, name, None) is None] == []
    with pytest.raises(AttributeError, match="no attribute 'downlaod'"):
        mirrorhub.downlaod  # noqa: B018


def definitions(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Every public function and class of a module, and the public methods of these classes."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from definitions(node.body)


@pytest.mark.parametrize("module", list(MODULES))
def test_everything_public_is_told(module: str) -> None:
    """Every module, public function, class and method has a docstring."""
    tree = MODULES[module]
    assert ast.get_docstring(tree)
    assert [node.name for node in definitions(tree.body) if not ast.get_docstring(node)] == []


FILES = sorted(TESTS.rglob("test_*.py"))


@pytest.mark.parametrize("file", FILES, ids=[file.relative_to(TESTS).as_posix() for file in FILES])
def test_every_test_states_a_fact(file: Path) -> None:
    """Every test has a docstring: read one after the other, they say what this library does."""
    tests = (
        node
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )
    assert [node.name for node in tests if not ast.get_docstring(node)] == []


def test_nothing_is_printed() -> None:
    """Only the command line prints."""
    printing = {
        name
        for name, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert {name for name in printing if not name.startswith("cli")} == set()
