/* A library to preload: it records what a process does to the files below one folder,
 * makes chosen calls fail, and can leave out flushes.
 *
 *   VANBAN_SHIM_ROOT     the folder (as realpath gives it); everything elsewhere passes
 *   VANBAN_SHIM_LOG      file to append the record to; absent: nothing is recorded
 *   VANBAN_SHIM_CONTROL  file of one `struct control`, mapped; absent: nothing fails
 *   VANBAN_SHIM_LIES     flushes that do nothing and are not recorded: a list of
 *                        fdatasync, fsync, dsync (writes to files opened with O_DSYNC)
 *
 * Order.  One lock is held over each call that changes something and over its entry in the
 * record, so the record has the order in which the kernel saw the changes.  A flush stands
 * there twice, when it begins and when it has ended; the lock is free in between.  It makes
 * durable what was recorded before it began.
 *
 * Files are known by device and inode, learnt when they are opened by path below the folder:
 * descriptors that are copied or reused need no care.  A file without a name is forgotten:
 * no power cut can bring it back.
 *
 * Not seen: descriptors inherited over exec, io_uring, raw system calls, and stores through
 * a shared mapping, of which only snapshots are taken (at each msync, mark and flush).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* --- what the record and the control file look like; powercut.py and faulty.py know too */

enum { OPENED = 1, WRITTEN, SIZED, RESERVED, RENAMED, REMOVED, LINKED, FLUSHING, FLUSHED,
       MARKED, MAPPED };
enum { IS_NEW = 1, IS_EMPTIED = 2, IS_SYNCED = 4, IS_FOLDER = 8, IS_SNAPSHOT = 16 };

struct entry {
    uint32_t magic;
    uint8_t what;
    uint8_t flags;
    int16_t error;
    uint64_t inode;
    uint64_t offset;
    uint64_t number;
    uint32_t size;   /* bytes that follow */
    uint32_t second; /* bytes that follow those */
};

#define ENTRY_MAGIC 0x31484356u
#define CONTROL_MAGIC 0x31544c46u

enum { CALL_WRITE = 1, CALL_FLUSH = 2, CALL_SIZE = 4, CALL_RESERVE = 8, CALL_OPEN = 16,
       CALL_RENAME = 32, CALL_REMOVE = 64 };
enum { FAIL = 0, SHORT = 1, FULL = 2, LOST = 3 };

struct control {
    uint32_t magic;
    uint32_t calls;   /* bits of CALL_…; 0: nothing fails */
    int32_t error;    /* errno of the failing call */
    int32_t action;   /* FAIL; SHORT: write half of it; FULL: fail what makes a file longer;
                         LOST: do nothing and say that it was done */
    int64_t wait;     /* calls that still pass */
    int64_t times;    /* calls to fail after those, -1: all */
    uint64_t hits;    /* calls that were made to fail */
    uint64_t seen;    /* calls that matched while armed */
    char pattern[64]; /* fnmatch pattern on the path below the folder */
};

/* --- state */

#define FILES_MAX 4096
#define MAPS_MAX 16
#define MAP_BYTES_MAX 65536
#define PLAIN_PATH 512

struct file { dev_t device; ino_t inode; char path[PLAIN_PATH]; };
struct map { uint8_t *start; size_t size; uint64_t inode, offset; uint8_t *last; };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct file files[FILES_MAX];
static size_t file_count;
static struct map maps[MAPS_MAX];
static char root[PATH_MAX];
static size_t root_size;
static int record = -1;
static struct control *control;
static int lie_data, lie_all, lie_dsync;
static uint64_t flushes;

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) {
        static const char words[] = "shim: a function of libc is missing\n";
        syscall(SYS_write, 2, words, sizeof words - 1);
        abort();
    }
    return found;
}

__attribute__((constructor)) static void prepare(void)
{
    const char *text = getenv("VANBAN_SHIM_ROOT");
    int low;
    if (!text || strlen(text) >= sizeof root)
        return;
    strcpy(root, text);
    root_size = strlen(root);
    text = getenv("VANBAN_SHIM_LOG");
    if (text) {
        low = (int)syscall(SYS_openat, AT_FDCWD, text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                           0600);
        if (low < 0)
            abort();
        record = (int)syscall(SYS_fcntl, low, F_DUPFD_CLOEXEC, 700);
        syscall(SYS_close, low);
    }
    text = getenv("VANBAN_SHIM_CONTROL");
    if (text) {
        low = (int)syscall(SYS_openat, AT_FDCWD, text, O_RDWR | O_CLOEXEC);
        if (low < 0)
            abort();
        control = REAL(mmap)(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, low, 0);
        syscall(SYS_close, low);
        if (control == MAP_FAILED || control->magic != CONTROL_MAGIC)
            abort();
    }
    text = getenv("VANBAN_SHIM_LIES");
    if (text) {
        lie_data = strstr(text, "fdatasync") != NULL;
        lie_all = strstr(text, "fsync") != NULL;
        lie_dsync = strstr(text, "dsync") != NULL;
    }
}

/* Append one entry; the caller holds the lock.  errno stays as it was. */
static void put(int what, int flags, int error, uint64_t inode, uint64_t offset, uint64_t number,
                const void *data, size_t size, const void *second, size_t second_size)
{
    struct entry entry = {ENTRY_MAGIC, (uint8_t)what, (uint8_t)flags, (int16_t)error, inode,
                          offset, number, (uint32_t)size, (uint32_t)second_size};
    struct iovec parts[3] = {{&entry, sizeof entry}, {(void *)data, size},
                             {(void *)second, second_size}};
    int kept = errno;
    if (record >= 0 &&
        syscall(SYS_writev, record, parts, 3) != (long)(sizeof entry + size + second_size))
        abort(); /* a record with a hole proves nothing */
    errno = kept;
}

/* --- which file is it */

/* Write the path below the folder into `inside`; 0 when it lies elsewhere. */
static int below(int folder, const char *path, char *inside)
{
    char whole[PATH_MAX], parent[PATH_MAX];
    char *last;
    size_t size;
    if (!root_size || !path)
        return 0;
    if (path[0] == '/') {
        if (snprintf(whole, sizeof whole, "%s", path) >= (int)sizeof whole)
            return 0;
    } else {
        char link[64], base[PATH_MAX];
        ssize_t got;
        if (folder == AT_FDCWD)
            strcpy(link, "/proc/self/cwd");
        else
            snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        got = readlink(link, base, sizeof base - 1);
        if (got < 0)
            return 0;
        base[got] = 0;
        if (snprintf(whole, sizeof whole, "%s/%s", base, path) >= (int)sizeof whole)
            return 0;
    }
    size = strlen(whole);
    while (size > 1 && whole[size - 1] == '/')
        whole[--size] = 0;
    last = strrchr(whole, '/');
    if (last == whole) {
        strcpy(parent, whole);
    } else {
        *last = 0;
        if (!realpath(whole, parent) || strlen(parent) + strlen(last + 1) + 2 > sizeof parent)
            return 0;
        strcat(parent, "/");
        strcat(parent, last + 1);
    }
    if (strncmp(parent, root, root_size) || (parent[root_size] != '/' && parent[root_size]))
        return 0;
    if (strlen(parent + root_size) >= PLAIN_PATH)
        abort();
    strcpy(inside, parent[root_size] ? parent + root_size + 1 : ".");
    return 1;
}

static struct file *known(dev_t device, ino_t inode)
{
    size_t place;
    for (place = file_count; place-- > 0;)
        if (files[place].inode == inode && files[place].device == device)
            return &files[place];
    return NULL;
}

static struct file *known_descriptor(int descriptor, struct stat *facts)
{
    int kept = errno;
    struct file *found = NULL;
    if (file_count && !fstat(descriptor, facts))
        found = known(facts->st_dev, facts->st_ino);
    errno = kept;
    return found;
}

static void learn(const struct stat *facts, const char *inside)
{
    struct file *found = known(facts->st_dev, facts->st_ino);
    if (!found) {
        if (file_count == FILES_MAX)
            abort();
        found = &files[file_count++];
    }
    found->device = facts->st_dev;
    found->inode = facts->st_ino;
    strcpy(found->path, inside);
}

/* Forget a file that is about to lose its last name. */
static void forget(const struct stat *facts)
{
    struct file *found = known(facts->st_dev, facts->st_ino);
    if (found && (facts->st_nlink <= 1 || S_ISDIR(facts->st_mode)))
        *found = files[--file_count];
}

static void learn_new_name(const char *old, const char *new)
{
    size_t place;
    for (place = 0; place < file_count; place++)
        if (!strcmp(files[place].path, old))
            strcpy(files[place].path, new);
}

/* --- failing on purpose */

/* Say what this call is to do: PASS, FAILS (errno is set), HALF or NOTHING. */
enum { PASS = 0, FAILS, HALF, NOTHING };

static int trouble(uint32_t call, const char *path, int grows)
{
    if (!control || !(__atomic_load_n(&control->calls, __ATOMIC_ACQUIRE) & call))
        return PASS;
    if (fnmatch(control->pattern, path, 0) || (control->action == FULL && !grows) ||
        (control->action == SHORT && call != CALL_WRITE) ||
        (control->action == LOST && call != CALL_WRITE && call != CALL_FLUSH))
        return PASS;
    __atomic_add_fetch(&control->seen, 1, __ATOMIC_RELAXED);
    if (control->wait > 0) {
        control->wait--;
        return PASS;
    }
    if (!control->times)
        return PASS;
    if (control->times > 0)
        control->times--;
    __atomic_add_fetch(&control->hits, 1, __ATOMIC_RELAXED);
    if (control->action == SHORT)
        return HALF;
    if (control->action == LOST)
        return NOTHING;
    errno = control->error;
    return FAILS;
}

/* --- opening */

static int opened(int folder, const char *path, int flags, mode_t mode)
{
    char inside[PLAIN_PATH];
    struct stat facts;
    int kept = errno, new, result, mark = 0;
    if ((flags & O_TMPFILE) == O_TMPFILE || !below(folder, path, inside)) {
        errno = kept;
        return (int)syscall(SYS_openat, folder, path, flags, mode);
    }
    pthread_mutex_lock(&lock);
    new = (flags & O_CREAT) && fstatat(folder, path, &facts, 0) != 0;
    errno = kept;
    if (new && trouble(CALL_OPEN, inside, 1)) {
        pthread_mutex_unlock(&lock);
        return -1;
    }
    result = (int)syscall(SYS_openat, folder, path, flags, mode);
    kept = errno;
    if (result >= 0 && !fstat(result, &facts) &&
        (S_ISREG(facts.st_mode) || S_ISDIR(facts.st_mode))) {
        learn(&facts, inside);
        mark = (new ? IS_NEW : 0) | (S_ISDIR(facts.st_mode) ? IS_FOLDER : 0) |
               (!new && (flags & O_TRUNC) ? IS_EMPTIED : 0);
        put(OPENED, mark, 0, facts.st_ino, 0, 0, inside, strlen(inside), NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    errno = kept;
    return result;
}

#define MODE_OF(flags, mode)                                       \
    do {                                                           \
        if ((flags) & O_CREAT || ((flags) & O_TMPFILE) == O_TMPFILE) { \
            va_list rest;                                          \
            va_start(rest, flags);                                 \
            mode = va_arg(rest, mode_t);                           \
            va_end(rest);                                          \
        }                                                          \
    } while (0)

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    MODE_OF(flags, mode);
    return opened(AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    mode_t mode = 0;
    MODE_OF(flags, mode);
    return opened(folder, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    mode_t mode = 0;
    MODE_OF(flags, mode);
    return opened(AT_FDCWD, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...)
{
    mode_t mode = 0;
    MODE_OF(flags, mode);
    return opened(folder, path, flags, mode);
}

int __open_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags, 0); }
int __openat_2(int folder, const char *path, int flags) { return opened(folder, path, flags, 0); }
int __openat64_2(int folder, const char *path, int flags) { return opened(folder, path, flags, 0); }

int creat(const char *path, mode_t mode)
{
    return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int creat64(const char *path, mode_t mode)
{
    return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

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

/* --- names */

int renameat2(int old_folder, const char *old, int new_folder, const char *new, unsigned flags)
{
    char from[PLAIN_PATH], to[PLAIN_PATH];
    struct stat facts, over;
    int result, kept, hit, replaced;
    hit = below(old_folder, old, from);
    if (below(new_folder, new, to) != hit)
        abort(); /* moved into the folder or out of it: nothing here follows that */
    if (!hit)
        return (int)syscall(SYS_renameat2, old_folder, old, new_folder, new, flags);
    pthread_mutex_lock(&lock);
    if (trouble(CALL_RENAME, from, 0)) {
        pthread_mutex_unlock(&lock);
        return -1;
    }
    replaced = !fstatat(new_folder, new, &over, AT_SYMLINK_NOFOLLOW);
    result = (int)syscall(SYS_renameat2, old_folder, old, new_folder, new, flags);
    kept = errno;
    if (!result && !fstatat(new_folder, new, &facts, AT_SYMLINK_NOFOLLOW)) {
        if (replaced && over.st_ino != facts.st_ino)
            forget(&over);
        learn_new_name(from, to);
        put(RENAMED, 0, 0, facts.st_ino, 0, 0, from, strlen(from), to, strlen(to));
    }
    pthread_mutex_unlock(&lock);
    errno = kept;
    return result;
}

int rename(const char *old, const char *new)
{
    return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0);
}

int renameat(int old_folder, const char *old, int new_folder, const char *new)
{
    return renameat2(old_folder, old, new_folder, new, 0);
}

int unlinkat(int folder, const char *path, int flags)
{
    char inside[PLAIN_PATH];
    struct stat facts;
    int result, kept, there;
    if (!below(folder, path, inside))
        return (int)syscall(SYS_unlinkat, folder, path, flags);
    pthread_mutex_lock(&lock);
    if (trouble(CALL_REMOVE, inside, 0)) {
        pthread_mutex_unlock(&lock);
        return -1;
    }
    there = !fstatat(folder, path, &facts, AT_SYMLINK_NOFOLLOW);
    result = (int)syscall(SYS_unlinkat, folder, path, flags);
    kept = errno;
    if (!result && there) {
        forget(&facts);
        put(REMOVED, 0, 0, facts.st_ino, 0, 0, inside, strlen(inside), NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    errno = kept;
    return result;
}

int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int remove(const char *path)
{
    int result = unlinkat(AT_FDCWD, path, 0);
    return result && (errno == EISDIR || errno == EPERM) ? rmdir(path) : result;
}

int linkat(int old_folder, const char *old, int new_folder, const char *new, int flags)
{
    char inside[PLAIN_PATH];
    struct stat facts;
    int result, kept;
    if (!below(new_folder, new, inside))
        return (int)syscall(SYS_linkat, old_folder, old, new_folder, new, flags);
    pthread_mutex_lock(&lock);
    result = (int)syscall(SYS_linkat, old_folder, old, new_folder, new, flags);
    kept = errno;
    if (!result && !fstatat(new_folder, new, &facts, AT_SYMLINK_NOFOLLOW))
        put(LINKED, 0, 0, facts.st_ino, 0, 0, inside, strlen(inside), NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = kept;
    return result;
}

int link(const char *old, const char *new) { return linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }

int mkdirat(int folder, const char *path, mode_t mode)
{
    char inside[PLAIN_PATH];
    struct stat facts;
    int result, kept;
    if (!below(folder, path, inside))
        return (int)syscall(SYS_mkdirat, folder, path, mode);
    pthread_mutex_lock(&lock);
    result = (int)syscall(SYS_mkdirat, folder, path, mode);
    kept = errno;
    if (!result && !fstatat(folder, path, &facts, 0)) {
        learn(&facts, inside);
        put(OPENED, IS_NEW | IS_FOLDER, 0, facts.st_ino, 0, 0, inside, strlen(inside), NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    errno = kept;
    return result;
}

int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

/* --- shared mappings: changed bytes are recorded as writes; the caller holds the lock */

static void snapshot_maps(void)
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

/* --- called by the process under test, by name */

/* Put words of the load program into the record: an answer was given. */
void shim_mark(const void *data, size_t size)
{
    pthread_mutex_lock(&lock);
    snapshot_maps();
    put(MARKED, 0, 0, 0, 0, 0, data, size, NULL, 0);
    pthread_mutex_unlock(&lock);
}
