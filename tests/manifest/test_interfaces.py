"""Which entries a component needs."""

from tests.manifest.grant_types import GRANT_TYPES
from theater.manifest import canonical, listed, missing_handlers, parse

PROVIDERS = {
    "theater:simple/runtime": "runtime",
    "theater:simple/store": "store",
    "theater:simple/message-server-host": "message-server",
    "theater:agent/context": "context",
}


def test_the_older_packages_names_and_versions_mean_todays_interfaces():
    assert canonical("ntwk:theater/store") == "theater:simple/store"
    assert canonical("theater:agent/context@0.1.0") == "theater:agent/context"
    assert canonical("wasi:io/streams@0.2") == "wasi:io/streams"


def test_every_missing_entry_is_listed_with_the_lines_to_add():
    manifest = parse(
        'name="a"\ncomponent="a"\n[[handler]]\ntype="store"\n', grant_types=GRANT_TYPES
    )
    missing = missing_handlers(
        [
            "theater:simple/runtime",
            "ntwk:theater/message-server-host",
            "theater:simple/store",
            "theater:agent/context@0.1",
            "theater:simple/teleport",
            "wasi:clocks/wall-clock@0.2",
        ],
        manifest,
        PROVIDERS,
    )
    assert [(entry.interface, entry.type) for entry in missing] == [
        ("theater:simple/message-server-host", "message-server"),
        ("theater:agent/context", "context"),
        ("theater:simple/teleport", None),
    ]
    added = manifest.text + "".join(entry.lines for entry in missing[:1] if entry.lines)
    again = parse(added, grant_types=GRANT_TYPES)
    assert len(missing_handlers(["ntwk:theater/message-server-host"], again, PROVIDERS)) == 0


def test_the_lines_of_a_handler_with_two_interfaces_are_told_once():
    manifest = parse('name="a"\ncomponent="a"\n', grant_types=GRANT_TYPES)
    providers = {
        "theater:simple/supervisor": "supervisor",
        "theater:agent/supervision": "supervisor",
    }
    told = listed(missing_handlers((*providers, "theater:simple/teleport"), manifest, providers))
    assert told.count('type = "supervisor"') == 1
    assert all(name in told for name in (*providers, "theater:simple/teleport"))
