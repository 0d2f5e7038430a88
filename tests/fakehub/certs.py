"""Certificates for test hubs: one authority for the process, and every way in which a certificate can be wrong."""

from __future__ import annotations

import atexit
import functools
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CertKind = Literal["good", "expired", "self-signed", "other-host", "unknown-ca"]
HOSTS = ("localhost", "127.0.0.1")


@functools.cache
def authority() -> trustme.CA:
    """Give the authority that tests trust."""
    return trustme.CA()


@functools.cache
def ca_file() -> Path:
    """Give the PEM file of the authority; it is removed when the process ends."""
    with tempfile.NamedTemporaryFile(prefix="fakehub-ca-", suffix=".pem", delete=False) as file:
        file.write(authority().cert_pem.bytes())
    path = Path(file.name)
    atexit.register(path.unlink, missing_ok=True)
    return path


def server_context(kind: CertKind, hosts: tuple[str, ...], alpn: tuple[str, ...]) -> ssl.SSLContext:
    """Make a server's TLS context.

    Args:
        kind: What is wrong with the certificate, if anything.
        hosts: Names that it covers beside localhost and 127.0.0.1.
        alpn: Protocols offered, the favourite first.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(list(alpn))
    if kind == "self-signed":
        _load_self_signed(context)
    else:
        _issue(kind, (*HOSTS, *hosts)).configure_cert(context)
    return context


def client_context() -> ssl.SSLContext:
    """Make a client's TLS context that trusts the authority and nobody else."""
    return ssl.create_default_context(cafile=str(ca_file()))


@functools.cache
def _issue(kind: CertKind, hosts: tuple[str, ...]) -> trustme.LeafCert:
    if kind == "expired":
        return authority().issue_cert(*hosts, not_after=datetime.now(UTC) - timedelta(days=1))
    if kind == "other-host":
        return authority().issue_cert("other.example")
    if kind == "unknown-ca":
        return trustme.CA(organization_name="Nobody").issue_cert(*hosts)
    return authority().issue_cert(*hosts)


def _load_self_signed(context: ssl.SSLContext) -> None:
    with tempfile.TemporaryDirectory(prefix="fakehub-cert-") as folder:
        path = Path(folder, "self-signed.pem")
        path.write_bytes(_self_signed())
        context.load_cert_chain(path)


@functools.cache
def _self_signed() -> bytes:
    """Make key and certificate of a server that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(pem, form, serialization.NoEncryption()) + certificate.public_bytes(pem)
