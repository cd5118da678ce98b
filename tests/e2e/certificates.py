"""An authority of a test's own and a certificate for 127.0.0.1 that it has signed."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests import clock


@dataclass(frozen=True)
class Authority:
    """The authority's certificate, and a server's certificate with its key, in PEM."""

    certificate: Path
    chain: Path


def authority(folder: Path) -> Authority:
    """Make an authority and a certificate in a folder."""
    key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Authority {folder.name}")])
    own = _builder(name, name, key).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    server = _builder(x509.Name([]), name, server_key).add_extension(address, critical=True)
    pem = serialization.Encoding.PEM
    made = Authority(folder / "authority.pem", folder / "server.pem")
    made.certificate.write_bytes(own.sign(key, hashes.SHA256()).public_bytes(pem))
    made.chain.write_bytes(
        server.sign(key, hashes.SHA256()).public_bytes(pem)
        + server_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.fromtimestamp(clock.NOW // clock.SECOND, UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
    )
