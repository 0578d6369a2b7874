"""Files that mostly hold secrets: no tool reads them, and none is attached to a prompt. Plain, and nothing heavy."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import PurePath

PRIVATE_FOLDERS = frozenset({".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker"})
PRIVATE_FILES = (
    ".env", ".env.*", "*.env", ".envrc", ".netrc", "_netrc", ".pgpass", ".npmrc", ".pypirc", ".git-credentials",
    ".htpasswd", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks",
    "*.keystore", "*.kdbx", "credentials.json", "service-account*.json",
)  # fmt: skip
"""What is read goes to the provider and into the session's stream."""
TEMPLATES = ("*.example", "*.sample", "*.template", "*.dist", "*.pub")


def is_private(path: PurePath) -> bool:
    """Whether the name of `path`, or of a folder on the way to it, speaks of secrets."""
    if not PRIVATE_FOLDERS.isdisjoint(path.parts):
        return True
    name = path.name.lower()
    return any(fnmatchcase(name, p) for p in PRIVATE_FILES) and not any(fnmatchcase(name, p) for p in TEMPLATES)


def holds_secrets(data: bytes) -> bool:
    """Whether there is a private key in a text, whatever its name."""
    return any(b"PRIVATE KEY-----" in line for line in data.splitlines() if line.startswith(b"-----BEGIN "))
