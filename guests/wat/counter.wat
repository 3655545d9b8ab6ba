;; A stateful actor that counts its messages.
;;
;; The state is the number of messages so far in decimal ASCII (at most 20 digits). Each message is
;; logged as it is, through the one host call. `handle-request` answers with the new number;
;; a message `fail` is answered with an error and a message `trap` traps, both before counting.
(component
  (import "theater:simple/runtime" (instance $runtime
    (export "log" (func (param "msg" string)))))

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

  (core func $log (canon lower (func $runtime "log")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))

  (core module $main
    (import "host" "log" (func $log (param i32 i32)))
    (import "libc" "memory" (memory 1))
    (import "libc" "reset" (func $reset))

    (data (i32.const 1024) "failed as it was asked to")
    (data (i32.const 1056) "failtrap")

    ;; Where results are put: 64 is the result, 256 the number in decimal, up to 20 digits.

    (func $number (param $some i32) (param $at i32) (param $size i32) (result i64)
      (local $n i64) (local $end i32)
      (if (i32.eqz (local.get $some)) (then (return (i64.const 0))))
      (local.set $end (i32.add (local.get $at) (local.get $size)))
      (block $done
        (loop $digit
          (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
          (local.set $n
            (i64.add
              (i64.mul (local.get $n) (i64.const 10))
              (i64.extend_i32_u (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $digit)))
      (local.get $n))

    ;; Writes the number's digits, ending at 288; returns where they begin.
    (func $digits (param $n i64) (result i32)
      (local $at i32)
      (local.set $at (i32.const 288))
      (loop $digit
        (local.set $at (i32.sub (local.get $at) (i32.const 1)))
        (i32.store8 (local.get $at)
          (i32.add (i32.wrap_i64 (i64.rem_u (local.get $n) (i64.const 10))) (i32.const 48)))
        (local.set $n (i64.div_u (local.get $n) (i64.const 10)))
        (br_if $digit (i64.ne (local.get $n) (i64.const 0))))
      (local.get $at))

    (func $says (param $at i32) (param $size i32) (param $word i32) (result i32)
      (i32.and
        (i32.eq (local.get $size) (i32.const 4))
        (i32.eq (i32.load align=1 (local.get $at)) (i32.load align=1 (local.get $word)))))

    ;; 1 if the message asks for an error, which is then in the result.
    (func $refused (param $at i32) (param $size i32) (result i32)
      (if (call $says (local.get $at) (local.get $size) (i32.const 1060)) (then unreachable))
      (if (i32.eqz (call $says (local.get $at) (local.get $size) (i32.const 1056)))
        (then (return (i32.const 0))))
      (i32.store (i32.const 64) (i32.const 1))
      (i32.store (i32.const 68) (i32.const 1024))
      (i32.store (i32.const 72) (i32.const 25))
      (i32.const 1))

    ;; ok((some(digits), …)): tag, the option's tag, its pointer and size.
    (func $keep (param $n i64) (result i32)
      (local $at i32)
      (local.set $at (call $digits (local.get $n)))
      (i32.store (i32.const 64) (i32.const 0))
      (i32.store (i32.const 68) (i32.const 1))
      (i32.store (i32.const 72) (local.get $at))
      (i32.store (i32.const 76) (i32.sub (i32.const 288) (local.get $at)))
      (local.get $at))

    (func (export "init")
      (param $some i32) (param $at i32) (param $size i32) (param $id i32) (param $id-size i32)
      (result i32)
      (call $log (local.get $id) (local.get $id-size))
      (drop (call $keep (call $number (local.get $some) (local.get $at) (local.get $size))))
      (i32.const 64))

    (func (export "send")
      (param $some i32) (param $at i32) (param $size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (call $log (local.get $msg) (local.get $msg-size))
      (if (call $refused (local.get $msg) (local.get $msg-size))
        (then (return (i32.const 64))))
      (drop (call $keep
        (i64.add (call $number (local.get $some) (local.get $at) (local.get $size))
          (i64.const 1))))
      (i32.const 64))

    (func (export "request")
      (param $some i32) (param $at i32) (param $size i32)
      (param $id i32) (param $id-size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (local $digits i32)
      (call $log (local.get $msg) (local.get $msg-size))
      (if (call $refused (local.get $msg) (local.get $msg-size))
        (then (return (i32.const 64))))
      (local.set $digits (call $keep
        (i64.add (call $number (local.get $some) (local.get $at) (local.get $size))
          (i64.const 1))))
      (i32.store (i32.const 80) (i32.const 1))
      (i32.store (i32.const 84) (local.get $digits))
      (i32.store (i32.const 88) (i32.sub (i32.const 288) (local.get $digits)))
      (i32.const 64))

    (func (export "after") (param i32) (call $reset)))
  (core instance $main (instantiate $main
    (with "host" (instance (export "log" (func $log))))
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
