"""Fuzzing of everything that reads what strangers wrote. `fuzz/README.md` says how it is run.

targets/      one module a reader: `one(data)` feeds it, and asserts what must hold whatever comes
corpus/       inputs that reach different code, and every one that once found a mistake
running       a target under atheris
choosing      which of the inputs found are worth keeping
seeds         what the first inputs were
take          values out of bytes
"""
