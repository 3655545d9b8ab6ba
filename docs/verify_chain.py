#!/usr/bin/env python3
"""Checks a Theater chain by its published format (chain-format.md). Shares no code with Theater: read it, then run

    python -I verify_chain.py FILE [--head HEX]

FILE is a chain as JSON lines, EVENT blocks or CBOR sequence; HEX the hash of an event that it must have, one that you
know from elsewhere and trust. Exit status: 0 the chain verifies (and has HEX), 1 it does not, 2 FILE is not a chain's.
Of `data` it checks the encoding, the names of fields, and what the rules need; content that refs name is not opened.
"""
import argparse, base64, datetime, hashlib, json, math, struct, sys
from collections import namedtuple

# `data` is None where it was redacted or pruned; `line` is the JSON of the line, if the file has such.
Event = namedtuple("Event", "seq at parent type data digest hash line", defaults=(None,))

class Bad(Exception):
    """The event does not follow: Bad(reason, detail)."""

def need(true, *problem):
    """With a reason and a detail: else the event does not follow. With a detail alone: else the bytes make no sense."""
    if not true:
        raise Bad(*problem) if len(problem) == 2 else ValueError(*problem)

# ---- Deterministic CBOR (RFC 8949, 4.2.1): what could have been written in another way is refused.

FLOATS = {2: ">e", 4: ">f", 8: ">d"}

def fits(number, size):
    try:
        return struct.unpack(FLOATS[size], struct.pack(FLOATS[size], number)) == (number,)
    except OverflowError:
        return False

def decode(b, i=0, depth=0):
    """The item of `b` that begins at `i`, and where it ends."""
    major, info, size = b[i] >> 5, b[i] & 31, {24: 1, 25: 2, 26: 4, 27: 8}.get(b[i] & 31, 0)
    raw, i = b[i + 1:i + 1 + size], i + 1 + size
    if major == 7 and info in (20, 21, 22):
        return (False, True, None)[info - 20], i
    if major == 7 and size > 1:
        value, = struct.unpack(FLOATS[size], raw)
        shortest = raw == b"\x7e\x00" if math.isnan(value) else size == 2 or not fits(value, size // 2)
        need(shortest, "a float not in its shortest form")
        return value, i
    need(major < 6 and info < 28, "a tag, an unknown simple value or an indefinite length")
    n = int.from_bytes(raw, "big") if size else info
    need(not size or n >= (24 if size == 1 else 1 << 4 * size), "a number not in its shortest form")
    if major < 2:
        return (-1 - n if major else n), i
    if major < 4:
        need(i + n <= len(b), "CBOR that ends too early")
        return (b[i:i + n].decode() if major == 3 else b[i:i + n]), i + n
    need(depth < 64, "CBOR deeper than 64")
    items, entries, last = [], {}, b""
    for _ in range(n):
        begin = i
        item, i = decode(b, i, depth + 1)
        if major == 4:
            items.append(item)
        else:
            need(type(item) is str and b[begin:i] > last, "a key that is not text, or out of order")
            last = b[begin:i]
            entries[item], i = decode(b, i, depth + 1)
    return (items if major == 4 else entries), i

# ---- The fields of data. a|b: one of them; [a]: may be absent; *: and any others.

SHAPES = {
    "actor-start": "salt v rules actor name component manifest grants limits engine state parent from",
    "wasm-call": "salt function params|params_ref message state instance now entropy",
    "wasm-result": "salt function result|result_ref state",
    "wasm-error": "salt function kind [message] [code]",
    "host": "salt [input|input_ref] [output|output_ref|output_head|trap] [facts]",
    "intent": "salt input|input_ref key [facts]",
    "note": "salt by why *", "chain-redact": "salt by why seqs *", "chain-prune": "salt by why before *",
    "actor-fork": "salt by why actor from entropy grants [state] *",
} | dict.fromkeys(("actor-restart", "actor-update", "actor-engine"), "salt by why [state] *")
USED = {  # what the fields that the rules below use must be
    "salt": lambda v: type(v) is bytes and len(v) == 16,
    "state": lambda v: v is None or (type(v) is list and [type(x) for x in v] == [bytes, int] and len(v[0]) == 32),
    "seqs": lambda v: type(v) is list and {type(x) for x in v} == {int} and v == sorted(set(v)) and v[0] >= 0,
    "before": lambda v: type(v) is int and v >= 0, "v": lambda v: v == 1, "rules": lambda v: v == 1,
}

def kind_of(type):
    return ("intent" if type.endswith("!") else "host") if "/" in type else type if type in SHAPES else "note"

def read_data(data, shape):
    """The map that `data` encodes, if it has the fields of its shape."""
    try:
        value, end = decode(data)
    except (IndexError, struct.error, ValueError) as error:
        raise Bad("encoding", str(error)) from None
    need(type(value) is dict and end == len(data) <= 65536, "encoding", "data is not one map of at most 64 KiB")
    left = set(value)
    for group in shape.replace("*", "").split():
        there = left & set(group.strip("[]").split("|"))
        need(len(there) == 1 or (not there and group[0] == "["), "encoding", f"there must be one {group}")
        need(all(USED[name](value[name]) for name in there & USED.keys()), "encoding", f"{group} is of another form")
        left -= there
    need(not left or "*" in shape, "encoding", f"unknown fields {sorted(left)}")
    return value

# ---- The chain.

def hash_of(e):
    return hashlib.sha256(b"theater.event.v1" + e.seq.to_bytes(8, "big") + e.at.to_bytes(8, "big") + e.parent
                          + bytes([len(e.type.encode())]) + e.type.encode() + e.digest).digest()

class Chain:
    """What is known after the events so far."""
    def __init__(self):
        self.seq, self.at, self.head, self.full, self.complete, self.state = 0, 0, bytes(32), 0, False, None
        self.call, self.intent, self.trapped = None, None, False    # what was called; what must be answered; call over
        self.gone = {}                      # hashes of events without data that no note has named

    def add(self, e):
        """One event more, if it follows."""
        self.hash, kind, name = e.hash, kind_of(e.type), e.type.encode(errors="replace")
        need(type(e.seq) is type(e.at) is int and e.seq == self.seq, "seq", f"it says that it is event {e.seq}")
        need(e.parent == self.head, "parent", "its parent is not the hash of the event before")
        need(e.data is None or hashlib.sha256(e.data).digest() == e.digest, "hash", "its data does not have its digest")
        need(1 <= len(name) <= 255 and name.decode() == e.type, "encoding", "the type is not 1 to 255 bytes of UTF-8")
        need(e.hash == hash_of(e), "hash", "it does not have this hash")
        need(e.at >= self.at, "time", "it is earlier than the event before")
        need((kind == "actor-start") == (e.seq == 0), "order", "actor-start is the first event and no other")
        need(not self.complete or e.type.startswith("chain-"), "order", "after actor-stop")
        data = None if e.data is None else read_data(e.data, SHAPES[kind])
        self.follow(kind, e.type, data)
        if e.line:
            check_view(e, data)
        self.gone |= {e.seq: e.hash} if data is None else {}
        self.seq, self.at, self.head, self.full = e.seq + 1, e.at, e.hash, self.full + (data is not None)

    def follow(self, kind, type, data):
        """The grammar and the state. `...` is what stood in data that is gone, and is taken to have been right."""
        if kind == "wasm-call":
            need(self.call is None, "order", "a call begins inside a call")
            need(not data or self.state in (..., data["state"]), "state", "not the state that was left")
            self.call, self.intent, self.trapped = data["function"] if data else ..., None, False
        elif kind in ("host", "intent"):
            need(self.call is not None and not self.trapped, "order", "a host call outside a call")
            need(self.intent in (None, type), "order", f"{self.intent} was to come")
            need(all(type.removesuffix("!").rpartition("/")), "encoding", "the type names no function of an interface")
            there = not data or "input" in data or "input_ref" in data or kind == "intent"
            need(there == (not data or self.intent is None), "order", "the input stands in the intent, if there is one")
            self.intent, self.trapped = type[:-1] if kind == "intent" else None, bool(data) and "trap" in data
        elif kind in ("wasm-result", "wasm-error"):
            need(self.call is not None, "order", "a call ends that did not begin")
            need(kind == "wasm-error" or not (self.intent or self.trapped), "order", "returned from a host call")
            need(not data or self.call in (..., data["function"]), "order", "another function ends than was called")
            self.call = None
        elif type == "actor-stop":
            need(self.call is None, "order", "the actor stops inside a call")
            self.complete = True
        elif kind in ("chain-redact", "chain-prune") and data:
            named = data["seqs"] if kind == "chain-redact" else range(data["before"])
            need(not named or named[-1] < self.seq, "order", "it names events that are not before it")
            self.gone = {seq: gone for seq, gone in self.gone.items() if seq not in named}
        if "state" in SHAPES[kind] and (data or kind != "wasm-call"):
            self.state = data.get("state", self.state) if data else ...

# ---- The three forms of file.

def view(v):
    """The JSON view of a value."""
    if type(v) in (dict, list):
        return {k: view(x) for k, x in v.items()} if type(v) is dict else [view(x) for x in v]
    if type(v) is bytes:
        return {"$bytes": base64.b64encode(v).decode()}
    odd = abs(v) > 2**53 if type(v) is int else type(v) is float and not math.isfinite(v)
    return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(str(v), str(v)) if odd else v

def check_view(e, data):
    """What a JSON line says to people must be what it says to programs."""
    at = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=e.at)
    same = json.dumps(view(data), sort_keys=True) == json.dumps(e.line["data"], sort_keys=True)
    need(same, "view", "`data` is not what `data_cbor` encodes")
    need(e.line["time"] == at.isoformat(timespec="microseconds") + "Z", "view", "`time` is not `at`")

def unhex(text):
    need(bytes.fromhex(text).hex() == text, f"not lower-case hexadecimal: {text}")
    return bytes.fromhex(text)

def read_lines(file):
    for line in file:
        o = json.loads(line, object_pairs_hook=lambda pairs: dict(pairs) if len(dict(pairs)) == len(pairs) else "twice")
        need(len(o) == 9, "not the nine fields of a line")
        data = None if o["data_cbor"] is None else base64.b64decode(o["data_cbor"], validate=True)
        parent = bytes(32) if o["parent_hash"] is None else unhex(o["parent_hash"])
        yield Event(o["seq"], o["at"], parent, o["event_type"], data, unhex(o["data_digest"]), unhex(o["hash"]), o)

def read_blocks(file):
    seq = 0
    while head := file.readline().decode():
        need(not head.startswith("FROM "), "this is the end of a chain, which shows nothing without its beginning")
        parent, name, length = [file.readline().decode().removesuffix("\n") for _ in range(3)]
        more = dict(iter(lambda: file.readline().decode().split(), []))
        body = file.read(int(length))
        need(head.startswith("EVENT ") and more.keys() <= {"at", "digest"}, "not a block")
        need(len(body) == int(length) and file.read(2) == b"\n\n", "a block that does not end where it should")
        digest = unhex(more["digest"]) if "digest" in more else hashlib.sha256(body).digest()
        parent = bytes(32) if parent == "0" * 16 else unhex(parent)
        yield Event(seq, int(more["at"]), parent, name, body or None, digest, unhex(head[6:-1]))
        seq += 1

def read_sequence(file):
    b, i = file.read(), 0
    while i < len(b):
        item, i = decode(b, i)
        yield Event(*item, hash_of(Event(*item, None)))

def main():
    parser = argparse.ArgumentParser(description="Checks a Theater chain.")
    parser.add_argument("file")
    parser.add_argument("--head", type=unhex, help="the hash of an event that the chain must have")
    args, chain, reached = parser.parse_args(), Chain(), "not reached"
    try:
        with open(args.file, "rb") as file:
            for e in {b"{": read_lines, b"\x86": read_sequence}.get(file.peek(1)[:1], read_blocks)(file):
                chain.add(e)
                reached = f"reached at event {e.seq}" if e.hash == args.head else reached
        for chain.seq, chain.hash in chain.gone.items():
            raise Bad("gone", "its data is missing, and no chain-redact or chain-prune after it says why")
    except Bad as bad:
        print(f"event {chain.seq} (hash {chain.hash.hex()}) does not follow: {bad.args[0]}: {bad.args[1]}")
        return 1
    except Exception as error:
        print(f"event {chain.seq} can't be read: {error!r}" if chain.seq else f"not a file of a chain: {error!r}")
        return 1 if chain.seq else 2
    print(f"{chain.seq} events follow: {chain.full} checked in full, {chain.seq - chain.full} by digest only")
    print(f"head {chain.head.hex()}")
    print("complete" if chain.complete else "not complete: it may go on, or its end may have been cut off")
    print(f"the head given was {reached}" if args.head else "held against no head from elsewhere")
    return bool(args.head) and reached == "not reached"

if __name__ == "__main__":
    sys.exit(main())
