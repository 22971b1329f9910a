#define _GNU_SOURCE
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int start(
    pid_t *id, const char *file, char *const arguments[], char *const environment[], const char *folder, int output,
    posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes) {
  int code = posix_spawn_file_actions_addchdir_np(actions, folder);
  if (!code) code = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
  if (!code) code = posix_spawn_file_actions_adddup2(actions, output, 1);
  if (!code) code = posix_spawn_file_actions_adddup2(actions, output, 2);
  // Connections of the site, and other programs' files, are none of its business.
  if (!code) code = posix_spawn_file_actions_addclosefrom_np(actions, 3);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  if (!code) code = posix_spawnattr_setsigmask(attributes, &none);
  // What the site ignores, the program does not.
  if (!code) code = posix_spawnattr_setsigdefault(attributes, &all);
  if (!code) code = posix_spawnattr_setpgroup(attributes, 0);
  if (!code) {
    code = posix_spawnattr_setflags(
        attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  return code ? code : posix_spawn(id, file, actions, attributes, arguments, environment);
}

int tessera_start_process(
    pid_t *id, const char *file, char *const arguments[], char *const environment[], const char *folder, int output) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int code = posix_spawn_file_actions_init(&actions);
  if (code) return code;
  code = posix_spawnattr_init(&attributes);
  if (!code) {
    code = start(id, file, arguments, environment, folder, output, &actions, &attributes);
    posix_spawnattr_destroy(&attributes);
  }
  posix_spawn_file_actions_destroy(&actions);
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

int tessera_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC | O_NONBLOCK); }
