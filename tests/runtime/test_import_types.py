"""A component that imports or exports with another type than is meant never runs, or harms only itself.

The hostile guests are guests/wat/relay.wat with a few words replaced.
"""

from __future__ import annotations

import pytest

from tests.runtime.actors import GUESTS, Theater, manifest, until
from theater.chain import shapes
from theater.engine import wat
from theater.errors import ComponentError
from theater.manifest.model import Manifest

RELAY = (GUESTS / "relay.wat").read_text()

MESSAGES = RELAY[
    RELAY.index('  (import "theater:simple/message') : RELAY.index("  (core module $libc")
]
SEND = '(export "send" (func (param "actor-id" string) (param "msg" (list u8))'
REQUEST_LIFT = """(param "params" (tuple string $bytes))
    (result (result (tuple $state (tuple (option $bytes))) (error string)))"""

EVERYTHING = "".join(
    f'[[handler]]\ntype = "{type_}"\n' for type_ in ("message-server", "store", "http-client")
)


def hostile(*replaced: tuple[str, str]) -> bytes:
    """The relay with texts replaced, each of which occurs once."""
    text = RELAY
    for old, new in replaced:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return wat(text)


def importing(interface: str, function: str, parts: str) -> bytes:
    """The relay with one import more; it is never called."""
    more = f'  (import "{interface}" (instance (export "{function}" (func {parts}))))\n'
    return hostile((MESSAGES, MESSAGES + more))


def granted() -> Manifest:
    return manifest("hostile", handlers=EVERYTHING)


def refused(stage: Theater, component: bytes) -> ComponentError:
    with pytest.raises(ComponentError) as caught:
        stage.start(component, granted())
    return caught.value


def node_lives_on(stage: Theater) -> None:
    """New actors start and answer, also after the node was opened again."""
    for _ in range(2):
        actor = stage.start("counter")
        assert stage.ask(actor, b"?") == b"1"
        stage.reopen()


ERROR_ONLY = "(result (result (error string)))"

MISTYPED_IMPORTS = {
    "theater:simple/message-server-host/send": hostile(
        (SEND, '(export "send" (func (param "actor-id" string) (param "msg" string)')
    ),
    "theater:simple/runtime/shutdown": importing(
        "theater:simple/runtime",
        "shutdown",
        f'(param "data" (option (list u32))) {ERROR_ONLY}',
    ),
    "theater:simple/message-server-host/respond-to-request": hostile(
        (
            SEND,
            f"""(export "respond-to-request" (func (param "request-id" string)
      (param "response" string) {ERROR_ONLY}))
    {SEND}""",
        )
    ),
    "theater:simple/store/label": importing(
        "theater:simple/store",
        "label",
        '(param "store-id" string) (param "label" (list u8)) (param "content-ref" string)'
        f" {ERROR_ONLY}",
    ),
    "theater:simple/store/new": importing("theater:simple/store", "new", "(result string)"),
    "theater:simple/runtime/log": importing(
        "theater:simple/runtime", "log", '(param "msg" string) (param "more" string)'
    ),
    "theater:simple/runtime/get-chain": importing("ntwk:theater/runtime", "get-chain", ""),
    "theater:simple/http-client/send-http": importing(
        "theater:simple/http-client", "send-http", f'(param "req" string) {ERROR_ONLY}'
    ),
}


@pytest.mark.parametrize("name", MISTYPED_IMPORTS)
def test_an_import_of_another_type_keeps_the_actor_from_starting(stage: Theater, name: str) -> None:
    error = refused(stage, MISTYPED_IMPORTS[name])
    assert error.code == "component.import_type"
    assert error.facts["function"] == name
    node_lives_on(stage)


def test_the_refusal_shows_both_types_as_wit_has_them(stage: Theater) -> None:
    error = refused(stage, MISTYPED_IMPORTS["theater:simple/message-server-host/send"])
    assert error.facts["found"] == "func(actor-id: string, msg: string) -> result<_, string>"
    assert error.facts["expected"] == "func(actor-id: string, msg: list<u8>) -> result<_, string>"
    for name in ("function", "found", "expected"):
        assert str(error.facts[name]) in error.message


def test_a_monstrous_type_does_not_blow_up_the_refusal(stage: Theater) -> None:
    label = " ".join(f'(param "{"p" * 100}{number}" (list u8))' for number in range(500))
    error = refused(stage, importing("theater:simple/store", "label", label))
    assert error.code == "component.import_type"
    assert len(error.message) < 2000


def test_a_component_that_was_refused_once_is_refused_again(stage: Theater) -> None:
    for component, code in [
        (MISTYPED_IMPORTS["theater:simple/runtime/shutdown"], "component.import_type"),
        (MISTYPED_EXPORTS["handle-send"], "component.export_type"),
    ]:
        assert [refused(stage, component).code for _ in range(3)] == [code] * 3


def test_names_of_parameters_are_nobodys_business(stage: Theater) -> None:
    renamed = hostile((SEND, '(export "send" (func (param "to" string) (param "what" (list u8))'))
    actor = stage.start(renamed, granted())
    assert stage.ask(actor, b"?") == b"?"


MISTYPED_EXPORTS = {
    "handle-send": hostile(
        (
            '(func $send (param "state" $state) (param "params" (tuple $bytes))',
            '(func $send (param "state" $state) (param "params" (tuple string))',
        )
    ),
    "handle-request": hostile(
        (
            REQUEST_LIFT,
            REQUEST_LIFT.replace("(tuple (option $bytes))", "(tuple (option string))"),
        )
    ),
    "init": hostile(
        (
            '(param "params" (tuple string)) (result $kept)',
            '(param "params" (tuple $bytes)) (result $kept)',
        )
    ),
}


@pytest.mark.parametrize("name", MISTYPED_EXPORTS)
def test_an_export_of_another_type_keeps_the_actor_from_starting(stage: Theater, name: str) -> None:
    error = refused(stage, MISTYPED_EXPORTS[name])
    assert error.code == "component.export_type"
    assert str(error.facts["function"]).endswith(f"/{name}")
    node_lives_on(stage)


def calling(function: str, parts: str, core: str, code: str) -> bytes:
    """The relay whose `handle-send` calls `interface#function` first, as `$wasi`."""
    name, _, fn = function.rpartition("#")
    return hostile(
        (
            MESSAGES,
            f'{MESSAGES}  (import "{name}" (instance $wasi (export "{fn}" (func {parts}))))\n',
        ),
        (
            "  (core module $main",
            f"""  (core func $wasi (canon lower (func $wasi "{fn}")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core module $main""",
        ),
        (
            '    (import "libc" "memory" (memory 1))',
            f'    (import "host" "wasi" (func $wasi {core}))\n    (import "libc" "memory" (memory 1))',
        ),
        (
            '(with "host" (instance ',
            '(with "host" (instance (export "wasi" (func $wasi)) ',
        ),
        (
            "      (call $keep)\n      (if (local.get $some)",
            f"      {code}\n      (call $keep)\n      (if (local.get $some)",
        ),
    )


MISTYPED_WASI = {
    "a result of another type": calling(
        "wasi:clocks/wall-clock@0.2.0#now",
        "(result string)",
        "(param i32)",
        "(call $wasi (i32.const 128))",
    ),
    "a text for a number": calling(
        "wasi:random/random@0.2.0#get-random-bytes",
        '(param "len" string) (result (list u8))',
        "(param i32 i32 i32)",
        "(call $wasi (i32.const 0) (i32.const 8) (i32.const 128))",
    ),
    "too many arguments": calling(
        "wasi:cli/stdout@0.2.0#get-stdout",
        '(param "a" u32) (param "b" u32) (result u32)',
        "(param i32 i32) (result i32)",
        "(drop (call $wasi (i32.const 1) (i32.const 2)))",
    ),
    "no time at all": calling(
        "wasi:clocks/monotonic-clock@0.2.0#subscribe-duration",
        '(param "when" f64) (result string)',
        "(param f64 i32)",
        "(call $wasi (f64.const nan) (i32.const 128))",
    ),
    "a way out with a novel": calling(
        "wasi:cli/exit@0.2.0#exit",
        '(param "status" string)',
        "(param i32 i32)",
        "(call $wasi (i32.const 0) (i32.const 60000))",
    ),
    "what nobody grants": calling(
        "wasi:sockets/tcp@0.2.0#connect",
        '(param "to" (list (tuple string f32))) (result (option string))',
        "(param i32 i32 i32)",
        "(call $wasi (i32.const 0) (i32.const 3) (i32.const 128))",
    ),
}


@pytest.mark.parametrize("what", MISTYPED_WASI)
def test_wasi_imported_with_another_type_ends_the_call_that_uses_it_and_no_more(
    stage: Theater, what: str
) -> None:
    actor = stage.start(MISTYPED_WASI[what], granted())
    stage.tell(actor, b"go")
    until(lambda: stage.types(actor).count(shapes.WASM_ERROR) > 0, stage.node)
    until(lambda: stage.node.info(actor.id).mailbox == 0, stage.node)
    ends = [e for e in stage.node.events(actor.id) if e.type == shapes.WASM_ERROR]
    for event in ends:
        assert event.data is not None
        form = shapes.parse(event.type, event.data)
        assert isinstance(form, shapes.Error)
        assert form.kind in ("host", "trap")
    assert stage.ask(actor, b"?") == b"?"
    stage.prove(actor)
    node_lives_on(stage)
