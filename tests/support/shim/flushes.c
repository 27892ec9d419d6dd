/* Calls that flush, and what is stored through mappings. */
#include "shim.h"

#include <sys/mman.h>

#define MAPS_MAX 16
#define MAP_BYTES_MAX 65536

struct map { uint8_t *start; size_t size; uint64_t inode, offset; uint8_t *last; };

static struct map maps[MAPS_MAX];
static uint64_t flushes;

/* --- shared mappings: changed bytes are recorded as writes; the caller holds the lock */

void snapshot_maps(void)
{
    size_t place;
    for (place = 0; place < MAPS_MAX; place++) {
        struct map *map = &maps[place];
        if (map->start && memcmp(map->last, map->start, map->size)) {
            memcpy(map->last, map->start, map->size);
            put(WRITTEN, IS_SNAPSHOT, 0, map->inode, map->offset, 0, map->last, map->size,
                NULL, 0);
        }
    }
}

void *mmap(void *wish, size_t size, int protection, int flags, int descriptor, off_t offset)
{
    void *start = (void *)syscall(SYS_mmap, wish, size, protection, flags, descriptor, offset);
    struct stat facts;
    size_t place;
    if (start == MAP_FAILED || !(protection & PROT_WRITE) || !(flags & MAP_SHARED) ||
        flags & MAP_ANONYMOUS)
        return start;
    pthread_mutex_lock(&lock);
    if (known_descriptor(descriptor, &facts)) {
        put(MAPPED, 0, 0, facts.st_ino, (uint64_t)offset, size, NULL, 0, NULL, 0);
        for (place = 0; size <= MAP_BYTES_MAX && place < MAPS_MAX; place++)
            if (!maps[place].start) {
                maps[place] = (struct map){start, size, facts.st_ino, (uint64_t)offset,
                                           malloc(size)};
                memcpy(maps[place].last, start, size);
                break;
            }
    }
    pthread_mutex_unlock(&lock);
    return start;
}

void *mmap64(void *, size_t, int, int, int, off64_t) __attribute__((alias("mmap")));

int munmap(void *start, size_t size)
{
    size_t place;
    pthread_mutex_lock(&lock);
    for (place = 0; place < MAPS_MAX; place++)
        if (maps[place].start == start && start) {
            snapshot_maps();
            free(maps[place].last);
            maps[place].start = NULL;
        }
    pthread_mutex_unlock(&lock);
    return (int)syscall(SYS_munmap, start, size);
}

/* --- flushing */

/* Flush one file or folder, or everything (file NULL); `call` does it. */
static int flushed(int descriptor, int lies, long call)
{
    struct stat facts;
    struct file *file;
    uint64_t number;
    int result = 0, kept, failing;
    pthread_mutex_lock(&lock);
    file = known_descriptor(descriptor, &facts);
    if (!file || lies) {
        pthread_mutex_unlock(&lock);
        return file ? 0 : (int)syscall(call, descriptor);
    }
    snapshot_maps();
    number = (uint64_t)getpid() << 32 | ++flushes;
    put(FLUSHING, 0, 0, facts.st_ino, 0, number, NULL, 0, NULL, 0);
    failing = trouble(CALL_FLUSH, file->path, 0);
    kept = errno;
    pthread_mutex_unlock(&lock);
    if (failing)
        result = -1;
    if (failing == NOTHING)
        kept = EIO;
    else if (!failing && (result = (int)syscall(call, descriptor)))
        kept = errno;
    pthread_mutex_lock(&lock);
    put(FLUSHED, 0, result ? kept : 0, facts.st_ino, 0, number, NULL, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = kept;
    return failing == NOTHING ? 0 : result;
}

int fsync(int descriptor) { return flushed(descriptor, lie_all, SYS_fsync); }
int fdatasync(int descriptor) { return flushed(descriptor, lie_data, SYS_fdatasync); }
int syncfs(int descriptor) { return (int)syscall(SYS_syncfs, descriptor); }

int msync(void *start, size_t size, int flags)
{
    struct map map = {0};
    uint64_t number = 0;
    size_t place;
    int result, kept;
    pthread_mutex_lock(&lock);
    for (place = 0; place < MAPS_MAX; place++)
        if (maps[place].start && (uint8_t *)start >= maps[place].start &&
            (uint8_t *)start < maps[place].start + maps[place].size)
            map = maps[place];
    snapshot_maps();
    if (map.start && flags & MS_SYNC) {
        number = (uint64_t)getpid() << 32 | ++flushes;
        put(FLUSHING, 0, 0, map.inode, 0, number, NULL, 0, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    result = (int)syscall(SYS_msync, start, size, flags);
    kept = errno;
    if (number) {
        pthread_mutex_lock(&lock);
        put(FLUSHED, 0, result ? kept : 0, map.inode, 0, number, NULL, 0, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    errno = kept;
    return result;
}
