"""A small signed world for tests: the fixed keys of host-tests/src/fixture.rs, so that what is sealed here and there mixes.

The seeds are public and worthless; nothing outside tests trusts them.
"""

import base64
import hashlib
import json
import os
import logging
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

AUDIENCE, ENVIRONMENT = "flagstone.example/tests", "test"
ISSUED = 1_800_000_000
FIXTURES = Path(os.environ["FIXTURES"])
if "unittest" in sys.modules:
    # The tests make much trouble on purpose; what is said of it is looked at in programs of their own.
    logging.getLogger("flagstone").setLevel(logging.CRITICAL + 1)


def fixture(path):
    return (FIXTURES / path).read_bytes()


def fixture_json(path):
    return json.loads(fixture(path))


def payload(path):
    """The payload of a sealed file of the fixtures."""
    file = fixture(path)
    return file[20 + int.from_bytes(file[8:12], "big") :]


class Key:
    def __init__(self, name, seed):
        self.name = f"flagstone.example/{name}"
        self._key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        public = b"\x01" + self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._id = hashlib.sha256(self.name.encode() + b"\n" + public).digest()[:4]
        self.text = f"{self.name}+{self._id.hex()}+{base64.b64encode(public).decode()}"

    def line(self, statement):
        signature = base64.b64encode(self._id + self._key.sign(statement.encode())).decode()
        return f"— {self.name} {signature}\n"


ROOT, RELEASE, PULSE = Key("root", 1), Key("release", 2), Key("pulse", 3)
ROOT_TWO, RELEASE_TWO, PULSE_TWO = Key("root-two", 11), Key("release-two", 12), Key("pulse-two", 13)


def signed(statement, *keys):
    return statement + "\n" + "".join(key.line(statement) for key in keys)


def trust(version=1, epoch=1, root=ROOT, release=RELEASE, pulse=PULSE, signers=(ROOT,), issued=ISSUED, environment=ENVIRONMENT):
    return signed(
        f"flagstone/trust@v1\nversion {version}\nepoch {epoch}\nissued {issued}\nexpires {issued + 300 * 86_400}\n"
        f"role root 1 {root.text}\nrole release:{environment} 1 {release.text}\nrole pulse:{environment} 1 {pulse.text}\n",
        *signers,
    )


class Sealed:
    """A payload sealed; `digest` is 64 hexadecimal digits."""

    def __init__(
        self, content, sequence, epoch=1, issued=ISSUED, life=14 * 86_400, key=RELEASE, audience=AUDIENCE,
        environment=ENVIRONMENT,
    ):
        self._reader = f"audience {audience}\nenvironment {environment}\n"
        statement = (
            f"flagstone/snapshot@v1\n{self._reader}epoch {epoch}\nsequence {sequence}\n"
            f"issued {issued}\nexpires {issued + life}\nparent {base64.b64encode(bytes(32)).decode()}\n"
            f"payload-type application/vnd.flagstone.snapshot.v1\npayload-length {len(content)}\n"
            f"payload-sha256 {base64.b64encode(hashlib.sha256(content).digest()).decode()}\n"
        )
        note = signed(statement, key).encode()
        self.epoch, self.sequence, self.expires = epoch, sequence, issued + life
        self._digest = hashlib.sha256(statement.encode()).digest()
        self.digest = self._digest.hex()
        self.file = (
            b"FLAGS\0\0\x01" + len(note).to_bytes(4, "big") + len(content).to_bytes(8, "big") + note + content
        )

    def pulse(self, number, stages=(), halts=(), issued=ISSUED, life=300, key=PULSE):
        named = f"{self.epoch} {self.sequence} {base64.b64encode(self._digest).decode()}"
        lines = [f"stage {index} 0 {flag}\n" for flag, index in sorted(stages)]
        lines += [f"halt {flag}\n" for flag in sorted(halts)]
        return signed(
            f"flagstone/pulse@v1\n{self._reader}pulse {number}\nissued {issued}\n"
            f"expires {issued + life}\nsnapshot {named}\n" + "".join(lines),
            key,
        ).encode()


def publish(folder, trust_note=None, pulse=None, *snapshots):
    """Lays a folder out like the paths over HTTP; snapshots first, the pulse last."""
    (folder / "snapshots").mkdir(parents=True, exist_ok=True)
    for one in snapshots:
        (folder / "snapshots" / one.digest).write_bytes(one.file)
    if trust_note is not None:
        (folder / "trust").write_text(trust_note, encoding="utf-8")
    if pulse is not None:
        (folder / "pulse").write_bytes(pulse)


def certificate(path):
    """A server's TLS for the loopback, and its certificate in PEM at a path."""
    import datetime
    import ipaddress
    import ssl

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.timezone.utc)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "flagstone tests")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = path.with_suffix(".key")
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, secret)
    return context


class Clock:
    def __init__(self, now=ISSUED):
        self.now = now

    def __call__(self):
        return float(self.now)
