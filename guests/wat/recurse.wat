;; An actor whose `handle-send`, and `handle-request` with four bytes, calls itself until there is no more stack.
(component
  (core module $main
    (memory (export "memory") 1)
    (global $top (mut i32) (i32.const 4096))

    ;; Bump allocation, reset when a call is over.
    (func (export "realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32)
      (result i32)
      (local $at i32)
      (local.set $at
        (i32.and
          (i32.add (global.get $top) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $top (i32.add (local.get $at) (local.get $size)))
      (block $enough
        (loop $grow
          (br_if $enough
            (i32.le_u (global.get $top) (i32.mul (memory.size) (i32.const 65536))))
          (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
          (br $grow)))
      ;; The canonical ABI grows texts while it writes them: what was there must stay.
      (memory.copy (local.get $at) (local.get $old)
        (select (local.get $old-size) (local.get $size)
          (i32.lt_u (local.get $old-size) (local.get $size))))
      (local.get $at))
    (func (export "after") (param i32) (global.set $top (i32.const 4096)))

    ;; ok with the state as it was, and an answer for a request.
    (func $keep (param $some i32) (param $at i32) (param $size i32) (param $answer i32) (param $answer-size i32)
      (result i32)
      (i32.store (i32.const 64) (i32.const 0))
      (i32.store (i32.const 68) (local.get $some))
      (i32.store (i32.const 72) (local.get $at))
      (i32.store (i32.const 76) (local.get $size))
      (i32.store (i32.const 80) (i32.const 1))
      (i32.store (i32.const 84) (local.get $answer))
      (i32.store (i32.const 88) (local.get $answer-size))
      (i32.const 64))

    (func (export "init")
      (param $some i32) (param $at i32) (param $size i32) (param $id i32) (param $id-size i32)
      (result i32)
      (call $keep (local.get $some) (local.get $at) (local.get $size) (i32.const 0) (i32.const 0)))

    (func $deeper (param $n i32) (result i32)
      (i32.add (call $deeper (i32.add (local.get $n) (i32.const 1))) (i32.const 1)))

    (func (export "send")
      (param $some i32) (param $at i32) (param $size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (drop (call $deeper (i32.const 0)))
      (i32.const 64))

    (func (export "request")
      (param $some i32) (param $at i32) (param $size i32)
      (param $id i32) (param $id-size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (if (i32.eq (local.get $msg-size) (i32.const 4)) (then (drop (call $deeper (i32.const 0)))))
      (call $keep (local.get $some) (local.get $at) (local.get $size)
        (local.get $msg) (local.get $msg-size))))
  (core instance $main (instantiate $main))

  (type $bytes (list u8))
  (type $state (option $bytes))
  (type $kept (result (tuple $state) (error string)))

  (func $init (param "state" $state) (param "params" (tuple string)) (result $kept)
    (canon lift (core func $main "init") (memory (core memory $main "memory"))
      (realloc (core func $main "realloc")) (post-return (core func $main "after"))))
  (func $send (param "state" $state) (param "params" (tuple $bytes)) (result $kept)
    (canon lift (core func $main "send") (memory (core memory $main "memory"))
      (realloc (core func $main "realloc")) (post-return (core func $main "after"))))
  (func $request (param "state" $state) (param "params" (tuple string $bytes))
    (result (result (tuple $state (tuple (option $bytes))) (error string)))
    (canon lift (core func $main "request") (memory (core memory $main "memory"))
      (realloc (core func $main "realloc")) (post-return (core func $main "after"))))

  (instance (export "theater:simple/actor") (export "init" (func $init)))
  (instance (export "theater:simple/message-server-client")
    (export "handle-send" (func $send))
    (export "handle-request" (func $request))))
