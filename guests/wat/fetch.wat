;; An actor that asks servers.
;;
;; A request's body is a URI, which is asked for by POST without a body; the answer is the response's
;; body, the host call's error is the call's. A message that is sent is dropped. It keeps no state.
(component
  (import "theater:simple/http-types" (instance $types
    (type $request (record (field "method" string) (field "uri" string)
      (field "headers" (list (tuple string string))) (field "body" (option (list u8)))))
    (export "http-request" (type (eq $request)))
    (type $response (record (field "status" u16)
      (field "headers" (list (tuple string string))) (field "body" (option (list u8)))))
    (export "http-response" (type (eq $response)))))
  (alias export $types "http-request" (type $request))
  (alias export $types "http-response" (type $response))
  (import "theater:simple/http-client" (instance $client
    (alias outer 1 $request (type $outer-request))
    (export "http-request" (type $its-request (eq $outer-request)))
    (alias outer 1 $response (type $outer-response))
    (export "http-response" (type $its-response (eq $outer-response)))
    (export "send-http" (func (param "req" $its-request)
      (result (result $its-response (error string)))))))

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

  (core func $fetch (canon lower (func $client "send-http")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))

  (core module $main
    (import "host" "fetch" (func $fetch
      (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "libc" "memory" (memory 1))
    (import "libc" "reset" (func $reset))
    (data (i32.const 32) "POST")

    ;; Results are put at 64, what host calls return at 128.

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

    (func (export "send")
      (param $some i32) (param $at i32) (param $size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (call $keep)
      (i32.const 64))

    (func (export "request")
      (param $some i32) (param $at i32) (param $size i32)
      (param $id i32) (param $id-size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (call $keep)
      (call $fetch (i32.const 32) (i32.const 4) (local.get $msg) (local.get $msg-size)
        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 128))
      ;; Behind the tag: status, headers, and the body's tag, pointer and size.
      (if (i32.eqz (call $failed))
        (then (call $answer (i32.load (i32.const 148)) (i32.load (i32.const 152)))))
      (i32.const 64))

    (func (export "after") (param i32) (call $reset)))
  (core instance $main (instantiate $main
    (with "host" (instance (export "fetch" (func $fetch))))
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
