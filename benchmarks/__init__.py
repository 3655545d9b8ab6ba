"""What Theater costs, measured next to a floor or a peer in the same run.

    topics      all benchmarks
    machine     what it was measured on
    measure     figures, readings, benchmarks and their register
    runs        each benchmark in a process of its own; medians and spreads
    report      results as a file and as a table
    comparison  what became better or worse between two results
    profiling   where the time of one benchmark goes

The other modules are the benchmarks, one for each topic, the actors that they use (`stage`), what
they are measured against (`references`, `peers`, `bare_server`) and who asks over HTTP (`visitors`).
"""
