"""Manifests read, and every problem told at its place."""

import pytest

from tests.manifest.grant_types import GRANT_TYPES, StoreGrant
from theater import limits
from theater.manifest import Disallow, Inherit, Manifest, ManifestError, Problem, Restrict, parse

HEAD = 'name = "a"\ncomponent = "a.wasm"\n'


def read(text: str, **variables: str) -> Manifest:
    return parse(text, grant_types=GRANT_TYPES, variables=variables)


def problems(text: str, **variables: str) -> list[Problem]:
    with pytest.raises(ManifestError) as raised:
        read(text, **variables)
    return list(raised.value.problems)


def places(text: str, **variables: str) -> list[tuple[int, int]]:
    return [(problem.line, problem.column) for problem in problems(text, **variables)]


def test_the_smallest_manifest_has_every_default():
    manifest = read(HEAD)
    assert (manifest.name, manifest.component) == ("a", "a.wasm")
    assert manifest.limits.memory == limits.MEMORY_BYTES
    assert manifest.limits.fuel is None
    assert manifest.request_timeout_ms == limits.REQUEST_TIMEOUT_MS
    assert (manifest.supervision.restart, manifest.supervision.strategy) == (
        "transient",
        "one_for_one",
    )
    assert (manifest.errors, manifest.poison) == ("continue", "quarantine")
    assert manifest.handlers == ()
    assert manifest.text == HEAD


def test_every_key_is_read():
    manifest = read(
        """
        name = "researcher"
        version = "0.1.0"
        component = "https://example.com/r.wasm"
        component_sha256 = "%s"
        description = "reads"
        initial_state = "state.json"
        save_chain = true
        request_timeout_ms = 7
        send_timeout_ms = 8
        errors = "fail"
        poison = "retry"
        passivate_after_ms = 0
        [interface]
        implements = "ntwk:theater/actor"
        requires = ["theater:simple/store"]
        [supervision]
        restart = "permanent"
        restart_state = "initial"
        shutdown_ms = 1
        strategy = "rest_for_one"
        intensity = 3
        period_s = 9
        [limits]
        memory = "1 GiB"
        deadline_ms = 2
        instance_calls = 1
        events_per_call = 3
        message_bytes = 5
        state_bytes = "6KiB"
        mailbox = 4
        fuel = 10_000_000_000
        """
        % ("ab" * 32)
    )
    assert manifest.version == "0.1.0"
    assert manifest.component_sha256 == "ab" * 32
    assert manifest.initial_state == "state.json"
    assert manifest.save_chain is True
    assert (manifest.request_timeout_ms, manifest.send_timeout_ms) == (7, 8)
    assert (manifest.errors, manifest.poison, manifest.passivate_after_ms) == ("fail", "retry", 0)
    assert manifest.implements == ("theater:simple/actor",)
    assert manifest.requires == ("theater:simple/store",)
    supervision = manifest.supervision
    assert (supervision.restart, supervision.restart_state) == ("permanent", "initial")
    assert (supervision.shutdown_ms, supervision.strategy) == (1, "rest_for_one")
    assert (supervision.intensity, supervision.period_s) == (3, 9)
    bounds = manifest.limits
    assert (bounds.memory, bounds.deadline_ms, bounds.instance_calls) == (1 << 30, 2, 1)
    assert (bounds.events_per_call, bounds.message_bytes, bounds.state_bytes) == (3, 5, 6144)
    assert (bounds.mailbox, bounds.fuel) == (4, 10**10)


def test_old_spellings_mean_the_same():
    old = read(
        """
        name = "a"
        component_path = "a.wasm"
        long_description = "d"
        init_state = "s.json"

        [interface]
        implements = "ntwk:theater/message-server-client"
        requires = []

        [[handlers]]
        type = "message-server"
        config = { port = 8080 }
        interface = "ntwk:theater/message-server-client"

        [[handlers]]
        type = "store"
        config = { max_bytes = "2MiB" }
        """
    )
    new = read(
        """
        name = "a"
        component = "a.wasm"
        description = "d"
        initial_state = "s.json"
        [interface]
        implements = ["theater:simple/message-server-client"]
        [[handler]]
        type = "message-server"
        [[handler]]
        type = "store"
        max_bytes = 2097152
        """
    )
    assert old.component == new.component
    assert (old.description, old.initial_state) == (new.description, new.initial_state)
    assert (old.implements, old.requires) == (new.implements, new.requires)
    assert old.grants == new.grants
    assert read('name = "a"\npackage = "p.wasm"').component == "p.wasm"


def test_a_setting_that_does_nothing_is_a_warning_with_its_place():
    manifest = read(HEAD + '[[handlers]]\ntype = "message-server"\nconfig = { port = 8080 }\n')
    assert [(warning.line, warning.column) for warning in manifest.warnings] == [(5, 12)]


def test_an_inline_initial_state_is_the_state_as_json():
    manifest = read(HEAD + "[initial_state]\nlevel = 3\n[initial_state.inner]\nx = [1, true]\n")
    assert manifest.initial_state == b'{"level": 3, "inner": {"x": [1, true]}}'
    assert places(HEAD + "initial_state = { at = 2020-01-01 }") == [(3, 17)]


def test_all_problems_are_told_at_once_in_the_texts_order():
    text = """
name = "a"
colour = 1
versoin = "1"
[limits]
memory = "64MB"
mailbux = 3
deadline_ms = 0
[supervision]
strategy = "one_for_al"
[[handlers]]
type = "stor"
[[handler]]
type = "store"
max_bytes = true
labels = ["a", 3]
"""
    assert places(text) == [
        (1, 1),  # no component
        (3, 1),
        (4, 1),
        (6, 10),
        (7, 1),
        (8, 15),
        (10, 12),
        (12, 8),
        (15, 13),
        (16, 16),
    ]
    hints = {problem.line: problem.hint for problem in problems(text)}
    assert "version" in str(hints[4])
    assert "mailbox" in str(hints[7])
    assert "one_for_all" in str(hints[10])
    assert "store" in str(hints[12])


def test_columns_count_characters():
    assert places(HEAD + '"ключ" = 1\n[limits]\nmailbox = "й"') == [(3, 1), (5, 11)]
    assert places(HEAD + "limits = { 'é' = 1, x = 2 }") == [(3, 12), (3, 21)]


def test_keys_in_every_notation_have_their_place():
    text = (
        HEAD + '[[handler]]\ntype = "store"\n[[handler]]\ntype = "store"\n\n[limits]\n a . b = 1\n'
    )
    assert places(text) == [(5, 3), (9, 2)]
    text = HEAD + '[[handlers]]\ntype = "message-server"\n[handlers.config]\r\n  no = [\n1,\n]\n'
    assert places(text) == [(6, 3)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = [", 1),
        ("a = 1\nb = = 2\n", 2),
        ("a = 1\na = 2\n", 2),
        ('x = """abc\n\n', 1),
        ("[a\n", 1),
    ],
)
def test_what_is_not_toml_is_a_problem_with_its_line(text: str, line: int):
    assert line in [problem.line for problem in problems(text) if "key" not in problem.message]


def test_syntax_errors_are_told_together():
    found = problems('name = "a"\nb = = 1\n\nc = 2\n\n[limits\nd = 3\ne = f\n')
    assert [problem.line for problem in found] == [2, 6, 8]


def test_syntax_errors_are_told_together_with_what_the_rest_says():
    found = problems('name = a\ncomponent = "c"\nsurprise = 1\n[limits]\nmailbox = 0\n')
    assert [(problem.line, problem.column) for problem in found] == [(1, 8), (3, 1), (5, 11)]


def test_two_spellings_of_one_key_are_a_problem():
    assert places('name = "a"\ncomponent = "a"\npackage = "b"') == [(3, 1)]


def test_settings_stand_in_config_or_beside_the_type_but_not_in_both():
    text = HEAD + '[[handler]]\ntype = "store"\nmax_bytes = 1\n[handler.config]\nmax_labels = 1\n'
    assert places(text) == [(5, 1)]


def test_a_handler_that_this_version_lacks_is_a_problem_of_its_own():
    found = problems(HEAD + '[[handler]]\ntype = "http-framework"\n')
    assert [(problem.line, problem.column) for problem in found] == [(4, 8)]
    assert "not available in this version" in found[0].message


def test_a_handler_without_a_type_and_one_that_is_no_list_are_problems():
    assert places(HEAD + "[[handler]]\nmax_bytes = 1\n") == [(3, 3)]
    assert places(HEAD + '[handler]\ntype = "store"\n') == [(3, 2)]


def test_a_component_from_the_network_needs_its_hash():
    assert places('name = "a"\ncomponent = "https://example.com/a.wasm"\n') == [(2, 13)]
    assert places('name = "a"\ncomponent = "ftp://example.com/a.wasm"\n') == [(2, 13)]
    assert places(HEAD + 'component_sha256 = "AB"\n') == [(3, 20)]
    assert read('name = "a"\ncomponent = "store://s/hash/ab"').component == "store://s/hash/ab"


@pytest.mark.parametrize("name", ["", "x" * 129, "a\\nb"])
def test_names_have_bounds(name: str):
    assert places(f'name = "{name}"\ncomponent = "a"\n') == [(1, 8)]


@pytest.mark.parametrize(
    ("key", "high"),
    [
        ("memory", limits.MEMORY_BYTES_CEILING),
        ("deadline_ms", limits.DEADLINE_MS_CEILING),
        ("instance_calls", limits.INSTANCE_CALLS_CEILING),
        ("events_per_call", limits.EVENTS_PER_CALL_CEILING),
        ("message_bytes", limits.MESSAGE_BYTES_CEILING),
        ("state_bytes", limits.STATE_BYTES_CEILING),
        ("mailbox", limits.MAILBOX_CEILING),
        ("fuel", limits.FUEL_CEILING),
    ],
)
def test_every_limit_has_a_ceiling(key: str, high: int):
    assert getattr(read(f"{HEAD}[limits]\n{key} = {high}").limits, key) == high
    assert places(f"{HEAD}[limits]\n{key} = {high + 1}") == [(4, len(key) + 4)]


def test_permission_policies_are_read_by_handler_type():
    manifest = read(
        HEAD
        + """
        [permission_policy.message_server]
        type = "disallow"
        [permission_policy.store]
        type = "restrict"
        [permission_policy.store.config]
        max_bytes = 5
        """
    )
    assert manifest.permission_policy == {
        "message-server": Disallow(),
        "store": Restrict(StoreGrant(max_bytes=5)),
    }
    inherit = read(HEAD + "[permission_policy.store]\n")
    assert inherit.permission_policy == {"store": Inherit()}


def test_a_policy_for_a_handler_that_this_version_lacks_allows_nothing_and_warns():
    manifest = read(
        HEAD
        + """
[permission_policy.file_system]
type = "restrict"
[permission_policy.file_system.config]
read = true
allowed_paths = ["/data"]
"""
    )
    assert manifest.permission_policy == {"filesystem": Disallow()}
    assert [warning.line for warning in manifest.warnings] == [4]
    assert places(HEAD + "[permission_policy.stor]\n") == [(3, 2)]


def test_a_handlers_entry_knows_its_line_and_settings():
    entry = read(HEAD + '\n[[handler]]\ntype = "store"\nmax_bytes = 3\n').handlers[0]
    assert (entry.type, entry.line, dict(entry.settings)) == ("store", 4, {"max_bytes": 3})
    assert entry.grant == StoreGrant(max_bytes=3)
