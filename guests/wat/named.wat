;; An actor that takes names and gives them up, and reaches others by theirs.
;;
;; A message is a letter and the rest: `+` and a name to register, `-` and one to give up, `?` and one
;; whose holder's id is the answer (nothing if there is none); `s` or `r`, an actor's name or id, a
;; space and a message to send to it, or to ask it, whose answer is the answer; `a` and the id of a
;; request to answer with `late`. A request `*` is left unanswered, `x` is a trap, and everything else
;; is answered with itself. A host call's error is the call's. The state is a name that `init` registers,
;; or none, and never changes.
(component
  (import "theater:agent/registry@0.1.0" (instance $names
    (export "register" (func (param "name" string) (result (result (error string)))))
    (export "unregister" (func (param "name" string) (result (result (error string)))))
    (export "whereis" (func (param "name" string) (result (option string))))))
  (import "theater:simple/message-server-host" (instance $messages
    (export "send" (func (param "actor-id" string) (param "msg" (list u8))
      (result (result (error string)))))
    (export "request" (func (param "actor-id" string) (param "msg" (list u8))
      (result (result (list u8) (error string)))))
    (export "respond-to-request" (func (param "request-id" string) (param "response" (list u8))
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

  (core func $register (canon lower (func $names "register")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $unregister (canon lower (func $names "unregister")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $whereis (canon lower (func $names "whereis")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $send (canon lower (func $messages "send")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $request (canon lower (func $messages "request")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $respond (canon lower (func $messages "respond-to-request")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))

  (core module $main
    (import "host" "register" (func $register (param i32 i32 i32)))
    (import "host" "unregister" (func $unregister (param i32 i32 i32)))
    (import "host" "whereis" (func $whereis (param i32 i32 i32)))
    (import "host" "send" (func $send (param i32 i32 i32 i32 i32)))
    (import "host" "request" (func $request (param i32 i32 i32 i32 i32)))
    (import "host" "respond" (func $respond (param i32 i32 i32 i32 i32)))
    (import "libc" "memory" (memory 1))
    (import "libc" "reset" (func $reset))
    (data (i32.const 256) "late")

    ;; Results are put at 64, what host calls return at 128: tag, pointer, size.

    (func $is (param $at i32) (param $letter i32) (result i32)
      (i32.eq (i32.load8_u (local.get $at)) (local.get $letter)))

    ;; Does what a message says.
    (func $obey (param $first i32) (param $size i32)
      (local $at i32) (local $rest i32) (local $end i32) (local $space i32)
      (local.set $at (i32.add (local.get $first) (i32.const 1)))
      (local.set $rest (i32.sub (local.get $size) (i32.const 1)))
      (local.set $end (i32.add (local.get $first) (local.get $size)))
      (i32.store (i32.const 128) (i32.const 0))
      (i32.store (i32.const 132) (i32.const 0))
      (i32.store (i32.const 136) (i32.const 0))
      (if (i32.eqz (local.get $size)) (then (return)))
      (if (call $is (local.get $first) (i32.const 120)) (then unreachable))
      (if (call $is (local.get $first) (i32.const 43))
        (then
          (call $register (local.get $at) (local.get $rest) (i32.const 128))
          (return)))
      (if (call $is (local.get $first) (i32.const 45))
        (then
          (call $unregister (local.get $at) (local.get $rest) (i32.const 128))
          (return)))
      (if (call $is (local.get $first) (i32.const 63))
        (then
          (call $whereis (local.get $at) (local.get $rest) (i32.const 128))
          ;; None leaves what was there.
          (if (i32.load8_u (i32.const 128))
            (then (i32.store (i32.const 128) (i32.const 0)))
            (else
              (i32.store (i32.const 132) (i32.const 0))
              (i32.store (i32.const 136) (i32.const 0))))
          (return)))
      (if (call $is (local.get $first) (i32.const 97))
        (then
          (call $respond (local.get $at) (local.get $rest) (i32.const 256) (i32.const 4)
            (i32.const 128))
          (return)))
      (if (i32.eqz
            (i32.or
              (call $is (local.get $first) (i32.const 115))
              (call $is (local.get $first) (i32.const 114))))
        (then
          (i32.store (i32.const 132) (local.get $first))
          (i32.store (i32.const 136) (local.get $size))
          (return)))
      (local.set $space (local.get $at))
      (block $done
        (loop $next
          (br_if $done (i32.ge_u (local.get $space) (local.get $end)))
          (br_if $done (call $is (local.get $space) (i32.const 32)))
          (local.set $space (i32.add (local.get $space) (i32.const 1)))
          (br $next)))
      (local.set $rest (i32.add (local.get $space) (i32.const 1)))
      (if (call $is (local.get $first) (i32.const 115))
        (then
          (call $send
            (local.get $at) (i32.sub (local.get $space) (local.get $at))
            (local.get $rest) (i32.sub (local.get $end) (local.get $rest)) (i32.const 128)))
        (else
          (call $request
            (local.get $at) (i32.sub (local.get $space) (local.get $at))
            (local.get $rest) (i32.sub (local.get $end) (local.get $rest)) (i32.const 128)))))

    ;; The state stays; the answer, where one is wanted, is what the host call returned.
    (func $answer (result i32)
      (if (i32.load8_u (i32.const 128))
        (then
          (i32.store (i32.const 64) (i32.const 1))
          (i32.store (i32.const 68) (i32.load (i32.const 132)))
          (i32.store (i32.const 72) (i32.load (i32.const 136))))
        (else
          (i32.store (i32.const 64) (i32.const 0))
          (i32.store (i32.const 68) (i32.const 0))
          (i32.store (i32.const 80) (i32.const 1))
          (i32.store (i32.const 84) (i32.load (i32.const 132)))
          (i32.store (i32.const 88) (i32.load (i32.const 136)))))
      (i32.const 64))

    (func (export "init")
      (param $some i32) (param $at i32) (param $size i32) (param $id i32) (param $id-size i32)
      (result i32)
      (i32.store (i32.const 128) (i32.const 0))
      (if (local.get $some)
        (then (call $register (local.get $at) (local.get $size) (i32.const 128))))
      (call $answer))

    (func (export "send")
      (param $some i32) (param $at i32) (param $size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (call $obey (local.get $msg) (local.get $msg-size))
      (call $answer))

    (func (export "request")
      (param $some i32) (param $at i32) (param $size i32)
      (param $id i32) (param $id-size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (call $obey (local.get $msg) (local.get $msg-size))
      (drop (call $answer))
      (if (i32.eq (local.get $msg-size) (i32.const 1))
        (then
          (if (call $is (local.get $msg) (i32.const 42))
            (then (i32.store (i32.const 80) (i32.const 0))))))
      (i32.const 64))

    (func (export "after") (param i32) (call $reset)))
  (core instance $main (instantiate $main
    (with "host" (instance
      (export "register" (func $register)) (export "unregister" (func $unregister))
      (export "whereis" (func $whereis)) (export "send" (func $send))
      (export "request" (func $request)) (export "respond" (func $respond))))
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
