"""Whom a call may talk to: each endpoint's protocol, the token it may see, and how long it may take."""

from __future__ import annotations

import base64
from urllib.parse import unquote

from mirrorhub.chain import Chain
from mirrorhub.config import Settings
from mirrorhub.credentials import TokenStanding, token_for
from mirrorhub.http.client import AGENT, Client, Timeouts
from mirrorhub.hubs.registry import HUBS, Hub
from mirrorhub.lane import Contact
from mirrorhub.models import PINNED, Endpoint, FileEntry, Manifest, SnapshotRequest
from mirrorhub.pinned import is_locked
from mirrorhub.secret import Secret


class Contacts:
    """Makes contacts when they are first needed."""

    def __init__(self, request: SnapshotRequest, settings: Settings, client: Client, chain: Chain) -> None:
        self._request = request
        self._settings = settings
        self._client = client
        self._chain = chain
        self._contacts: dict[Endpoint, Contact] = {}
        self._hubs: dict[Endpoint, Hub] = {}
        self._unknown: set[tuple[Endpoint, str]] = set()

    def hub(self, endpoint: Endpoint) -> Hub:
        """Return the protocol of an endpoint."""
        return self._hubs.setdefault(endpoint, HUBS[endpoint.hub]())

    def contact(self, endpoint: Endpoint) -> Contact:
        """Return what the call knows of an endpoint, with the time-outs that hold now."""
        if endpoint not in self._contacts:
            credentials = self._credentials(endpoint)
            private = frozenset(self._settings.own_tokens)
            contact = Contact(endpoint, self._client, self._timeouts(endpoint), credentials, private, self._chain.heard)
            # A package index is asked by the user's installer, over connections of its own.
            contact.multiplexes = endpoint.hub != "wheel"
            self._contacts[endpoint] = contact
        contact = self._contacts[endpoint]
        contact.timeouts = self._timeouts(endpoint)
        return contact

    def revision(self, endpoint: Endpoint, manifest: Manifest) -> str:
        """Return what to call the manifest's revision at an endpoint."""
        if endpoint.revision:
            return endpoint.revision
        if endpoint.hub != manifest.repo.hub or manifest.revision == PINNED:
            return self.hub(endpoint).default_revision
        return manifest.commit or manifest.revision

    def token_standing(self, endpoint: Endpoint) -> TokenStanding:
        """Say whether an endpoint is sent a token, and if not, why."""
        explicit = self._request.token
        if self._token(endpoint):
            return "sent"
        if explicit in (False, ""):
            return "none"
        if endpoint.token_variable:
            return "unset"
        is_there = isinstance(explicit, str) or self._settings.token_for(endpoint.hub) is not None
        return "withheld" if is_there else "none"

    def revisions(self, endpoint: Endpoint, manifest: Manifest, entry: FileEntry) -> tuple[str, ...]:
        """Return what to call the revision of a file, what is surest first: of one that is locked, its own commit."""
        revision = self.revision(endpoint, manifest)
        is_own = endpoint.hub == manifest.repo.hub and not endpoint.revision
        if not (entry.commit and is_own and is_locked(manifest)) or (endpoint, entry.commit) in self._unknown:
            return (revision,)
        return (entry.commit, revision)

    def does_not_know(self, endpoint: Endpoint, commit: str) -> None:
        """An endpoint has no such commit: it is asked by the revision's name."""
        self._unknown.add((endpoint, commit))
        self.contact(endpoint).by_name = True

    async def aclose(self) -> None:
        """Let go of what the hubs gathered; connections stay for the next call."""
        for hub in self._hubs.values():
            await hub.aclose()

    def _credentials(self, endpoint: Endpoint) -> dict[str, str]:
        """A token where the endpoint may see one, and the login that stands in its own address."""
        token = self._token(endpoint)
        credentials = self.hub(endpoint).credentials(token) if token else {}
        if endpoint.login and "authorization" not in credentials:
            login = base64.b64encode(unquote(endpoint.login).encode()).decode()
            credentials["authorization"] = f"Basic {login}"
        if endpoint.hub == self._request.repo.hub:
            credentials |= self._spoken(endpoint)
        return {name: Secret(value) for name, value in credentials.items()}

    def _spoken(self, endpoint: Endpoint) -> dict[str, str]:
        """What the caller wants to be said: who calls to everybody, headers to whom a token may be sent."""
        agent = {"user-agent": f"{AGENT}; {self._request.agent}"} if self._request.agent else {}
        return agent | (dict(self._request.headers) if endpoint.auth or self._is_sole() else {})

    def _is_sole(self) -> bool:
        """Whether the one endpoint of the call was given with it."""
        given = self._settings.endpoints if self._settings.sources.get("endpoints") == "argument" else None
        return given is not None and len(given) == 1 and len(self._chain.endpoints) == 1

    def _token(self, endpoint: Endpoint) -> str | None:
        return token_for(
            endpoint,
            request_hub=self._request.repo.hub,
            explicit=self._request.token,
            sole=self._is_sole(),
            ambient=self._settings.token_of(endpoint),
        )

    def _timeouts(self, endpoint: Endpoint) -> Timeouts:
        """A silent endpoint may take its time only while there is nobody else to ask."""
        patience = self._settings.patience
        others = self._chain.alternatives(endpoint)
        silence_s = min(patience.stall_s, self._settings.silence_s) if others else self._settings.silence_s
        return Timeouts(patience.connect_limit_s, silence_s, patience.wheel_s)
