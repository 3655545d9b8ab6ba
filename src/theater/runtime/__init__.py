"""Keeps actors alive: mailboxes, calls, recovery, replay.

node          the facade: everything over one data directory
inspection    its reading half
subscription  events for whoever follows chains, from any seq on
feed          who is told that chains grew
opening       what the journal holds becomes actors again
lifecycle     what a worker does with an actor that it has
execution     one live call: begin, run, end
session       the interceptors around a call's host calls, recording and replaying
recovery      taking up a call that was cut off
replay        running a whole history again
recorded      histories cut into calls, and one of them run again
content       salted refs of what events name
router        where messages go and answers come back
waits         actors that wait for answers
doing         waits for what is done to another actor
family        who is whose child, and children stopped before their parent
tree          what actors do to their children
offspring     what an actor names when it starts one
reports       what a parent is told of its children
inline        requests that run on their requester's own thread
cycles        who waits for whom
clients       clients that do
answers       what an answer is made of on its way
mailbox       a bounded queue for one actor
dispatcher    the workers
residency     which actors hold an instance
program       a component bound to its grants
fate, kinds   what becomes of a message; which export handles it
"""
