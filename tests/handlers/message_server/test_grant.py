"""With whom an actor may exchange messages."""

from theater.handlers.message_server.grant import MessageServerGrant
from theater.handlers.runtime.grant import RuntimeGrant
from theater.manifest.table import Table


def read(**settings: object) -> tuple[MessageServerGrant, Table]:
    table = Table(settings)
    return MessageServerGrant.from_settings(table), table


def test_without_a_list_everyone_is_a_peer_and_with_an_empty_one_nobody():
    assert MessageServerGrant().allows("id", "name")
    assert not MessageServerGrant(allowed_peers=()).allows("id", "name")


def test_peers_are_named_by_id_or_name():
    grant, table = read(allowed_peers=["planner", "0a1b"])
    assert table.problems.found == ()
    assert grant.allows("ffff", "planner")
    assert grant.allows("0a1b")
    assert not grant.allows("ffff", "other")
    assert not grant.allows("ffff")


def test_a_childs_peers_are_its_parents_too():
    child = MessageServerGrant(allowed_peers=("a", "b"))
    assert child.meet(MessageServerGrant(allowed_peers=("b", "c"))).allowed_peers == ("b",)
    assert child.meet(MessageServerGrant()).allowed_peers == ("a", "b")


def test_the_port_of_old_manifests_is_a_warning_and_other_settings_are_problems():
    _, table = read(port=8080)
    assert (len(table.problems.found), len(table.problems.warned)) == (0, 1)
    _, table = read(prot=8080, allowed_peers=["", 1])
    assert len(table.problems.found) == 3


def test_the_runtimes_grant_has_no_settings():
    table = Table({"level": "debug"})
    assert RuntimeGrant.from_settings(table).as_map() == {}
    assert len(table.problems.found) == 1
