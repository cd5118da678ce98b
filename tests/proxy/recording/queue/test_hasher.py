"""Hashes made on a thread of their own."""

import hashlib

from proxy.recording.queue.hasher import Hasher


def test_a_hash_is_that_of_the_pieces_joined() -> None:
    hasher = Hasher()
    hasher.start()
    wanted = [hasher.submit([b"a" * number, b"b"]) for number in range(200)]

    told = [each.result() for each in wanted]
    hasher.close()

    assert told == [hashlib.sha256(b"a" * number + b"b").hexdigest() for number in range(200)]


def test_what_was_submitted_is_made_before_the_end() -> None:
    hasher = Hasher()
    wanted = hasher.submit([b"x"])
    hasher.start()
    hasher.close()

    assert wanted.result() == hashlib.sha256(b"x").hexdigest()
