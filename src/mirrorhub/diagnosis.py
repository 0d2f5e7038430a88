"""From the failures of a walk to the one error that helps most: what, where, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mirrorhub.chain.verdicts import FINAL_WORDS
from mirrorhub.errors import (
    AccessDeniedError,
    IntegrityError,
    RepoNotFoundError,
    ResolutionError,
    RevisionNotFoundError,
    TransferError,
)
from mirrorhub.faults import Failure, Fault, Hopeless, WrongDigest
from mirrorhub.models import Attempt, Endpoint, FileEntry, Manifest, Repo, Trust
from mirrorhub.refusals import Standing, advice_on_tokens

ADVICE: dict[Fault, str] = {
    Fault.DNS: "the name could not be looked up: is there a network, and does it need a proxy (HTTPS_PROXY)?",
    Fault.CERTIFICATE: "a certificate was not accepted: install ca-certificates, or name your network's own "
    "authority in SSL_CERT_FILE.",
    Fault.PROXY: "the proxy refused: check HTTPS_PROXY and NO_PROXY.",
    Fault.NOT_A_HUB: "what answered is not a hub: check the endpoint's address and its path, and whether "
    "the network asks for a login first.",
    Fault.BUSY: "the endpoint asks to be left alone for a while: try again later, or name another one in "
    "MIRRORHUB_ENDPOINTS.",
    Fault.DENIED: "access was denied: give a token (MODELSCOPE_API_TOKEN, HF_TOKEN or token=), and see on the hub's "
    "page whether terms must be accepted.",
    Fault.INSTALLER: "the package index did not help either: see that `pip download` works here.",
}
"""What to do about a failure; said of everybody, or behind the names of those that it happened to."""
OTHERWISE = "Check the network, or name endpoints that work from here in MIRRORHUB_ENDPOINTS."
NAMED = 2
"""Endpoints that are named before a piece of advice; of more it is said how many."""
_SHORT_COMMIT = re.compile(r"[0-9a-f]{7,39}")
# Of many failures the one that says most about what to do comes first.
_RANK = (
    Fault.DENIED,
    Fault.NO_REVISION,
    Fault.NO_REPO,
    Fault.NO_FILE,
    Fault.BAD_LISTING,
    Fault.WRONG_DIGEST,
    Fault.CERTIFICATE,
    Fault.NOT_A_HUB,
    Fault.BUSY,
    Fault.REDIRECT,
    Fault.PROXY,
    Fault.DNS,
    Fault.INSTALLER,
)


def resolution_error(
    repo: Repo,
    revision: str | None,
    hopeless: Hopeless,
    attempts: Sequence[Attempt],
    standing: Standing = lambda _: "none",
) -> ResolutionError:
    """Say why nobody could say what a repository holds.

    Args:
        repo: Which.
        revision: Which of its revisions; None for the default one.
        hopeless: What went wrong.
        attempts: What was tried.
        standing: What became of the token at an endpoint.
    """
    where = f"{repo}@{revision}" if revision else f"{repo}"
    failure = _most_telling(hopeless)
    match failure.fault if failure else None:
        case Fault.NO_REPO:
            message = f"There is no repository {repo}, or it is private. Check the id and the hub, or give a token."
            return RepoNotFoundError(f"{message}{_unheard(hopeless)}{_withheld(hopeless, standing)}", attempts)
        case Fault.NO_REVISION:
            which = f"revision {revision!r}" if revision else "default branch"
            message = f"{repo} has no {which}. Check branches and tags{_in_full(revision)}."
            return RevisionNotFoundError(f"{message}{_unheard(hopeless)}", attempts)
        case Fault.DENIED:
            return AccessDeniedError(f"{where}: {_denied(hopeless, standing)}", attempts)
    return ResolutionError(f"No endpoint could say what {where} holds. {_advice(hopeless)}", attempts)


def nobody_counts(repo: Repo, endpoints: Sequence[Endpoint], trust: Trust) -> ResolutionError:
    """Say that the chain has nobody whose word on a repository counts."""
    named = ", ".join(map(str, endpoints))
    mend = "trust 'auto', " if trust == "official" else ""
    return ResolutionError(
        f"Nobody in the chain may say what {repo} holds: trust is {trust!r}, and there is none but {named}. "
        f"Add the official hub (the word `default` in the chain), {mend}or lock the repository.",
        (),
    )


def _unheard(hopeless: Hopeless) -> str:
    """Name the official hubs that could not be asked: what others say is missing may be there."""
    said = {endpoint for endpoint, failure in hopeless.failures if failure.fault in FINAL_WORDS}
    others = (endpoint for endpoint, _ in hopeless.failures if endpoint.official and endpoint not in said)
    names = [str(endpoint) for endpoint in dict.fromkeys(others)]
    return f" {' and '.join(names)} could not be asked, and may have it." if names else ""


def _withheld(hopeless: Hopeless, standing: Standing) -> str:
    """Say what to do where a repository may be hidden from whoever brings no token, and none was sent."""
    silent = [endpoint for endpoint, failure in hopeless.failures if failure.fault in (Fault.DENIED, Fault.NO_REPO)]
    # Of a file that is missing nobody thinks so, unless a token was meant to be sent.
    missing = [endpoint for endpoint, failure in hopeless.failures if failure.fault in FINAL_WORDS]
    unset = [endpoint for endpoint in missing if standing(endpoint) == "unset"]
    advice = advice_on_tokens((one for one in [*silent, *unset] if standing(one) != "sent"), standing)
    return advice and f" {advice}"


def _denied(hopeless: Hopeless, standing: Standing) -> str:
    refused = [endpoint for endpoint, failure in hopeless.failures if failure.fault in (Fault.DENIED, Fault.NO_REPO)]
    return advice_on_tokens(refused, standing) or ADVICE[Fault.DENIED]


def _in_full(revision: str | None) -> str:
    looks_short = revision is not None and _SHORT_COMMIT.fullmatch(revision)
    return "; a commit is named by all its 40 digits" if looks_short else ""


def transfer_error(
    manifest: Manifest,
    entry: FileEntry,
    hopeless: Hopeless,
    attempts: Sequence[Attempt],
    standing: Standing = lambda _: "none",
) -> TransferError | AccessDeniedError:
    """Say why a file did not come."""
    where = f"{entry.path} of {manifest.repo}@{manifest.revision}"
    told = [attempt for attempt in attempts if attempt.subject in ("listing", entry.path)]
    wrong = [(endpoint, failure) for endpoint, failure in hopeless.failures if isinstance(failure, WrongDigest)]
    if wrong and entry.digest is not None:
        actual = {str(endpoint): failure.actual for endpoint, failure in wrong}
        agree = len(set(actual.values())) == 1 and len(actual) > 1
        return IntegrityError(
            f"No endpoint has the bytes of {where} that were vouched for by {manifest.vouched_by}. "
            + ("They agree on other bytes: the file was changed there." if agree else "Name another endpoint."),
            told,
            file=entry.path,
            expected=entry.digest.value,
            actual=actual,
            endpoint=str(wrong[-1][0]),
        )
    failure = _most_telling(hopeless)
    if failure is not None and failure.fault is Fault.DENIED:
        return AccessDeniedError(f"{where}: {_denied(hopeless, standing)}", told)
    advice = f"{_withheld(hopeless, standing)} {_advice(hopeless)}".lstrip()
    return TransferError(
        f"{where} could not be fetched. {advice} What has come stays on disk; the next call goes on there.",
        told,
        file=entry.path,
    )


def _most_telling(hopeless: Hopeless) -> Failure | None:
    return min(hopeless.failures, key=_rank)[1] if hopeless.failures else None


def _rank(told: tuple[Endpoint, Failure]) -> tuple[int, bool]:
    """What says most about what to do comes first; of the same, an official hub's word.

    A hub that lists a repository, be it in a way that is not accepted, has it: others that have not say less.
    """
    endpoint, failure = told
    if endpoint.official and failure.fault is Fault.BAD_LISTING:
        return -1, False
    place = _RANK.index(failure.fault) if failure.fault in _RANK else len(_RANK)
    return place, not endpoint.official


def _advice(hopeless: Hopeless) -> str:
    """Say what to do about the most telling failures; two at most, or nobody reads them."""
    ranked = sorted(hopeless.failures, key=_rank)
    if ranked and ranked[0][1].fault is Fault.BAD_LISTING:
        return f"A listing was not accepted: it {ranked[0][1].message}. Name an endpoint that can be trusted."
    faults = dict.fromkeys(failure.fault for _, failure in ranked if failure.fault in ADVICE)
    return " ".join(_advice_on(fault, hopeless) for fault in list(faults)[:2]) or OTHERWISE


def _advice_on(fault: Fault, hopeless: Hopeless) -> str:
    """Say what to do about a fault, and at whom it happened where that was not everybody."""
    asked = dict.fromkeys(str(endpoint) for endpoint, _ in hopeless.failures)
    met = list(dict.fromkeys(str(endpoint) for endpoint, failure in hopeless.failures if failure.fault is fault))
    if len(met) == len(asked) or fault is Fault.INSTALLER:
        return f"{ADVICE[fault][0].upper()}{ADVICE[fault][1:]}"
    more = f" and {len(met) - NAMED} more" if len(met) > NAMED else ""
    return f"{', '.join(met[:NAMED])}{more}: {ADVICE[fault]}"
