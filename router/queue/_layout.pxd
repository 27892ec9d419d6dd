# cython: language_level=3
"""Where everything stands in the state's tables; `tables.py` says it in words."""

from libc.stdint cimport uint8_t


cdef enum:  # the tables, by number
    META = 0
    DOCUMENTS = 1
    KEYS = 2
    IDS = 3
    IDEMPOTENCY = 4
    NUMBERS = 5
    AUDIENCES = 6
    AUDIENCE_IDS = 7
    ENTRIES = 8
    TOPICS = 9
    CELLS = 10
    OPEN = 11
    CURSORS = 12
    DUE = 13
    FEED = 14
    ROOMS = 15
    SENDERS = 16
    PENDING = 17
    SPOTS = 18   # of the log, not of the state: left out of dumps
    RECORDS = 19  # likewise: the records themselves, where no segment holds them
    TABLES = 20


cdef enum:  # transport states of a delivery; `transport.py` has their moves
    QUEUED = 0
    LEASED = 1
    DELIVERED = 2
    REFUSED = 3
    EXPIRED = 4
    DEAD = 5
    WITHDRAWN = 6
    EXCLUDED = 7
    HELD = 8
    WAITING = 9
    RELEASED = 10  # of an entry only: another entry took its members over
    STATES = 10


cdef enum:  # kinds of record
    KIND_ACCEPTANCE = 1
    KIND_ROOM = 2
    KIND_CHANGES = 3
    KIND_ENTRY = 4
    KIND_JOIN = 5
    KIND_FEED = 6
    RECORD_VERSION = 1


cdef enum:  # acceptance records
    ACC_SENDER = 16
    ACC_YEAR = 20
    ACC_LANE = 22
    ACC_FLAGS = 23
    ACC_EXPIRES = 24
    ACC_KEY = 32
    ACC_NAME = 48
    ACC_IDEM = 64
    ACC_NUMBER = 80
    ACC_CONTENT = 96
    ACC_SNAPSHOT = 128
    ACC_SHA = 136
    ACC_SIZE = 168
    ACC_RUNS = 172
    ACC_POSTINGS = 176
    ACC_PARTS = 180
    ACC_TEXTS = 184
    ACC_ENVELOPE = 188
    ACC_FACTS = 192
    ACC_FIXED = 196
    FLAG_IDEM = 1
    FLAG_NUMBER = 2  # 4 is spent: written about new year once, it says nothing
    ENTRY_SHIFT = 3  # an entry is its record's sequence, shifted, plus its part


cdef enum:  # records that add an entry to a document
    JOIN_CAUSE = 2
    JOIN_LANE = 3
    JOIN_DOCUMENT = 16
    JOIN_FROM = 24       # the entry whose members it takes over, or 0
    JOIN_EXPIRES = 32
    JOIN_SNAPSHOT = 40
    JOIN_SIZE = 48
    JOIN_SHA = 52
    JOIN_RUNS = 84
    JOIN_POSTINGS = 88
    JOIN_TEXTS = 92
    JOIN_FIXED = 96


cdef enum:  # records that move all open members of an entry
    MOVE_STANDING = 2
    MOVE_DOCUMENT = 16
    MOVE_ENTRY = 24
    MOVE_TOPICS = 32
    MOVE_TEXTS = 36
    MOVE_FIXED = 40


cdef enum:  # records that tell senders something
    FEED_EVENTS = 16     # how many; then sender, bytes, event, one after the other
    FEED_FIXED = 20


cdef enum:  # values of ENTRIES
    ENT_AUDIENCE = 0
    ENT_CAUSE = 8
    ENT_STANDING = 9
    ENT_LANE = 10
    ENT_MORE = 11     # whether the document has further entries
    ENT_SIZE = 12
    ENT_EXPIRES = 16
    ENT_SINCE = 24
    ENT_CHANGED = 32
    ENT_COUNTS = 40   # of DELIVERED .. EXCLUDED, u32 each
    ENT_TOUCHED = 64  # members that have a cell
    ENT_NAMED = 68    # which members were written to by name: none, all, some
    ENT_BYTES = 69
    NAMED_NONE = 0
    NAMED_ALL = 1
    NAMED_SOME = 2    # PENDING has their ranks under the audience
    NAMED_MAX = 64    # more of them beside others: as a broadcast


cdef enum:  # values of other tables
    DOC_KEY = 0
    DOC_SENDER = 16
    DOC_AT = 20
    DOC_TWIN = 28     # the first document of equal number, notation and year, or 0
    DOC_BYTES = 36
    NAME_BYTES = 24   # sequence, 16 bytes of the content's hash
    AUD_SNAPSHOT = 0
    AUD_SIZE = 8
    AUD_SHA = 12
    AUD_RUNS = 44
    CELL_BYTES = 16   # state, attempts, sequence (6), instant (8)
    CELLS_A_BLOCK = 64
    OPEN_UNTIL = 0
    OPEN_DOCUMENT = 8
    OPEN_EXPIRES = 16
    OPEN_RANK = 24
    OPEN_ATTEMPTS = 28
    OPEN_STATE = 29
    OPEN_BYTES = 32
    CUR_DIGEST = 0
    CUR_ENTRY = 8
    CUR_MARK = 16
    CUR_BYTES = 24
    TOP_DOCUMENT = 0
    TOP_EXPIRES = 8
    TOP_AUDIENCE = 16
    TOP_SNAPSHOT = 24
    TOP_KEY = 28      # the document's, so that an inbox is listed from its topics alone
    TOP_RUNS = 44     # how many, then start, stop, rank of the start, u32 each
    TOP_HEAD = 45
    TOPIC_RUNS_MAX = 4
    UNIT_TOPIC_BYTES = 7  # of topics of units: number u32, tier u8, kind u16
