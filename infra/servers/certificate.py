"""Self-signed certificates for 127.0.0.1: the clients of the demo are given the certificate itself as their authority."""

import ipaddress
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from infra.state import State, write

_MAKING = threading.Lock()  # Dovecot and Postfix ask for the same one side by side


def ensure_certificate(state: State, name: str, user: str) -> tuple[Path, Path]:
    """(certificate, key) of a server; the key is readable by `user` only."""
    certificate, key = state.path("tls", f"{name}.crt"), state.path("tls", f"{name}.key")
    with _MAKING:
        if not (certificate.exists() and key.exists()):
            private = ec.generate_private_key(ec.SECP256R1())
            pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            write(key, pem.decode(), user=user, mode=0o600)
            write(certificate, _signed(private).public_bytes(Encoding.PEM).decode(), mode=0o644)
    return certificate, key


def _signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    hosts = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(hosts, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
