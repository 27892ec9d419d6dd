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
 * sync_file_range, sync and syncfs pass unseen: the first makes nothing durable, and nobody
 * counts on the others.  Not seen either: descriptors inherited over exec, io_uring, raw
 * system calls, and stores through a shared mapping, of which only snapshots are taken (at
 * each msync, mark and flush).
 */
#ifndef SHIM_H
#define SHIM_H
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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
enum { FAIL = 0, SHORT = 1, FULL = 2, LOST = 3, SLOW = 4 };

struct control {
    uint32_t magic;
    uint32_t calls;   /* bits of CALL_…; 0: nothing fails */
    int32_t error;    /* errno of the failing call */
    int32_t action;   /* FAIL; SHORT: write half of it; FULL: fail what makes a file longer;
                         LOST: do nothing and say that it was done; SLOW: do it after
                         `error` milliseconds */
    int64_t wait;     /* calls that still pass */
    int64_t times;    /* calls to fail after those, -1: all */
    uint64_t hits;    /* calls that were made to fail */
    uint64_t seen;    /* calls that matched while armed */
    char pattern[64]; /* fnmatch pattern on the path below the folder */
};

/* --- what the parts share */

#define PLAIN_PATH 512

struct file { dev_t device; ino_t inode; char path[PLAIN_PATH]; };

enum { PASS = 0, FAILS, HALF, NOTHING }; /* what a call is to do */

#pragma GCC visibility push(hidden)
extern pthread_mutex_t lock;
extern int lie_data, lie_all, lie_dsync;

void put(int what, int flags, int error, uint64_t inode, uint64_t offset, uint64_t number,
         const void *data, size_t size, const void *second, size_t second_size);
int below(int folder, const char *path, char *inside);
struct file *known_descriptor(int descriptor, struct stat *facts);
void learn(const struct stat *facts, const char *inside);
void forget(const struct stat *facts);
void learn_new_name(const char *old, const char *new);
int trouble(uint32_t call, const char *path, int grows);
void snapshot_maps(void);
#pragma GCC visibility pop

#endif
