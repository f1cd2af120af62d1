/* Preloaded into a gateway by the crash suite.
 *
 * CRASH_AT="CALL N [torn]"  kills the process at the N-th CALL (write, sync or send): writes and syncs of files below
 *                           CRASH_DIR only; "torn" lets half of the write happen first.
 * POWER_DIR=DIR             keeps what a power cut would leave: at each sync of a file below CRASH_DIR, its content is copied
 *                           to DIR. What was only written is not there.
 * STALL_FILE=FILE           eight bytes, nanoseconds: each sync of a file below CRASH_DIR takes so much longer; the disk stalls.
 * CLOCK_FILE=FILE           eight bytes, nanoseconds, added to CLOCK_REALTIME: the wall clock jumps when the file changes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const char *dir, *power_dir, *call_name;
static long calls_left = -1;
static int is_torn;
static volatile int64_t *clock_ns, *stall_ns;
static pthread_mutex_t copying = PTHREAD_MUTEX_INITIALIZER;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static ssize_t (*real_send)(int, const void *, size_t, int);
static int (*real_fsync)(int), (*real_fdatasync)(int);
static int (*real_clock_gettime)(clockid_t, struct timespec *);

static volatile int64_t *number_in(const char *path) {
    int fd = path ? open(path, O_RDONLY) : -1;
    if (fd < 0) return NULL;
    void *place = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    return place == MAP_FAILED ? NULL : place;
}

__attribute__((constructor)) static void begin(void) {
    static char name[16];
    const char *at = getenv("CRASH_AT");
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_send = dlsym(RTLD_NEXT, "send");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    dir = getenv("CRASH_DIR");
    power_dir = getenv("POWER_DIR");
    if (at && sscanf(at, "%15s %ld", name, &calls_left) == 2) {
        call_name = name;
        is_torn = strstr(at, "torn") != NULL;
    }
    clock_ns = number_in(getenv("CLOCK_FILE"));
    stall_ns = number_in(getenv("STALL_FILE"));
}

/* Whether this call is the one to die at. */
static int is_time(const char *name) {
    return call_name && !strcmp(name, call_name) && __sync_sub_and_fetch(&calls_left, 1) == 0;
}

static void die(void) { kill(getpid(), SIGKILL); pause(); }

/* The path of fd relative to CRASH_DIR in `name`; 0 when it is elsewhere, or SQLite's shared memory, which no disk holds. */
static int is_ours(int fd, char name[PATH_MAX]) {
    char link[64], path[PATH_MAX];
    if (!dir) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    size_t skip = strlen(dir);
    if (strncmp(path, dir, skip) || path[skip] != '/' || strstr(path, "-shm")) return 0;
    strcpy(name, path + skip + 1);
    return 1;
}

static int keep(int fd) {
    char name[PATH_MAX], part[PATH_MAX + 300], whole[PATH_MAX + 300];
    static char block[65536];
    if (!power_dir || !is_ours(fd, name) || strchr(name, '/')) return 0;
    pthread_mutex_lock(&copying);
    snprintf(part, sizeof part, "%s/.part", power_dir);
    snprintf(whole, sizeof whole, "%s/%s", power_dir, name);
    int out = open(part, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    off_t at = 0;
    ssize_t got;
    while ((got = pread(fd, block, sizeof block, at)) > 0) {
        if (real_write(out, block, got) != got) abort();
        at += got;
    }
    close(out);
    rename(part, whole);
    pthread_mutex_unlock(&copying);
    return 0;
}

static int sync_of(int fd, int (*real)(int)) {
    char name[PATH_MAX];
    int ours = is_ours(fd, name);
    if (ours && is_time("sync")) die();
    if (ours && stall_ns && *stall_ns > 0) {
        struct timespec wait = {*stall_ns / 1000000000LL, *stall_ns % 1000000000LL};
        nanosleep(&wait, NULL);
    }
    int done = power_dir && ours ? 0 : real(fd);
    return done ? done : keep(fd);
}

int fsync(int fd) { return sync_of(fd, real_fsync); }
int fdatasync(int fd) { return sync_of(fd, real_fdatasync); }

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    char name[PATH_MAX];
    if (call_name && is_ours(fd, name) && is_time("write")) {
        if (is_torn) real_pwrite(fd, data, size / 2, at);
        die();
    }
    return real_pwrite(fd, data, size, at);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }

ssize_t send(int fd, const void *data, size_t size, int flags) {
    if (is_time("send")) {
        if (is_torn) real_send(fd, data, size / 2, flags);
        die();
    }
    return real_send(fd, data, size, flags);
}

int clock_gettime(clockid_t which, struct timespec *now) {
    int done = real_clock_gettime(which, now);
    if (!done && clock_ns && which == CLOCK_REALTIME) {
        int64_t ns = now->tv_sec * 1000000000LL + now->tv_nsec + *clock_ns;
        now->tv_sec = ns / 1000000000LL;
        now->tv_nsec = ns % 1000000000LL;
    }
    return done;
}
