"""From failures to advice: what is said to do is said of those that it would help."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mirrorhub.diagnosis import ADVICE, OTHERWISE, resolution_error
from mirrorhub.errors import RevisionNotFoundError
from mirrorhub.faults import Failure, Fault, Hopeless
from mirrorhub.models import Endpoint, Repo

REPO = Repo("modelscope", "org/name")
A, B, C, D = (Endpoint(f"https://{name}.test") for name in "abcd")
CERTIFICATE = ADVICE[Fault.CERTIFICATE]
SAYING = "No endpoint could say what modelscope:org/name holds. "


def said(*failures: tuple[Endpoint, Fault], revision: str | None = None) -> str:
    """What the error says without its attempts."""
    told = [(endpoint, Failure(fault)) for endpoint, fault in failures]
    return resolution_error(REPO, revision, Hopeless(told), ()).message


def test_what_happened_to_everybody() -> None:
    """Advice on what happened to every endpoint stands as a sentence of its own."""
    told = said((A, Fault.CERTIFICATE), (B, Fault.CERTIFICATE), (A, Fault.CERTIFICATE))
    assert told == f"{SAYING}A{CERTIFICATE[1:]}"


def test_what_happened_to_some() -> None:
    """Advice on what happened to some endpoints names them: the others fail for another reason."""
    assert said((A, Fault.SERVER_ERROR), (B, Fault.CERTIFICATE)) == f"{SAYING}https://b.test: {CERTIFICATE}"
    told = said((A, Fault.SERVER_ERROR), *((one, Fault.CERTIFICATE) for one in (B, C, D, B)))
    assert told == f"{SAYING}https://b.test, https://c.test and 1 more: {CERTIFICATE}"


def test_two_pieces_of_advice() -> None:
    """Each of two pieces of advice names its own."""
    told = said((A, Fault.DNS), (B, Fault.CERTIFICATE), (C, Fault.SERVER_ERROR))
    assert told == f"{SAYING}https://b.test: {CERTIFICATE} https://a.test: {ADVICE[Fault.DNS]}"


def test_no_secret_in_the_name() -> None:
    """An endpoint with a login is named without it."""
    secret = Endpoint("https://user:aSecretWord@s.test")
    assert "aSecretWord" not in said((A, Fault.SERVER_ERROR), (secret, Fault.CERTIFICATE))


def test_nothing_to_advise() -> None:
    """Where no fault has advice of its own, the network is to be looked at."""
    assert said((A, Fault.SERVER_ERROR)) == SAYING + OTHERWISE


@pytest.mark.parametrize(("revision", "words"), [(None, "no default branch"), ("v1", "no revision 'v1'")])
def test_a_revision_that_nobody_named(revision: str | None, words: str) -> None:
    """A revision that was not given is not told as if somebody could type it."""
    error = resolution_error(REPO, revision, Hopeless([(A, Failure(Fault.NO_REVISION))]), ())
    assert isinstance(error, RevisionNotFoundError)
    assert words in error.message
    assert "@default" not in said((A, Fault.SERVER_ERROR), revision=revision)
    assert ("@v1" in said((A, Fault.SERVER_ERROR), revision=revision)) is (revision == "v1")


def test_a_hub_that_lists_what_another_has_not() -> None:
    """A hub whose listing is not accepted has the repository, whatever another one says."""
    official = replace(A, official=True)
    told = said((official, Fault.BAD_LISTING), (replace(B, official=True), Fault.NO_REPO))
    assert told.startswith(f"{SAYING}A listing was not accepted")
