"""JSON bodies, for the contracts that have them."""

from typing import TypeVar

import msgspec

from scoreboard.domain import codes

T = TypeVar("T")


def decode_json(decoder: "msgspec.json.Decoder[T]", body: bytes) -> T:
    """Decode a body. Raises Invalid: `invalid_json` for malformed JSON, `invalid_body` for JSON of another shape."""
    try:
        if not body.isascii():
            body.decode()  # The decoder does not look into what is passed on as it came, such as metadata.
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise codes.INVALID_BODY.error(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise codes.INVALID_JSON.error(f"the body is not JSON: {error}") from error
