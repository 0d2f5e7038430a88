"""What may be done to a kit on its way, as a table: each makes a hostile file out of a good one."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.bundle.rawzip import Entry, changed, entries_of, zip_bytes

Members = Mapping[str, bytes]
MANIFEST = "manifest.json"
LINK = 0o120777 << 16
DEVICE = 0o020666 << 16
FOLDER = 0o040755 << 16 | 0x10
GIBIBYTE = 1 << 30


@dataclass(frozen=True)
class Attack:
    """One way to alter a kit.

    Attributes:
        alter: Makes the file, of the kit's members in their order.
        error: A part of what the refusal says.
    """

    alter: Callable[[Members], bytes]
    error: str


def model_of(members: Members) -> str:
    """Return the name of a member that holds a model's bytes."""
    return next(name for name in members if name.startswith("models/"))


def zipped(members: Members) -> bytes:
    """Write members as they are: the kit itself."""
    return zip_bytes(entries_of(members.items()))


def _with(members: Members, *entries: Entry) -> bytes:
    return zip_bytes([*entries_of(members.items()), *entries])


def _altered(**fields: object) -> Callable[[Members], bytes]:
    """Alter the headers of a model's member."""
    return lambda members: zip_bytes(changed(entries_of(members.items()), model_of(members), **fields))


def _renamed(name: bytes) -> Callable[[Members], bytes]:
    """Add a member of some name."""
    return lambda members: _with(members, Entry(name, b"evil"))


def _replaced(members: Members, name: str, data: bytes) -> bytes:
    return zipped({**members, name: data})


def _flipped(members: Members) -> bytes:
    name = model_of(members)
    return _replaced(members, name, bytes([members[name][0] ^ 1]) + members[name][1:])


def _told(change: Callable[[dict[str, Any]], object]) -> Callable[[Members], bytes]:
    """Change what the manifest says."""

    def alter(members: Members) -> bytes:
        manifest = json.loads(members[MANIFEST])
        change(manifest)
        return _replaced(members, MANIFEST, json.dumps(manifest).encode())

    return alter


def _listed_too(path: str, kind: str = "script") -> Callable[[Members], bytes]:
    """Add a member that the manifest lists, too."""

    def alter(members: Members) -> bytes:
        manifest = json.loads(members[MANIFEST])
        row = {"path": path, "kind": kind, "size": 4, "sha256": hashlib.sha256(b"evil").hexdigest()}
        manifest["members"].append(row)
        return _with({**members, MANIFEST: json.dumps(manifest).encode()}, Entry(path.encode(), b"evil"))

    return alter


def _file(**fields: object) -> Callable[[Members], bytes]:
    """Change what the manifest says of a model's first file."""
    return _told(lambda manifest: manifest["models"][0]["files"][0].update(fields))


def _model(**fields: object) -> Callable[[Members], bytes]:
    return _told(lambda manifest: manifest["models"][0].update(fields))


def _raw_manifest(data: bytes) -> Callable[[Members], bytes]:
    return lambda members: _replaced(members, MANIFEST, data)


def _bomb(members: Members) -> bytes:
    """A gibibyte of zeros, deflated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    return zip_bytes(changed(entries_of(members.items()), model_of(members), data=data, method=8, size=GIBIBYTE))


def _without(members: Members) -> bytes:
    return zipped({name: data for name, data in members.items() if name != model_of(members)})


def _overlapping(members: Members) -> bytes:
    """Two names for one place."""
    entries = entries_of(members.items())
    first = zip_bytes(entries).index(b"PK\3\4", 10)
    return zip_bytes(changed(entries, model_of(members), is_there=False, offset=first))


def _last_manifest(members: Members) -> bytes:
    rest = [one for one in entries_of(members.items()) if one.name != MANIFEST.encode()]
    return zip_bytes([*rest, Entry(MANIFEST.encode(), members[MANIFEST])])


def _long_manifest(members: Members) -> bytes:
    return _replaced(members, MANIFEST, members[MANIFEST] + b" " * (33 << 20))


def _many(members: Members) -> bytes:
    """A directory of more entries than any kit has; a reader that holds all of it is busy for long."""
    entries = [Entry(b"x%06d" % number, b"") for number in range(100_001)]
    body = b"".join(b"PK\3\4" + bytes(22) + struct.pack("<HH", 7, 0) + one.name for one in entries)
    directory = b"".join(b"PK\1\2" + bytes(24) + struct.pack("<H", 7) + bytes(16) + one.name for one in entries)
    end64 = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, 100_001, 100_001, len(directory), len(body))
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(body) + len(directory), 1)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(directory), len(body), 0)
    return body + directory + end64 + locator + end


def _long_directory(members: Members) -> bytes:
    """A directory that is longer than may be held in memory; nothing of it is read."""
    body, directory = zipped(members)[:1000], bytes(33 << 20)
    return body + directory + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 9, 9, len(directory), len(body), 0)


def _whose_directory_is_not_there(members: Members) -> bytes:
    data = zipped(members)
    return data[:-22] + data[-22:-6] + struct.pack("<I", len(data) * 2) + data[-2:]


ATTACKS: dict[str, Attack] = {
    "altered bytes of equal size": Attack(_flipped, "is damaged or was altered: its digest"),
    "a member that is not listed": Attack(_renamed(b"extra.txt"), "extra.txt: is not listed"),
    "a listed member that is missing": Attack(_without, "is listed in manifest.json and not there"),
    "a longer member than listed": Attack(
        lambda members: _replaced(members, model_of(members), members[model_of(members)] + b"!"), "bytes; listed are"
    ),
    "an empty file": Attack(lambda _: b"", "this is no kit"),
    "no zip file": Attack(lambda _: b"<html>log in</html>" * 100, "this is no kit"),
    "a file that was cut off": Attack(lambda members: zipped(members)[:-1], "this is no kit"),
    "a file that was cut off in its middle": Attack(lambda members: zipped(members)[:3000], "this is no kit"),
    "a file that something was added to": Attack(lambda members: zipped(members) + b"more", "this is no kit"),
    "a program before the zip file": Attack(
        lambda members: zip_bytes(entries_of(members.items()), before=b"#!/bin/sh\nevil\n"),
        "manifest.json: shares bytes",
    ),
    "bytes between members and directory": Attack(
        lambda members: zip_bytes(entries_of(members.items()), between=b"hidden"), "packed again or altered"
    ),
    "a directory that is not there": Attack(_whose_directory_is_not_there, "packed again or altered"),
    "a climbing name": Attack(_renamed(b"../evil"), "climbs out of its folder"),
    "a climbing name that is listed": Attack(_listed_too("../evil"), "climbs out of its folder"),
    "a lock file of another name": Attack(_listed_too("conftest.py", "lock"), "'conftest.py' is no name of a lock"),
    "a script of another name": Attack(_listed_too("json.py"), "'json.py' is no name of a script"),
    "a text to read in a folder": Attack(_listed_too("a/README.md", "readme"), "is no name of a readme"),
    "a climbing name further in": Attack(_renamed(b"models/../../evil"), "climbs out of its folder"),
    "an absolute name": Attack(_renamed(b"/tmp/evil"), "is absolute"),
    "a drive": Attack(_renamed(b"C:/evil"), "names a drive"),
    "a backslash": Attack(_renamed(b"models\\..\\evil"), "has a backslash"),
    "a share of another machine": Attack(_renamed(b"\\\\host\\share\\evil"), "has a backslash"),
    "a NUL": Attack(_renamed(b"evil\0.txt"), "has a control character"),
    "a line break": Attack(_renamed(b"evil\n.txt"), "has a control character"),
    "a name of 300 bytes": Attack(_renamed(b"e" * 300), "more than 255 bytes"),
    "a name in .git": Attack(_renamed(b".git/hooks/post-checkout"), "lies in .git"),
    "two members of one name": Attack(
        lambda members: _with(members, Entry(model_of(members).encode(), b"evil")), "is there twice"
    ),
    "two names that differ in case": Attack(_renamed(b"README.MD"), "is there twice"),
    "two manifests": Attack(lambda members: _with(members, Entry(b"manifest.json", b"{}")), "is there twice"),
    "a link": Attack(_altered(attributes=LINK), "is a link, a device or a folder"),
    "a device": Attack(_altered(attributes=DEVICE), "is a link, a device or a folder"),
    "a folder": Attack(_altered(attributes=FOLDER), "is a link, a device or a folder"),
    "an encrypted member": Attack(_altered(flags=1), "is encrypted"),
    "sizes behind the bytes": Attack(_altered(flags=8), "packed again or altered"),
    "a bomb": Attack(_bomb, "is compressed"),
    "a member that claims to be longer": Attack(_altered(size=GIBIBYTE), "is compressed"),
    "two names in two headers": Attack(_altered(local_name=b"../evil"), "two headers"),
    "overlapping members": Attack(_overlapping, "shares bytes with another member"),
    "a hundred thousand members": Attack(_many, "more members than a kit may have"),
    "a directory of 33 MiB": Attack(_long_directory, "more members than a kit may have"),
    "no manifest": Attack(
        lambda members: zipped({name: data for name, data in members.items() if name != MANIFEST}),
        "has no manifest.json",
    ),
    "the manifest at the end": Attack(_last_manifest, "is not the first member"),
    "a manifest that is too long": Attack(_long_manifest, "is longer than it may be"),
    "a manifest that is no JSON": Attack(_raw_manifest(b"\x80nonsense"), "is no manifest of a kit"),
    "a manifest as deep as it is long": Attack(_raw_manifest(b"[" * 1_000_000), "is no manifest of a kit"),
    "a manifest of one number": Attack(_raw_manifest(b"1" * 1_000_000), "is no manifest of a kit"),
    "a manifest with a number of a million digits": Attack(
        _raw_manifest(b'{"format": "mirrorhub-kit", "version": ' + b"9" * 1_000_000 + b"}"), "is no manifest of a kit"
    ),
    "a manifest that says a thing twice": Attack(
        _raw_manifest(b'{"format": "mirrorhub-kit", "format": "mirrorhub-kit"}'), "a name stands twice"
    ),
    "a manifest of another kind": Attack(_told(lambda told: told.update(format="other")), "another format"),
    "a kit of the future": Attack(_told(lambda told: told.update(version=2)), "is of format 2"),
    "a model's file that climbs": Attack(_file(path="../../../evil"), "climbs out of its folder"),
    "a model's file that is absolute": Attack(_file(path="/tmp/evil"), "is absolute"),
    "a model's file among mirrorhub's own": Attack(_file(path=".mirrorhub/notes/x.json"), "which is ours"),
    "a model's file that a terminal obeys": Attack(_file(path="\x1b[2Jevil"), "has a control character"),
    "a file with another content's digest": Attack(_file(content="0" * 64), "with two digests, or none"),
    "a file with another size": Attack(_file(size=1), "is listed with two sizes"),
    "a file with a size below nothing": Attack(_file(size=-1), "no number"),
    "a file with a size of 19 digits": Attack(_file(size=10**18), "a number beyond all measure"),
    "a file with half a digest": Attack(_file(sha256="abc"), "no digest"),
    "a file with git's name of other bytes": Attack(
        _file(sha256=None, git_sha1="0" * 40), "is damaged or was altered: its digest"
    ),
    "a repository that climbs": Attack(_model(repo="../../evil"), "is no repository"),
    "a repository that is absolute": Attack(_model(repo="/tmp"), "is no repository"),
    "a revision that climbs": Attack(_model(revision="../../evil", snapshot="../../evil"), "climbs out of its folder"),
    "a snapshot of another revision": Attack(_model(snapshot="other"), "a snapshot of another revision"),
    "an unknown hub": Attack(_model(hub="evil"), "none of the words"),
    "a model that no member is": Attack(_told(lambda told: told.update(models=[])), "are not those among the members"),
}
"""Of a kit with one ModelScope model. `a file with git's name of other bytes` is told by the bytes alone."""
