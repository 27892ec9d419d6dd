"""Bounds of verification: trust, paths, revocation, verdicts, signed trees.

They are read as names of `router.limits`, which holds the relations to the other bounds.
"""

from __future__ import annotations

from typing import Final

TRUST_CERTIFICATES_MAX: Final = 10_000
TRUST_BUNDLE_CERTIFICATES_MAX: Final = 1_000
"""Authorities imported in one group of records."""
TRUST_BUNDLE_BYTES_MAX: Final = 16_777_216
"""A file of certificates, in PEM with its comments."""
TRUST_EXPIRES_SOON_DAYS: Final = 180
"""How long before its end `vanban trust check` speaks of a certificate."""
BINDINGS_PAGE_MAX: Final = 1_000
BINDINGS_MAX: Final = 1_000_000
CERTIFICATE_CACHE_ENTRIES_MAX: Final = 16_384
SIGNER_CACHE_ENTRIES_MAX: Final = 16_384
"""Protected headers remembered, of signers that were found trusted (about 5 KB each)."""
PATH_CACHE_ENTRIES_MAX: Final = 16_384
PATH_REFUSALS_MAX: Final = 4_096
"""Paths remembered that are not valid; apart from the others, which junk must not push out."""
COLD_PATHS_MAX: Final = 1_024
"""Paths waiting to be checked (some 3 ms each); what finds the line full is asked again."""
COLD_WAIT_S: Final = 10.0
"""How long a batch of an embedded engine waits for the paths of its own signers."""
COLD_WAIT_MS_DAEMON: Final = 40
"""The same in the daemon, where documents of other senders share the batch."""
COLD_WAIT_MS_MAX: Final = 600_000
VERIFY_WAIT_S: Final = 5.0
"""How long a question about signatures waits for their paths; nothing is delivered by it."""
COLD_PAUSE_S: Final = 0.005
"""Between two paths that nobody waits for: half of the time at least belongs to the others."""
WARM_DOCUMENTS_PER_SIGNER: Final = 256
"""Documents after the note of a signer that an opening looks through for his headers."""
WARM_DOCUMENTS_MAX: Final = 65_536
VERIFY_CHUNK_DOCUMENTS: Final = 32
VERIFY_INLINE_DOCUMENTS_MAX: Final = 7
"""Batches up to this size are verified by the calling thread: the pool costs more."""
VERIFY_THREADS_MAX: Final = 64
PIN_CHARS_MAX: Final = 256
"""PIN of a token, or password of a key's file."""
VERDICT_WAIT_S_MAX: Final = 7 * 86_400
"""How long a document waits for what its verdict lacks; a list is issued anew within it."""
VERDICTS_WAITING_MAX: Final = 262_144
"""Documents that wait for their verdicts at once; beyond, such documents are refused for now."""
VERDICTS_PER_TURN: Final = 256
"""Waiting documents that one turn judges."""
VERDICT_TURN_S: Final = 0.2
"""After this time a turn begins no further group of documents: others want the store, too."""
VERDICT_RETRY_S_MIN: Final = 1
VERDICT_RETRY_S_MAX: Final = 300
"""An undecided document is judged again after the first, then twice as long, to the second."""
VERDICT_LOOK_S: Final = 0.1
"""How often the daemon looks whether waiting documents can be decided."""
DUE_LOOKED_PER_TURN: Final = 1_024
"""Rows of the time index that one turn reads in search of documents that wait, after an opening."""
VERIFY_DOCUMENTS_MAX: Final = 256
CERTIFICATES_KEPT_MAX: Final = 65_536
"""Certificates kept with the verdicts (0.3 KB of memory each); beyond, their SHA-256 only."""
SIGNER_SPAN_RECORDS: Final = 16_384
"""That a certificate signed is noted once in so many records of the log."""
AFFECTED_PAGE_MAX: Final = 1_000
"""Documents of one page of those that a later revocation concerns."""
AFFECTED_PAGES_COUNTED_MAX: Final = 16
"""Pages that are looked through to count them; then it is said that there are at least so many."""
CRL_BYTES_MAX: Final = 67_108_864
CRL_ENTRIES_MAX: Final = 1_000_000
CRL_ENTRIES_TO_PATHS_MAX: Final = 1_000
"""Lists up to this size are also kept as they are, for the validation of paths."""
OCSP_BYTES_MAX: Final = 65_536
OCSP_CERTIFICATES_MAX: Final = 8
OCSP_FRESH_S: Final = 3_600
"""How long a response serves that does not say when the next one comes."""
REVOCATION_LISTS_MAX: Final = 4_096
REVOCATION_LISTS_BYTES_MAX: Final = 268_435_456
REVOCATION_RESPONSES_MAX: Final = 16_384
REVOCATION_RESPONSES_BYTES_MAX: Final = 67_108_864
REVOCATION_SKEW_S: Final = 300
"""How far ahead of our clock the clock of an authority may be."""
REVOCATION_GRACE_S_DEFAULT: Final = 86_400
REVOCATION_GRACE_S_MAX: Final = 2_592_000
REVOCATION_REFRESH_S_DEFAULT: Final = 3_600
REVOCATION_REFRESH_S_MAX: Final = 604_800
REVOCATION_LEAD_S_MAX: Final = 3_600
REVOCATION_RETRY_S: Final = 60
"""From the first before nextUpdate on data is asked for again, each time after the second."""
REVOCATION_ADDRESSES_MAX: Final = 16
REVOCATION_MIRRORS_MAX: Final = 4
REVOCATION_SEEN_MAX: Final = 16_384
REVOCATION_SEEN_AUTHORITIES_MAX: Final = 1_024
REVOCATION_SEEN_S: Final = 2_592_000
"""Certificates and authorities known from documents, until so long after the last one."""
REVOCATION_WANTED_MAX: Final = 256
REVOCATION_HOSTS_MAX: Final = 64
FETCH_TIMEOUT_S_DEFAULT: Final = 30
FETCH_TIMEOUT_S_MAX: Final = 600
FETCH_PAUSE_S_MIN: Final = 5
FETCH_PAUSE_S_MAX: Final = 900
KEPT_FILES_MAX: Final = 20_480
KEPT_FILES_BYTES_MAX: Final = 1_073_741_824
"""Revocation data kept on the disk for the next start."""
TREE_DOCUMENTS_MAX: Final = 1 << 20
"""Documents that one signature over the root of their tree may cover."""
TREE_CHARS_MAX: Final = 1_024
"""The place of one document in its tree: size, index, root and 20 nodes, in base64url."""
PATH_CERTIFICATES_MAX: Final = 10
"""Certificates of one path, the signer's and the root's included."""
PATHS_MAX: Final = 8
"""Paths of one signer that are validated (about 5 ms each) before it is refused."""
PATH_STEPS_MAX: Final = 512
"""Certificates looked at, and signatures verified (0.5 ms each), for one signer's paths."""
DISTINGUISHED_NAME_BYTES_MAX: Final = 1_024
"""Names of subjects and issuers that are compared by RFC 5280 (at worst some 10 ms each)."""
PARSED_CERTIFICATES_MAX: Final = 128
"""Certificates the path validator keeps parsed, for each thread (at most 100 KB each)."""
PARSED_LISTS_MAX: Final = 32
"""Revocation lists it keeps parsed, for each thread (0.8 MB with 1,000 entries)."""
TRUST_WEBS_MAX: Final = 4
"""Trust views whose index of names is kept for the search for paths."""
TREE_MEMORY_BYTES_MAX: Final = 134_217_728
"""Verified roots and nodes remembered; one tree of the largest size takes about half."""
TREES_REMEMBERED_MAX: Final = 4_096
TREES_UNJUDGED_BYTES_MAX: Final = 4_194_304
"""The same of one signer whose path is still being checked, within one batch."""
RSA_KEY_BITS_MIN: Final = 2_048
"""TT 15/2025/TT-BKHCN: RSA of at least 2048 bits."""
RSA_KEY_BITS_MAX: Final = 8_192
"""Longer keys make one signature cost milliseconds."""

assert VERIFY_INLINE_DOCUMENTS_MAX < VERIFY_CHUNK_DOCUMENTS
assert TREE_DOCUMENTS_MAX * 68 < TREE_MEMORY_BYTES_MAX, "all nodes of the largest tree fit"
assert VERDICT_RETRY_S_MIN <= VERDICT_RETRY_S_MAX < VERDICT_WAIT_S_MAX
assert TRUST_BUNDLE_CERTIFICATES_MAX <= TRUST_CERTIFICATES_MAX
assert TREE_DOCUMENTS_MAX < 1 << 32, "size and index of a tree have four bytes each"
assert -(-(40 + 32 * (TREE_DOCUMENTS_MAX - 1).bit_length()) * 4 // 3) <= TREE_CHARS_MAX, (
    "the longest proof fits"
)
