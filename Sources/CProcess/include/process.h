// Processes and sockets as Linux has them: what glibc shows to programs in GNU's dialect alone, and Swift's import of it lacks.
#pragma once

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Starts a program in a session and a process group of its own, in a folder, with nothing on its standard input, `output` as its
/// standard output and standard error, no other open file, and all signals as they are by default.
///
/// Between this process and the program stands a guard, a process that takes up whatever the program starts and leaves behind, also
/// in sessions and groups of their own. When the program ends, or this process does, in whatever way, the guard kills all of it.
/// It keeps none of this process's memory.
///
/// Returns 0, the guard's number and the end of a socket to it, or the error's number.
int tessera_start_process(
    pid_t *id, int *control, const char *file, char *const arguments[], char *const environment[], const char *folder,
    int output);

/// Sends a signal to a program and its group, by the socket to its guard.
void tessera_signal_process(int control, int number);

/// Waits until a guard has ended, with all that it guards, and closes the socket to it. Returns how its program has ended, as
/// `waitpid` does.
int tessera_reap_process(pid_t id, int control);

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
