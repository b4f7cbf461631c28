"""JSON bodies of requests and responses, for the contracts that have them."""

from typing import TypeVar

import msgspec

from scoreboard.domain import codes
from scoreboard.entrypoints.http.response import Response

T = TypeVar("T")

UNCACHED = b"Cache-Control: no-store\r\n"

encode_json = msgspec.json.Encoder().encode


def json_response(body: msgspec.Struct, status: int = 200) -> Response:
    """Return a response with a JSON body that no cache may keep."""
    return Response(status, encode_json(body), UNCACHED)


def decode_json(decoder: "msgspec.json.Decoder[T]", body: bytes) -> T:
    """Decode a body. Raises Invalid (`invalid_json` or `invalid_body`)."""
    try:
        if not body.isascii():
            body.decode()  # the decoder does not check the encoding of raw fields, such as metadata
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise codes.INVALID_BODY.error(str(error)) from error
    except UnicodeDecodeError as error:
        raise codes.INVALID_JSON.error(f"the body is not UTF-8 at byte {error.start}; send JSON in UTF-8") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise codes.INVALID_JSON.error(f"the body is not JSON: {error}") from error
