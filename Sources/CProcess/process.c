#define _GNU_SOURCE
#include "process.h"

#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

// Closes all files from a number on.
static void close_others(int first) {
  if (!close_range((unsigned)first, ~0U, 0)) return;
  long most = sysconf(_SC_OPEN_MAX);
  for (int number = first; number < (most > 0 ? most : 65536); number++) close(number);
}

// What the new process makes of itself, up to the program. Its memory is its guard's until then: nothing here may allocate, lock
// or return to it. Returns the error's number if it comes back.
static int become(
    pid_t parent, const char *file, char *const arguments[], char *const environment[], const char *folder, int output) {
  // What the site ignores, the program does not.
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  if (setpgid(0, 0)) return errno;
  // Not even if somebody kills its guard.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL)) return errno;
  if (getppid() != parent) return ESRCH;
  if (chdir(folder)) return errno;
  int nothing = open("/dev/null", O_RDONLY);
  if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0) return errno;
  close_others(3);
  sigset_t none;
  sigemptyset(&none);
  if (sigprocmask(SIG_SETMASK, &none, NULL)) return errno;
  execve(file, arguments, environment);
  return errno;
}

// Starts the program, and stays with it. All signals are blocked.
static _Noreturn void guard(
    int site, const char *file, char *const arguments[], char *const environment[], const char *folder, int output) {
  volatile int failure = 0;
  // Out of reach of whoever ends the site with all of its group.
  setsid();
  prctl(PR_SET_NAME, "tessera-guard");
  if (prctl(PR_SET_CHILD_SUBREAPER, 1)) failure = errno;
  pid_t self = getpid();
  pid_t child = failure ? -1 : vfork();
  if (!child) {
    failure = become(self, file, arguments, environment, folder, output);
    _exit(127);
  }
  if (child < 0 && !failure) failure = errno;
  int code = failure;
  if (write(site, &code, sizeof code) != sizeof code || code) _exit(code ? 0 : 1);
  // Connections of the site, its files and what it waits at stay its own.
  dup2(site, 0);
  close_others(1);
  tessera_guard(0, child);
}

int tessera_start_process(
    pid_t *id, int *control, const char *file, char *const arguments[], char *const environment[], const char *folder,
    int output) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) return errno;
  sigset_t all, before;
  sigfillset(&all);
  // No handler of the site's runs in the new process.
  int code = pthread_sigmask(SIG_SETMASK, &all, &before);
  // Without the handlers of fork: no lock of the site's is taken, and none is needed.
  pid_t child = code ? -1 : _Fork();
  if (!child) {
    close(ends[0]);
    guard(ends[1], file, arguments, environment, folder, output);
  }
  if (!code && child < 0) code = errno;
  close(ends[1]);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (!code) {
    int failure = 0;
    ssize_t count;
    while ((count = read(ends[0], &failure, sizeof failure)) < 0 && errno == EINTR) {
    }
    code = count == sizeof failure ? failure : ECHILD;
  }
  if (!code) {
    *id = child;
    *control = ends[0];
    return 0;
  }
  close(ends[0]);
  while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR) {
  }
  return code;
}

void tessera_signal_process(int control, int number) {
  unsigned char byte = (unsigned char)number;
  while (send(control, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EINTR) {
  }
}

int tessera_reap_process(pid_t id, int control) {
  int status = SIGKILL, guard = 0;
  while (waitpid(id, &guard, 0) < 0 && errno == EINTR) {
  }
  // A guard that was killed has killed its program.
  if (recv(control, &status, sizeof status, MSG_DONTWAIT) != sizeof status) status = SIGKILL;
  close(control);
  return status;
}

void tessera_wait_for_process(pid_t id) {
  siginfo_t information;
  while (waitid(P_PID, (id_t)id, &information, WEXITED | WNOWAIT) && errno == EINTR) {
  }
}

int tessera_listen(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  strcpy(address.sun_path, path);
  int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (made < 0) return -1;
  if (bind(made, (struct sockaddr *)&address, sizeof address) || listen(made, 4)) {
    int code = errno;
    close(made);
    errno = code;
    return -1;
  }
  return made;
}

int tessera_accept(int listener) {
  int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (accepted < 0) return -1;
  struct ucred peer;
  socklen_t size = sizeof peer;
  if (!getsockopt(accepted, SOL_SOCKET, SO_PEERCRED, &peer, &size) && peer.uid == geteuid()) return accepted;
  close(accepted);
  errno = EPERM;
  return -1;
}

int tessera_output_pipe(int ends[2]) {
  if (pipe2(ends, O_CLOEXEC)) return -1;
  // Who reads does not wait; who writes does, as programs expect.
  if (!fcntl(ends[0], F_SETFL, O_NONBLOCK)) return 0;
  int code = errno;
  close(ends[0]);
  close(ends[1]);
  errno = code;
  return -1;
}

int tessera_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC | O_NONBLOCK); }
