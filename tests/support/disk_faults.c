/* Preloaded into a test's child process: counts what it does to files below one folder, and at the
   n-th such act pulls the plug or lets the disk refuse. Acts: writing, growing, cutting, syncing,
   creating, renaming and removing. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COUNT, KILL, LOSE_DATA, LOSE_ALL, REFUSE, READ_ONLY };

static char folder[PATH_MAX];
static int mode, refusal, counted, at = -1;
static char syncs[65536]; /* which acts are syncs */

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* What has not reached the disk: file contents as they were at their last sync, and the changes to
   names since the folder was last synced. */
struct content { dev_t dev; ino_t ino; int fd; char *bytes; off_t size; struct content *next; };
struct entry { char now[PATH_MAX], before[PATH_MAX + 32]; struct entry *next; };
static struct content *unsynced;
static struct entry *renamed;

static int below(const char *path) { /* the library uses absolute paths only */
    return at >= 0 && path && !strncmp(path, folder, strlen(folder));
}

static int below_fd(int fd) {
    char link[64], path[PATH_MAX];
    if (at < 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return below(path);
}

static void remember(int fd) {
    struct stat s;
    char link[64];
    if ((mode != LOSE_DATA && mode != LOSE_ALL) || fstat(fd, &s) || !S_ISREG(s.st_mode)) return;
    for (struct content *c = unsynced; c; c = c->next)
        if (c->dev == s.st_dev && c->ino == s.st_ino) return;
    struct content *c = malloc(sizeof *c);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    c->fd = REAL(open)(link, O_RDWR | O_CLOEXEC);
    c->dev = s.st_dev, c->ino = s.st_ino, c->size = s.st_size, c->next = unsynced;
    c->bytes = malloc(s.st_size + 1);
    if (pread(c->fd, c->bytes, s.st_size, 0) != s.st_size) abort();
    unsynced = c;
}

static void synced(int fd) {
    struct stat s;
    if (fstat(fd, &s)) return;
    if (S_ISDIR(s.st_mode)) { renamed = NULL; return; }
    for (struct content **c = &unsynced; *c; c = &(*c)->next)
        if ((*c)->dev == s.st_dev && (*c)->ino == s.st_ino) { *c = (*c)->next; return; }
}

/* A name is about to change: keep what it stood for beside the folder. */
static void rename_remembered(const char *path) {
    if (mode != LOSE_ALL) return;
    struct entry *e = malloc(sizeof *e);
    snprintf(e->now, sizeof e->now, "%s", path);
    snprintf(e->before, sizeof e->before, "%s.kept%d", folder, counted);
    REAL(unlink)(e->before);
    if (link(path, e->before)) e->before[0] = 0;
    e->next = renamed;
    renamed = e;
}

static void pull_the_plug(void) {
    for (struct content *c = unsynced; c; c = c->next)
        if (REAL(pwrite)(c->fd, c->bytes, c->size, 0) != c->size || REAL(ftruncate)(c->fd, c->size))
            abort();
    for (struct entry *e = renamed; e && mode == LOSE_ALL; e = e->next) {
        REAL(unlink)(e->now);
        if (e->before[0]) REAL(rename)(e->before, e->now);
    }
    raise(SIGKILL);
}

/* Counts an act; returns whether it is to be refused. */
static int act(int sync) {
    if (mode == READ_ONLY) { errno = EROFS; return 1; }
    syncs[++counted] = sync;
    if (mode == REFUSE && (counted == at || (refusal == ENOSPC && counted >= at))) {
        errno = refusal;
        return 1;
    }
    if (counted == at && mode != COUNT && mode != REFUSE) pull_the_plug();
    return 0;
}

void disk_faults_begin(const char *below_this, int what, int number, int error) {
    snprintf(folder, sizeof folder, "%s", below_this);
    mode = what, refusal = error, counted = 0, at = number;
}
int disk_faults_end(void) { at = -1; return counted; }
void disk_faults_pull_the_plug(void) { pull_the_plug(); }
int disk_faults_synced_at(int number) { return syncs[number]; }

/* At the fatal write half of it still gets through. */
#define WRITE(name, offset_type)                                                                   \
    ssize_t name(int fd, const void *data, size_t n, offset_type offset) {                         \
        if (below_fd(fd)) {                                                                        \
            remember(fd);                                                                          \
            if (mode == KILL && counted + 1 == at) REAL(name)(fd, data, n / 2, offset);            \
            if (act(0)) return -1;                                                                  \
        }                                                                                          \
        return REAL(name)(fd, data, n, offset);                                                    \
    }
WRITE(pwrite, off_t)
WRITE(pwrite64, off64_t)

ssize_t write(int fd, const void *data, size_t n) {
    if (below_fd(fd)) {
        remember(fd);
        if (mode == KILL && counted + 1 == at) REAL(write)(fd, data, n / 2);
        if (act(0)) return -1;
    }
    return REAL(write)(fd, data, n);
}

#define CUT(name, size_type)                                                                       \
    int name(int fd, size_type size) {                                                             \
        if (below_fd(fd)) {                                                                        \
            remember(fd);                                                                          \
            if (act(0)) return -1;                                                                  \
        }                                                                                          \
        return REAL(name)(fd, size);                                                               \
    }
CUT(ftruncate, off_t)
CUT(ftruncate64, off64_t)

#define SYNC(name)                                                                                 \
    int name(int fd) {                                                                             \
        int ours = below_fd(fd);                                                                   \
        if (ours && act(1)) return -1;                                                              \
        int result = REAL(name)(fd);                                                               \
        if (ours) synced(fd);                                                                      \
        return result;                                                                             \
    }
SYNC(fsync)
SYNC(fdatasync)

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...) {                                                   \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        int rights = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, int) : 0;                        \
        va_end(more);                                                                              \
        int writes = below(path) && flags & (O_WRONLY | O_RDWR | O_CREAT);                         \
        int makes = writes && flags & O_CREAT && access(path, F_OK);                               \
        int empties = writes && flags & O_TRUNC && !makes;                                         \
        if (empties) {                                                                             \
            int fd = REAL(open)(path, O_RDWR | O_CLOEXEC);                                         \
            if (fd >= 0) remember(fd), close(fd);                                                  \
        }                                                                                          \
        if (writes && (makes || empties || mode == READ_ONLY) && act(0)) return -1;                 \
        if (makes) rename_remembered(path);                                                        \
        return REAL(name)(path, flags, rights);                                                    \
    }
OPEN(open)
OPEN(open64)

int rename(const char *from, const char *to) {
    if (below(to)) {
        if (act(0)) return -1;
        rename_remembered(to);
        rename_remembered(from);
    }
    return REAL(rename)(from, to);
}

int unlink(const char *path) {
    if (below(path)) {
        if (!access(path, F_OK) && act(0)) return -1;
        rename_remembered(path);
    }
    return REAL(unlink)(path);
}

int mkdir(const char *path, mode_t rights) {
    if (below(path) && act(0)) return -1;
    return REAL(mkdir)(path, rights);
}
