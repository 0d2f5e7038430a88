"""How hosts are reached: certificates and proxies, from one resolver for both carriers and for `mirrorhub config`."""

from __future__ import annotations

import os
import ssl
import time
import urllib.request
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from mirrorhub.config import Settings
from mirrorhub.http.origin import Route

_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS, BSD
)
_VARIABLES = [name for kind in ("http", "https", "all", "no") for name in (f"{kind}_proxy", f"{kind}_proxy".upper())]


def route_for(settings: Settings) -> Route:
    """Return the certificates and proxies of a call."""
    return Route(ca_file=str(trust_store(settings) or "") or None, proxy_for=proxy_for)


def trust_store(settings: Settings) -> Path | None:
    """Return the PEM file of trusted authorities: the user's, the system's, or None for certifi's."""
    if settings.ca_file:
        return settings.ca_file
    candidates = (ssl.get_default_verify_paths().cafile, *_SYSTEM_BUNDLES)
    return next((Path(path) for path in candidates if path and Path(path).is_file()), None)


def proxy_for(url: str) -> str | None:
    """Return the proxy for an address, from the environment or the system's settings, NO_PROXY respected."""
    parts = urlsplit(url)
    variables = tuple(map(os.environ.get, _VARIABLES))
    return _proxy_for(parts.scheme, parts.netloc.rpartition("@")[2], variables, int(time.monotonic()))


@lru_cache(maxsize=64)
def _proxy_for(scheme: str, host: str, variables: tuple[str | None, ...], second: int) -> str | None:
    """Look a proxy up once for all files of a call: again when a variable has changed, and once a second."""
    proxies = urllib.request.getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    if not proxy or urllib.request.proxy_bypass(host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
