#define _GNU_SOURCE
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

// What the new process makes of itself, up to the program. Its memory is the site's until then: nothing here may allocate, lock or
// return to it. Returns the error's number if it comes back.
static int become(
    pid_t parent, const char *file, char *const arguments[], char *const environment[], const char *folder, int output) {
  // What the site ignores, the program does not.
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  if (setpgid(0, 0)) return errno;
  // It does not outlive its site, however that ends; what it has started itself ends with its next word to the site. The signal
  // comes when the thread ends that has started it.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL)) return errno;
  if (getppid() != parent) return ESRCH;
  if (chdir(folder)) return errno;
  int nothing = open("/dev/null", O_RDONLY);
  if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0) return errno;
  // Connections of the site, and other programs' files, are none of its business.
  if (close_range(3, ~0U, 0)) {
    long most = sysconf(_SC_OPEN_MAX);
    for (int number = 3; number < (most > 0 ? most : 65536); number++) close(number);
  }
  sigset_t none;
  sigemptyset(&none);
  if (sigprocmask(SIG_SETMASK, &none, NULL)) return errno;
  execve(file, arguments, environment);
  return errno;
}

int tessera_start_process(
    pid_t *id, const char *file, char *const arguments[], char *const environment[], const char *folder, int output) {
  sigset_t all, before;
  sigfillset(&all);
  // No handler of the site's runs in the new process.
  int code = pthread_sigmask(SIG_SETMASK, &all, &before);
  if (code) return code;
  pid_t parent = getpid();
  volatile int failure = 0;
  // posix_spawn has no way to tie a process to its parent's life. The parent waits until the program has begun, or failed to.
  pid_t child = vfork();
  if (!child) {
    failure = become(parent, file, arguments, environment, folder, output);
    _exit(127);
  }
  code = child < 0 ? errno : failure;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (code && child > 0) {
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
  }
  if (!code) *id = child;
  return code;
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
