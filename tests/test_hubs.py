"""Both hubs' protocols in full: what each form of an answer means; a listing in parts is a whole one, or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from mirrorhub import Endpoint, errors, fetch
from mirrorhub.hubs.folders import AT_ONCE
from mirrorhub.models import RepoType, Snapshot
from tests.fakehub import FakeHub, Repo
from tests.fakehub.dialects import Form, Listed, NoErrorCode, OnePage, Relink, RootIgnored
from tests.fakehub.faults import NoContentLength, NoDigests, NoSizes, Range200, Redirect, Status, WrongSizes
from tests.fakehub.messages import Request
from tests.fakehub.repo import HubName, sample_bytes
from tests.fakehub.rules import Fault, Rule
from tests.quick import quick

FILES = {"config.json": b"{}", "empty.txt": b"", "sub/x.txt": b"x" * 3000, "model.bin": sample_bytes("model", 300_000)}
MANY = {f"d{n % 3}/s{n % 7}/{n:04d}.txt": str(n).encode() for n in range(40)}
HUBS: tuple[HubName, ...] = ("modelscope", "huggingface")


def content(snapshot: Snapshot) -> dict[str, bytes]:
    """The bytes of a snapshot's files, by their paths."""
    found = (path for path in snapshot.path.rglob("*") if path.is_file())
    return {path.relative_to(snapshot.path).as_posix(): path.read_bytes() for path in found}


def repo(hub: HubName, files: Mapping[str, bytes] = FILES, /, **options: bool) -> Repo:
    """A model."""
    return Repo(hub, "org/name", files, **options)  # type: ignore[arg-type]


def fewer(table: Mapping[str, object], *always: str) -> list[ParameterSet]:
    """Rows of a table with their ids; those that are not named come with the slow tests."""
    return [pytest.param(row, id=name, marks=() if name in always else pytest.mark.slow) for name, row in table.items()]


LINKS = {
    "absolute": '<https://{host}{path}?{query}>; rel="next"',
    "relative": '<{path}?{query}>; rel="next"',
    "only a query": '<?{query}>; rel="next"',
    "the hub's own host": '<https://huggingface.co{path}?{query}>; rel="next"',
    "over http": '<http://{host}{path}?{query}>; rel="next"',
    "the hub's own path": '<https://huggingface.co/api/models/org/name/tree/{commit}?{query}>; rel="next"',
    "no quotes": "<{path}?{query}>; rel=next",
    "several": '<https://a.test/1,2>; rel="prev", <{path}?{query}>; title="x; y"; rel="last next"',
}


@pytest.mark.parametrize("prefix", fewer({"no prefix": "", "a prefix": "/hf"}, "a prefix"))
@pytest.mark.parametrize("link", fewer(LINKS, "only a query", "the hub's own host", "over http", "several"))
def test_where_the_next_page_is(link: str, prefix: str) -> None:
    """The next page of a listing is asked for where the first one came from, whatever host a mirror passes on."""
    model = repo("huggingface", MANY)
    with FakeHub([model], page_size=9, prefix=prefix, token="secret") as hub:
        host = hub.url.removeprefix("https://").removesuffix(prefix)
        hub.set_faults(Relink(link.replace("{host}", host).replace("{commit}", model.head.id)))
        assert content(fetch("hf://org/name", endpoints=hub.url, token="secret")) == MANY
        assert hub.log.tokens_seen() == {"Bearer secret"}


def test_a_next_page_at_another_host() -> None:
    """A page that is another path of another host is followed, and told no token; one over plain http is not."""
    model = repo("huggingface", MANY)
    with FakeHub([model], page_size=9, prefix="/b") as other, FakeHub([model], page_size=9, token="secret") as hub:
        hub.set_faults(Relink(f'<{other.url}/elsewhere?{{query}}>; rel="next"'))
        with pytest.raises(errors.ResolutionError):
            fetch("hf://org/name", settings=quick(hub.url), token="secret")
        assert other.log.requests()
        assert other.log.tokens_seen() == set()
        hub.set_faults(Relink('<http://other.test/x?{query}>; rel="next"'))
        with pytest.raises(errors.ResolutionError, match="not followed"):
            fetch("hf://org/name", settings=quick(hub.url), token="secret")


ENDLESS: dict[str, tuple[HubName, RepoType, Fault]] = {
    "the same page": ("huggingface", "model", Relink('<{path}?recursive=true&expand=false>; rel="next"')),
    "every page the first": ("huggingface", "model", OnePage()),
    "every page of a data set the first": ("modelscope", "dataset", OnePage()),
}


@pytest.mark.parametrize(("hub_name", "kind", "fault"), ENDLESS.values(), ids=ENDLESS)
def test_pages_without_end(hub_name: HubName, kind: RepoType, fault: Fault) -> None:
    """A listing that never ends is found out, and is no listing."""
    files = {f"{n:04d}.txt": b"" for n in range(500)}
    with (
        FakeHub([Repo(hub_name, "org/name", files, repo_type=kind)], [fault], page_size=90) as hub,
        pytest.raises(errors.ResolutionError, match="never ends"),
    ):
        fetch("org/name", hub=hub_name, repo_type=kind, settings=quick(hub.url))


@pytest.mark.parametrize("count", fewer({str(n): n for n in (0, 1, 199, 200, 201, 400, 401)}, "0", "200", "401"))
def test_pages_of_a_data_set(count: int) -> None:
    """A data set's pages are read to the end, also where the last one is exactly full, or there is nothing."""
    files = {f"s{n % 5}/{n:04d}.txt": b"" for n in range(count)}
    with FakeHub([Repo("modelscope", "org/name", files, repo_type="dataset")]) as hub:
        snapshot = fetch("org/name", repo_type="dataset", endpoints=hub.url)
        assert content(snapshot) == files


FORMS = ["files", "list", "bare", "small", "null", "none"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", fewer({"model": "model", "dataset": "dataset"}, "model"))
@pytest.mark.parametrize("files", [FILES, {}], ids=["files", "nothing"])
def test_forms_of_a_listing(form: str, kind: RepoType, files: Mapping[str, bytes]) -> None:
    """ModelScope's listing is read in each form that its SDK reads; a repository with nothing in it is one, too."""
    model = Repo("modelscope", "org/name", files, repo_type=kind)
    with FakeHub([model], [Form(form)]) as hub:  # type: ignore[arg-type]
        assert content(fetch("org/name", repo_type=kind, endpoints=hub.url)) == files


ODD: dict[str, tuple[HubName, dict[str, object]]] = {
    "a size in digits": ("modelscope", {"Path": "odd", "Type": "blob", "Size": "3"}),
    "no type": ("modelscope", {"Path": "odd", "Size": 3}),
    "only a name": ("modelscope", {"Name": "odd"}),
    "nothing but a path": ("huggingface", {"path": "odd"}),
}
NO_FILES: dict[str, tuple[HubName, dict[str, object]]] = {
    "a submodule": ("modelscope", {"Path": "module", "Type": "commit"}),
    "a submodule of Hugging Face": ("huggingface", {"path": "module", "type": "commit", "oid": "0" * 40}),
    "a folder": ("huggingface", {"path": "folder", "type": "directory"}),
}


@pytest.mark.parametrize(("hub_name", "row"), [*ODD.values(), *NO_FILES.values()], ids=[*ODD, *NO_FILES])
def test_odd_rows(hub_name: HubName, row: dict[str, object]) -> None:
    """A row says as little as the SDKs need, or is of something that has no bytes."""
    model = repo(hub_name, {"odd": b"odd", "a.txt": b"a"})
    with FakeHub([model], [Listed(lambda rows: [*(one for one in rows if "odd" not in str(one)), row])]) as hub:
        files = {"a.txt": b"a"} | ({"odd": b"odd"} if row in [one for _, one in ODD.values()] else {})
        assert content(fetch("org/name", hub=hub_name, endpoints=hub.url)) == files


@pytest.mark.parametrize("hub_name", HUBS)
def test_a_repository_with_nothing_in_it(hub_name: HubName) -> None:
    """A repository without a file is an empty folder, and no error; the next call is answered from disk alone."""
    with FakeHub([repo(hub_name, {})]) as hub:
        snapshot = fetch("org/name", hub=hub_name, endpoints=hub.url)
        assert (snapshot.files, snapshot.path.is_dir(), content(snapshot)) == ((), True, {})


def test_folders_of_a_listing_that_was_cut_off() -> None:
    """A listing of 3,000 rows is walked folder by folder, through as many levels as it takes."""
    files = {f"a/b/{n % 2}/{n % 5}/{n:05d}.txt": b"" for n in range(3000)} | {"README.md": b"#"}
    with FakeHub([repo("modelscope", files)]) as hub:
        snapshot = fetch("org/name", endpoints=hub.url, allow_patterns="*.md")
        assert {entry.path for entry in snapshot.manifest.files} == set(files)
        asked = [(one.query.get("Root", ""), one.query["Recursive"]) for one in hub.log.requests(kind="listing")]
    whole, split = ["", "a", "a/b", "a/b/0", "a/b/1"], ["", "a", "a/b"]
    assert sorted(asked) == sorted([(root, "True") for root in whole] + [(root, "False") for root in split])


CUT: dict[str, tuple[int, list[Fault | Rule], str]] = {
    "a flat folder": (3000, [], "cuts folder 'flat' off at 3,000 entries"),
    "who does not know folders": (3100, [RootIgnored()], "tells others than those of"),
}


@pytest.mark.parametrize(("count", "faults", "words"), CUT.values(), ids=CUT)
def test_what_cannot_be_told_whole(count: int, faults: list[Fault | Rule], words: str, tmp_path: Path) -> None:
    """A part of a listing is never taken for the whole: where no walk can tell all, that is an error."""
    files = {f"flat/{n:05d}.txt": b"" for n in range(count)} | {"z/x.txt": b""}
    with (
        FakeHub([repo("modelscope", files)], faults) as hub,
        pytest.raises(errors.ResolutionError, match=words),
    ):
        fetch("org/name", settings=quick(hub.url))
    assert not list(tmp_path.glob("ms/models/*/snapshots/*"))


DENIAL = Status(403, json={"Code": 403, "Message": "access denied", "Success": False})
HICCUPS: dict[str, Fault] = {"denied": DENIAL, "broken": Status(502), "busy": Status(429), "garbled": Status(503)}


@pytest.mark.parametrize("fault", fewer(HICCUPS, "denied"))
@pytest.mark.parametrize("kind", fewer({"model": "model", "dataset": "dataset"}, "dataset"))
def test_a_hiccup_in_the_middle_of_a_listing(kind: RepoType, fault: Fault) -> None:
    """A page that fails among many is asked for again, alone, however often one does: the others are kept."""
    files = {f"s{n % 9}/{n:05d}.txt": b"" for n in range(3100)}
    model = Repo("modelscope", "org/name", files, repo_type=kind)
    rules = [Rule(fault, "listing", after=number, times=1) for number in (2, 4, 6, 8, 10, 12)]
    with FakeHub([model], rules) as hub:
        snapshot = fetch("org/name", repo_type=kind, settings=quick(hub.url), allow_patterns="none")
        assert len(snapshot.manifest.files) == 3100
        asked = [
            (one.query.get("Root", ""), one.query.get("PageNumber", ""), one.query["Recursive"])
            for one in hub.log.requests(kind="listing")
            if one.status == 200
        ]
    # Folders are listed several at a time: those that were under way beside the failed one are called off with it.
    beside = 0 if kind == "dataset" else AT_ONCE * len(rules)
    assert len(asked) <= len(set(asked)) + beside


@pytest.mark.parametrize("hub_name", HUBS)
def test_denied_from_the_first_page_on(hub_name: HubName) -> None:
    """A denial before anything was told is one: it is passed on as what it is, and the next endpoint is asked."""
    with FakeHub([repo(hub_name)], [DENIAL]) as hub, FakeHub([repo(hub_name)]) as good:
        with pytest.raises(errors.AccessDeniedError, match="give a token"):
            fetch("org/name", hub=hub_name, settings=quick(hub.url))
        assert fetch("org/name", hub=hub_name, settings=quick(hub.url, good.url)).verified


@pytest.mark.slow
def test_a_tree_of_more_pages_than_one_call_lists() -> None:
    """A tree of more than 10,000 files comes in its pages, and a page that fails is asked for again alone."""
    files = {f"{n % 100:02d}/{n:06d}": b"" for n in range(10_500)}
    with FakeHub([repo("huggingface", files)], [Rule(Status(502), "listing", after=5, times=1)], blobs=True) as hub:
        snapshot = fetch("hf://org/name", settings=quick(hub.url), allow_patterns="none")
        assert len(snapshot.manifest.files) == 10_500
        assert len(hub.log.requests(kind="listing")) == 12


Members = dict[str, tuple[HubName, dict[str, bool], list[Fault], str | None, type[Exception], str]]
REFUSALS: Members = {
    "missing": ("huggingface", {}, [], None, errors.RepoNotFoundError, "or it is private"),
    "private": ("huggingface", {"private": True}, [], None, errors.RepoNotFoundError, "give a token"),
    "private, no code": ("huggingface", {"private": True}, [NoErrorCode()], None, errors.RepoNotFoundError, "a token"),
    "private, only a body": (
        "huggingface",
        {"private": True},
        [NoErrorCode(message=False)],
        None,
        errors.RepoNotFoundError,
        "a token",
    ),
    "a wrong token": ("huggingface", {"private": True}, [], "wrong", errors.AccessDeniedError, "Invalid credentials"),
    "gated": ("huggingface", {"gated": True}, [], None, errors.AccessDeniedError, "terms must be accepted"),
    "gated, no code": ("huggingface", {"gated": True}, [NoErrorCode()], None, errors.AccessDeniedError, "terms must"),
    "gated, not let in": (
        "huggingface",
        {"gated": True, "granted": False},
        [],
        "secret",
        errors.AccessDeniedError,
        "terms must",
    ),
    "missing at ModelScope": ("modelscope", {}, [], None, errors.RepoNotFoundError, "or it is private"),
    "private at ModelScope": ("modelscope", {"private": True}, [], None, errors.RepoNotFoundError, "give a token"),
    "a wrong token at ModelScope": (
        "modelscope",
        {"private": True},
        [],
        "wrong",
        errors.AccessDeniedError,
        "Invalid access token",
    ),
    "gated at ModelScope": ("modelscope", {"gated": True}, [], None, errors.AccessDeniedError, "have no permission"),
}


@pytest.mark.parametrize(("hub_name", "options", "faults", "token", "error", "words"), REFUSALS.values(), ids=REFUSALS)
def test_who_may_not_read(
    hub_name: HubName,
    options: dict[str, bool],
    faults: list[Fault],
    token: str | None,
    error: type[Exception],
    words: str,
) -> None:
    """Missing, private, gated, with a token and without, in each form that hubs say it: the error says what to do."""
    repos = [repo(hub_name, **options)] if options else []
    with FakeHub(repos, faults, token="secret") as hub, pytest.raises(error, match=words):
        fetch("org/name", hub=hub_name, settings=quick(hub.url), token=token)


@pytest.mark.parametrize("hub_name", HUBS)
@pytest.mark.parametrize("options", [{"private": True}, {"gated": True}], ids=["private", "gated"])
def test_who_may_read(hub_name: HubName, options: dict[str, bool]) -> None:
    """A token opens what is private or gated; a mirror that knows no token is left for the next endpoint."""
    private = repo(hub_name, **options)
    with FakeHub([private], token="another") as mirror, FakeHub([private], token="secret") as hub:
        known = Endpoint(hub.url, hub_name, auth=True, named=True)
        assert content(fetch("org/name", hub=hub_name, settings=quick(mirror.url, known), token="secret")) == FILES
        assert mirror.log.requests()
        assert (mirror.log.tokens_seen(), "Bearer secret" in hub.log.tokens_seen()) == (set(), True)


WORDS = {"Repository not found": errors.RepoNotFoundError, "Invalid rev id: v9": errors.RevisionNotFoundError}


@pytest.mark.parametrize(("message", "error"), WORDS.items(), ids=WORDS)
def test_a_mirror_that_drops_headers(message: str, error: type[Exception]) -> None:
    """Where a mirror drops X-Error-Code, the words of the answer tell what is missing."""
    with FakeHub([], [Status(404, json={"error": message})]) as hub, pytest.raises(error):
        fetch("hf://org/name", "v9", settings=quick(hub.url))


UNDER_200: dict[str, tuple[object, type[Exception], str]] = {
    "no repository": (
        {"Code": 10010205001, "Message": "record not found", "Success": False},
        errors.RepoNotFoundError,
        "is private",
    ),
    "no revision": ({"Code": 404, "Message": "版本不存在", "Success": False}, errors.RevisionNotFoundError, "v9"),
    "a wrong token": ({"Code": 10010103009, "Message": "token", "Success": False}, errors.AccessDeniedError, "token"),
    "too often": ({"Code": "RateLimitExceed", "Message": "slow down"}, errors.ResolutionError, "left alone"),
    "another service": ({"hello": "world"}, errors.ResolutionError, "not a list of files"),
    "another service with data": ({"Data": {"hello": 1}}, errors.ResolutionError, "not a list of files"),
}


@pytest.mark.parametrize(("body", "error", "words"), UNDER_200.values(), ids=UNDER_200)
def test_a_refusal_under_200(body: object, error: type[Exception], words: str) -> None:
    """ModelScope's envelope says no under 200, too; what is no listing is none."""
    with FakeHub([], [Status(200, json=body)]) as hub, pytest.raises(error, match=words):
        fetch("org/name", "v9", settings=quick(hub.url))


def commits(model: Repo) -> dict[str, str]:
    """Give a repository a branch, tags and a pull request; return the commits by what they are called."""
    first = model.tag("v1.0").id
    model.commit({"config.json": b"2"})
    model.commit({"config.json": b"3"}, branch="feature/x+y")
    model.commit({"config.json": b"4"}, branch="refs/pr/1")
    model.tag("标签", "feature/x+y")
    return {"v1.0": first, model.default_branch: model.head.id, **model.branches, **model.tags, first: first}


@pytest.mark.parametrize("hub_name", HUBS)
def test_branch_tag_and_commit(hub_name: HubName) -> None:
    """Branches, tags, pull requests and commits are what their names say; without one it is the hub's default."""
    model = repo(hub_name)
    named = commits(model)
    with FakeHub([model]) as hub:
        for revision in (None, *named):
            commit = model.find(named[revision] if revision else model.default_branch)
            snapshot = fetch("org/name", revision, hub=hub_name, endpoints=hub.url)
            assert commit is not None
            assert content(snapshot)["config.json"] == commit.files["config.json"].data
            assert snapshot.commit == (commit.id if hub_name == "huggingface" else None)


def test_a_short_commit() -> None:
    """A commit is named in full: of a short one the hub knows nothing, and the error says so."""
    model = repo("huggingface")
    with FakeHub([model]) as hub, pytest.raises(errors.RevisionNotFoundError, match="all its 40 digits"):
        fetch("hf://org/name", model.head.id[:7], settings=quick(hub.url))


NAMES = {
    "spaces": "a b/c  d.txt",
    "hash": "a#b/#c.txt",
    "plus": "a+b/+.txt",
    "percent": "100%/a%2Fb%.txt",
    "question": "a?b/c?.txt",
    "ampersand": "a&b/c=d;e.txt",
    "quotes": "a'b/c\"d.txt",
    "brackets": "[a]{b}/(c)<d>.txt",
    "Chinese": "模型/权重 一.txt",
    "composed": "é/ü.txt",
    "decomposed": "e\u0301/u\u0308.txt",
    "right to left": "שלום/مرحبا.txt",
    "emoji": "🤗/👩‍💻.txt",
    "dots": ".hidden/..x/...",
    "dashes": "-a/--b",
    "tilde": "~/~a~",
    "dollar": "$HOME/`id`.txt",
    "255 bytes": "n" * 251 + ".txt",
    "255 bytes of UTF-8": "模" * 83 + "ab.txt",
    "a long path": "/".join(["folder" * 5] * 30),
    "star": "*/a*b",
    "at": "@/a@b:c",
    "pipe": "a|b/c^d",
    "upper": "README",
    "lower": "readme",
    "caret": "~^x",
    "semicolon": "a;b",
}


@pytest.mark.parametrize("lfs", [(), ("*",)], ids=["git", "LFS"])
@pytest.mark.parametrize("hub_name", HUBS)
def test_names(hub_name: HubName, lfs: Iterable[str]) -> None:
    """Whatever a file is called, it is asked for by that name, lies under it, and is the same in the next call."""
    files = {name: name.encode() for name in NAMES.values()}
    with FakeHub([Repo(hub_name, "org/name", files, lfs=lfs)]) as hub:
        assert content(fetch("org/name", hub=hub_name, endpoints=hub.url)) == files
        asked = len(hub.log.requests(kind="body"))
        snapshot = fetch("org/name", hub=hub_name, endpoints=hub.url, verify=True)
        assert (snapshot.verified, len(hub.log.requests(kind="body"))) == (True, asked)


@pytest.mark.parametrize("where", ["cache", "local"])
@pytest.mark.parametrize("hub_name", HUBS)
def test_a_file_that_becomes_a_folder(hub_name: HubName, where: str, tmp_path: Path) -> None:
    """What is a file at one revision and a folder at another is what it is there, in one folder, too."""
    model = repo(hub_name, {"a": b"file", "b/c": b"folder"})
    model.tag("v1")
    model.commit({"a/x": b"folder", "b": b"file"}, delete=["a", "b/c"])
    place = {"local_dir": tmp_path / "local"} if where == "local" else {}
    with FakeHub([model]) as hub:
        for revision, files in (("v1", {"a": b"file", "b/c": b"folder"}), (None, {"a/x": b"folder", "b": b"file"})):
            snapshot = fetch("org/name", revision, hub=hub_name, endpoints=hub.url, **place)  # type: ignore[arg-type]
            assert {path: (snapshot.path / path).read_bytes() for path in snapshot.files} == files


def first_hop(request: Request) -> bool:
    """Whether a body is asked for at its first address."""
    is_body = "/resolve/" in request.path or (request.path.endswith("/repo") and "FilePath" in request.query)
    return is_body and "hop" not in request.query


REDIRECTS = {
    "301": Redirect("{target}", 301),
    "302": Redirect("{target}", 302),
    "303": Redirect("{target}", 303),
    "307": Redirect("{target}", 307),
    "308": Redirect("{target}", 308),
}


@pytest.mark.parametrize("fault", fewer(REDIRECTS, "302", "308"))
@pytest.mark.parametrize("hub_name", HUBS)
def test_redirects(hub_name: HubName, fault: Redirect) -> None:
    """Each kind of redirect is followed, relative ones, too, and on to the data host."""
    model = repo(hub_name)
    to = "{target}&hop=1" if hub_name == "modelscope" else "{target}?hop=1"
    with FakeHub([model]) as cdn, FakeHub([model], cdn=cdn) as hub:
        hub.set_faults(Rule(Redirect(to, fault.status), first_hop))
        snapshot = fetch("org/name", hub=hub_name, endpoints=hub.url)
        assert content(snapshot) == FILES
        assert set(cdn.log.bytes_sent_by_file()) == {"model.bin"}


@pytest.mark.parametrize("hub_name", HUBS)
def test_a_signed_address_that_is_old(hub_name: HubName) -> None:
    """A data host that denies says nothing of who may read: the hub is asked for another address."""
    model = repo(hub_name)
    with FakeHub([model]) as cdn, FakeHub([model], cdn=cdn) as hub:
        cdn.set_faults(
            Rule(Status(403, body=b"<Error>expired</Error>", content_type="application/xml"), "body", times=2)
        )
        assert content(fetch("org/name", hub=hub_name, settings=quick(hub.url))) == FILES
        cdn.set_faults(Status(403, body=b"<Error>expired</Error>", content_type="application/xml"))
        with pytest.raises(errors.TransferError, match=r"which answered 403"):
            fetch("org/name", hub=hub_name, settings=quick(hub.url), force_download=True)


def test_files_in_xet() -> None:
    """Files that lie in Xet's store come over plain HTTP, from where the hub redirects to, and Xet is not asked."""
    model = repo("huggingface")
    with FakeHub([model]) as bridge, FakeHub([model], cdn=bridge, xet=True) as hub:
        assert content(fetch("hf://org/name", endpoints=hub.url)) == FILES
        assert not [one for one in hub.log.requests() if "xet" in one.path]
        assert set(bridge.log.bytes_sent_by_file()) == {"model.bin"}


BARE: dict[str, tuple[list[Fault], bool]] = {
    "no sizes": ([NoSizes()], True),
    "no digests": ([NoDigests()], False),
    "neither": ([NoSizes(), NoDigests()], False),
    "neither, nor lengths": ([NoSizes(), NoDigests(), NoContentLength()], False),
    "a slice under 200": ([Range200()], True),
}


@pytest.mark.parametrize("trust", fewer({"any": "any", "auto": "auto"}, "any"))
@pytest.mark.parametrize(("faults", "verified"), BARE.values(), ids=BARE)
@pytest.mark.parametrize("hub_name", HUBS)
def test_a_hub_that_omits(hub_name: HubName, faults: list[Fault], verified: bool, trust: str) -> None:
    """What comes without a digest is marked, in the snapshot and in each file's report, whoever is believed."""
    with FakeHub([repo(hub_name)], faults) as hub:
        snapshot = fetch("org/name", hub=hub_name, endpoints=hub.url, trust=trust)  # type: ignore[arg-type]
    assert content(snapshot) == FILES
    assert snapshot.verified is verified
    assert {report.verified for report in snapshot.reports} == {verified}


BUSY: dict[str, Status] = {
    "seconds": Status(429, retry_after=1),
    "a date": Status(429, retry_after="Thu, 01 Jan 2099 00:00:00 GMT"),
    "Hugging Face's": Status(
        429, headers={"ratelimit": '"api";r=0;t=55', "ratelimit-policy": '"fixed window";"api";q=500;w=300'}
    ),
    "ModelScope's": Status(429, json={"Code": 429, "Message": "too many requests", "Success": False}, retry_after=55),
    "a proxy's": Status(429, headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": "55"}),
    "unavailable": Status(503, retry_after=55),
}


@pytest.mark.parametrize("fault", BUSY.values(), ids=BUSY)
@pytest.mark.parametrize("hub_name", fewer({name: name for name in HUBS}, "huggingface"))
def test_one_that_asks_for_time(hub_name: HubName, fault: Status) -> None:
    """Who asks for time is left in peace, in whatever words; the others are asked meanwhile."""
    with FakeHub([repo(hub_name)], [fault], name="a") as busy, FakeHub([repo(hub_name)], name="b") as good:
        assert content(fetch("org/name", hub=hub_name, settings=quick(busy.url, good.url))) == FILES
        assert len(busy.log.requests(kind="listing")) + len(busy.log.requests(kind="revision")) == 1


@pytest.mark.parametrize("by", [-1, 1])
@pytest.mark.parametrize("hub_name", HUBS)
def test_a_listing_with_wrong_sizes(hub_name: HubName, by: int, tmp_path: Path) -> None:
    """A size is a promise like a digest: where the bytes are not so many, nothing is published."""
    files = {"a.bin": b"a" * 5000}
    with (
        FakeHub([repo(hub_name, files)], [WrongSizes(by)]) as hub,
        pytest.raises(errors.TransferError, match=r"a\.bin"),
    ):
        fetch("org/name", hub=hub_name, settings=quick(hub.url))
    assert not list(tmp_path.glob("*/**/snapshots/*/*"))


@pytest.mark.parametrize("hub_name", HUBS)
def test_one_that_asks_for_time_for_bytes(hub_name: HubName) -> None:
    """Who lists and then asks for time is left in peace, for all files; the bytes come from others."""
    busy_body = Rule(Status(429, headers={"ratelimit": '"resolvers";r=0;t=55'}), "body")
    with FakeHub([repo(hub_name)], [busy_body], name="a") as busy, FakeHub([repo(hub_name)], name="b") as good:
        assert content(fetch("org/name", hub=hub_name, settings=quick(busy.url, good.url))) == FILES
        assert set(good.log.bytes_sent_by_file()) == set(FILES)


KINDS: tuple[RepoType, ...] = ("model", "dataset", "space", "kernel")


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_repositories(kind: RepoType, tmp_path: Path) -> None:
    """Each kind that Hugging Face has comes from its own addresses into its own folder of the cache."""
    with FakeHub([Repo("huggingface", "org/name", FILES, repo_type=kind)]) as hub:
        snapshot = fetch(f"hf://{kind}s/org/name", endpoints=hub.url)
        assert content(snapshot) == FILES
        assert snapshot.path.is_relative_to(tmp_path / "hf" / f"{kind}s--org--name")


@pytest.mark.parametrize("kind", ["space", "kernel"])
def test_what_modelscope_has_not(kind: str) -> None:
    """Spaces and kernels are Hugging Face's; asked of ModelScope, they are an error before anybody is asked."""
    with pytest.raises(errors.ConfigError, match=f"no {kind}s"):
        fetch("org/name", repo_type=kind)
