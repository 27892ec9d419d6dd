"""One owner, many processes: the whole engine over a Unix socket in its data directory.

`owner.py` is the owner's side (threads that serve), `engine.py` the client's (`Engine.connect`),
`channel.py` its connections.  `calls.py` derives what travels from the annotations of `Engine`
and `Seat`; `wire.py` is the framing, `sockets.py` the only module that opens sockets.  What a
maintainer should know stands in docs/connect.md.
"""
