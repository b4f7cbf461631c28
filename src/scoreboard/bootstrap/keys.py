"""Keys: what tokens, cursors and messages in the queue are signed with; the same in every process."""

import hashlib

from scoreboard.adapters.jose.tokens import signing_key
from scoreboard.bootstrap.settings import Settings, SettingsError

FILE = "token.key"
MIN_CHARS = 32


def read_signing_key(settings: Settings) -> bytes:
    """Return the key of the settings, or that of the data folder, made when there is none."""
    if not settings.signing_key:
        return signing_key(settings.data / FILE)
    if len(settings.signing_key) < MIN_CHARS:
        raise SettingsError(f"signing_key has at least {MIN_CHARS} characters; make one with: openssl rand -hex 32")
    return settings.signing_key.encode()


def read_queue_keys(settings: Settings, key: bytes) -> list[bytes]:
    """Return the keys of messages: the first signs, and all verify. Without a setting, one is derived from `key`."""
    given = [part.strip() for part in settings.queue_keys.split(",") if part.strip()]
    if any(len(part) < MIN_CHARS for part in given):
        raise SettingsError(f"each of queue_keys has at least {MIN_CHARS} characters")
    return [part.encode() for part in given] or [_derived(key, b"queue")]


def derive_event_key(key: bytes) -> bytes:
    """Return the key that signs the event ids of queued updates."""
    return _derived(key, b"event")


def _derived(key: bytes, purpose: bytes) -> bytes:
    return hashlib.blake2b(purpose, key=key[:64]).digest()
