;; An actor that does what a message says.
;;
;; A message is a letter, the id of an actor (36 bytes) and a message for it: `r` asks that actor and
;; gives its answer, `s` sends and gives nothing. `S` and the ids of two actors asks the first one `?`
;; and then sends two empty messages to the second. A request `?` is left unanswered; every other
;; message is dropped, every other request answered with itself. A host call's error is the call's. It
;; keeps no state.
(component
  (import "theater:simple/message-server-host" (instance $messages
    (export "send" (func (param "actor-id" string) (param "msg" (list u8))
      (result (result (error string)))))
    (export "request" (func (param "actor-id" string) (param "msg" (list u8))
      (result (result (list u8) (error string)))))))

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
  (core func $request (canon lower (func $messages "request")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))

  (core module $main
    (import "host" "send" (func $send (param i32 i32 i32 i32 i32)))
    (import "host" "request" (func $request (param i32 i32 i32 i32 i32)))
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

    ;; 1 if the message was a host call's, whose outcome is then the call's.
    (func $do (param $msg i32) (param $size i32) (result i32)
      (local $letter i32) (local $left i32)
      (if (i32.lt_u (local.get $size) (i32.const 37)) (then (return (i32.const 0))))
      (local.set $letter (i32.load8_u (local.get $msg)))
      (if (i32.eq (local.get $letter) (i32.const 0x72))
        (then
          (call $request
            (i32.add (local.get $msg) (i32.const 1)) (i32.const 36)
            (i32.add (local.get $msg) (i32.const 37)) (i32.sub (local.get $size) (i32.const 37))
            (i32.const 128))
          (if (i32.eqz (call $failed))
            (then (call $answer (i32.load (i32.const 132)) (i32.load (i32.const 136)))))
          (return (i32.const 1))))
      (if (i32.eq (local.get $letter) (i32.const 0x73))
        (then
          (call $send
            (i32.add (local.get $msg) (i32.const 1)) (i32.const 36)
            (i32.add (local.get $msg) (i32.const 37)) (i32.sub (local.get $size) (i32.const 37))
            (i32.const 128))
          (if (i32.eqz (call $failed))
            (then (call $answer (i32.const 0) (i32.const 0))))
          (return (i32.const 1))))
      (if (i32.eq (local.get $letter) (i32.const 0x53))
        (then
          (i32.store8 (i32.const 256) (i32.const 0x3f))
          (call $request
            (i32.add (local.get $msg) (i32.const 1)) (i32.const 36)
            (i32.const 256) (i32.const 1) (i32.const 128))
          (if (call $failed) (then (return (i32.const 1))))
          (local.set $left (i32.const 2))
          (loop $again
            (call $send
              (i32.add (local.get $msg) (i32.const 37)) (i32.const 36)
              (i32.const 256) (i32.const 0) (i32.const 128))
            (if (call $failed) (then (return (i32.const 1))))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left)))
          (call $answer (i32.const 0) (i32.const 0))
          (return (i32.const 1))))
      (i32.const 0))

    (func (export "send")
      (param $some i32) (param $at i32) (param $size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (call $keep)
      (drop (call $do (local.get $msg) (local.get $msg-size)))
      (i32.const 64))

    (func (export "request")
      (param $some i32) (param $at i32) (param $size i32)
      (param $id i32) (param $id-size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (call $keep)
      (if (i32.and
            (i32.eq (local.get $msg-size) (i32.const 1))
            (i32.eq (i32.load8_u (local.get $msg)) (i32.const 0x3f)))
        (then (return (i32.const 64))))
      (if (i32.eqz (call $do (local.get $msg) (local.get $msg-size)))
        (then (call $answer (local.get $msg) (local.get $msg-size))))
      (i32.const 64))

    (func (export "after") (param i32) (call $reset)))
  (core instance $main (instantiate $main
    (with "host" (instance (export "send" (func $send)) (export "request" (func $request))))
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
