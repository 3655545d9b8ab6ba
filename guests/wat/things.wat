;; An actor that uses a resource of the host.
;;
;; `handle-send` makes three things, looks at each through a borrow, hands the second one back and
;; drops the others; the state is then the three numbers that it saw, as twelve bytes, little-endian.
;; The message `k` keeps the third one. The second interface uses the resource of the first.
(component
  (import "test:things/made@0.1.3" (instance $made
    (export "thing" (type $thing (sub resource)))
    (export "make" (func (result (own $thing))))
    (export "[method]thing.number" (func (param "self" (borrow $thing)) (result u32)))))
  (alias export $made "thing" (type $thing))
  (import "test:things/used@0.1.3" (instance $used
    (export "thing" (type $again (eq $thing)))
    (export "take" (func (param "thing" (own $again)) (result (option (own $again)))))))

  (core module $libc
    (memory (export "memory") 1)
    (global $top (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (local.set $at
        (i32.and
          (i32.add (global.get $top) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $top (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
    (func (export "reset") (global.set $top (i32.const 4096))))
  (core instance $libc (instantiate $libc))

  (core func $make (canon lower (func $made "make")))
  (core func $number (canon lower (func $made "[method]thing.number")))
  (core func $take (canon lower (func $used "take") (memory (core memory $libc "memory"))))
  (core func $drop (canon resource.drop $thing))

  (core module $main
    (import "libc" "memory" (memory 1))
    (import "libc" "reset" (func $reset))
    (import "host" "make" (func $make (result i32)))
    (import "host" "number" (func $number (param i32) (result i32)))
    (import "host" "take" (func $take (param i32 i32)))
    (import "host" "drop" (func $drop (param i32)))

    (func (export "send")
      (param $some i32) (param $at i32) (param $size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (local $one i32) (local $two i32) (local $three i32)
      (local.set $one (call $make))
      (local.set $two (call $make))
      (local.set $three (call $make))
      (i32.store (i32.const 128) (call $number (local.get $one)))
      (i32.store (i32.const 132) (call $number (local.get $two)))
      (i32.store (i32.const 136) (call $number (local.get $three)))
      (call $take (local.get $two) (i32.const 160))
      ;; What it got back, it drops.
      (if (i32.load8_u (i32.const 160)) (then (call $drop (i32.load (i32.const 164)))))
      (call $drop (local.get $one))
      (if (i32.ne (local.get $msg-size) (i32.const 1)) (then (call $drop (local.get $three))))
      (i32.store (i32.const 64) (i32.const 0))
      (i32.store (i32.const 68) (i32.const 1))
      (i32.store (i32.const 72) (i32.const 128))
      (i32.store (i32.const 76) (i32.const 12))
      (i32.const 64))
    (func (export "after") (param i32) (call $reset)))
  (core instance $main (instantiate $main
    (with "libc" (instance $libc))
    (with "host" (instance
      (export "make" (func $make))
      (export "number" (func $number))
      (export "take" (func $take))
      (export "drop" (func $drop))))))

  (type $bytes (list u8))
  (type $state (option $bytes))
  (func $send (param "state" $state) (param "params" (tuple $bytes))
    (result (result (tuple $state) (error string)))
    (canon lift (core func $main "send") (memory (core memory $libc "memory"))
      (realloc (core func $libc "realloc")) (post-return (core func $main "after"))))
  (instance (export "theater:simple/message-server-client") (export "handle-send" (func $send))))
