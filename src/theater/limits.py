"""Every bound that a guest, a client or a file can run into, by name.

Sizes are bytes, times are milliseconds unless the name says otherwise.
"""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB

# Events
EVENT_DATA_BYTES_MAX: Final = 64 * KIB
EVENT_LINE_BYTES_MAX: Final = MIB
EVENT_TYPE_BYTES_MAX: Final = 255
EVENT_BLOCK_LINE_BYTES_MAX: Final = 256
EVENT_ITEM_BYTES_MAX: Final = EVENT_DATA_BYTES_MAX + 512
FUNCTION_NAME_BYTES_MAX: Final = 254
INLINE_FIELD_BYTES_MAX: Final = 4096
ERROR_MESSAGE_BYTES_MAX: Final = 4096
CBOR_DEPTH_MAX: Final = 64
LOG_LINE_BYTES_MAX: Final = 4000

# Chain files
IMPORT_BYTES_MAX: Final = 4 * GIB
IMPORTS_AT_ONCE_MAX: Final = 2
IMPORTS_MAX: Final = 10_000
SAVED_ASIDE_MAX: Final = 100
SAVED_SLICE_EVENTS_MAX: Final = 256

# Content and journal
CONTENT_ROW_BYTES_MAX: Final = 64 * KIB
JOURNAL_QUEUE_RECORDS_MAX: Final = 20_000
JOURNAL_QUEUE_BYTES_MAX: Final = 64 * MIB
JOURNAL_GROUP_RECORDS_MAX: Final = 4096
JOURNAL_GATHER_RECORDS: Final = 1024
JOURNAL_GATHER_MS: Final = 10
JOURNAL_RUN_EVENTS_MAX: Final = 256
JOURNAL_RUN_BYTES_MAX: Final = 256 * KIB
JOURNAL_READERS_MAX: Final = 8
ANSWER_KEPT_S: Final = 24 * 3600

# Actors: defaults of a manifest's [limits], and the operator's ceilings
MEMORY_BYTES: Final = 64 * MIB
MEMORY_BYTES_CEILING: Final = 4 * GIB
DEADLINE_MS: Final = 60_000
DEADLINE_MS_CEILING: Final = 3_600_000
INSTANCE_CALLS: Final = 64
INSTANCE_CALLS_CEILING: Final = 100_000
INSTANCE_GUEST_MS_MAX: Final = 2_000
EVENTS_PER_CALL: Final = 10_000
EVENTS_PER_CALL_CEILING: Final = 1_000_000
MESSAGE_BYTES: Final = 4 * MIB
MESSAGE_BYTES_CEILING: Final = 64 * MIB
STATE_BYTES: Final = 16 * MIB
STATE_BYTES_CEILING: Final = 256 * MIB
MAILBOX: Final = 1_000
MAILBOX_CEILING: Final = 100_000
MAILBOX_BYTES_MAX: Final = 128 * MIB
MAILBOXES_BYTES_MAX: Final = GIB
MESSAGE_OVERHEAD_BYTES: Final = 512
FUEL_CEILING: Final = 10**15

# Engine
COMPONENT_BYTES_MAX: Final = 64 * MIB
COMPONENTS_LINKED_MAX: Final = 256
PROGRAMS_MAX: Final = 256
COMPILE_SECONDS_MAX: Final = 120
COMPILES_AT_ONCE_MAX: Final = 2
COMPILED_BYTES_MAX: Final = 4 * GIB
"""All compiled components that are kept; those that were not used for longest go first."""

TYPE_NODES_MAX: Final = 50_000
COMPILE_MEMORY_BYTES_MAX: Final = 4 * GIB
WASM_STACK_BYTES: Final = 512 * KIB
WASM_STACK_BYTES_MAX: Final = 2 * MIB
WORKER_STACK_BYTES: Final = 64 * MIB
INLINE_DEPTH_MAX: Final = 16
MEMORIES_MAX: Final = 4
TABLES_MAX: Final = 16
TABLE_ELEMENTS_MAX: Final = 1_000_000
CORE_INSTANCES_MAX: Final = 64
LIVE_INSTANCES_MAX: Final = 10_000
EPOCH_TICK_MS: Final = 10
BRIDGE_READS_MAX: Final = 2_000_000
BUSY_AFTER_MS: Final = 50

# WASI
WASI_RESOURCES_MAX: Final = 1_024
WASI_POLL_LIST_MAX: Final = 1_024
WASI_RANDOM_BYTES_MAX: Final = 1 * MIB
WASI_WRITE_BYTES_MAX: Final = 1 * MIB
WASI_BLOCKING_WRITE_BYTES_MAX: Final = 4096

# Building components
BUILD_SECONDS_MAX: Final = 300
BUILD_SOURCE_BYTES_MAX: Final = 64 * MIB
BUILD_INSTALL_SECONDS_MAX: Final = 900

# Messages and waiting
REQUEST_TIMEOUT_MS: Final = 120_000
SEND_TIMEOUT_MS: Final = 5_000
WAIT_MS_MAX: Final = 24 * 3600 * 1000
ORDERS_MAX: Final = 64
"""Orders of operators (pause, resume, restart) that wait at one actor for its call in hand."""

UPDATE_CALLS: Final = 256
"""How many of an actor's last calls an update is tried with, and up to those of one instance more."""

UPDATE_CALLS_BETWEEN_MAX: Final = 64
"""Calls that may come between that trial and the update: they are tried while the actor waits."""

UPDATE_TRIES: Final = 5
"""How often an update is tried again with more calls than that, before it is refused."""

DIFFERENCE_BYTES_MAX: Final = MIB
DIFFERENCE_CHARS_MAX: Final = 200
"""Of a value that is not what was recorded: up to where it is read for people, and shown to them."""

OUTSTANDING_MAX: Final = 10_000
CHANNELS_PER_ACTOR_MAX: Final = 1_000
CHANNELS_OUTSIDE_MAX: Final = 256
CHANNEL_CLIENT_MESSAGES_MAX: Final = 1_000
CHANNEL_CLIENT_BYTES_MAX: Final = 64 * MIB
"""What waits for a client that does not read what an actor sends it."""

DEAD_LETTERS_MAX: Final = 100_000
DEAD_LETTERS_BYTES_MAX: Final = GIB
DEAD_LETTERS_KEPT_S: Final = 30 * 24 * 3600
QUARANTINE_MAX: Final = 100_000
QUARANTINE_BYTES_MAX: Final = GIB
QUARANTINE_KEPT_S: Final = 30 * 24 * 3600
UNHANDLED_PAGE: Final = 100
UNHANDLED_PAGE_MAX: Final = 1_000
UNHANDLED_DROPPED_AT_ONCE_MAX: Final = 10_000
MESSAGE_START_BYTES: Final = 64
SHUTDOWN_MS: Final = 5_000
GET_CHAIN_EVENTS_MAX: Final = 10_000
CHILD_EVENTS_BYTES_MAX: Final = 16 * MIB
"""Of the data of a child's events in one answer to its parent."""

RESULT_BYTES_MAX: Final = 1 * MIB
PASSIVATE_AFTER_MS: Final = 60_000
WORKERS_MAX: Final = 256
WAIT_ON_THREAD_MS: Final = 20
"""How long a call waits with its thread in all where too many threads wait already."""

EFFECTS_AT_ONCE_MAX: Final = 1_024
SUSPECT_WAIT_S: Final = 60.0
ACTORS_MAX: Final = 1_000_000
NAMES_PER_ACTOR_MAX: Final = 100
NAMES_MAX: Final = 1_000_000
NAME_SHOWN_CHARS_MAX: Final = 80
TIMERS_PER_ACTOR_MAX: Final = 1_000
TIMERS_BYTES_MAX: Final = 256 * MIB
TIMER_PAYLOAD_BYTES_MAX: Final = 64 * KIB
TIMER_PERIOD_MS_MIN: Final = 100
TIMER_DELAY_MS_MAX: Final = 10 * 365 * 24 * 3600 * 1000
TIMER_CRON_CHARS_MAX: Final = 256
NAME_CHARS_MAX: Final = 128
LABEL_CHARS_MAX: Final = 255
CHAIN_DIR_CHARS_MAX: Final = 255
CHILDREN: Final = 1_000
CHILDREN_CEILING: Final = 100_000
REPORTS_BEYOND_MAX: Final = 100_000
"""How many messages a mailbox has above its bound before its actor is told no more of children."""

RESUME_CHILDREN_MAX: Final = 1_000
"""Among how many of an actor's last children `resume` looks for the one to go on from."""

TREE_DEPTH_MAX: Final = 64
"""How many actors may stand above one in the tree of children."""

TREE_ACTORS_MAX: Final = 100_000
"""How many actors may live below one that has no parent, in all."""

RESTARTS_MAX: Final = 1_000
RESTART_PERIOD_S_MAX: Final = 24 * 3600
STORE_BYTES_MAX: Final = 1 * GIB
STORE_CONTENT_BYTES_MAX: Final = 64 * MIB
STORES_MAX: Final = 1_000
STORE_CONTENTS_MAX: Final = 100_000
STORE_LABELS_MAX: Final = 10_000
STORE_LABEL_REFS_MAX: Final = 4_096
STORE_CLAIM_MS_MAX: Final = 5_000
STORE_IMAGES_MAX: Final = 256

# Server and clients
MANIFEST_BYTES_MAX: Final = 1 * MIB
PATH_CHARS_MAX: Final = 4096
MANIFEST_DEPTH_MAX: Final = 64
MANIFEST_PROBLEMS_MAX: Final = 100
HEADER_BYTES_MAX: Final = 32 * KIB
BODY_GRACE_S: Final = 10.0
BODY_BYTES_PER_S_MIN: Final = 16 * KIB
START_BODY_BYTES_MAX: Final = 384 * MIB
CONNECTIONS_MAX: Final = 1_024
SUBSCRIPTIONS_MAX: Final = 256
QUERY_FIELDS_MAX: Final = 96
SUBSCRIPTION_ACTORS_MAX: Final = 64
SUBSCRIPTION_BYTES: Final = 128 * KIB
SUBSCRIPTION_SOCKET_BYTES: Final = 256 * KIB
SUBSCRIPTION_BEAT_S: Final = 15.0
STALL_S: Final = 60.0
IDEMPOTENCY_KEY_CHARS_MAX: Final = 255
EVENTS_PER_CHUNK: Final = 256
CLIENT_WAIT_MS_MAX: Final = 60_000

# Configuration
CONFIG_BYTES_MAX: Final = 1 * MIB
SECRET_BYTES_MAX: Final = 64 * KIB

# HTTP client
HTTP_URI_BYTES_MAX: Final = 16 * KIB
HTTP_HEADERS_MAX: Final = 200
HTTP_HEADER_BYTES_MAX: Final = 64 * KIB
HTTP_REQUEST_BYTES_MAX: Final = 64 * MIB
HTTP_RESPONSE_BYTES: Final = 16 * MIB
HTTP_RESPONSE_BYTES_MAX: Final = 256 * MIB
HTTP_REDIRECTS: Final = 5
HTTP_REDIRECTS_MAX: Final = 20
HTTP_TIMEOUT_MS: Final = 120_000
HTTP_TIMEOUT_MS_MAX: Final = 3_600_000
HTTP_IDLE_CONNECTIONS_MAX: Final = 64
