"""What a call can end in, other than a reply."""


class ClientError(Exception):
    """The base of everything that this client raises about a call."""


class ApiError(ClientError):
    """The server answered with an error.

    `code`: such as `AuthFailure.SignatureFailure`. `message`: the server's sentence, in the client's language.
    `request_id`: what the server's operator finds the request by.
    """

    def __init__(self, code: str, message: str, request_id: str) -> None:
        super().__init__(code, message, request_id)
        self.code = code
        self.message = message
        self.request_id = request_id

    def __str__(self) -> str:
        return f"{self.code}: {self.message} (RequestId {self.request_id})"


class TransportError(ClientError):
    """No reply came: no connection, no trust in the certificate, a timeout, or an HTTP status other than 200."""


class ReplyError(ClientError):
    """What came is not a reply of this API, is larger than allowed, or is sealed under another key."""


class RequestTooLargeError(ClientError):
    """The request is larger than its signature method may carry, and was not sent."""
