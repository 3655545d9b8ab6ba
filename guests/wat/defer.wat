;; An actor that answers requests later, when it is told to.
;;
;; A request is left unanswered; the state is the id of the last one. A message that is sent is the
;; answer to that one, an empty message gives it up; the host's error is the message's error.
(component
  (import "theater:simple/message-server-host" (instance $messages
    (export "respond-to-request" (func (param "request-id" string) (param "response" (list u8))
      (result (result (error string)))))
    (export "cancel-request" (func (param "request-id" string) (result (result (error string)))))))

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

  (core func $respond (canon lower (func $messages "respond-to-request")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $cancel (canon lower (func $messages "cancel-request")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))

  (core module $main
    (import "host" "respond" (func $respond (param i32 i32 i32 i32 i32)))
    (import "host" "cancel" (func $cancel (param i32 i32 i32)))
    (import "libc" "memory" (memory 1))
    (import "libc" "reset" (func $reset))

    ;; Results are put at 64, what host calls return at 128: tag, pointer, size.

    ;; ok(none, …): the state stays.
    (func $keep
      (i32.store (i32.const 64) (i32.const 0))
      (i32.store (i32.const 68) (i32.const 0))
      (i32.store (i32.const 80) (i32.const 0)))

    (func (export "init")
      (param $some i32) (param $at i32) (param $size i32) (param $id i32) (param $id-size i32)
      (result i32)
      (call $keep)
      (i32.const 64))

    (func (export "send")
      (param $some i32) (param $at i32) (param $size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (call $keep)
      (if (local.get $msg-size)
        (then
          (call $respond (local.get $at) (local.get $size) (local.get $msg) (local.get $msg-size)
            (i32.const 128)))
        (else (call $cancel (local.get $at) (local.get $size) (i32.const 128))))
      (if (i32.load8_u (i32.const 128))
        (then
          (i32.store (i32.const 64) (i32.const 1))
          (i32.store (i32.const 68) (i32.load (i32.const 132)))
          (i32.store (i32.const 72) (i32.load (i32.const 136)))))
      (i32.const 64))

    (func (export "request")
      (param $some i32) (param $at i32) (param $size i32)
      (param $id i32) (param $id-size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (call $keep)
      (i32.store (i32.const 68) (i32.const 1))
      (i32.store (i32.const 72) (local.get $id))
      (i32.store (i32.const 76) (local.get $id-size))
      (i32.const 64))

    (func (export "after") (param i32) (call $reset)))
  (core instance $main (instantiate $main
    (with "host" (instance (export "respond" (func $respond)) (export "cancel" (func $cancel))))
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
