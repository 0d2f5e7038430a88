"""Where a mirror would lead us: into circles, out of TLS, out of HTTP, and into our own network."""

from __future__ import annotations

from tests.fakehub.faults import Redirect, RedirectDowngrade, RedirectLoop
from tests.fakehub.rules import Rule
from tests.hostile.attack import Attack, by_faults

TO = {
    "a metadata service": ("https://169.254.169.254/latest/meta-data/", "metadata"),
    "a metadata service as one number": ("https://2852039166/latest/meta-data/", "metadata"),
    "a metadata service in IPv6": ("https://[::ffff:169.254.169.254]/", "metadata"),
    "a metadata service by name": ("https://metadata.google.internal/", "metadata"),
    "a metadata service in the shared range": ("https://100.100.100.200/", "metadata"),
    "a private address": ("https://192.168.1.1/", "a private address"),
    "a private address in hexadecimal": ("https://0xc0a80101/", "a private address"),
    "a private address in IPv6": ("https://[fd00::1]/", "a private address"),
    "a private address behind NAT64": ("https://[64:ff9b::a00:1]/", "a private address"),
    "a private address with a password": ("https://user:secret@10.0.0.1/", "a private address"),
    "a group": ("https://224.0.0.1/", "nobody's"),
    "a name in percent signs": ("https://%31%30.0.0.1/", "not a host's name"),
    "FTP": ("ftp://evil.test/x", "neither http nor https"),
    "a file": ("file:///etc/passwd", "neither http nor https"),
    "data": ("data:text/plain,evil", "neither http nor https"),
    "gopher": ("gopher://evil.test/x", "neither http nor https"),
    "a script": ("javascript:alert(1)", "neither http nor https"),
    "plain HTTP": ("http://evil.test/x", "from https to http"),
    "no address": ("https://[::1/x", "no address"),
    "no host": ("https:///x", ""),
    "a port that is none": ("https://localhost:99999/", ""),
    "port 0": ("https://localhost:0/", ""),
    "the port of a mail server": ("https://localhost:25/", ""),
    "another host without a scheme": ("//192.168.1.1/x", "a private address"),
}


def attack(name: str, fault: Redirect | RedirectLoop | RedirectDowngrade, says: str, match: str) -> Attack:
    """One redirect, of a listing or of a body."""
    what = "listing" if match == "listing" else "body"
    bring = (
        by_faults(Rule(fault, match), Rule(fault, "revision")) if what == "listing" else by_faults(Rule(fault, match))
    )
    return Attack(f"{what} to {name}", bring, says)


REDIRECTS = [
    *(attack(name, Redirect(to), says, "model.bin") for name, (to, says) in TO.items()),
    *(attack(name, Redirect(to), says, "listing") for name, (to, says) in TO.items() if "metadata" in name),
    attack("itself", RedirectLoop(), "more than 5 times", "model.bin"),
    attack("itself", RedirectLoop(), "more than 5 times", "listing"),
    attack("itself without TLS", RedirectDowngrade(), "from https to http", "model.bin"),
    attack("itself without TLS", RedirectDowngrade(), "from https to http", "listing"),
    attack("itself with a fragment", Redirect("{target}#/../../evil"), "more than 5 times", "model.bin"),
]
