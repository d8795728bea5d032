"""H47: connections on which nothing arrives any more, and nothing says so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.chaos.proxy import Proxy
from tests.integration.consuming import Counted, World, act
from tests.stack import until


@pytest.fixture
def proxy(database_url: str) -> Iterator[Proxy]:
    """A proxy before the database."""
    port = int(conninfo_to_dict(database_url)["port"])
    proxy = Proxy(lambda: port)
    yield proxy
    proxy.close()


def test_a_group_leaves_a_connection_that_has_gone_silent(world: World, proxy: Proxy) -> None:
    # Given a group that has acted on an event
    port = conninfo_to_dict(world.database_url)["port"]
    url = world.database_url.replace(f":{port}/", f":{proxy.port}/")
    group = world.new_group(lanes=1)
    group.handles(Counted)(act)
    with world.running(group, database_url=url, session_timeout_ms=2000):
        world.send([("a", 1)])
        until(lambda: world.numbers("a") == [1], timeout=60)
        # When its connections carry nothing any more, and it reads another event
        assert proxy.silence()
        world.send([("a", 2)])
        # Then it acts on that by a new connection
        until(lambda: world.numbers("a") == [1, 2], timeout=60)
