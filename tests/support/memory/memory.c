/* Fails the nth allocation after `vanban_fail(n)`, and counts what is alive (glibc only). */

#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void __libc_free(void *old);

static long left = 0; /* 0: nothing fails */
static long alive = 0;
static long failed = 0;

void vanban_fail(long nth) { left = nth; failed = 0; }
long vanban_failed(void) { left = 0; return failed; }
long vanban_alive(void) { return alive; }

static int fails(void)
{
    if (left == 0 || --left != 0)
        return 0;
    failed = 1;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    void *found = fails() ? NULL : __libc_malloc(size);
    alive += found != NULL;
    return found;
}

void *calloc(size_t count, size_t size)
{
    void *found = fails() ? NULL : __libc_calloc(count, size);
    alive += found != NULL;
    return found;
}

void *realloc(void *old, size_t size)
{
    void *found = fails() ? NULL : __libc_realloc(old, size);
    alive += found != NULL && old == NULL;
    return found;
}

void free(void *old)
{
    alive -= old != NULL;
    __libc_free(old);
}
