;; An actor that leans on what a chain can't show: a global, random bytes and the clock.
;;
;; Each request is answered with how many calls this instance has served, 8 random bytes, and the
;; clock's seconds, each as 8 bytes, little endian; the answer is also the new state.
(component
  (import "wasi:random/random@0.2.0" (instance $random
    (export "get-random-u64" (func (result u64)))))
  (import "wasi:clocks/wall-clock@0.2.3" (instance $clock
    (type $datetime' (record (field "seconds" u64) (field "nanoseconds" u32)))
    (export "datetime" (type $datetime (eq $datetime')))
    (export "now" (func (result $datetime)))))

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

  (core func $random (canon lower (func $random "get-random-u64")))
  (core func $now (canon lower (func $clock "now") (memory (core memory $libc "memory"))))

  (core module $main
    (import "host" "random" (func $random (result i64)))
    (import "host" "now" (func $now (param i32)))
    (import "libc" "memory" (memory 1))
    (import "libc" "reset" (func $reset))
    (global $served (mut i64) (i64.const 0))

    ;; Results are put at 64, what is observed at 256, the clock at 128.
    (func $observe
      (global.set $served (i64.add (global.get $served) (i64.const 1)))
      (call $now (i32.const 128))
      (i64.store (i32.const 256) (global.get $served))
      (i64.store (i32.const 264) (call $random))
      (i64.store (i32.const 272) (i64.load (i32.const 128))))

    ;; ok((some(observed), some(observed)))
    (func $keep (result i32)
      (i32.store (i32.const 64) (i32.const 0))
      (i32.store (i32.const 68) (i32.const 1))
      (i32.store (i32.const 72) (i32.const 256))
      (i32.store (i32.const 76) (i32.const 24))
      (i32.store (i32.const 80) (i32.const 1))
      (i32.store (i32.const 84) (i32.const 256))
      (i32.store (i32.const 88) (i32.const 24))
      (i32.const 64))

    (func (export "init")
      (param $some i32) (param $at i32) (param $size i32) (param $id i32) (param $id-size i32)
      (result i32)
      (call $observe)
      (call $keep))

    (func (export "send")
      (param $some i32) (param $at i32) (param $size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (call $observe)
      (call $keep))

    (func (export "request")
      (param $some i32) (param $at i32) (param $size i32)
      (param $id i32) (param $id-size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (call $observe)
      (call $keep))

    (func (export "after") (param i32) (call $reset)))
  (core instance $main (instantiate $main
    (with "host" (instance (export "random" (func $random)) (export "now" (func $now))))
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
