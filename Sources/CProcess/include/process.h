// Processes and sockets as Linux has them: what glibc shows to programs in GNU's dialect alone, and Swift's import of it lacks.
#pragma once

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Starts a program in a process group of its own, in a folder, with nothing on its standard input, `output` as its standard
/// output and standard error, no other open file, and all signals as they are by default. It is killed when the thread ends that
/// has called this, or the whole process, in whatever way.
///
/// Returns 0 and the process's number, or the error's.
int tessera_start_process(
    pid_t *id, const char *file, char *const arguments[], char *const environment[], const char *folder, int output);

/// Waits until a process has ended, and leaves its number taken.
void tessera_wait_for_process(pid_t id);

/// A Unix socket that waits for connections, not inherited and not blocking; -1 and `errno` if there is none.
int tessera_listen(const char *path);

/// Takes a connection of the same user; -1 and `errno` if there is none. Neither inherited nor blocking.
int tessera_accept(int listener);

/// A pipe for what a program says: not inherited, and only its end to read from does not block; -1 and `errno` if there is none.
int tessera_output_pipe(int ends[2]);

/// A pipe that is neither inherited nor blocks; -1 and `errno` if there is none.
int tessera_pipe(int ends[2]);

#ifdef __cplusplus
}
#endif
