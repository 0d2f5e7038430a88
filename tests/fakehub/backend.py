"""What a connection asks when a request came: the site, its faults and its log, in one value."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from tests.fakehub.log import Log
from tests.fakehub.messages import Request, Response, respond
from tests.fakehub.protocol import describe, exchange
from tests.fakehub.rules import FaultPlan
from tests.fakehub.site import Site


@dataclass(frozen=True, slots=True)
class Backend:
    """One hub behind any number of connections."""

    site: Site
    plan: FaultPlan
    log: Log

    def note(self, connection: int, stream: int, request: Request) -> int:
        """Write a request down and give its number in the log."""
        return self.log.open_request(connection, stream, request, describe(self.site, request))

    def answer(self, id: int, request: Request) -> Response:
        """Answer a request that was noted, through the faults that strike it.

        What the hub itself, or a rule, gets wrong is a 500 for the client and a violation in the log.
        """
        try:
            response = exchange(self.site, request, self.plan.take(request, describe(self.site, request)))
        except Exception:
            self.log.violate(f"no answer to {request.method} {request.target}\n{traceback.format_exc()}")
            response = respond(500)
        self.log.answer(id, response.status, response.header("content-range"))
        return response
