"""The journal in one SQLite database and a folder of large content, written by one thread.

directory   the data directory: format, lock, permissions
schema      tables and connections
runs        how consecutive events are packed into one row
files       large content, one file each
group       the net effect of a group of records
statements  many rows in one statement
writer      commits groups
reader      reads what is committed
trouble     what to tell when storage refuses
journal     the port, made of these
"""

from theater.journal.sqlite.journal import SqliteJournal

__all__ = ["SqliteJournal"]
