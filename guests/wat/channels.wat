;; An actor that opens, uses and accepts channels as it is told, and writes down what comes on them.
;;
;; A message is a letter and the rest: `o`, an actor's id and a first message opens a channel, whose id is
;; the answer; `s`, a channel's id and a message sends on it; `c` and a channel's id closes it; `p` does as
;; `o`, then sends the same twice and closes; `?` is left unanswered. Other requests are answered with the
;; state. A host call's error is the call's.
;;
;; A first message decides: `n` refuses, with what follows as the reason; `y` accepts, with what follows as
;; the first message; `g` and an actor's id asks that actor `?` before it accepts; `w` traps; any other is
;; accepted. On a channel `e` sends back what follows, `c` closes it, `w` traps.
;;
;; The state has a line for each call of a channel: `o`, `m` or `x`, the channel's id and what came.
(component
  (import "theater:simple/message-server-host" (instance $messages
    (export "request" (func (param "actor-id" string) (param "msg" (list u8))
      (result (result (list u8) (error string)))))
    (export "open-channel" (func (param "actor-id" string) (param "initial-msg" (list u8))
      (result (result string (error string)))))
    (export "send-on-channel" (func (param "channel-id" string) (param "msg" (list u8))
      (result (result (error string)))))
    (export "close-channel" (func (param "channel-id" string) (result (result (error string)))))))

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

  (core func $request (canon lower (func $messages "request")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $open (canon lower (func $messages "open-channel")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $send (canon lower (func $messages "send-on-channel")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $close (canon lower (func $messages "close-channel")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))

  (core module $main
    (import "host" "request" (func $request (param i32 i32 i32 i32 i32)))
    (import "host" "open" (func $open (param i32 i32 i32 i32 i32)))
    (import "host" "send" (func $send (param i32 i32 i32 i32 i32)))
    (import "host" "close" (func $close (param i32 i32 i32)))
    (import "libc" "memory" (memory 1))
    (import "libc" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
    (import "libc" "reset" (func $reset))

    ;; Results are put at 64: ok or error, then the state, then the rest. What host calls return is at
    ;; 128: tag, pointer, size.

    ;; ok(none, …): the state stays.
    (func $keep
      (i32.store (i32.const 64) (i32.const 0))
      (i32.store (i32.const 68) (i32.const 0))
      (i32.store (i32.const 80) (i32.const 0))
      (i32.store (i32.const 84) (i32.const 0)))

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

    ;; ok(some(state and a line), …).
    (func $note
      (param $some i32) (param $at i32) (param $size i32) (param $letter i32)
      (param $id i32) (param $id-size i32) (param $msg i32) (param $msg-size i32)
      (local $all i32) (local $all-size i32)
      (if (i32.eqz (local.get $some)) (then (local.set $size (i32.const 0))))
      (local.set $all-size
        (i32.add (i32.add (local.get $size) (local.get $id-size))
          (i32.add (local.get $msg-size) (i32.const 2))))
      (local.set $all
        (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (local.get $all-size)))
      (call $keep)
      (i32.store (i32.const 68) (i32.const 1))
      (i32.store (i32.const 72) (local.get $all))
      (i32.store (i32.const 76) (local.get $all-size))
      (memory.copy (local.get $all) (local.get $at) (local.get $size))
      (local.set $all (i32.add (local.get $all) (local.get $size)))
      (i32.store8 (local.get $all) (local.get $letter))
      (local.set $all (i32.add (local.get $all) (i32.const 1)))
      (memory.copy (local.get $all) (local.get $id) (local.get $id-size))
      (local.set $all (i32.add (local.get $all) (local.get $id-size)))
      (memory.copy (local.get $all) (local.get $msg) (local.get $msg-size))
      (i32.store8 (i32.add (local.get $all) (local.get $msg-size)) (i32.const 0x0a)))

    (func (export "init")
      (param $some i32) (param $at i32) (param $size i32) (param $id i32) (param $id-size i32)
      (result i32)
      (call $keep)
      (i32.const 64))

    (func $letter (param $msg i32) (param $size i32) (result i32)
      (if (i32.eqz (local.get $size)) (then (return (i32.const 0))))
      (i32.load8_u (local.get $msg)))

    ;; 1 if the message was a command, whose outcome is then the call's.
    (func $do (param $msg i32) (param $size i32) (result i32)
      (local $letter i32) (local $id i32) (local $id-size i32) (local $body i32) (local $body-size i32)
      (local.set $letter (call $letter (local.get $msg) (local.get $size)))
      (if (i32.eq (local.get $letter) (i32.const 0x73))
        (then
          (call $send
            (i32.add (local.get $msg) (i32.const 1)) (i32.const 19)
            (i32.add (local.get $msg) (i32.const 20)) (i32.sub (local.get $size) (i32.const 20))
            (i32.const 128))
          (if (i32.eqz (call $failed)) (then (call $answer (i32.const 0) (i32.const 0))))
          (return (i32.const 1))))
      (if (i32.eq (local.get $letter) (i32.const 0x63))
        (then
          (call $close
            (i32.add (local.get $msg) (i32.const 1)) (i32.sub (local.get $size) (i32.const 1))
            (i32.const 128))
          (if (i32.eqz (call $failed)) (then (call $answer (i32.const 0) (i32.const 0))))
          (return (i32.const 1))))
      (if (i32.eqz (i32.or
            (i32.eq (local.get $letter) (i32.const 0x6f))
            (i32.eq (local.get $letter) (i32.const 0x70))))
        (then (return (i32.const 0))))
      (local.set $body (i32.add (local.get $msg) (i32.const 37)))
      (local.set $body-size (i32.sub (local.get $size) (i32.const 37)))
      (call $open
        (i32.add (local.get $msg) (i32.const 1)) (i32.const 36)
        (local.get $body) (local.get $body-size) (i32.const 128))
      (if (call $failed) (then (return (i32.const 1))))
      (local.set $id (i32.load (i32.const 132)))
      (local.set $id-size (i32.load (i32.const 136)))
      (call $answer (local.get $id) (local.get $id-size))
      (if (i32.eq (local.get $letter) (i32.const 0x6f)) (then (return (i32.const 1))))
      (call $send (local.get $id) (local.get $id-size) (local.get $body) (local.get $body-size)
        (i32.const 128))
      (if (call $failed) (then (return (i32.const 1))))
      (call $send (local.get $id) (local.get $id-size) (local.get $body) (local.get $body-size)
        (i32.const 128))
      (if (call $failed) (then (return (i32.const 1))))
      (call $close (local.get $id) (local.get $id-size) (i32.const 128))
      (drop (call $failed))
      (i32.const 1))

    (func (export "on-send")
      (param $some i32) (param $at i32) (param $size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (call $keep)
      (drop (call $do (local.get $msg) (local.get $msg-size)))
      (i32.const 64))

    (func (export "on-request")
      (param $some i32) (param $at i32) (param $size i32)
      (param $id i32) (param $id-size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (call $keep)
      (if (i32.eq (call $letter (local.get $msg) (local.get $msg-size)) (i32.const 0x3f))
        (then (return (i32.const 64))))
      (if (i32.eqz (call $do (local.get $msg) (local.get $msg-size)))
        (then
          (if (i32.eqz (local.get $some)) (then (local.set $size (i32.const 0))))
          (call $answer (local.get $at) (local.get $size))))
      (i32.const 64))

    (func (export "on-open")
      (param $some i32) (param $at i32) (param $size i32)
      (param $id i32) (param $id-size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (local $letter i32) (local $refuses i32)
      (local.set $letter (call $letter (local.get $msg) (local.get $msg-size)))
      (if (i32.eq (local.get $letter) (i32.const 0x77)) (then unreachable))
      (call $note (local.get $some) (local.get $at) (local.get $size) (i32.const 0x6f)
        (local.get $id) (local.get $id-size) (local.get $msg) (local.get $msg-size))
      (if (i32.eq (local.get $letter) (i32.const 0x67))
        (then
          (i32.store8 (i32.const 256) (i32.const 0x3f))
          (call $request (i32.add (local.get $msg) (i32.const 1)) (i32.const 36)
            (i32.const 256) (i32.const 1) (i32.const 128))
          (if (call $failed) (then (return (i32.const 64))))))
      (local.set $refuses (i32.eq (local.get $letter) (i32.const 0x6e)))
      (i32.store (i32.const 80) (i32.eqz (local.get $refuses)))
      (i32.store (i32.const 84) (i32.const 0))
      (if (i32.and
            (i32.gt_u (local.get $msg-size) (i32.const 1))
            (i32.or (local.get $refuses) (i32.eq (local.get $letter) (i32.const 0x79))))
        (then
          (i32.store (i32.const 84) (i32.const 1))
          (i32.store (i32.const 88) (i32.add (local.get $msg) (i32.const 1)))
          (i32.store (i32.const 92) (i32.sub (local.get $msg-size) (i32.const 1)))))
      (i32.const 64))

    (func (export "on-message")
      (param $some i32) (param $at i32) (param $size i32)
      (param $id i32) (param $id-size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (local $letter i32)
      (local.set $letter (call $letter (local.get $msg) (local.get $msg-size)))
      (if (i32.eq (local.get $letter) (i32.const 0x77)) (then unreachable))
      (call $note (local.get $some) (local.get $at) (local.get $size) (i32.const 0x6d)
        (local.get $id) (local.get $id-size) (local.get $msg) (local.get $msg-size))
      (if (i32.eq (local.get $letter) (i32.const 0x65))
        (then
          (call $send (local.get $id) (local.get $id-size)
            (i32.add (local.get $msg) (i32.const 1)) (i32.sub (local.get $msg-size) (i32.const 1))
            (i32.const 128))
          (drop (call $failed))))
      (if (i32.eq (local.get $letter) (i32.const 0x63))
        (then
          (call $close (local.get $id) (local.get $id-size) (i32.const 128))
          (drop (call $failed))))
      (i32.const 64))

    (func (export "on-close")
      (param $some i32) (param $at i32) (param $size i32) (param $id i32) (param $id-size i32)
      (result i32)
      (call $note (local.get $some) (local.get $at) (local.get $size) (i32.const 0x78)
        (local.get $id) (local.get $id-size) (i32.const 0) (i32.const 0))
      (i32.const 64))

    (func (export "after") (param i32) (call $reset)))
  (core instance $main (instantiate $main
    (with "host" (instance (export "request" (func $request)) (export "open" (func $open))
      (export "send" (func $send)) (export "close" (func $close))))
    (with "libc" (instance $libc))))

  (type $bytes (list u8))
  (type $state (option $bytes))
  (type $kept (result (tuple $state) (error string)))
  (type $accept (record (field "accepted" bool) (field "message" (option $bytes))))

  (func $init (param "state" $state) (param "params" (tuple string)) (result $kept)
    (canon lift (core func $main "init") (memory (core memory $libc "memory"))
      (realloc (core func $libc "realloc")) (post-return (core func $main "after"))))
  (func $on-send (param "state" $state) (param "params" (tuple $bytes)) (result $kept)
    (canon lift (core func $main "on-send") (memory (core memory $libc "memory"))
      (realloc (core func $libc "realloc")) (post-return (core func $main "after"))))
  (func $on-request (param "state" $state) (param "params" (tuple string $bytes)) 
    (result (result (tuple $state (tuple (option $bytes))) (error string)))
    (canon lift (core func $main "on-request") (memory (core memory $libc "memory"))
      (realloc (core func $libc "realloc")) (post-return (core func $main "after"))))
  (func $on-open (param "state" $state) (param "params" (tuple string $bytes)) 
    (result (result (tuple $state (tuple $accept)) (error string)))
    (canon lift (core func $main "on-open") (memory (core memory $libc "memory"))
      (realloc (core func $libc "realloc")) (post-return (core func $main "after"))))
  (func $on-message (param "state" $state) (param "params" (tuple string $bytes)) (result $kept)
    (canon lift (core func $main "on-message") (memory (core memory $libc "memory"))
      (realloc (core func $libc "realloc")) (post-return (core func $main "after"))))
  (func $on-close (param "state" $state) (param "params" (tuple string)) (result $kept)
    (canon lift (core func $main "on-close") (memory (core memory $libc "memory"))
      (realloc (core func $libc "realloc")) (post-return (core func $main "after"))))

  (instance (export "theater:simple/actor") (export "init" (func $init)))
  ;; A record that is exported has a name, so its interface is made by a component of its own.
  (component $named
    (type $bytes (list u8))
    (type $state (option $bytes))
    (type $kept (result (tuple $state) (error string)))
    (type $plain (record (field "accepted" bool) (field "message" (option $bytes))))
    (import "accept" (type $accept (eq $plain)))
    (import "on-send" (func $on-send
      (param "state" $state) (param "params" (tuple $bytes)) (result $kept)))
    (import "on-request" (func $on-request
      (param "state" $state) (param "params" (tuple string $bytes))
      (result (result (tuple $state (tuple (option $bytes))) (error string)))))
    (import "on-open" (func $on-open
      (param "state" $state) (param "params" (tuple string $bytes))
      (result (result (tuple $state (tuple $accept)) (error string)))))
    (import "on-message" (func $on-message
      (param "state" $state) (param "params" (tuple string $bytes)) (result $kept)))
    (import "on-close" (func $on-close
      (param "state" $state) (param "params" (tuple string)) (result $kept)))
    (export $channel-accept "channel-accept" (type $accept))
    (export "handle-send" (func $on-send))
    (export "handle-request" (func $on-request))
    (export "handle-channel-open" (func $on-open) (func
      (param "state" $state) (param "params" (tuple string $bytes))
      (result (result (tuple $state (tuple $channel-accept)) (error string)))))
    (export "handle-channel-message" (func $on-message))
    (export "handle-channel-close" (func $on-close)))
  (instance $client (instantiate $named
    (with "accept" (type $accept))
    (with "on-send" (func $on-send))
    (with "on-request" (func $on-request))
    (with "on-open" (func $on-open))
    (with "on-message" (func $on-message))
    (with "on-close" (func $on-close))))
  (export "theater:simple/message-server-client" (instance $client)))
