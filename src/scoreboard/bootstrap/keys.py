"""Keys that sign tokens, cursors and queue messages, the same in every process."""

import hashlib

from scoreboard.adapters.jose.tokens import signing_key
from scoreboard.bootstrap.settings import Settings, SettingsError

FILE = "token.key"
MIN_CHARS = 32
REMEDY = "create one with: openssl rand -hex 32"


def read_signing_key(settings: Settings) -> bytes:
    """Return the key of the settings, or of the data folder, created if absent."""
    if not settings.signing_key:
        return signing_key(settings.data / FILE)
    if len(settings.signing_key) < MIN_CHARS:
        raise SettingsError(f"signing_key needs at least {MIN_CHARS} characters; {REMEDY}")
    return settings.signing_key.encode()


def read_queue_keys(settings: Settings, key: bytes) -> list[bytes]:
    """Return the keys of queue messages, by default one derived from `key`.

    The first key signs, all verify.
    """
    configured = [part.strip() for part in settings.queue_keys.split(",") if part.strip()]
    if any(len(part) < MIN_CHARS for part in configured):
        raise SettingsError(f"each key in queue_keys needs at least {MIN_CHARS} characters; {REMEDY}")
    return [part.encode() for part in configured] or [_derive(key, b"queue")]


def derive_event_key(key: bytes) -> bytes:
    """Return the key that signs the event ids of queued updates."""
    return _derive(key, b"event")


def _derive(key: bytes, purpose: bytes) -> bytes:
    return hashlib.blake2b(purpose, key=key[:64]).digest()
