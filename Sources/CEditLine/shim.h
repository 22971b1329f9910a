#include <stdio.h>
#include <editline/readline.h>

// The library's variables, set by calls: Swift has no business with mutable globals of C.

static inline void tessera_complete_by(rl_completion_func_t *complete) {
  rl_attempted_completion_function = complete;
}

// What stands in the line, as far as it is completed.
static inline const char *tessera_line(void) { return rl_line_buffer; }

// Nothing else is completed: no names of files.
static inline void tessera_completion_is_over(void) { rl_attempted_completion_over = 1; }

// Signals stay the program's own.
static inline void tessera_leave_signals_alone(void) { rl_catch_signals = 0; }

// Where the keys come from.
static inline void tessera_read_by(int (*character)(FILE *)) { rl_getc_function = character; }
