#define _GNU_SOURCE
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/wait.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

// A guard is a copy of the site's process, of one thread among many: whatever lock another thread held is held for ever. It gives
// the site's memory back (what the site frees would be kept by the copy), and with it all that the C library remembers. So after
// the fork it calls nothing but `syscall`, which remembers nothing, and which the first call of all has looked up.

// How much of a file under /proc is read at a time; the guard is the only one of its process who writes here.
static char page[1 << 15] __attribute__((aligned(8)));

static long text_length(const char *path, char *into, long most) {
  long file = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
  if (file < 0) return -1;
  long length = 0, count;
  while (length < most && (count = syscall(SYS_read, file, into + length, most - length)) > 0) length += count;
  syscall(SYS_close, file);
  return length;
}

static const char *hexadecimal(const char *text, uintptr_t *value) {
  *value = 0;
  for (;; text++) {
    int digit = *text >= '0' && *text <= '9' ? *text - '0' : *text >= 'a' && *text <= 'f' ? *text - 'a' + 10 : -1;
    if (digit < 0) return text;
    *value = *value << 4 | (uintptr_t)digit;
  }
}

// Gives back memory, but for what lies around the stack's end, errno and the page that is just read.
static void give_back_between(uintptr_t first, uintptr_t last) {
  const uintptr_t kept[3] = {(uintptr_t)__builtin_frame_address(0), (uintptr_t)&errno, (uintptr_t)page}, around = 1 << 20;
  while (first < last) {
    // To where something begins that is kept, and on from where it ends.
    uintptr_t end = last, next = last;
    for (int place = 0; place < 3; place++) {
      uintptr_t begin = (kept[place] & ~(around - 1)) - around, over = begin + 3 * around;
      if (over <= first || begin >= end) continue;
      end = begin > first ? begin : first;
      next = over;
    }
    if (end > first) syscall(SYS_madvise, first, end - first, MADV_DONTNEED);
    first = next;
  }
}

// Gives back large memory that belongs to no file, as a line of /proc/self/maps says: "start-end rw-p offset device inode name".
static void give_back(const char *line, const char *end) {
  uintptr_t first, last;
  line = hexadecimal(line, &first);
  if (*line++ != '-') return;
  line = hexadecimal(line, &last);
  if (end - line < 5 || line[1] != 'r' || line[2] != 'w' || line[4] != 'p' || last - first < 1 << 20) return;
  line += 5;
  for (int field = 0; field < 3; field++) {
    while (line < end && *line == ' ') line++;
    while (line < end && *line != ' ') line++;
  }
  while (line < end && *line == ' ') line++;
  if (line < end && !(end - line >= 6 && line[0] == '[' && line[1] == 'h' && line[2] == 'e')) return;
  give_back_between(first, last);
}

static void give_memory_back(void) {
  long file = syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
  if (file < 0) return;
  long length = 0, count;
  while ((count = syscall(SYS_read, file, page + length, sizeof page - 1 - length)) > 0) {
    length += count;
    long line = 0;
    for (long at = 0; at < length; at++) {
      if (page[at] != '\n') continue;
      give_back(page + line, page + at);
      line = at + 1;
    }
    // What is no whole line yet.
    for (long at = line; at < length; at++) page[at - line] = page[at];
    length -= line;
    if (length == sizeof page - 1) length = 0;
  }
  syscall(SYS_close, file);
}

// Whether a process, by the name of its folder, is a child of this one: "number (name) state parent ...", and the name may have
// spaces and brackets.
static int is_own(const char *name, long self) {
  static char path[64], stat[1024];
  long at = 0;
  for (const char *part = "/proc/"; *part; part++) path[at++] = *part;
  while (*name && at < 40) path[at++] = *name++;
  for (const char *part = "/stat"; *part; part++) path[at++] = *part;
  path[at] = 0;
  long end = text_length(path, stat, sizeof stat - 1), parent = 0;
  if (end < 0) return 0;
  stat[end] = 0;
  while (end > 0 && stat[end] != ')') end--;
  if (stat[end] != ')' || stat[end + 1] != ' ' || !stat[end + 2] || stat[end + 3] != ' ') return 0;
  for (at = end + 4; stat[at] >= '0' && stat[at] <= '9'; at++) parent = parent * 10 + stat[at] - '0';
  return parent == self;
}

struct entry {
  uint64_t inode;
  int64_t offset;
  unsigned short length;
  unsigned char type;
  char name[];
};

// Kills the children of this process.
static void kill_children(long self) {
  long folder = syscall(SYS_openat, AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (folder < 0) return;
  long count;
  while ((count = syscall(SYS_getdents64, folder, page, sizeof page)) > 0) {
    for (long at = 0; at < count;) {
      const struct entry *entry = (const struct entry *)(page + at);
      at += entry->length;
      if (entry->name[0] < '1' || entry->name[0] > '9' || !is_own(entry->name, self)) continue;
      long number = 0;
      for (const char *digit = entry->name; *digit; digit++) number = number * 10 + *digit - '0';
      syscall(SYS_kill, number, SIGKILL);
    }
  }
  syscall(SYS_close, folder);
}

// Sees off children that have ended.
//
// Returns whether `child` was among them.
static int see_off(int child, int *status) {
  int found = 0, ended;
  long number;
  while ((number = syscall(SYS_wait4, -1, &ended, WNOHANG, 0)) > 0) {
    if (number != child) continue;
    *status = ended;
    found = 1;
  }
  return found;
}

_Noreturn void tessera_guard(int site, int child) {
  long self = syscall(SYS_getpid);
  give_memory_back();
  uint64_t ended = 1u << (SIGCHLD - 1);
  long signals = syscall(SYS_signalfd4, -1, &ended, 8, O_CLOEXEC | O_NONBLOCK);
  int status = SIGKILL, is_over = 0;
  while (!is_over) {
    struct pollfd polled[2] = {{.fd = site, .events = POLLIN}, {.fd = (int)signals, .events = POLLIN}};
    // It may have ended before there was anything to wait at; without that, the site's word has to do.
    if (see_off(child, &status)) break;
    syscall(SYS_ppoll, polled, 2, 0, 0, 8);
    if (polled[1].revents) syscall(SYS_read, signals, page, sizeof page);
    if (!polled[0].revents) continue;
    unsigned char wanted;
    long count = syscall(SYS_read, site, &wanted, 1);
    if (count == 1 && wanted < NSIG) syscall(SYS_kill, -child, (long)wanted);
    // The site is gone.
    is_over = !count;
  }
  if (is_over) syscall(SYS_kill, -child, SIGKILL);
  // Whoever loses its parent becomes a child of this process: generation after generation, until there is none.
  for (;;) {
    kill_children(self);
    int last;
    long number = syscall(SYS_wait4, -1, &last, 0, 0);
    if (number < 0) break;
    if (number == child) status = last;
    see_off(child, &status);
  }
  syscall(SYS_write, site, &status, sizeof status);
  for (;;) syscall(SYS_exit_group, 0);
}
