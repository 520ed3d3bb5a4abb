"""The exceptions that a call can raise."""


class ClientError(Exception):
    """The base class of all exceptions that this client raises for a call."""


class ApiError(ClientError):
    """The server answered with an error.

    `code`: such as `AuthFailure.SignatureFailure`. `message`: the server's sentence, in the client's language.
    `request_id`: with it, the server's operator can find the request.
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
    """The response is not a reply of this API, is larger than allowed, or is sealed under another key."""


class RequestTooLargeError(ClientError):
    """The request is too large for its signature method and was not sent."""
