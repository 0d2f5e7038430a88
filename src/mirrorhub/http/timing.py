"""How long the parts of connecting took. Values only, no IO."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """The parts of a fresh connection, in seconds; None where a part is not known, or there was none.

    Behind a proxy it is the proxy that is connected to, and `tls_s` holds the tunnel and TLS inside it.

    Attributes:
        dns_s: Looking the name up. Behind a proxy nobody here knows; httpx's carrier has it in `connect_s`.
        connect_s: TCP.
        tls_s: TLS.
    """

    dns_s: float | None = None
    connect_s: float | None = None
    tls_s: float | None = None
