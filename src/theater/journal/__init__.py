"""The journal: everything that must survive, in one total order of atomic records.

    records   the steps that records are made of
    port      the journal as its users see it
    queue     the way in: numbers, bounds, announcing what is durable
    image     what a prefix of records amounts to
    memory    a journal that dies with the process
    sqlite    the journal on disk

Bytes once written are never changed; after a crash a reader sees the fold of a prefix that has
every record that was reported durable.
"""
