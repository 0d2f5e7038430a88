"""A hub served by nginx, in both protocols: its listings and bodies are files, so that the client is what is measured.

A plain mirror gives the files itself. One that `redirects` does what the hubs do: files that are kept apart (LFS) come
from another host; of the others huggingface.co sends each to another path, and ModelScope gives them itself. The other
host is the same nginx on a second port, which is another origin to every client.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote, quote_plus

from benchmarks.speed.lines import Place

PORT, DATA_PORT = 8443, 8444
COMMIT = hashlib.sha1(b"mirrorhub").hexdigest()
LFS = frozenset({".bin", ".pt", ".wav", ".onnx", ".safetensors"})
"""Files of these kinds are kept apart by both hubs, and lie on the other host."""
PAGE = 1000
_CONF = """
daemon off; pid {home}/nginx.pid; error_log {home}/error.log; worker_processes 1;
worker_rlimit_nofile 65536;
events {{ worker_connections 8192; }}
http {{
    include {home}/names.conf;
    log_format line '$msec $request_time $connection $server_protocol $status $body_bytes_sent $server_port';
    access_log {home}/access.log line;
    client_body_temp_path {home}/t1; proxy_temp_path {home}/t2; fastcgi_temp_path {home}/t3;
    uwsgi_temp_path {home}/t4; scgi_temp_path {home}/t5;
    sendfile on; tcp_nodelay on; keepalive_requests 1000000; etag off;
    ssl_certificate {certificate}; ssl_certificate_key {certificate}; ssl_protocols TLSv1.2 TLSv1.3;
    default_type application/octet-stream;
    gzip on; gzip_types application/json;
    server {{
        listen {address}:{data_port} ssl http2 backlog=4096;
        root {files};
    }}
    server {{
        listen {address}:{port} ssl http2 backlog=4096;
        location ~ ^/api/v1/models/(?<repo>[^/]+/[^/]+)/repo/files$ {{
            default_type application/json; try_files /$repo.modelscope.json =404; root {home}/listings;
        }}
        location ~ ^/api/v1/models/(?<repo>[^/]+/[^/]+)/repo$ {{
            if ($modelscope_place) {{ return 302 $modelscope_place; }}
            root {files}; try_files /$repo/$modelscope_path =404;
        }}
        location ~ ^/api/models/(?<repo>[^/]+/[^/]+)/revision/ {{
            default_type application/json; root {home}/listings;
            if ($arg_blobs) {{ rewrite ^ /$repo.blobs.json break; }}
            rewrite ^ /$repo.revision.json break;
        }}
        location ~ ^/api/models/(?<repo>[^/]+/[^/]+)/tree/ {{
            default_type application/json; root {home}/listings;
            add_header Link $next_page;
            try_files /$repo.tree$arg_cursor.json =404;
        }}
        location ~ ^/(?<repo>[^/]+/[^/]+)/resolve/[^/]+/(?<path>.+)$ {{
            add_header X-Repo-Commit {commit} always; add_header ETag $name_tag always;
            add_header X-Linked-ETag $name_tag always; add_header X-Linked-Size $name_size always;
            if ($name_place) {{ return 302 $name_place; }}
            {resolve_cache}
            root {files}; try_files /$repo/$path =404;
        }}
        location ~ ^/api/resolve-cache/models/(?<repo>[^/]+/[^/]+)/[^/]+/(?<path>.+)$ {{
            add_header X-Repo-Commit {commit} always; add_header ETag $name_tag always;
            root {files}; try_files /$repo/$path =404;
        }}
        location / {{ root {files}; }}
    }}
}}
"""
_RESOLVE_CACHE = f"return 307 /api/resolve-cache/models/$repo/{COMMIT}/$path;"


@dataclass(frozen=True, slots=True)
class Content:
    """A repository to serve: its id, and where its files lie."""

    repo: str
    folder: Path

    @property
    def paths(self) -> list[str]:
        """Every file's path in it."""
        return sorted(one.relative_to(self.folder).as_posix() for one in self.folder.rglob("*") if one.is_file())

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum((self.folder / path).stat().st_size for path in self.paths)


@dataclass(frozen=True, slots=True)
class Row:
    """What a listing says of a file."""

    path: str
    size: int
    sha256: str
    git_sha1: str

    @property
    def is_lfs(self) -> bool:
        """Whether it is kept apart."""
        return PurePosixPath(self.path).suffix in LFS

    @property
    def lfs(self) -> dict[str, object]:
        """What huggingface.co says of a file that is."""
        return {"lfs": {"sha256": self.sha256, "oid": self.sha256, "size": self.size, "pointerSize": 134}}


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files: the authority's certificate, and each address's own with its key."""

    authority: Path
    servers: Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class Origin:
    """A hub that is running."""

    url: str
    ca_file: Path
    log: Path

    def file_urls(self, content: Content) -> dict[str, str]:
        """Every file's own address, for clients that know no hub."""
        return {path: f"{self.url}/{content.repo}/{quote(path)}" for path in content.paths}


def make_content(home: Path, repo: str, sizes: Mapping[str, int]) -> Content:
    """Write a repository's files below `home/files`, with bytes that nothing compresses."""
    folder = home / "files" / repo
    for path, size in sizes.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        source = random.Random(f"{repo}/{path}")
        with place.open("wb") as file:
            for start in range(0, size, 1 << 20):
                file.write(source.randbytes(min(1 << 20, size - start)))
    return Content(repo, folder)


def certify(home: Path, addresses: Iterable[str]) -> Certificates:
    """Make an authority, and a certificate for each address."""
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(home / "ca.pem"))
    servers = {address: home / f"{address}.pem" for address in addresses}
    for address, path in servers.items():
        authority.issue_cert(address).private_key_and_cert_chain_pem.write_to_path(str(path))
    return Certificates(home / "ca.pem", servers)


@contextlib.contextmanager
def serving(
    home: Path, content: Content, place: Place, certificates: Certificates, *, redirects: bool = False
) -> Iterator[Origin]:
    """Serve a repository, whose files lie in `home/files`, at an address."""
    own = home / f"nginx-{place.namespace or 'loopback'}"
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir()
    data_url = f"https://{place.address}:{DATA_PORT}"
    (own / "names.conf").write_text(_describe(own / "listings", content, data_url if redirects else "", place.address))
    conf = _CONF.format(
        home=own,
        files=home / "files",
        certificate=certificates.servers[place.address],
        address=place.address,
        port=PORT,
        data_port=DATA_PORT,
        commit=COMMIT,
        resolve_cache=_RESOLVE_CACHE if redirects else "",
    )
    (own / "nginx.conf").write_text(conf)
    nginx = subprocess.Popen([*place.enter, "nginx", "-c", own / "nginx.conf"], stderr=subprocess.DEVNULL)
    try:
        _wait(own / "access.log", nginx)
        yield Origin(f"https://{place.address}:{PORT}", certificates.authority, own / "access.log")
    finally:
        nginx.terminate()
        nginx.wait()


def _wait(log: Path, nginx: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if log.exists():
            return
        if nginx.poll() is not None:
            break
        time.sleep(0.05)
    raise SystemExit(f"nginx does not start: see {log.with_name('error.log')}")


def _describe(listings: Path, content: Content, data_url: str, address: str) -> str:
    """Write the listings, and return nginx's tables of what is where."""
    tags: dict[str, object] = {}
    sizes: dict[str, object] = {}
    places: dict[str, object] = {}
    modelscope_places: dict[str, object] = {}
    modelscope_paths: dict[str, object] = {}
    rows = [_row(content, path) for path in content.paths]
    pages = _write_listings(listings, content.repo, rows, address)
    for row in rows:
        name, asked = f"{content.repo}/{row.path}", quote_plus(row.path)
        tags[name], sizes[name] = f'"{row.sha256 if row.is_lfs else row.git_sha1}"', row.size
        if asked != row.path:
            modelscope_paths[asked] = row.path
        if row.is_lfs and data_url:
            places[name] = modelscope_places[f"{content.repo}/{asked}"] = f"{data_url}/{quote(name)}"
    return "\n".join(
        [
            "map_hash_max_size 262144; map_hash_bucket_size 256;",
            _map("$repo/$path", "$name_tag", tags),
            _map("$repo/$path", "$name_size", sizes),
            _map("$repo/$path", "$name_place", places),
            _map("$repo/$arg_FilePath", "$modelscope_place", modelscope_places),
            _map("$arg_FilePath", "$modelscope_path", modelscope_paths, default="$arg_FilePath"),
            _map("$repo $arg_cursor", "$next_page", pages),
        ]
    )


def _row(content: Content, path: str) -> Row:
    place = content.folder / path
    size = place.stat().st_size
    sha256, git_sha1 = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size)
    with place.open("rb") as file:
        while block := file.read(1 << 20):
            sha256.update(block)
            git_sha1.update(block)
    return Row(path, size, sha256.hexdigest(), git_sha1.hexdigest())


def _write_listings(folder: Path, repo: str, rows: list[Row], address: str) -> dict[str, str]:
    """Write what both hubs would answer; return the header with which each page names the next one."""

    def write(name: str, told: object) -> None:
        place = folder / f"{repo}.{name}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(told))

    write("modelscope", {"Code": 200, "Success": True, "Data": {"Files": [_modelscope_row(row) for row in rows]}})
    told = {"id": repo, "modelId": repo, "sha": COMMIT, "private": False}
    write("revision", {**told, "siblings": [{"rfilename": row.path} for row in rows]})
    write("blobs", {**told, "siblings": [_sibling(row) for row in rows]})
    pages = {}
    tree = [_huggingface_row(row) for row in rows]
    for number, start in enumerate(range(0, max(1, len(tree)), PAGE)):
        cursor = str(number) if number else ""
        write(f"tree{cursor}", tree[start : start + PAGE])
        if start + PAGE < len(tree):
            url = f"https://{address}:{PORT}/api/models/{repo}/tree/{COMMIT}?recursive=true&cursor={number + 1}"
            pages[f"{repo} {cursor}"] = f'<{url}>; rel="next"'
    return pages


def _modelscope_row(row: Row) -> dict[str, object]:
    told = {"Type": "blob", "Path": row.path, "Name": row.path.rpartition("/")[2], "Size": row.size}
    return told | {"Sha256": row.sha256, "Revision": COMMIT, "IsLFS": row.is_lfs}


def _sibling(row: Row) -> dict[str, object]:
    told = {"rfilename": row.path, "size": row.size, "blobId": row.git_sha1}
    return told | (row.lfs if row.is_lfs else {})


def _huggingface_row(row: Row) -> dict[str, object]:
    told = {"type": "file", "path": row.path, "size": row.size, "oid": row.git_sha1}
    return told | (row.lfs if row.is_lfs else {})


def _map(key: str, name: str, values: Mapping[str, object], default: str = '""') -> str:
    """Write a table of nginx's: `name` is the value of whatever `key` is."""
    rows = "".join(f"    '{key}' '{value}';\n" for key, value in values.items())
    return f'map "{key}" {name} {{\n    default {default};\n{rows}}}'
