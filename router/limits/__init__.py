"""Every bound of the engine, each with its unit in its name.

What exceeds a bound gets a clear error and leaves no trace.  The relations between
bounds are asserted at import, so that no edit can quietly break one.
"""

from __future__ import annotations

from typing import Final

from router.limits.signatures import *

# Documents at the door.
RECORD_BYTES_MAX: Final = 1_048_576
"""One record of the log (design: a record fits 1 MiB)."""
ENVELOPE_BYTES_MAX: Final = 983_040
"""One envelope as it arrives, attachments inline (base64 counted)."""
PAYLOAD_BYTES_MAX: Final = 131_072
"""The signed JSON of one document."""
ATTACHMENT_INLINE_BYTES_MAX: Final = 655_360
"""All inline attachment bytes of one document, decoded."""
ATTACHMENTS_MAX: Final = 64
ATTACHMENT_NAME_CHARS_MAX: Final = 255
ATTACHMENT_SIZE_BYTES_MAX: Final = 1 << 40
SIGNATURES_MAX: Final = 8
SIGNATURE_HEADER_CHARS_MAX: Final = 24_576
CERTIFICATES_PER_SIGNATURE_MAX: Final = 5
CERTIFICATE_BYTES_MAX: Final = 8_192
BATCH_DOCUMENTS_MAX: Final = 1_024
BATCH_BYTES_MAX: Final = 33_554_432

# Fields of the signed document (lengths of QCVN 102 and QĐ 20/2020 where they say one).
CODE_CHARS_MAX: Final = 35
DOCUMENT_ID_CHARS_MAX: Final = 200
NUMBER_CHARS_MAX: Final = 11
NOTATION_CHARS_MAX: Final = 30
DOCUMENT_TYPE_CHARS_MAX: Final = 100
SUBJECT_CHARS_MAX: Final = 500
MARKS_MAX: Final = 8
MARK_CHARS_MAX: Final = 64
REFERENCES_MAX: Final = 64
TIME_TO_LIVE_S_MAX: Final = 366 * 86_400
IDEMPOTENCY_KEY_CHARS_MAX: Final = 128
ACTOR_CHARS_MAX: Final = 64
REASON_CHARS_MAX: Final = 1_000
CLOCK_SKEW_S_MAX: Final = 60
"""How far an issue time may lie ahead of the engine's clock and still count as now."""

# Selectors.
SELECTOR_CHARS_MAX: Final = 98_304
SELECTOR_DEPTH_MAX: Final = 32
SELECTOR_NODES_MAX: Final = 8_192
SELECTOR_SET_FUNCTIONS_MAX: Final = 64
"""children(), siblings() and the like of more than one unit in one selector and its groups:
each may cost a pass over the whole directory, everything else is a few runs."""

SELECTOR_NAME_CHARS_MAX: Final = 200
"""The name of a tier, kind, tag or group."""
SELECTOR_JSON_BYTES_MAX: Final = 1_048_576
"""The JSON form: a list of SELECTOR_NODES_MAX long codes fits."""
GROUP_DEPTH_MAX: Final = 16
"""Groups named within groups."""
GROUPS_PER_SELECTOR_MAX: Final = 256
"""Different groups that one selector names, directly or through others."""

# The directory.
UNITS_MAX: Final = 1_000_000
UNIT_NAME_CHARS_MAX: Final = 200
UNIT_ALIASES_MAX: Final = 8
UNIT_TAGS_MAX: Final = 16
UNITS_PER_RECORD_MAX: Final = 1_000
TIERS_MAX: Final = 8
KINDS_MAX: Final = 4_096
TAG_SETS_MAX: Final = 65_000
"""Different combinations of tags."""
UNIT_FACTS_MAX: Final = 1_024
"""Facts about one unit: its changes and corrections."""
ACT_TITLE_CHARS_MAX: Final = 500
CONTACT_CHARS_MAX: Final = 500
EVENTS_MAX: Final = 1_000_000
"""Events of one reorganisation, fixes of one correction."""
GROUP_DEFINITIONS_MAX: Final = 10_000
HIERARCHY_DEPTH_MAX: Final = 16
SNAPSHOTS_CACHED_MAX: Final = 256
SNAPSHOT_UNITS_CACHED_MAX: Final = 1_048_576
"""Units of all cached snapshots together (a few hundred bytes each): 8 national ones, or many
small ones.  The one in use is always kept."""
DIGESTS_CACHED_MAX: Final = 4_096
DIGEST_RUNS_BYTES_MAX: Final = 1_024
"""Audiences of more run bytes are hashed anew each time: they hardly ever repeat."""

# Lists of units (CSV, Excel).
SHEET_PROBLEMS_MAX: Final = 100
"""Mistakes told of one list; reading stops there.  As many warnings are kept."""
SHEET_CELL_CHARS_MAX: Final = 4_096
SHEET_LINE_CHARS_MAX: Final = 65_536
SHEET_COLUMNS_MAX: Final = 256
SHEET_VALUES_MAX: Final = 1_024
"""Values in one cell (successors of a unit)."""
WORKBOOK_BYTES_MAX: Final = 67_108_864
WORKBOOK_MEMORY_BYTES_MAX: Final = 2_147_483_648
"""Address space of the process that reads a workbook: a file of 5 KB can ask for 64 GB."""
WORKBOOK_CPU_S_MAX: Final = 120
DIFFERENCE_LINES_MAX: Final = 20
"""Units told one by one in each group of a difference, unless all are asked for."""

# The sending policy.
POLICY_BYTES_MAX: Final = 33_554_432
"""One policy file."""
POLICY_RULES_MAX: Final = 100_000
POLICY_TESTS_MAX: Final = 10_000
POLICY_NAME_CHARS_MAX: Final = 100
POLICY_VALUES_MAX: Final = 256
"""Values of one list in a condition (types, marks, media types)."""
POLICY_RUNS_MAX: Final = 16_777_216
"""Runs in the sets of all rules of a file: what a document that met all would have to join."""
POLICY_WORKING_DAYS_MAX: Final = 366
POLICY_PART_BYTES_MAX: Final = 524_288
"""Compressed bytes of a policy file in one record of the log."""
POLICY_PROBLEMS_MAX: Final = 100
"""Mistakes told of one file; reading stops there."""
POLICY_RULES_STORED_MAX: Final = 4_096
"""Deciding rules kept by name with one decision; explaining computes all of them again."""
POLICY_SENDERS_CACHED_MAX: Final = 16_384
"""Sets relative to a sender that one compiled policy remembers."""
POLICY_SETS_CACHED_MAX: Final = 262_144
"""Sets of (selector, sender) remembered by each thread that decides."""
POLICY_STANCES_BYTES_MAX: Final = 16_777_216
"""Bytes in which each thread that decides remembers what senders make of few rules."""
POLICY_COMPILED_MAX: Final = 8
"""Compiled policies kept: (version, snapshot) pairs."""
POLICY_GROUPS_MAX: Final = 1_000
"""Groups of recipients told of one decision, the largest first; of more the number is said."""
POLICY_RULES_TOLD_MAX: Final = 100
"""Rules named with one group of recipients."""
POLICY_UNITS_TOLD_MAX: Final = 20
"""Codes told of one group of recipients."""
POLICY_REPLAYED_MAX: Final = 100_000
"""Stored documents that one look at a policy's impact may replay."""
HELD_PARTS_MAX: Final = 5
"""Held parts of one document; the excluded, and who waits for a verdict, are its 6th and 7th."""
ENTRY_PARTS_MAX: Final = 7
"""Parts of one record: an entry's number has three bits for its part."""
HOLDS_PAGE_MAX: Final = 500
HOLD_UNITS_SHOWN: Final = 20
"""Recipients and approvers named with one held part; all are counted."""
QUARANTINE_MAX: Final = 10_000
"""Refusals by policy that are kept whole; later ones leave an audit line only."""
QUARANTINE_BYTES_MAX: Final = 524_288
"""A larger envelope is not kept when it is refused."""
QUARANTINE_PAGE_MAX: Final = 100
APPROVERS_CACHED_MAX: Final = 4_096
"""Sets of approvers remembered for one day's directory."""

# Deliveries.
LANES: Final = 4
LEASE_DELIVERIES_MAX: Final = 1_024
LEASE_BYTES_MAX: Final = 16_777_216
"""Stored bytes of documents (envelopes and verdicts) that one lease hands out."""
LEASE_S_DEFAULT: Final = 300
LEASE_S_MAX: Final = 86_400
WAIT_S_MAX: Final = 60
ACKNOWLEDGE_DELIVERIES_MAX: Final = 4_096
HISTORY_EVENTS_MAX: Final = 32
"""Events kept beside one delivery; the log keeps all of them."""
TRACKING_PAGE_MAX: Final = 10_000
TRACKING_CHUNK: Final = 1_024
"""Members that are counted together when deliveries of one state are looked for."""
OUTBOX_PAGE_MAX: Final = 1_000
"""Events of one page of a sender's outbox."""
REDRIVE_DELIVERIES_MAX: Final = 1_000
"""Dead deliveries that one call queues again."""
TICK_S: Final = 1.0
"""How often the daemon looks for work that fell due."""
DUE_ENTRIES_PER_TICK: Final = 256
REDIRECTIONS_PER_TICK: Final = 16
"""Closed units whose senders one look tells (about 0.3 ms each)."""
REDIRECTED_LINES_MAX: Final = 10_000
"""Open deliveries of one closed unit that are counted; beyond, the sender reads “or more”."""
REDIRECTED_ROWS_MAX: Final = 16_384
"""Redirected recipients of one document that stand in one record."""

# Tokens and the server.
TOKENS_MAX: Final = 100_000
TOKEN_NAME_CHARS_MAX: Final = 64
RIGHTS_MAX: Final = 100_000
RIGHTS_PER_HOLDER_MAX: Final = 64
IMPACT_LISTED_MAX: Final = 500
"""Rows of each list in the report on a change; the counts beside them are whole."""
IMPACT_ENTRIES_PER_UNIT_MAX: Final = 100_000
IMPACT_ENTRIES_MAX: Final = 2_000_000
"""Entries looked at for open deliveries, of one unit that ends and of all together."""
IMPACT_SENDERS_MAX: Final = 200_000
"""Resolutions of groups for one sender each that one report makes."""
RIGHTS_REMEMBERED_MAX: Final = 1_024
"""Selectors of rights whose units are kept with the snapshot they were found in."""
REQUEST_BODY_BYTES_MAX: Final = BATCH_BYTES_MAX
REQUESTS_WAITING_MAX: Final = 1_024
BODY_BYTES_WAITING_MAX: Final = 134_217_728
BODY_BYTES_WAITING_MIN: Final = 4_096
"""Less than this would refuse every document."""
LONG_POLLS_MAX: Final = 4_096
"""Sleeping leases; they hold no place among REQUESTS_WAITING_MAX while they sleep."""
LONG_POLLS_PER_UNIT_MAX: Final = 64
"""Sleeping leases of one unit, so that no token can take the places of all units."""
LEASE_ENDS_MAX: Final = 65_536
"""Ends of leases an engine remembers to wake sleepers at."""
BODY_READ_S_MAX: Final = 30
"""A request's headers must arrive within this time, and then its body within it again."""
WRITE_S_MAX: Final = 30
"""A client must take the rest of an answer, or WRITE_BYTES_MIN of it, within this time."""
WRITE_BYTES_MIN: Final = 1_048_576
HEADER_BYTES_MAX: Final = 65_536
"""Request line and headers of one request."""
CONTROL_BODY_BYTES_MAX: Final = 1_048_576
"""Body of a request that carries no documents (lease, acknowledge, refuse, resolve)."""
CONNECTIONS_MAX: Final = 8_192
SUBMIT_GROUP_DOCUMENTS_MAX: Final = 64
"""Documents the server hands to the engine in one turn of its loop."""
WORKERS_MAX: Final = 64
"""Processes of one daemon that serve HTTP."""
WORKER_RESTARTS_MAX: Final = 10
WORKER_RESTARTS_S: Final = 60
"""A worker that ends is started again; one that ends more often than the first within the
second ends the daemon."""
WORKER_PAUSE_S_MIN: Final = 0.1
WORKER_PAUSE_S_MAX: Final = 5.0
"""Before a worker is started again: the first, then twice as long at each end in that time, at
most the second."""
RETRY_AFTER_S: Final = 1
DISK_RESERVE_BYTES: Final = 268_435_456
"""Free bytes of the disk below which documents are refused: what is left is for
acknowledgements, leases, operators and the checkpoints of what was taken."""
DISK_RESERVE_SHARE: Final = 16
"""On a small disk that reserve is this part of it."""
DISK_LOOK_S: Final = 1
"""Free space is asked for at most this often."""
DISK_SEGMENT_SHARE: Final = 64
"""A segment of the log is at most this part of its disk."""
IN_FLIGHT_PER_SENDER_MAX: Final = 1_000_000
"""Documents (entries of documents) of one sender that not all recipients are done with."""
PENDING_PER_RECIPIENT_MAX: Final = 100_000
"""Open deliveries of one recipient that were written to it by name.  Broadcasts count for
nobody: they are stored once, whoever reads them."""
LEASES_MAX: Final = 16_384
"""Deliveries of one address under lease at once."""
REOPEN_S_MIN: Final = 1
REOPEN_S_MAX: Final = 60
"""The daemon opens a failed store again after the first time, then after twice as long each
time, at most after the second."""
DISK_RETRY_S: Final = 30
"""When to send again what was refused because the disk is nearly full."""

# Processes that share an engine over the socket in its data directory.
LOCAL_CONNECTIONS_MAX: Final = 256
"""Connections an owner keeps at once, of all processes."""
LOCAL_CALLS_MAX: Final = 8
"""Calls an owner works on at once (threads); the others wait their turn."""
LOCAL_SOCKETS_MAX: Final = 16
"""Connections one `Engine.connect` keeps: so many of its threads ask at once."""
LOCAL_HELLO_BYTES_MAX: Final = 4_096
"""A frame before the two have made sure of each other."""
LOCAL_REQUEST_BYTES_MAX: Final = 134_217_728
LOCAL_REQUEST_BYTES_WAITING_MAX: Final = 268_435_456
"""Bytes of all requests an owner holds while they arrive and are worked on."""
LOCAL_ANSWER_BYTES_MAX: Final = 536_870_912
"""One answer (all units ever, with their texts)."""
LOCAL_FRAME_S_MAX: Final = 30
"""A request must arrive, and an answer be taken, within this time of its first byte."""
LOCAL_IDLE_S_MAX: Final = 600
"""An idle connection is closed; a client gives it up after half of that."""
LOCAL_TIMEOUT_S_DEFAULT: Final = 60
LOCAL_ARRIVALS_BYTES_MAX: Final = 65_536
"""Audiences told to listeners of other processes at once; beyond, they are told "anybody"."""

# What operators ask about the queue.
QUEUE_PAGE_MAX: Final = 10_000
DOCUMENTS_LOOKED_MAX: Final = 20_000
"""Documents, or deliveries, that one page of a list may pass by in vain."""
INBOX_LISTED_MAX: Final = 20_000
SHAPE_LINES_PER_UNIT_MAX: Final = 20_000
SHAPE_LINES_MAX: Final = 20_000_000
"""Open deliveries that one shape counts, of one unit and of all together."""
OLDEST_LOOKED_MAX: Final = 100_000
"""Documents that one call passes by in search of the oldest that is open."""

# The store.
MAP_BYTES: Final = 1 << 40
MAP_BYTES_32BIT: Final = 1 << 30
STORE_TABLES_MAX: Final = 32
KEY_BYTES_MAX: Final = 511
TOPIC_BYTES_MAX: Final = 16
ROOM_NAME_BYTES_MAX: Final = 48
STORE_READERS_MAX: Final = 1_024
MAP_AHEAD_BYTES_MIN: Final = 1_048_576
MAP_AHEAD_BYTES_MAX: Final = 67_108_864
"""How far LMDB's file is filled with zeros ahead of its data: an eighth of it, within these."""
MAP_AHEAD_FREE_SHARE: Final = 16
"""Zeros ahead take at most this part of the space that is free on the disk."""
COMMIT_PLAIN_BYTES: Final = 1_048_576
"""Changes below this are committed by LMDB's own synced commit: too little to keep others."""
COMMIT_STEP_BYTES: Final = 262_144
COMMIT_BURST_US: Final = 250
COMMIT_REST_US: Final = 500
"""How a larger commit is written: in steps, a rest after each burst that others flushed beside."""
BASE_PAGE_ROWS: Final = 1_024
"""Rows that a dump reads from the base in one go."""
PLACES_REMEMBERED_MAX: Final = 65_536
"""Addresses whose positions in snapshots are remembered (a few hundred bytes each)."""
DELIVERY_ATTEMPTS_MAX: Final = 20
"""Hand-outs of one delivery without an answer; then it is dead until an operator acts."""
GROUP_OPERATIONS_MAX: Final = 256
"""Callers that share one flush."""
GROUP_BYTES_MAX: Final = 67_108_864
"""Record bytes after which a group takes no further caller in."""
OVERLAY_BYTES_MAX: Final = 536_870_912
"""Memory of what is not in LMDB yet; beyond it writers wait for the checkpoint under way."""
OVERLAY_BYTES_MIN: Final = 16_777_216
"""Less than this would take checkpoints all the time."""
OVERLAY_WAIT_S: Final = 5
"""How long they wait; then documents are refused until it has ended.  Acknowledgements and
leases go on until memory is a quarter past its bound."""
LINE_BYTES_MAX: Final = 134_217_728
"""Record bytes of all callers that wait for their group together."""
CHECKPOINT_OVERLAY_BYTES: Final = 134_217_728
CHECKPOINT_OVERLAY_BYTES_LEAST: Final = 33_554_432
"""Memory of changes after which a checkpoint begins: a sixteenth of the state, within these."""
CHECKPOINT_LOG_BYTES: Final = 536_870_912
"""Bytes of log after which one begins: what an opening may have to read again."""
CHECKPOINT_S: Final = 30
"""Time after which one begins when anything changed."""
WARM_DOCUMENTS: Final = 131_072
"""Documents whose key, sender and place are kept in memory, a power of two: 18 MB."""
WARM_AUDIENCES: Final = 32_768
"""Audiences whose number is kept in memory by their digest, a power of two: 1 MB."""
KEY_FILTER_BYTES_MAX: Final = 25_165_824
"""Memory of the filter that knows which documents' keys are new: 14 million since a start."""
NAME_FILTER_BYTES_MAX: Final = 100_663_296
"""Memory of the filter that knows which names are new: some 60 million of them."""
DOCUMENT_CACHE_BYTES_MAX: Final = 67_108_864
AUDIENCE_CACHE_BYTES_MAX: Final = 16_777_216
"""Audiences kept for membership tests; one of a whole country in runs may take 50 KB."""
LOG_VERIFY_BYTES_AT_OPEN: Final = 67_108_864
"""How much of the log's end is checked at each opening; every reading checks its record."""
LOG_SEGMENT_BYTES_MIN: Final = 1_048_576
"""The first segment of an opening; each further one is twice as long, up to the largest."""
LOG_SEGMENT_BYTES_MAX: Final = 67_108_864
EPOCH_MAX: Final = 1 << 48
"""Openings of a directory ever, a restoration counted as 2^32: more is a damaged file."""
LOG_BUFFER_BYTES_MAX: Final = 4_194_304
"""Framed records of a group that wait in memory to be written to the segment."""
FACT_CHARS_MAX: Final = 200
"""A fact quoted in an error (a code, a field name, a number) is cut here."""

assert ENVELOPE_BYTES_MAX < RECORD_BYTES_MAX, "an envelope and its verdicts fit one record"
assert PAYLOAD_BYTES_MAX * 4 // 3 < ENVELOPE_BYTES_MAX, "a payload fits an envelope"
assert ATTACHMENT_INLINE_BYTES_MAX * 4 // 3 < ENVELOPE_BYTES_MAX, "attachments fit an envelope"
assert SELECTOR_CHARS_MAX < PAYLOAD_BYTES_MAX, "a selector fits a payload"
assert ENVELOPE_BYTES_MAX < BATCH_BYTES_MAX <= REQUEST_BODY_BYTES_MAX < BODY_BYTES_WAITING_MAX
assert (
    SIGNATURES_MAX * CERTIFICATES_PER_SIGNATURE_MAX * CERTIFICATE_BYTES_MAX * 2 < ENVELOPE_BYTES_MAX
), "the certificates of all signatures, in base64 twice, fit an envelope"
assert LEASE_S_DEFAULT <= LEASE_S_MAX
assert LEASE_DELIVERIES_MAX <= LEASES_MAX, "one full lease is within the bound of all"
assert REOPEN_S_MIN <= REOPEN_S_MAX
assert LOCAL_HELLO_BYTES_MAX < LOCAL_REQUEST_BYTES_MAX <= LOCAL_REQUEST_BYTES_WAITING_MAX
assert max(BATCH_BYTES_MAX, WORKBOOK_BYTES_MAX) * 3 // 2 < LOCAL_REQUEST_BYTES_MAX
assert LEASE_BYTES_MAX < LOCAL_ANSWER_BYTES_MAX < 1 << 32, "a length has four bytes"
assert LOCAL_SOCKETS_MAX < LOCAL_CONNECTIONS_MAX
assert LONG_POLLS_PER_UNIT_MAX < LONG_POLLS_MAX
assert 2 * RECORD_BYTES_MAX <= LOG_BUFFER_BYTES_MAX, "a framed record fits the buffer"
assert RECORD_BYTES_MAX <= LEASE_BYTES_MAX < DOCUMENT_CACHE_BYTES_MAX
assert LONG_POLLS_MAX < CONNECTIONS_MAX, "waiting readers leave room for senders"
assert HELD_PARTS_MAX + 2 <= ENTRY_PARTS_MAX < 8
assert TRUST_BUNDLE_BYTES_MAX < LOCAL_REQUEST_BYTES_MAX
assert TRUST_BUNDLE_CERTIFICATES_MAX * CERTIFICATE_BYTES_MAX < GROUP_BYTES_MAX, (
    "a bundle is one group"
)
assert REVOCATION_LISTS_MAX + REVOCATION_RESPONSES_MAX <= KEPT_FILES_MAX
assert OCSP_BYTES_MAX < CRL_BYTES_MAX < KEPT_FILES_BYTES_MAX
assert CRL_BYTES_MAX < LOCAL_REQUEST_BYTES_MAX, "a list fits one call of another process"
assert CERTIFICATES_PER_SIGNATURE_MAX < PATH_CERTIFICATES_MAX, "all of x5c and a root fit a path"
assert RSA_KEY_BITS_MIN <= RSA_KEY_BITS_MAX < CERTIFICATE_BYTES_MAX * 8
assert BATCH_BYTES_MAX <= GROUP_BYTES_MAX, "one full batch fits one group"
assert GROUP_BYTES_MAX <= LINE_BYTES_MAX, "a full group may wait in line"
assert TOPIC_BYTES_MAX + 16 < KEY_BYTES_MAX
assert ROOM_NAME_BYTES_MAX + 16 < KEY_BYTES_MAX
assert MAP_AHEAD_BYTES_MIN < MAP_AHEAD_BYTES_MAX < MAP_BYTES_32BIT
