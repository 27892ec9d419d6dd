/* Calls that write and resize. */
#include "shim.h"

#include <limits.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

/* --- writing */

static int writes_synced(int descriptor)
{
    int flags = (int)syscall(SYS_fcntl, descriptor, F_GETFL);
    return flags >= 0 && (flags & (O_SYNC | O_DSYNC)) ? 1 : 0;
}

static size_t total(const struct iovec *parts, int count)
{
    size_t size = 0;
    int place;
    for (place = 0; place < count; place++)
        size += parts[place].iov_len;
    return size;
}

/* Join the first `size` bytes of the parts; the caller frees. */
static uint8_t *joined(const struct iovec *parts, int count, size_t size)
{
    uint8_t *whole = malloc(size ? size : 1);
    size_t done = 0;
    int place;
    if (!whole)
        abort();
    for (place = 0; place < count && done < size; place++) {
        size_t some = parts[place].iov_len < size - done ? parts[place].iov_len : size - done;
        memcpy(whole + done, parts[place].iov_base, some);
        done += some;
    }
    return whole;
}

/* Any write; offset -1: at the descriptor's own position. */
static ssize_t written(int descriptor, const struct iovec *parts, int count, off_t offset,
                       int rwf)
{
    struct stat facts;
    struct file *file;
    ssize_t result;
    uint8_t *whole;
    size_t size;
    off_t start = offset;
    int kept, what, synced;
    pthread_mutex_lock(&lock);
    file = known_descriptor(descriptor, &facts);
    if (!file || S_ISDIR(facts.st_mode) || count < 0 || count > IOV_MAX) {
        pthread_mutex_unlock(&lock);
        return offset < 0 ? syscall(SYS_writev, descriptor, parts, count)
                          : syscall(SYS_pwritev2, descriptor, parts, count, offset, 0, rwf);
    }
    kept = errno;
    size = total(parts, count);
    if (offset < 0) {
        int flags = (int)syscall(SYS_fcntl, descriptor, F_GETFL);
        start = flags & O_APPEND ? facts.st_size : lseek(descriptor, 0, SEEK_CUR);
    }
    what = trouble(CALL_WRITE, file->path, start + (off_t)size > facts.st_size);
    if (what == FAILS || what == NOTHING) {
        pthread_mutex_unlock(&lock);
        return what == FAILS ? -1 : (ssize_t)size;
    }
    if (what == HALF)
        size /= 2;
    whole = joined(parts, count, size);
    errno = kept;
    result = offset < 0 ? syscall(SYS_write, descriptor, whole, size)
                        : syscall(SYS_pwrite64, descriptor, whole, size, offset);
    kept = errno;
    synced = writes_synced(descriptor) || rwf & (RWF_SYNC | RWF_DSYNC);
    if (synced && rwf & (RWF_SYNC | RWF_DSYNC))
        syscall(SYS_fdatasync, descriptor);
    if (result > 0)
        put(WRITTEN, synced && !lie_dsync ? IS_SYNCED : 0, 0, facts.st_ino, (uint64_t)start, 0,
            whole, (size_t)result, NULL, 0);
    pthread_mutex_unlock(&lock);
    free(whole);
    errno = kept;
    return result;
}

ssize_t write(int descriptor, const void *data, size_t size)
{
    struct iovec part = {(void *)data, size};
    return written(descriptor, &part, 1, -1, 0);
}

ssize_t pwrite(int descriptor, const void *data, size_t size, off_t offset)
{
    struct iovec part = {(void *)data, size};
    return written(descriptor, &part, 1, offset, 0);
}

ssize_t writev(int descriptor, const struct iovec *parts, int count)
{
    return written(descriptor, parts, count, -1, 0);
}

ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t offset)
{
    return written(descriptor, parts, count, offset, 0);
}

ssize_t pwritev2(int descriptor, const struct iovec *parts, int count, off_t offset, int flags)
{
    return written(descriptor, parts, count, offset, flags);
}

ssize_t pwrite64(int, const void *, size_t, off64_t) __attribute__((alias("pwrite")));
ssize_t pwritev64(int, const struct iovec *, int, off64_t) __attribute__((alias("pwritev")));
ssize_t pwritev64v2(int, const struct iovec *, int, off64_t, int)
    __attribute__((alias("pwritev2")));

/* Copies within the kernel are made here by reading and writing. */
static ssize_t copied(int out, off_t *out_offset, int in, off_t *in_offset, size_t size)
{
    static const size_t some = 1 << 20;
    ssize_t got, result;
    uint8_t *data = malloc(some);
    if (!data)
        abort();
    if (size > some)
        size = some;
    got = in_offset ? pread(in, data, size, *in_offset) : read(in, data, size);
    if (got <= 0) {
        free(data);
        return got;
    }
    result = out_offset ? pwrite(out, data, (size_t)got, *out_offset)
                        : write(out, data, (size_t)got);
    free(data);
    if (result > 0 && in_offset)
        *in_offset += result;
    else if (result >= 0 && result < got)
        lseek(in, result - got, SEEK_CUR);
    if (result > 0 && out_offset)
        *out_offset += result;
    return result;
}

ssize_t sendfile(int out, int in, off_t *offset, size_t size)
{
    struct stat facts;
    if (!known_descriptor(out, &facts))
        return syscall(SYS_sendfile, out, in, offset, size);
    return copied(out, NULL, in, offset, size);
}

ssize_t sendfile64(int, int, off64_t *, size_t) __attribute__((alias("sendfile")));

ssize_t copy_file_range(int in, off64_t *in_offset, int out, off64_t *out_offset, size_t size,
                        unsigned flags)
{
    struct stat facts;
    if (!known_descriptor(out, &facts))
        return syscall(SYS_copy_file_range, in, in_offset, out, out_offset, size, flags);
    return copied(out, out_offset, in, in_offset, size);
}

/* --- sizes */

int ftruncate(int descriptor, off_t size)
{
    struct stat facts;
    struct file *file;
    int result;
    pthread_mutex_lock(&lock);
    file = known_descriptor(descriptor, &facts);
    if (file && trouble(CALL_SIZE, file->path, size > facts.st_size))
        result = -1;
    else
        result = (int)syscall(SYS_ftruncate, descriptor, size);
    if (file && !result)
        put(SIZED, 0, 0, facts.st_ino, (uint64_t)size, 0, NULL, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}

int truncate(const char *path, off_t size)
{
    int kept, result, descriptor = open(path, O_WRONLY | O_CLOEXEC);
    if (descriptor < 0)
        return -1;
    result = ftruncate(descriptor, size);
    kept = errno;
    close(descriptor);
    errno = kept;
    return result;
}

int ftruncate64(int, off64_t) __attribute__((alias("ftruncate")));
int truncate64(const char *, off64_t) __attribute__((alias("truncate")));

int fallocate(int descriptor, int mode, off_t offset, off_t size)
{
    struct stat facts;
    struct file *file;
    int result;
    pthread_mutex_lock(&lock);
    file = known_descriptor(descriptor, &facts);
    if (file && trouble(CALL_RESERVE, file->path, offset + size > facts.st_size))
        result = -1;
    else
        result = (int)syscall(SYS_fallocate, descriptor, mode, offset, size);
    if (file && !result)
        put(RESERVED, 0, mode, facts.st_ino, (uint64_t)offset, (uint64_t)size, NULL, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}

int fallocate64(int, int, off64_t, off64_t) __attribute__((alias("fallocate")));

int posix_fallocate(int descriptor, off_t offset, off_t size)
{
    int kept = errno, result = fallocate(descriptor, 0, offset, size) ? errno : 0;
    errno = kept;
    return result;
}

int posix_fallocate64(int, off64_t, off64_t) __attribute__((alias("posix_fallocate")));
