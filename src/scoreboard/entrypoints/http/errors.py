"""HttpError: a request that ends before the application is asked, or in a failure nobody expected."""

from http import HTTPStatus


class HttpError(Exception):
    """Each contract renders it in its own shape. The server adds `headers`, lines that end in CRLF, to the answer."""

    def __init__(self, status: HTTPStatus, code: str, detail: str, headers: bytes = b"") -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers
