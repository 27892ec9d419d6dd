/* Calls that open, make, rename and remove. */
#include "shim.h"

#include <stdarg.h>
#include <stdio.h>

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
