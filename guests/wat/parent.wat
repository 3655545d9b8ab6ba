;; An actor that does with its children what a request says: a letter, then what it is about.
;;
;;   c MANIFEST             spawn; answers the child's id       C SIZE STATE MANIFEST   with init-bytes
;;   u MANIFEST             resume; answers the child's id      U SIZE STATE MANIFEST   with a state
;;   l                      the ids of the living children, one behind the other
;;   x CHILD                stop-child                          y CHILD                 restart-child
;;   g CHILD                its state, nothing if it has none   e CHILD                 its events: 1 byte of type each
;;   t CHILD                its status, as a digit              r ACTOR MESSAGE         asks it; answers its answer
;;   d RESULT               shutdown with a result              f                       traps
;;   s                      the own state                       ?                       stays unanswered
;;
;; SIZE is one byte, an id 36. A host call's error is the call's. A state that begins with `f`, `e` or `r`
;; makes `init` trap, fail or ask: the actor behind the letter gets what comes behind its id. What is
;; told of children is written behind the state: `E`, `X` or `S`, the child's id, then the kind of error as
;; a digit and its text, or the result, and a line feed.
(component
  (import "theater:simple/message-server-host" (instance $messages
    (export "request" (func (param "actor-id" string) (param "msg" (list u8))
      (result (result (list u8) (error string)))))))
  (import "theater:simple/runtime" (instance $runtime
    (export "shutdown" (func (param "data" (option (list u8))) (result (result (error string)))))))
  (import "theater:simple/supervisor" (instance $supervisor
    (type $written (record
      (field "hash" (list u8)) (field "parent-hash" (option (list u8)))
      (field "event-type" string) (field "data" (list u8))
      (field "timestamp" u64) (field "description" (option string))))
    (export "chain-event" (type $event (eq $written)))
    (export "spawn" (func (param "manifest" string) (param "init-bytes" (option (list u8)))
      (result (result string (error string)))))
    (export "resume" (func (param "manifest" string) (param "init-state" (option (list u8)))
      (result (result string (error string)))))
    (export "list-children" (func (result (list string))))
    (export "stop-child" (func (param "child-id" string) (result (result (error string)))))
    (export "restart-child" (func (param "child-id" string) (result (result (error string)))))
    (export "get-child-state" (func (param "child-id" string)
      (result (result (option (list u8)) (error string)))))
    (export "get-child-events" (func (param "child-id" string)
      (result (result (list $event) (error string)))))))
  (import "theater:agent/supervision@0.1.0" (instance $supervision
    (type $named (enum "starting" "running" "paused" "stopping" "stopped" "failed"))
    (export "status" (type $status (eq $named)))
    (export "child-status" (func (param "child-id" string)
      (result (result $status (error string)))))))

  ;; Imported, as toolchains have it: types that a component defines itself keep it from being bridged.
  (import "theater:simple/types" (instance $types
    (type $kind (enum "operation-timeout" "channel-closed" "shutting-down" "function-not-found"
      "type-mismatch" "internal" "serialization-error" "update-component-error" "paused"))
    (export "wit-error-type" (type $kind-named (eq $kind)))
    (type $failure (record (field "error-type" $kind-named) (field "data" (option (list u8)))))
    (export "wit-actor-error" (type $failure-named (eq $failure)))))
  (alias export $types "wit-actor-error" (type $failure-named))

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
  (core func $shutdown (canon lower (func $runtime "shutdown")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $spawn (canon lower (func $supervisor "spawn")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $resume (canon lower (func $supervisor "resume")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $list (canon lower (func $supervisor "list-children")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $stop (canon lower (func $supervisor "stop-child")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $restart (canon lower (func $supervisor "restart-child")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $state (canon lower (func $supervisor "get-child-state")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $events (canon lower (func $supervisor "get-child-events")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $status (canon lower (func $supervision "child-status")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))

  (core module $main
    (import "host" "request" (func $request (param i32 i32 i32 i32 i32)))
    (import "host" "shutdown" (func $shutdown (param i32 i32 i32 i32)))
    (import "host" "spawn" (func $spawn (param i32 i32 i32 i32 i32 i32)))
    (import "host" "resume" (func $resume (param i32 i32 i32 i32 i32 i32)))
    (import "host" "list" (func $list (param i32)))
    (import "host" "stop" (func $stop (param i32 i32 i32)))
    (import "host" "restart" (func $restart (param i32 i32 i32)))
    (import "host" "state" (func $child-state (param i32 i32 i32)))
    (import "host" "events" (func $events (param i32 i32 i32)))
    (import "host" "status" (func $status (param i32 i32 i32)))
    (import "libc" "memory" (memory 1))
    (import "libc" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
    (import "libc" "reset" (func $reset))

    ;; Results are put at 64: tag, the state (some, at, size), the answer (some, at, size). What host
    ;; calls return is at 128: tag, pointer, size.
    (global $told (mut i32) (i32.const 0))

    ;; ok(none, …): the state stays.
    (func $keep
      (i32.store (i32.const 64) (i32.const 0))
      (i32.store (i32.const 68) (i32.const 0))
      (i32.store (i32.const 80) (i32.const 0)))

    (func $fail (param $at i32) (param $size i32)
      (i32.store (i32.const 64) (i32.const 1))
      (i32.store (i32.const 68) (local.get $at))
      (i32.store (i32.const 72) (local.get $size)))

    ;; 1 if the host call failed, whose error is then the result.
    (func $failed (result i32)
      (if (i32.eqz (i32.load8_u (i32.const 128))) (then (return (i32.const 0))))
      (call $fail (i32.load (i32.const 132)) (i32.load (i32.const 136)))
      (i32.const 1))

    (func $answer (param $at i32) (param $size i32)
      (i32.store (i32.const 80) (i32.const 1))
      (i32.store (i32.const 84) (local.get $at))
      (i32.store (i32.const 88) (local.get $size)))

    (func $answer-text
      (if (i32.eqz (call $failed))
        (then (call $answer (i32.load (i32.const 132)) (i32.load (i32.const 136))))))

    (func $answer-nothing
      (if (i32.eqz (call $failed)) (then (call $answer (i32.const 0) (i32.const 0)))))

    (func $answer-option
      (if (i32.eqz (call $failed))
        (then
          (if (i32.load8_u (i32.const 132))
            (then (call $answer (i32.load (i32.const 136)) (i32.load (i32.const 140))))
            (else (call $answer (i32.const 0) (i32.const 0)))))))

    (func $answer-digit
      (if (i32.eqz (call $failed))
        (then
          (i32.store8 (i32.const 160) (i32.add (i32.const 0x30) (i32.load8_u (i32.const 132))))
          (call $answer (i32.const 160) (i32.const 1)))))

    ;; One behind the other: what a list of pairs at `at` points to, each pair in `step` bytes.
    (func $join (param $at i32) (param $count i32) (param $step i32) (param $most i32)
      (local $to i32) (local $left i32) (local $size i32)
      (local.set $to
        (call $realloc (i32.const 0) (i32.const 0) (i32.const 1)
          (i32.mul (local.get $count) (local.get $most))))
      (local.set $left (local.get $to))
      (block $done
        (loop $next
          (br_if $done (i32.eqz (local.get $count)))
          (local.set $size (i32.load offset=4 (local.get $at)))
          (if (i32.gt_u (local.get $size) (local.get $most))
            (then (local.set $size (local.get $most))))
          (memory.copy (local.get $to) (i32.load (local.get $at)) (local.get $size))
          (local.set $to (i32.add (local.get $to) (local.get $size)))
          (local.set $at (i32.add (local.get $at) (local.get $step)))
          (local.set $count (i32.sub (local.get $count) (i32.const 1)))
          (br $next)))
      (call $answer (local.get $left) (i32.sub (local.get $to) (local.get $left))))

    (func (export "init")
      (param $some i32) (param $at i32) (param $size i32) (param $id i32) (param $id-size i32)
      (result i32)
      (local $letter i32)
      (call $keep)
      (if (i32.and (local.get $some) (i32.gt_u (local.get $size) (i32.const 0)))
        (then (local.set $letter (i32.load8_u (local.get $at)))))
      (if (i32.eq (local.get $letter) (i32.const 0x66)) (then unreachable))
      (if (i32.eq (local.get $letter) (i32.const 0x65))
        (then (call $fail (local.get $at) (local.get $size))))
      (if (i32.eq (local.get $letter) (i32.const 0x72))
        (then
          (call $request
            (i32.add (local.get $at) (i32.const 1)) (i32.const 36)
            (i32.add (local.get $at) (i32.const 37)) (i32.sub (local.get $size) (i32.const 37))
            (i32.const 128))
          (drop (call $failed))))
      (i32.const 64))

    (func (export "send")
      (param $some i32) (param $at i32) (param $size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (call $keep)
      (call $do (local.get $some) (local.get $at) (local.get $size)
        (local.get $msg) (local.get $msg-size))
      (i32.const 64))

    (func (export "request")
      (param $some i32) (param $at i32) (param $size i32)
      (param $id i32) (param $id-size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (call $keep)
      (call $do (local.get $some) (local.get $at) (local.get $size)
        (local.get $msg) (local.get $msg-size))
      (i32.const 64))

    (func $do (param $some i32) (param $at i32) (param $size i32) (param $msg i32) (param $left i32)
      (local $letter i32) (local $own i32)
      (if (i32.eqz (local.get $left)) (then (return)))
      (local.set $letter (i32.load8_u (local.get $msg)))
      (local.set $msg (i32.add (local.get $msg) (i32.const 1)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (if (i32.eq (local.get $letter) (i32.const 0x63)) ;; c
        (then
          (call $spawn (local.get $msg) (local.get $left)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 128))
          (call $answer-text)))
      (if (i32.eq (local.get $letter) (i32.const 0x75)) ;; u
        (then
          (call $resume (local.get $msg) (local.get $left)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 128))
          (call $answer-text)))
      (if (i32.or
            (i32.eq (local.get $letter) (i32.const 0x43)) ;; C
            (i32.eq (local.get $letter) (i32.const 0x55))) ;; U
        (then
          (local.set $own (i32.load8_u (local.get $msg)))
          (local.set $msg (i32.add (local.get $msg) (i32.const 1)))
          (local.set $left
            (i32.sub (i32.sub (local.get $left) (i32.const 1)) (local.get $own)))
          (if (i32.eq (local.get $letter) (i32.const 0x43))
            (then
              (call $spawn (i32.add (local.get $msg) (local.get $own)) (local.get $left)
                (i32.const 1) (local.get $msg) (local.get $own) (i32.const 128)))
            (else
              (call $resume (i32.add (local.get $msg) (local.get $own)) (local.get $left)
                (i32.const 1) (local.get $msg) (local.get $own) (i32.const 128))))
          (call $answer-text)))
      (if (i32.eq (local.get $letter) (i32.const 0x6c)) ;; l
        (then
          (call $list (i32.const 128))
          (call $join (i32.load (i32.const 128)) (i32.load (i32.const 132))
            (i32.const 8) (i32.const 36))))
      (if (i32.eq (local.get $letter) (i32.const 0x78)) ;; x
        (then
          (call $stop (local.get $msg) (local.get $left) (i32.const 128))
          (call $answer-nothing)))
      (if (i32.eq (local.get $letter) (i32.const 0x79)) ;; y
        (then
          (call $restart (local.get $msg) (local.get $left) (i32.const 128))
          (call $answer-nothing)))
      (if (i32.eq (local.get $letter) (i32.const 0x67)) ;; g
        (then
          (call $child-state (local.get $msg) (local.get $left) (i32.const 128))
          (call $answer-option)))
      (if (i32.eq (local.get $letter) (i32.const 0x65)) ;; e
        (then
          (call $events (local.get $msg) (local.get $left) (i32.const 128))
          ;; The pairs are the types, 20 bytes into records of 64.
          (if (i32.eqz (call $failed))
            (then
              (call $join (i32.add (i32.load (i32.const 132)) (i32.const 20))
                (i32.load (i32.const 136)) (i32.const 64) (i32.const 1))))))
      (if (i32.eq (local.get $letter) (i32.const 0x74)) ;; t
        (then
          (call $status (local.get $msg) (local.get $left) (i32.const 128))
          (call $answer-digit)))
      (if (i32.eq (local.get $letter) (i32.const 0x72)) ;; r
        (then
          (call $request
            (local.get $msg) (i32.const 36)
            (i32.add (local.get $msg) (i32.const 36)) (i32.sub (local.get $left) (i32.const 36))
            (i32.const 128))
          (call $answer-text)))
      (if (i32.eq (local.get $letter) (i32.const 0x64)) ;; d
        (then
          (call $shutdown (i32.const 1) (local.get $msg) (local.get $left) (i32.const 128))
          (call $answer-nothing)))
      (if (i32.eq (local.get $letter) (i32.const 0x66)) (then unreachable)) ;; f
      (if (i32.eq (local.get $letter) (i32.const 0x73)) ;; s
        (then
          (if (local.get $some)
            (then (call $answer (local.get $at) (local.get $size)))
            (else (call $answer (i32.const 0) (i32.const 0)))))))

    ;; Begin a new state: the old one, a letter, the child's id. `put` adds bytes to it.
    (func $note (param $at i32) (param $size i32) (param $letter i32)
      (param $id i32) (param $id-size i32) (param $more i32)
      (local $new i32)
      (local.set $new
        (call $realloc (i32.const 0) (i32.const 0) (i32.const 1)
          (i32.add (i32.add (local.get $size) (local.get $id-size))
            (i32.add (local.get $more) (i32.const 3)))))
      (memory.copy (local.get $new) (local.get $at) (local.get $size))
      (i32.store (i32.const 64) (i32.const 0))
      (i32.store (i32.const 68) (i32.const 1))
      (i32.store (i32.const 72) (local.get $new))
      (global.set $told (i32.add (local.get $new) (local.get $size)))
      (call $put-byte (local.get $letter))
      (call $put (local.get $id) (local.get $id-size)))

    (func $put-byte (param $byte i32)
      (i32.store8 (global.get $told) (local.get $byte))
      (global.set $told (i32.add (global.get $told) (i32.const 1))))

    (func $put (param $at i32) (param $size i32)
      (memory.copy (global.get $told) (local.get $at) (local.get $size))
      (global.set $told (i32.add (global.get $told) (local.get $size))))

    (func $noted (result i32)
      (call $put-byte (i32.const 0x0a))
      (i32.store (i32.const 76) (i32.sub (global.get $told) (i32.load (i32.const 72))))
      (i32.const 64))

    (func (export "error")
      (param $some i32) (param $at i32) (param $size i32) (param $id i32) (param $id-size i32)
      (param $kind i32) (param $has i32) (param $text i32) (param $text-size i32)
      (result i32)
      (call $note (local.get $at) (local.get $size) (i32.const 0x45)
        (local.get $id) (local.get $id-size) (local.get $text-size))
      (call $put-byte (i32.add (i32.const 0x30) (local.get $kind)))
      (call $put (local.get $text) (local.get $text-size))
      (call $noted))

    (func (export "exit")
      (param $some i32) (param $at i32) (param $size i32) (param $id i32) (param $id-size i32)
      (param $has i32) (param $result i32) (param $result-size i32)
      (result i32)
      (call $note (local.get $at) (local.get $size) (i32.const 0x58)
        (local.get $id) (local.get $id-size) (local.get $result-size))
      (call $put (local.get $result) (local.get $result-size))
      (call $noted))

    (func (export "stopped")
      (param $some i32) (param $at i32) (param $size i32) (param $id i32) (param $id-size i32)
      (result i32)
      (call $note (local.get $at) (local.get $size) (i32.const 0x53)
        (local.get $id) (local.get $id-size) (i32.const 0))
      (call $noted))

    (func (export "after") (param i32) (call $reset)))
  (core instance $main (instantiate $main
    (with "host" (instance
      (export "request" (func $request)) (export "shutdown" (func $shutdown))
      (export "spawn" (func $spawn)) (export "resume" (func $resume))
      (export "list" (func $list)) (export "stop" (func $stop))
      (export "restart" (func $restart)) (export "state" (func $state))
      (export "events" (func $events)) (export "status" (func $status))))
    (with "libc" (instance $libc))))

  (type $bytes (list u8))
  (type $state-type (option $bytes))
  (type $kept (result (tuple $state-type) (error string)))
  (func $init (param "state" $state-type) (param "params" (tuple string)) (result $kept)
    (canon lift (core func $main "init") (memory (core memory $libc "memory"))
      (realloc (core func $libc "realloc")) (post-return (core func $main "after"))))
  (func $send (param "state" $state-type) (param "params" (tuple $bytes)) (result $kept)
    (canon lift (core func $main "send") (memory (core memory $libc "memory"))
      (realloc (core func $libc "realloc")) (post-return (core func $main "after"))))
  (func $asked (param "state" $state-type) (param "params" (tuple string $bytes))
    (result (result (tuple $state-type (tuple (option $bytes))) (error string)))
    (canon lift (core func $main "request") (memory (core memory $libc "memory"))
      (realloc (core func $libc "realloc")) (post-return (core func $main "after"))))
  (func $error (param "state" $state-type) (param "params" (tuple string $failure-named))
    (result $kept)
    (canon lift (core func $main "error") (memory (core memory $libc "memory"))
      (realloc (core func $libc "realloc")) (post-return (core func $main "after"))))
  (func $exit (param "state" $state-type) (param "params" (tuple string (option $bytes)))
    (result $kept)
    (canon lift (core func $main "exit") (memory (core memory $libc "memory"))
      (realloc (core func $libc "realloc")) (post-return (core func $main "after"))))
  (func $stopped (param "state" $state-type) (param "params" (tuple string)) (result $kept)
    (canon lift (core func $main "stopped") (memory (core memory $libc "memory"))
      (realloc (core func $libc "realloc")) (post-return (core func $main "after"))))

  (instance (export "theater:simple/actor") (export "init" (func $init)))
  (instance (export "theater:simple/message-server-client")
    (export "handle-send" (func $send))
    (export "handle-request" (func $asked)))
  (instance (export "theater:simple/supervisor-handlers")
    (export "handle-child-error" (func $error))
    (export "handle-child-exit" (func $exit))
    (export "handle-child-external-stop" (func $stopped))))
