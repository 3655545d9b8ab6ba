;; An actor that makes as many host calls as it is asked for, to measure what they cost.
;;
;; The state is the id of another actor, or none. A request is a letter and a number in decimal
;; ASCII: `s1000` sends that actor a thousand messages of fifty bytes, `r1000` asks it a thousand
;; times, each after the answer to the one before, `l1000` logs a thousand lines. It is answered with
;; itself; so is every other request, at once. Messages that are sent are dropped. A host call that
;; fails traps. The state never changes.
(component
  (import "theater:simple/runtime" (instance $runtime
    (export "log" (func (param "msg" string)))))
  (import "theater:simple/message-server-host" (instance $messages
    (export "send" (func (param "actor-id" string) (param "msg" (list u8))
      (result (result (error string)))))
    (export "request" (func (param "actor-id" string) (param "msg" (list u8))
      (result (result (list u8) (error string)))))))

  (core module $libc
    (memory (export "memory") 2)
    (global $top (export "top") (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32)
      (result i32)
      (local $at i32)
      ;; Bump allocation; whoever sets `top` back frees what came after.
      (local.set $at
        (i32.and
          (i32.add (global.get $top) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $top (i32.add (local.get $at) (local.get $size)))
      (block $enough
        (loop $grow
          (br_if $enough
            (i32.le_u (global.get $top) (i32.mul (memory.size) (i32.const 65536))))
          (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable))
          (br $grow)))
      ;; The canonical ABI grows texts while it writes them: what was there must stay.
      (memory.copy (local.get $at) (local.get $old)
        (select (local.get $old-size) (local.get $size)
          (i32.lt_u (local.get $old-size) (local.get $size))))
      (local.get $at))
    (func (export "reset") (global.set $top (i32.const 4096))))
  (core instance $libc (instantiate $libc))

  (core func $log (canon lower (func $runtime "log")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $send (canon lower (func $messages "send")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $request (canon lower (func $messages "request")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))

  (core module $main
    (import "host" "log" (func $log (param i32 i32)))
    (import "host" "send" (func $send (param i32 i32 i32 i32 i32)))
    (import "host" "request" (func $request (param i32 i32 i32 i32 i32)))
    (import "libc" "memory" (memory 1))
    (import "libc" "top" (global $top (mut i32)))
    (import "libc" "reset" (func $reset))

    (data (i32.const 1024) "fifty bytes that say nothing, as most messages do.")

    ;; Results are put at 64, what host calls return at 128: tag, pointer, size.

    ;; ok(none, …): the state stays.
    (func $keep
      (i32.store (i32.const 64) (i32.const 0))
      (i32.store (i32.const 68) (i32.const 0)))

    ;; The number behind the letter, 0 if there is none of l, r and s.
    (func $count (param $at i32) (param $size i32) (result i32)
      (local $n i32) (local $end i32) (local $letter i32)
      (local.set $end (i32.add (local.get $at) (local.get $size)))
      (local.set $letter (i32.load8_u (local.get $at)))
      (if (i32.and (i32.ne (local.get $letter) (i32.const 0x6c))
            (i32.and (i32.ne (local.get $letter) (i32.const 0x72))
              (i32.ne (local.get $letter) (i32.const 0x73))))
        (then (return (i32.const 0))))
      (block $done
        (loop $digit
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
          (local.set $n
            (i32.add
              (i32.mul (local.get $n) (i32.const 10))
              (i32.sub (i32.load8_u (local.get $at)) (i32.const 48))))
          (br $digit)))
      (local.get $n))

    (func $once (param $letter i32) (param $id i32) (param $id-size i32)
      (i32.store8 (i32.const 128) (i32.const 0))
      (if (i32.eq (local.get $letter) (i32.const 0x6c))  ;; l
        (then (call $log (i32.const 1024) (i32.const 50))))
      (if (i32.eq (local.get $letter) (i32.const 0x73))  ;; s
        (then (call $send (local.get $id) (local.get $id-size) (i32.const 1024) (i32.const 50)
          (i32.const 128))))
      (if (i32.eq (local.get $letter) (i32.const 0x72))  ;; r
        (then (call $request (local.get $id) (local.get $id-size) (i32.const 1024) (i32.const 50)
          (i32.const 128))))
      (if (i32.load8_u (i32.const 128)) (then unreachable)))

    (func (export "init")
      (param $some i32) (param $at i32) (param $size i32) (param $id i32) (param $id-size i32)
      (result i32)
      (call $keep)
      (i32.const 64))

    (func (export "send")
      (param $some i32) (param $at i32) (param $size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (call $keep)
      (i32.const 64))

    (func (export "request")
      (param $some i32) (param $at i32) (param $size i32)
      (param $id i32) (param $id-size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (local $left i32) (local $mark i32)
      (local.set $left (call $count (local.get $msg) (local.get $msg-size)))
      (local.set $mark (global.get $top))
      (block $done
        (loop $next
          (br_if $done (i32.eqz (local.get $left)))
          (call $once (i32.load8_u (local.get $msg)) (local.get $at) (local.get $size))
          (global.set $top (local.get $mark))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br $next)))
      (call $keep)
      (i32.store (i32.const 80) (i32.const 1))
      (i32.store (i32.const 84) (local.get $msg))
      (i32.store (i32.const 88) (local.get $msg-size))
      (i32.const 64))

    (func (export "after") (param i32) (call $reset)))
  (core instance $main (instantiate $main
    (with "host" (instance
      (export "log" (func $log)) (export "send" (func $send)) (export "request" (func $request))))
    (with "libc" (instance $libc))))

  (type $bytes (list u8))
  (type $state (option $bytes))
  (type $kept (result (tuple $state) (error string)))

  (func $init (param "state" $state) (param "params" (tuple string)) (result $kept)
    (canon lift (core func $main "init") (memory (core memory $libc "memory"))
      (realloc (core func $libc "realloc")) (post-return (core func $main "after"))))
  (func $send (param "state" $state) (param "params" (tuple $bytes)) (result $kept)
    (canon lift (core func $main "send") (memory (core memory $libc "memory"))
      (realloc (core func $libc "realloc")) (post-return (core func $main "after"))))
  (func $request (param "state" $state) (param "params" (tuple string $bytes))
    (result (result (tuple $state (tuple (option $bytes))) (error string)))
    (canon lift (core func $main "request") (memory (core memory $libc "memory"))
      (realloc (core func $libc "realloc")) (post-return (core func $main "after"))))

  (instance (export "theater:simple/actor") (export "init" (func $init)))
  (instance (export "theater:simple/message-server-client")
    (export "handle-send" (func $send))
    (export "handle-request" (func $request))))
