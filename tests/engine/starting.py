"""A component that calls its host while it is instantiated, and traps when it is called."""

from __future__ import annotations

STARTING = """(component
  (import "theater:simple/runtime" (instance $runtime (export "log" (func (param "msg" string)))))
  (core module $libc (memory (export "memory") 1))
  (core instance $libc (instantiate $libc))
  (core func $log (canon lower (func $runtime "log") (memory (core memory $libc "memory"))))
  (core module $main
    (import "host" "log" (func $log (param i32 i32)))
    (func $begin (call $log (i32.const 0) (i32.const 0)))
    (func (export "send") (param i32 i32 i32 i32 i32) (result i32) unreachable)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
    (start $begin))
  (core instance $main (instantiate $main
    (with "host" (instance (export "log" (func $log))))))
  (type $bytes (list u8))
  (type $state (option $bytes))
  (func $send (param "state" $state) (param "params" (tuple $bytes))
    (result (result (tuple $state) (error string)))
    (canon lift (core func $main "send") (memory (core memory $libc "memory"))
      (realloc (core func $main "realloc"))))
  (instance (export "theater:simple/message-server-client") (export "handle-send" (func $send))))"""
