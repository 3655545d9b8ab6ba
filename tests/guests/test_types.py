"""The types of the SDK for JavaScript say what is there."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.guests.components import ROOT
from theater.build import node, wit

SDK = ROOT / "guests/js/theater-guest"
FUNCTION = re.compile(r"([\w-]+)\s*:\s*func\s*\(([^)]*)\)")
DECLARED = re.compile(r"(?:export )?function (\w+)\(([^)]*)\)")


def camel(name: str) -> str:
    first, *rest = name.split("-")
    return first + "".join(part.capitalize() for part in rest)


def names(parameters: str) -> list[str]:
    return [camel(part.partition(":")[0].strip()) for part in parameters.split(",") if part.strip()]


def imported() -> dict[str, str]:
    """The text of each interface that an actor may import, by its full name."""
    found = {}
    for file in wit.files():
        bare = re.sub(r"//[^\n]*", "", file.text)
        for interface in file.interfaces:
            if interface.side is wit.Side.HOST:
                _, _, after = bare.partition(f"interface {interface.name} {{")
                found[interface.full] = after.partition("\ninterface ")[0]
    return found


def test_every_function_of_every_interface_is_declared_as_its_wit_has_it() -> None:
    text = (SDK / "interfaces.d.ts").read_text()
    modules = dict(re.findall(r'declare module "([^"]+)" \{(.*?)\n\}', text, re.DOTALL))
    wanted = imported()
    assert modules.keys() == wanted.keys()
    for name, body in wanted.items():
        functions = {camel(f): names(given) for f, given in FUNCTION.findall(body)}
        declared = {f.lstrip("_"): names(given) for f, given in DECLARED.findall(modules[name])}
        assert declared == functions, name


def test_everything_that_the_package_exports_has_a_type_and_nothing_else_has() -> None:
    code = (SDK / "index.js").read_text()
    exported = set(re.findall(r"export \* as (\w+)", code))
    for names_ in re.findall(r"export \{([^}]*)\}", code):
        exported |= {name.strip() for name in names_.split(",") if name.strip()}
    types = (SDK / "index.d.ts").read_text()
    declared = set(re.findall(r"^export (?:class|const|function|namespace) (\w+)", types, re.M))
    assert declared == exported


RIGHT = """
import * as runtime from "theater:simple/runtime";
import * as store from "theater:simple/store";
import { accept, Actor, Channel, DEFERRED, HostError, http, refuse, request, Store } from "theater-guest";

export default class Typed extends Actor {
  static override version = 2;
  count = 0;
  waiting: string[] = [];

  override onSend(message: number): void {
    this.count += message;
  }

  override async onRequest(message: { ask: string }): Promise<unknown> {
    if (message.ask === "later") {
      this.waiting.push(this.requestId);
      return DEFERRED;
    }
    try {
      return request(message.ask, 1);
    } catch (error) {
      return error instanceof HostError ? error.code : http.get("http://a.example").status;
    }
  }

  override onChannelOpen(channel: Channel, message: unknown) {
    return message ? accept(Store.create().id + store.new()) : refuse(channel.id);
  }

  events(): number {
    return runtime.getChain().events.length;
  }
}
"""
WRONG = """
import { log, request, Store } from "theater-guest";
new Store(1);
new Store("a").put("text");
request(1, 2);
log.nothing;
"""


@pytest.mark.slow
def test_the_compiler_accepts_a_right_actor_and_finds_each_mistake(tmp_path: Path) -> None:
    # The compiler is among what SpiderMonkey's tool brings, which other tests install anyway.
    found = node.find()
    tools = node.tools(found, ROOT / "guests/js/toolchain/spidermonkey", lambda _line: None)
    options = {
        "strict": True,
        "noEmit": True,
        "target": "es2024",
        "module": "esnext",
        "moduleResolution": "bundler",
        "types": [],
        "paths": {"theater-guest": [str(SDK / "index.d.ts")]},
    }
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": options}))
    (tmp_path / "right.ts").write_text(RIGHT)
    (tmp_path / "wrong.ts").write_text(WRONG)
    command = [found.node, str(tools / "node_modules/typescript/bin/tsc"), "-p", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    places = re.findall(r"^(\w+\.ts)\((\d+),", done.stdout, re.M)
    assert places == [("wrong.ts", "3"), ("wrong.ts", "4"), ("wrong.ts", "5"), ("wrong.ts", "6")]
