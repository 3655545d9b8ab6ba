;; An actor that sets timers as it is told, and writes down what comes of them.
;;
;; A message is a letter and the rest: `a` and a delay in milliseconds, or `e` and a period, in decimal up
;; to a space, behind which is what the timer carries; `c` and a cron expression, which the timer carries
;; too; `x` and the id of a timer to cancel. The answer is the timer's id, or nothing; a host call's error
;; is the call's. The state is what the timers carried, a line each.
(component
  (import "theater:agent/scheduler@0.1.0" (instance $timers
    (export "after" (func (param "delay-ms" u64) (param "payload" (list u8))
      (result (result string (error string)))))
    (export "every" (func (param "period-ms" u64) (param "payload" (list u8))
      (result (result string (error string)))))
    (export "cron" (func (param "expression" string) (param "payload" (list u8))
      (result (result string (error string)))))
    (export "cancel" (func (param "timer-id" string) (result (result (error string)))))))

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

  (core func $after (canon lower (func $timers "after")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $every (canon lower (func $timers "every")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $cron (canon lower (func $timers "cron")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $cancel (canon lower (func $timers "cancel")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))

  (core module $main
    (import "host" "after" (func $after (param i64 i32 i32 i32)))
    (import "host" "every" (func $every (param i64 i32 i32 i32)))
    (import "host" "cron" (func $cron (param i32 i32 i32 i32 i32)))
    (import "host" "cancel" (func $cancel (param i32 i32 i32)))
    (import "libc" "memory" (memory 1))
    (import "libc" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
    (import "libc" "reset" (func $reset))

    ;; Results are put at 64, what host calls return at 128: tag, pointer, size.

    (func $letter (param $at i32) (param $letter i32) (result i32)
      (i32.eq (i32.load8_u (local.get $at)) (local.get $letter)))

    ;; Does what a message says.
    (func $obey (param $at i32) (param $size i32)
      (local $first i32) (local $end i32) (local $n i64)
      (local.set $first (local.get $at))
      (local.set $end (i32.add (local.get $at) (local.get $size)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (i32.store (i32.const 132) (i32.const 0))
      (i32.store (i32.const 136) (i32.const 0))
      (if (call $letter (local.get $first) (i32.const 99))
        (then
          (call $cron
            (local.get $at) (i32.sub (local.get $end) (local.get $at))
            (local.get $at) (i32.sub (local.get $end) (local.get $at))
            (i32.const 128))
          (return)))
      (if (call $letter (local.get $first) (i32.const 120))
        (then
          (call $cancel
            (local.get $at) (i32.sub (local.get $end) (local.get $at)) (i32.const 128))
          (return)))
      (block $done
        (loop $digit
          (br_if $done (call $letter (local.get $at) (i32.const 32)))
          (local.set $n
            (i64.add
              (i64.mul (local.get $n) (i64.const 10))
              (i64.extend_i32_u (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $digit)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (if (call $letter (local.get $first) (i32.const 101))
        (then
          (call $every (local.get $n)
            (local.get $at) (i32.sub (local.get $end) (local.get $at)) (i32.const 128)))
        (else
          (call $after (local.get $n)
            (local.get $at) (i32.sub (local.get $end) (local.get $at)) (i32.const 128)))))

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
      (i32.store (i32.const 64) (i32.const 0))
      (i32.store (i32.const 68) (i32.const 0))
      (i32.const 64))

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
      (call $answer))

    (func (export "timer")
      (param $some i32) (param $at i32) (param $size i32)
      (param $id i32) (param $id-size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (local $kept i32) (local $whole i32)
      (if (i32.eqz (local.get $some)) (then (local.set $size (i32.const 0))))
      (local.set $whole
        (i32.add (i32.add (local.get $size) (local.get $msg-size)) (i32.const 1)))
      (local.set $kept
        (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (local.get $whole)))
      (memory.copy (local.get $kept) (local.get $at) (local.get $size))
      (memory.copy
        (i32.add (local.get $kept) (local.get $size)) (local.get $msg) (local.get $msg-size))
      (i32.store8
        (i32.sub (i32.add (local.get $kept) (local.get $whole)) (i32.const 1)) (i32.const 10))
      (i32.store (i32.const 64) (i32.const 0))
      (i32.store (i32.const 68) (i32.const 1))
      (i32.store (i32.const 72) (local.get $kept))
      (i32.store (i32.const 76) (local.get $whole))
      (i32.const 64))

    (func (export "after") (param i32) (call $reset)))
  (core instance $main (instantiate $main
    (with "host" (instance
      (export "after" (func $after)) (export "every" (func $every))
      (export "cron" (func $cron)) (export "cancel" (func $cancel))))
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
  (func $timer (param "state" $state) (param "params" (tuple string $bytes)) (result $kept)
    (canon lift (core func $main "timer") (memory (core memory $libc "memory"))
      (realloc (core func $libc "realloc")) (post-return (core func $main "after"))))

  (instance (export "theater:simple/actor") (export "init" (func $init)))
  (instance (export "theater:simple/message-server-client")
    (export "handle-send" (func $send))
    (export "handle-request" (func $request)))
  (instance (export "theater:agent/scheduler-client@0.1.0")
    (export "handle-timer" (func $timer))))
