# cython: language_level=3
"""The functions of LMDB 0.9 that the lmdb wheel carries, found by name (see the .pyx)."""


cdef enum:  # of lmdb.h, 0.9; they are part of the binary interface
    LMDB_NOT_FOUND = -30798
    LMDB_NO_SUB_DIRECTORY = 0x4000
    LMDB_NO_SYNC = 0x10000
    LMDB_READ_ONLY = 0x20000
    LMDB_NO_TLS = 0x200000
    LMDB_NO_LOCK = 0x400000
    LMDB_NO_READ_AHEAD = 0x800000
    LMDB_CREATE = 0x40000
    LMDB_APPEND = 0x20000
    LMDB_COMPACT = 1
    LMDB_FIRST = 0
    LMDB_LAST = 6
    LMDB_NEXT = 8
    LMDB_PREVIOUS = 12
    LMDB_SET = 15
    LMDB_SET_RANGE = 17


ctypedef struct Blob:  # MDB_val
    size_t size
    void *data


ctypedef struct EnvironmentInfo:  # MDB_envinfo
    void *map_address
    size_t map_size
    size_t last_page
    size_t last_transaction
    unsigned int readers_max
    unsigned int readers


ctypedef struct TableInfo:  # MDB_stat
    unsigned int page_size
    unsigned int depth
    size_t branch_pages
    size_t leaf_pages
    size_t overflow_pages
    size_t entries


ctypedef struct Calls:  # environments, transactions and cursors are opaque
    char *(*version)(int *major, int *minor, int *patch) noexcept nogil
    char *(*strerror)(int number) noexcept nogil
    int (*env_create)(void **env) noexcept nogil
    int (*env_open)(
        void *env, const char *path, unsigned int flags, unsigned int mode
    ) noexcept nogil
    void (*env_close)(void *env) noexcept nogil
    int (*env_set_mapsize)(void *env, size_t size) noexcept nogil
    int (*env_set_maxdbs)(void *env, unsigned int count) noexcept nogil
    int (*env_set_maxreaders)(void *env, unsigned int count) noexcept nogil
    int (*env_set_assert)(
        void *env, void (*told)(void *env, const char *words) noexcept nogil
    ) noexcept nogil
    int (*env_set_flags)(void *env, unsigned int flags, int on) noexcept nogil
    int (*env_get_fd)(void *env, int *file) noexcept nogil
    int (*env_info)(void *env, EnvironmentInfo *info) noexcept nogil
    int (*env_stat)(void *env, TableInfo *info) noexcept nogil
    int (*env_copyfd2)(void *env, int file, unsigned int flags) noexcept nogil
    int (*reader_check)(void *env, int *dead) noexcept nogil
    int (*txn_begin)(void *env, void *parent, unsigned int flags, void **txn) noexcept nogil
    int (*txn_commit)(void *txn) noexcept nogil
    void (*txn_abort)(void *txn) noexcept nogil
    void (*txn_reset)(void *txn) noexcept nogil
    int (*txn_renew)(void *txn) noexcept nogil
    int (*dbi_open)(
        void *txn, const char *name, unsigned int flags, unsigned int *dbi
    ) noexcept nogil
    int (*stat)(void *txn, unsigned int dbi, TableInfo *info) noexcept nogil
    int (*get)(void *txn, unsigned int dbi, Blob *key, Blob *data) noexcept nogil
    int (*cursor_open)(void *txn, unsigned int dbi, void **cursor) noexcept nogil
    void (*cursor_close)(void *cursor) noexcept nogil
    int (*cursor_renew)(void *txn, void *cursor) noexcept nogil
    int (*cursor_get)(void *cursor, Blob *key, Blob *data, int operation) noexcept nogil
    int (*cursor_put)(void *cursor, Blob *key, Blob *data, unsigned int flags) noexcept nogil
    int (*cursor_del)(void *cursor, unsigned int flags) noexcept nogil


cdef Calls lmdb  # filled at import, or all NULL

# 0 or the number of what failed: a new environment with these options.
cdef int open_environment(
    const char *path, size_t map_bytes, unsigned int flags, void **env
) noexcept nogil
