/* A disk that fails, for LD_PRELOAD: what SQLite writes to a database and to its log goes through here.

   Until a file is synced its writes are remembered, so that a sync that fails can take them back, as Linux may (it
   marks the pages clean, drops them, and tells each open descriptor once), and so that the power can be cut: every
   write that no sync has covered is undone, in both files, and the process is killed.

   Orders come through a mapped file of ten integers; see tests/faults/disk.py. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOG, DATABASE, FILES };
enum { SYNC, WRITE };
enum { DESCRIPTORS = 4096 };

struct orders {
  int armed;    /* the others hold */
  int file;     /* LOG or DATABASE */
  int call;     /* SYNC or WRITE */
  int skip;     /* so many such calls succeed first */
  int times;    /* so many fail then */
  int error;    /* with this errno; 0 cuts the power instead */
  int failed;   /* so many have failed */
  int syncs[FILES]; /* that succeeded */
};

struct undo {
  struct undo *before;
  off_t at;
  ssize_t had; /* bytes that were there */
  size_t size;
  char old[];
};

static struct orders *orders;
static struct undo *unsynced[FILES];
static int descriptors[FILES] = {-1, -1};
static int errors[FILES], told[DESCRIPTORS]; /* failed syncs of a file, and how many of them a descriptor was told */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static ssize_t (*real_write)(int, const void *, size_t, off_t);
static int (*real_sync)(int);

__attribute__((constructor)) static void start(void) {
  const char *path = getenv("SCOREBOARD_TEST_DISK");
  real_write = (ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite64");
  real_sync = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  int fd = path ? open(path, O_RDWR) : -1;
  if (fd < 0) return;
  orders = mmap(NULL, sizeof *orders, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
}

static int file_of(int fd) {
  char link[64], path[4096];
  if (!orders || fd >= DESCRIPTORS) return FILES;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (size < 0) return FILES;
  path[size] = 0;
  const char *end = strstr(path, "scoreboard.db");
  if (!end) return FILES;
  end += strlen("scoreboard.db");
  return !strcmp(end, "-wal") ? LOG : !*end ? DATABASE : FILES;
}

static void remember(int file, int fd, size_t size, off_t at) {
  struct undo *one = malloc(sizeof *one + size);
  one->before = unsynced[file];
  one->at = at;
  one->size = size;
  one->had = pread(fd, one->old, size, at);
  unsynced[file] = one;
  descriptors[file] = fd;
}

static void forget(int file) {
  while (unsynced[file]) {
    struct undo *one = unsynced[file];
    unsynced[file] = one->before;
    free(one);
  }
}

static void take_back(int file) {
  for (struct undo *one = unsynced[file]; one; one = one->before) {
    size_t had = one->had > 0 ? one->had : 0;
    memset(one->old + had, 0, one->size - had);
    real_write(descriptors[file], one->old, one->size, one->at);
  }
  forget(file);
}

/* Whether this call is to fail; errno says how. */
static int fails(int file, int call) {
  if (!orders->armed || orders->file != file || orders->call != call) return 0;
  if (orders->skip > 0) return orders->skip--, 0;
  if (orders->times <= 0) return 0;
  orders->times--;
  orders->failed++;
  if (!orders->error) {
    take_back(LOG);
    take_back(DATABASE);
    kill(getpid(), SIGKILL);
  }
  errno = orders->error;
  return 1;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) {
  int file = file_of(fd);
  if (file == FILES) return real_write(fd, data, size, at);
  pthread_mutex_lock(&lock);
  ssize_t done = -1;
  if (!fails(file, WRITE)) {
    remember(file, fd, size, at);
    done = real_write(fd, data, size, at);
  }
  int error = errno;
  pthread_mutex_unlock(&lock);
  errno = error;
  return done;
}

int fdatasync(int fd) {
  int file = file_of(fd);
  if (file == FILES) return real_sync(fd);
  pthread_mutex_lock(&lock);
  int result = 0;
  if (fails(file, SYNC)) {
    take_back(file);
    errors[file]++;
  } else {
    real_sync(fd);
    forget(file);
    orders->syncs[file]++;
  }
  if (told[fd] < errors[file]) {
    told[fd] = errors[file];
    errno = orders->error;
    result = -1;
  }
  int error = errno;
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}
