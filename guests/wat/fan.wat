;; An actor that sends to many.
;;
;; The state is the ids of actors, 36 bytes each. What is sent is sent on to each of them; so is a
;; request, which is then answered with itself. A host call's error is the call's, and ends it. The
;; state never changes.
(component
  (import "theater:simple/message-server-host" (instance $messages
    (export "send" (func (param "actor-id" string) (param "msg" (list u8))
      (result (result (error string)))))))

  (core module $libc
    (memory (export "memory") 2)
    (global $top (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32)
      (result i32)
      (local $at i32)
      ;; Bump allocation, reset by every export before it returns.
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

  (core func $send (canon lower (func $messages "send")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))

  (core module $main
    (import "host" "send" (func $send (param i32 i32 i32 i32 i32)))
    (import "libc" "memory" (memory 1))
    (import "libc" "reset" (func $reset))

    ;; Results are put at 64, what host calls return at 128: tag, pointer, size.

    ;; ok(none, …): the state stays.
    (func $keep
      (i32.store (i32.const 64) (i32.const 0))
      (i32.store (i32.const 68) (i32.const 0))
      (i32.store (i32.const 80) (i32.const 0)))

    ;; 1 if the host call failed, whose error is then the result.
    (func $failed (result i32)
      (if (i32.eqz (i32.load8_u (i32.const 128))) (then (return (i32.const 0))))
      (i32.store (i32.const 64) (i32.const 1))
      (i32.store (i32.const 68) (i32.load (i32.const 132)))
      (i32.store (i32.const 72) (i32.load (i32.const 136)))
      (i32.const 1))

    (func $answer (param $at i32) (param $size i32)
      (i32.store (i32.const 80) (i32.const 1))
      (i32.store (i32.const 84) (local.get $at))
      (i32.store (i32.const 88) (local.get $size)))

    (func (export "init")
      (param $some i32) (param $at i32) (param $size i32) (param $id i32) (param $id-size i32)
      (result i32)
      (call $keep)
      (i32.const 64))

    ;; 1 once a send has failed.
    (func $send-on
      (param $at i32) (param $size i32) (param $msg i32) (param $msg-size i32) (result i32)
      (local $end i32)
      (local.set $end (i32.add (local.get $at) (local.get $size)))
      (loop $next
        (if (i32.lt_u (local.get $at) (local.get $end))
          (then
            (call $send (local.get $at) (i32.const 36) (local.get $msg) (local.get $msg-size)
              (i32.const 128))
            (if (call $failed) (then (return (i32.const 1))))
            (local.set $at (i32.add (local.get $at) (i32.const 36)))
            (br $next))))
      (i32.const 0))

    (func (export "send")
      (param $some i32) (param $at i32) (param $size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (call $keep)
      (drop (call $send-on
        (local.get $at) (local.get $size) (local.get $msg) (local.get $msg-size)))
      (i32.const 64))

    (func (export "request")
      (param $some i32) (param $at i32) (param $size i32)
      (param $id i32) (param $id-size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (call $keep)
      (if (i32.eqz (call $send-on
          (local.get $at) (local.get $size) (local.get $msg) (local.get $msg-size)))
        (then (call $answer (local.get $msg) (local.get $msg-size))))
      (i32.const 64))

    (func (export "after") (param i32) (call $reset)))
  (core instance $main (instantiate $main
    (with "host" (instance (export "send" (func $send))))
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
