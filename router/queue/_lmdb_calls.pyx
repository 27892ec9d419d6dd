# cython: language_level=3
"""LMDB without the GIL: the functions that the lmdb wheel carries, found by name.

py-lmdb gives up and retakes the GIL at every small call; beside a busy Python thread that costs
milliseconds.  Its extension exports the functions of its own LMDB 0.9 as `mdb09_*`.  They
are found in that very file, so one copy of LMDB serves the process.  Only versions that were
tested are taken, and a canary (a tiny environment in a temporary directory) must read back
what it wrote; `PROBLEM` says what speaks against using them, "" when nothing does.
"""

from libc.stdio cimport fprintf, stderr
from libc.string cimport memcmp, memset

import importlib.util
import os
import shutil
import tempfile
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import PackageNotFoundError, version

from router.limits import STORE_READERS_MAX, STORE_TABLES_MAX

__all__ = ["PROBLEM", "WHEELS_TESTED", "describe"]

WHEELS_TESTED = ("3.0.0",)
ENGINE_TESTED = (0, 9, 36)
NAMES = (  # in the order of `Calls`
    b"version", b"strerror", b"env_create", b"env_open", b"env_close", b"env_set_mapsize",
    b"env_set_maxdbs", b"env_set_maxreaders", b"env_set_assert", b"env_set_flags", b"env_get_fd",
    b"env_info", b"env_stat", b"env_copyfd2", b"reader_check", b"txn_begin", b"txn_commit",
    b"txn_abort", b"txn_reset", b"txn_renew", b"dbi_open", b"stat", b"get", b"cursor_open",
    b"cursor_close", b"cursor_renew", b"cursor_get", b"cursor_put", b"cursor_del",
)

assert len(NAMES) * sizeof(void *) == sizeof(Calls)

cdef const char *DAMAGED = (
    b"vanban: stored data is damaged (data.mdb); the process ends before it spreads.  "
    b"Restore the last backup; keep this directory for analysis."
)
cdef unsigned int TABLES_MOST = STORE_TABLES_MAX
cdef unsigned int READERS_MOST = STORE_READERS_MAX


cdef extern from "<dlfcn.h>" nogil:
    void *dlopen(const char *file, int mode)
    void *dlsym(void *handle, const char *name)
    int RTLD_NOW
    int RTLD_LOCAL


cdef void tell_damage(void *env, const char *words) noexcept nogil:
    """Say what it means that LMDB found a page it cannot go on with: it ends the process."""
    fprintf(stderr, "%s\n%s\n", DAMAGED, words)


cdef int open_environment(
    const char *path, size_t map_bytes, unsigned int flags, void **env
) noexcept nogil:
    cdef int failed = lmdb.env_create(env)
    if failed:
        return failed
    failed = lmdb.env_set_mapsize(env[0], map_bytes)
    if not failed:
        failed = lmdb.env_set_maxdbs(env[0], TABLES_MOST)
    if not failed:
        failed = lmdb.env_set_maxreaders(env[0], READERS_MOST)
    if not failed:
        failed = lmdb.env_set_assert(env[0], tell_damage)
    if not failed:
        failed = lmdb.env_open(env[0], path, flags, 0o600)
    if failed:  # also an environment that could not be opened must be closed
        lmdb.env_close(env[0])
        env[0] = NULL
    return failed


def describe(int number):
    """Return LMDB's own words for one of its numbers, "" without LMDB."""
    return lmdb.strerror(number).decode("utf-8", "replace") if lmdb.strerror is not NULL else ""


def _find():
    """Return the path of the wheel's extension, without importing it; "" if there is none."""
    spec = importlib.util.find_spec("lmdb")
    for directory in (spec.submodule_search_locations or ()) if spec is not None else ():
        for suffix in EXTENSION_SUFFIXES:
            found = os.path.join(directory, "cpython" + suffix)
            if os.path.isfile(found):
                return found
    return ""


cdef list _resolve(void *library):
    """Fill `lmdb`; return the names that are missing."""
    cdef list missing = []
    cdef void **place = <void **>&lmdb
    cdef bytes symbol
    for at, name in enumerate(NAMES):
        symbol = b"mdb09_" + name
        place[at] = dlsym(library, symbol)
        if place[at] is NULL:
            missing.append(name.decode())
    return missing


cdef int _write_and_read(const char *path) noexcept nogil:
    """Put, commit and read back in a new environment: 0, or what failed (1: another value)."""
    cdef void *env = NULL
    cdef void *txn = NULL
    cdef unsigned int dbi = 0
    cdef Blob key = Blob(6, <void *><char *>b"canary")
    cdef Blob value = Blob(5, <void *><char *>b"sings")
    cdef Blob found
    cdef int failed = open_environment(path, 1 << 20, LMDB_NO_SYNC | LMDB_NO_TLS, &env)
    if failed:
        return failed
    failed = lmdb.txn_begin(env, NULL, 0, &txn)
    if not failed:
        failed = _put(txn, &dbi, &key, &value)
    if not failed:
        failed = lmdb.txn_begin(env, NULL, LMDB_READ_ONLY, &txn)
        if not failed:
            failed = lmdb.get(txn, dbi, &key, &found)
            if not failed:
                failed = found.size != 5 or memcmp(found.data, value.data, 5) != 0
            lmdb.txn_abort(txn)
    lmdb.env_close(env)
    return failed


cdef int _put(void *txn, unsigned int *dbi, Blob *key, Blob *value) noexcept nogil:
    cdef void *cursor = NULL
    cdef int failed = lmdb.dbi_open(txn, b"canary", LMDB_CREATE, dbi)
    if not failed:
        failed = lmdb.cursor_open(txn, dbi[0], &cursor)
    if not failed:
        failed = lmdb.cursor_put(cursor, key, value, LMDB_APPEND)
        lmdb.cursor_close(cursor)
    if failed:
        lmdb.txn_abort(txn)
        return failed
    return lmdb.txn_commit(txn)


def _canary():
    """Return what the canary died of, "" when it lives."""
    cdef int failed
    cdef bytes path
    try:
        directory = tempfile.mkdtemp(prefix="vanban-")
    except OSError as error:
        return f"no temporary directory to try it in: {error.strerror}"
    try:
        path = os.fsencode(directory)
        failed = _write_and_read(path)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return f"it failed a trial: {describe(failed)}" if failed else ""


def _load():
    """Find, check and try the functions; return what speaks against using them, or ""."""
    cdef void *library
    cdef bytes path
    cdef int major = 0, minor = 0, patch = 0
    try:
        installed = version("lmdb")
    except PackageNotFoundError:
        return "no package lmdb is installed"
    if installed not in WHEELS_TESTED:
        return f"lmdb {installed} is not among those tested: {', '.join(WHEELS_TESTED)}"
    path = os.fsencode(_find())
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL) if path else NULL
    if library is NULL:
        return f"lmdb {installed} has no extension that can be loaded"
    missing = _resolve(library)
    if missing:
        return f"lmdb {installed} lacks {missing[0]}"
    lmdb.version(&major, &minor, &patch)
    if (major, minor, patch) != ENGINE_TESTED:
        return f"LMDB {major}.{minor}.{patch} is not the one tested"
    return _canary()


PROBLEM = _load()
if PROBLEM:
    memset(&lmdb, 0, sizeof(lmdb))
