"""Error answers of Confluent's API: one row for each error code.

Source: Confluent Schema Registry API reference, "Errors".
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ApiError", "ErrorKind"]


class ApiError(Exception):
    """An answer other than success. code: Confluent's error code; status: of HTTP."""

    def __init__(self, code: int, message: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True)
class ErrorKind:
    """Calling it with the values for the message makes an error to raise.

    code: its first three digits are the HTTP status unless that is given.
    """

    code: int
    message: str
    status: int | None = None

    def __call__(self, *values: object) -> ApiError:
        status = self.status or int(str(self.code)[:3])
        return ApiError(self.code, self.message.format(*values), status)


# A body that is not JSON, or an address that can't be looked up.
malformed = ErrorKind(400, "{}")
not_acceptable = ErrorKind(406, "HTTP 406 Not Acceptable: {!r} is none of {}")
incompatible = ErrorKind(
    409,
    "Schema being registered is incompatible with an earlier schema for subject '{}', details: {}",
)
unsupported_type = ErrorKind(415, "HTTP 415 Unsupported Media Type: the body is {!r}, send {}")
no_body = ErrorKind(422, "The request has no body: send a JSON object")
unrecognized = ErrorKind(422, "Unrecognized field: {}; known are {}")
subject_not_found = ErrorKind(40401, "Subject '{}' not found.")
version_not_found = ErrorKind(40402, "Version {} not found.")
schema_not_found = ErrorKind(40403, "{} not found")
subject_soft_deleted = ErrorKind(
    40404, "Subject '{}' was soft deleted. Set permanent=true to delete it permanently"
)
subject_not_soft_deleted = ErrorKind(
    40405, "Subject '{}' must be soft deleted before it is deleted permanently"
)
version_soft_deleted = ErrorKind(
    40406, "Subject '{}' version {} was soft deleted. Set permanent=true to delete it permanently"
)
version_not_soft_deleted = ErrorKind(
    40407, "Subject '{}' version {} must be soft deleted before it is deleted permanently"
)
level_not_set = ErrorKind(40408, "Subject '{}' has no compatibility level of its own")
mode_not_set = ErrorKind(40409, "Subject '{}' has no mode of its own")
invalid_schema = ErrorKind(42201, "Invalid schema: {}")
invalid_version = ErrorKind(
    42202, "The version '{}' is not valid: use a number from 1 to 2147483647 or 'latest'"
)
invalid_level = ErrorKind(
    42203,
    "Invalid compatibility level {!r}: use NONE, BACKWARD, FORWARD, FULL, BACKWARD_TRANSITIVE, "
    "FORWARD_TRANSITIVE or FULL_TRANSITIVE",
)
invalid_mode = ErrorKind(
    42204, "Invalid mode {!r}: use READWRITE, READONLY, READONLY_OVERRIDE or IMPORT"
)
not_permitted = ErrorKind(42205, "{}")
reference_exists = ErrorKind(
    42206, "Subject '{}' version {} is referenced by schemas of {}: delete those first"
)
invalid_subject = ErrorKind(42208, "The subject {!r} is invalid: {}")
# Characters of a schema's text, or bytes of a request.
schema_too_large = ErrorKind(42209, "The schema is too large: {} are more than {} characters")
# The database is unavailable, busy or not migrated.
store_failed = ErrorKind(50001, "Error in the backend datastore: {}", status=503)
unforeseen = ErrorKind(50001, "Error in the registry, see its log", status=500)
