/* What is known of the process and its files, the record, and which call is to fail. */
#include "shim.h"

#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/uio.h>

/* --- state */

#define FILES_MAX 4096


pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct file files[FILES_MAX];
static size_t file_count;
static char root[PATH_MAX];
static size_t root_size;
static int record = -1;
static struct control *control;
int lie_data, lie_all, lie_dsync;

static void hold(void) { pthread_mutex_lock(&lock); }
static void let_go(void) { pthread_mutex_unlock(&lock); }

__attribute__((constructor)) static void prepare(void)
{
    const char *text = getenv("VANBAN_SHIM_ROOT");
    int low;
    if (!text || strlen(text) >= sizeof root)
        return;
    pthread_atfork(hold, let_go, let_go);
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
        control = (void *)syscall(SYS_mmap, NULL, sizeof *control, PROT_READ | PROT_WRITE,
                                  MAP_SHARED, low, 0);
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
void put(int what, int flags, int error, uint64_t inode, uint64_t offset, uint64_t number,
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
int below(int folder, const char *path, char *inside)
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

struct file *known_descriptor(int descriptor, struct stat *facts)
{
    int kept = errno;
    struct file *found = NULL;
    if (file_count && !fstat(descriptor, facts))
        found = known(facts->st_dev, facts->st_ino);
    errno = kept;
    return found;
}

void learn(const struct stat *facts, const char *inside)
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
void forget(const struct stat *facts)
{
    struct file *found = known(facts->st_dev, facts->st_ino);
    if (found && (facts->st_nlink <= 1 || S_ISDIR(facts->st_mode)))
        *found = files[--file_count];
}

void learn_new_name(const char *old, const char *new)
{
    size_t place;
    for (place = 0; place < file_count; place++)
        if (!strcmp(files[place].path, old))
            strcpy(files[place].path, new);
}

/* --- failing on purpose */

/* Say what this call is to do; for FAILS errno is set. */
int trouble(uint32_t call, const char *path, int grows)
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
    if (control->action == SLOW) {
        usleep((useconds_t)control->error * 1000);
        return PASS;
    }
    errno = control->error;
    return FAILS;
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
