;; An actor of the tree that is put under chaos: it counts messages by their names, and does to itself
;; what they say.
;;
;; A message is a letter, a name of 12 bytes, and what belongs to the letter. The state is the names of
;; all messages that were handled, in order; a request is answered with its message's name.
;;
;;   c  nothing more                          t  trap, unless the instance is new
;;   p  trap                                  l  never return
;;   x  ask for the actor's end               e  return an error
;;   w  work: how long (4 digits, about milliseconds)
;;   m  send: the id of an actor (36 bytes) and a message for it
;;   r  ask:  the same
;;   S  spawn: the manifest's length (4 bytes, little endian), the manifest, the same for the state
;;   K  stop a child: its id                  R  restart a child: its id
;;
;; Errors of host calls are passed over: what became of the call stands in the chain. `init` gets a
;; list of what stands behind an `S`, spawns all of these, and begins with an empty state.
(component
  (import "theater:simple/runtime" (instance $runtime
    (export "shutdown" (func (param "data" (option (list u8))) (result (result (error string)))))))
  (import "theater:simple/message-server-host" (instance $messages
    (export "send" (func (param "actor-id" string) (param "msg" (list u8))
      (result (result (error string)))))
    (export "request" (func (param "actor-id" string) (param "msg" (list u8))
      (result (result (list u8) (error string)))))))
  (import "theater:simple/supervisor" (instance $supervisor
    (export "spawn" (func (param "manifest" string) (param "init-bytes" (option (list u8)))
      (result (result string (error string)))))
    (export "stop-child" (func (param "child-id" string) (result (result (error string)))))
    (export "restart-child" (func (param "child-id" string) (result (result (error string)))))))

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

  (core func $shutdown (canon lower (func $runtime "shutdown")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $send (canon lower (func $messages "send")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $request (canon lower (func $messages "request")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $spawn (canon lower (func $supervisor "spawn")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $stop-child (canon lower (func $supervisor "stop-child")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $restart-child (canon lower (func $supervisor "restart-child")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))

  (core module $main
    (import "host" "shutdown" (func $shutdown (param i32 i32 i32 i32)))
    (import "host" "send" (func $send (param i32 i32 i32 i32 i32)))
    (import "host" "request" (func $request (param i32 i32 i32 i32 i32)))
    (import "host" "spawn" (func $spawn (param i32 i32 i32 i32 i32 i32)))
    (import "host" "stop-child" (func $stop-child (param i32 i32 i32)))
    (import "host" "restart-child" (func $restart-child (param i32 i32 i32)))
    (import "libc" "memory" (memory 1))
    (import "libc" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
    (import "libc" "reset" (func $reset))

    (global $served (mut i32) (i32.const 0))
    (data (i32.const 1024) "failed as it was asked to")

    ;; Results are put at 64, what host calls return at 128.

    ;; Spawns what is described at an address; returns where the next description is.
    (func $bear (param $at i32) (result i32)
      (local $text i32) (local $size i32) (local $state i32) (local $state-size i32)
      (local.set $size (i32.load align=1 (local.get $at)))
      (local.set $text (i32.add (local.get $at) (i32.const 4)))
      (local.set $state (i32.add (local.get $text) (local.get $size)))
      (local.set $state-size (i32.load align=1 (local.get $state)))
      (local.set $state (i32.add (local.get $state) (i32.const 4)))
      (call $spawn (local.get $text) (local.get $size)
        (i32.const 1) (local.get $state) (local.get $state-size) (i32.const 128))
      (i32.add (local.get $state) (local.get $state-size)))

    ;; ok((some(nothing))), once all are born that the initial state describes.
    (func (export "init")
      (param $some i32) (param $at i32) (param $size i32) (param $id i32) (param $id-size i32)
      (result i32)
      (local $end i32)
      (if (local.get $some)
        (then
          (local.set $end (i32.add (local.get $at) (local.get $size)))
          (block $all
            (loop $next
              (br_if $all (i32.ge_u (local.get $at) (local.get $end)))
              (local.set $at (call $bear (local.get $at)))
              (br $next)))))
      (i32.store (i32.const 64) (i32.const 0))
      (i32.store (i32.const 68) (i32.const 1))
      (i32.store (i32.const 72) (i32.const 2048))
      (i32.store (i32.const 76) (i32.const 0))
      (i32.const 64))

    ;; ok((some(state and name), …)).
    (func $count (param $some i32) (param $at i32) (param $size i32) (param $msg i32)
      (local $all i32) (local $all-size i32)
      (if (i32.eqz (local.get $some)) (then (local.set $size (i32.const 0))))
      (local.set $all-size (i32.add (local.get $size) (i32.const 12)))
      (local.set $all
        (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (local.get $all-size)))
      (memory.copy (local.get $all) (local.get $at) (local.get $size))
      (memory.copy (i32.add (local.get $all) (local.get $size))
        (i32.add (local.get $msg) (i32.const 1)) (i32.const 12))
      (i32.store (i32.const 64) (i32.const 0))
      (i32.store (i32.const 68) (i32.const 1))
      (i32.store (i32.const 72) (local.get $all))
      (i32.store (i32.const 76) (local.get $all-size)))

    ;; Counts, half a million times for each millisecond that four digits say.
    (func $work (param $at i32)
      (local $end i32) (local $turns i64)
      (local.set $end (i32.add (local.get $at) (i32.const 4)))
      (loop $digit
        (local.set $turns
          (i64.add
            (i64.mul (local.get $turns) (i64.const 10))
            (i64.extend_i32_u (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $digit (i32.lt_u (local.get $at) (local.get $end))))
      (local.set $turns (i64.mul (local.get $turns) (i64.const 500000)))
      (loop $turn
        (local.set $turns (i64.sub (local.get $turns) (i64.const 1)))
        (br_if $turn (i64.gt_s (local.get $turns) (i64.const 0)))))

    ;; Does what a message says; 1 if the call is to return an error.
    (func $do (param $msg i32) (param $size i32) (result i32)
      (local $letter i32) (local $more i32) (local $left i32)
      (global.set $served (i32.add (global.get $served) (i32.const 1)))
      (local.set $letter (i32.load8_u (local.get $msg)))
      (local.set $more (i32.add (local.get $msg) (i32.const 13)))
      (local.set $left (i32.sub (local.get $size) (i32.const 13)))
      (block $done
        (if (i32.eq (local.get $letter) (i32.const 0x63)) (then (br $done))) ;; c
        (if (i32.eq (local.get $letter) (i32.const 0x74)) ;; t
          (then
            (br_if $done (i32.eq (global.get $served) (i32.const 1)))
            (unreachable)))
        (if (i32.eq (local.get $letter) (i32.const 0x70)) (then (unreachable))) ;; p
        (if (i32.eq (local.get $letter) (i32.const 0x6c)) (then (loop $ever (br $ever)))) ;; l
        (if (i32.eq (local.get $letter) (i32.const 0x77)) ;; w
          (then (call $work (local.get $more)) (br $done)))
        (if (i32.eq (local.get $letter) (i32.const 0x78)) ;; x
          (then
            (call $shutdown (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 128))
            (br $done)))
        (if (i32.eq (local.get $letter) (i32.const 0x6d)) ;; m
          (then
            (call $send (local.get $more) (i32.const 36)
              (i32.add (local.get $more) (i32.const 36))
              (i32.sub (local.get $left) (i32.const 36)) (i32.const 128))
            (br $done)))
        (if (i32.eq (local.get $letter) (i32.const 0x72)) ;; r
          (then
            (call $request (local.get $more) (i32.const 36)
              (i32.add (local.get $more) (i32.const 36))
              (i32.sub (local.get $left) (i32.const 36)) (i32.const 128))
            (br $done)))
        (if (i32.eq (local.get $letter) (i32.const 0x53)) ;; S
          (then (drop (call $bear (local.get $more))) (br $done)))
        (if (i32.eq (local.get $letter) (i32.const 0x4b)) ;; K
          (then
            (call $stop-child (local.get $more) (i32.const 36) (i32.const 128))
            (br $done)))
        (if (i32.eq (local.get $letter) (i32.const 0x52)) ;; R
          (then
            (call $restart-child (local.get $more) (i32.const 36) (i32.const 128))
            (br $done)))
        ;; e, and whatever nobody says
        (i32.store (i32.const 64) (i32.const 1))
        (i32.store (i32.const 68) (i32.const 1024))
        (i32.store (i32.const 72) (i32.const 25))
        (return (i32.const 1)))
      (i32.const 0))

    (func (export "send")
      (param $some i32) (param $at i32) (param $size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (if (i32.eqz (call $do (local.get $msg) (local.get $msg-size)))
        (then
          (call $count (local.get $some) (local.get $at) (local.get $size) (local.get $msg))))
      (i32.const 64))

    (func (export "request")
      (param $some i32) (param $at i32) (param $size i32)
      (param $id i32) (param $id-size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (if (i32.eqz (call $do (local.get $msg) (local.get $msg-size)))
        (then
          (call $count (local.get $some) (local.get $at) (local.get $size) (local.get $msg))
          (i32.store (i32.const 80) (i32.const 1))
          (i32.store (i32.const 84) (i32.add (local.get $msg) (i32.const 1)))
          (i32.store (i32.const 88) (i32.const 12))))
      (i32.const 64))

    ;; What is told of a child changes nothing.
    (func $keep (result i32)
      (i32.store (i32.const 64) (i32.const 0))
      (i32.store (i32.const 68) (i32.const 0))
      (i32.const 64))
    (func (export "child-error")
      (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (call $keep))
    (func (export "child-exit")
      (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (call $keep))
    (func (export "child-stop") (param i32 i32 i32 i32 i32) (result i32) (call $keep))

    (func (export "after") (param i32) (call $reset)))
  (core instance $main (instantiate $main
    (with "host" (instance
      (export "shutdown" (func $shutdown))
      (export "send" (func $send))
      (export "request" (func $request))
      (export "spawn" (func $spawn))
      (export "stop-child" (func $stop-child))
      (export "restart-child" (func $restart-child))))
    (with "libc" (instance $libc))))

  (type $bytes (list u8))
  (type $state (option $bytes))
  (type $kept (result (tuple $state) (error string)))
  (type $kinds (enum "operation-timeout" "channel-closed" "shutting-down" "function-not-found"
    "type-mismatch" "internal" "serialization-error" "update-component-error" "paused"))
  (export $kind "wit-error-type" (type $kinds))
  (type $errors (record (field "error-type" $kind) (field "data" (option $bytes))))
  (export $error "wit-actor-error" (type $errors))

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
  (func $child-error (param "state" $state) (param "params" (tuple string $error)) (result $kept)
    (canon lift (core func $main "child-error") (memory (core memory $libc "memory"))
      (realloc (core func $libc "realloc")) (post-return (core func $main "after"))))
  (func $child-exit (param "state" $state) (param "params" (tuple string $state)) (result $kept)
    (canon lift (core func $main "child-exit") (memory (core memory $libc "memory"))
      (realloc (core func $libc "realloc")) (post-return (core func $main "after"))))
  (func $child-stop (param "state" $state) (param "params" (tuple string)) (result $kept)
    (canon lift (core func $main "child-stop") (memory (core memory $libc "memory"))
      (realloc (core func $libc "realloc")) (post-return (core func $main "after"))))

  (instance (export "theater:simple/actor") (export "init" (func $init)))
  (instance (export "theater:simple/message-server-client")
    (export "handle-send" (func $send))
    (export "handle-request" (func $request)))
  (instance (export "theater:simple/supervisor-handlers")
    (export "handle-child-error" (func $child-error))
    (export "handle-child-exit" (func $child-exit))
    (export "handle-child-external-stop" (func $child-stop))))
