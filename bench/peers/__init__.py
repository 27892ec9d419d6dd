"""Other programs that keep documents for recipients, each driven as well as we know how.

A peer gets the same documents as our store, keeps an index by recipient and by the sender's
name of the document, and says what an accepted document has survived when its call returns.
They are measured by the suite `queue`; a server's program is started in a folder of its own
when it is installed, and its rows are left out, with a note, when it isn't.
"""
