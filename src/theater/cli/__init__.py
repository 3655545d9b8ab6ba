"""The command `theater`.

program       the table of commands
command       lazy loading, help, exit codes, errors
configuration config.toml, THEATER_* and flags, in that order
output        tables, JSON, times
plain         text as a terminal may be given it
files         files and standard input, never more than a bound
manifests     manifests as the command line reads them: environment, files beside them
commands/     the commands, a module for what belongs together
"""


def main() -> None:
    """Run the command; imports nothing before it is called."""
    try:
        from theater.cli.program import main as run
    except KeyboardInterrupt:
        # What catches it everywhere else is not imported yet.
        raise SystemExit(130) from None
    run()
