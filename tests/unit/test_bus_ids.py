"""Event ids."""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from cuid2 import is_cuid

from relay.outbox.ids import new_id


def test_an_id_is_a_cuid2_of_24_characters() -> None:
    ids = [new_id() for _ in range(1000)]
    assert all(is_cuid(event_id, 24, 24) for event_id in ids)


def test_threads_never_create_the_same_id() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = pool.map(lambda _: [new_id() for _ in range(2_000)], range(8))
        ids = [event_id for some in made for event_id in some]
    assert len(set(ids)) == len(ids)


def test_a_forked_process_makes_ids_of_its_own() -> None:
    new_id()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, new_id().encode())
        os._exit(0)
    own = new_id()
    os.waitpid(child, 0)
    assert os.read(reader, 24).decode() != own


def test_every_character_is_about_as_frequent_as_any_other() -> None:
    seen = Counter("".join(new_id()[1:] for _ in range(10_000)))
    # 6,389 of each are expected, standard deviation 79: eight of them leave no room for chance.
    assert len(seen) == 36
    assert all(abs(count - 10_000 * 23 / 36) < 8 * 79 for count in seen.values())
