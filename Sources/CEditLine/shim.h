#include <stdio.h>
#include <editline/readline.h>

// The library's variable, set by a call: Swift has no business with mutable globals of C.
static inline void tessera_complete_by(rl_completion_func_t *complete) {
  rl_attempted_completion_function = complete;
}
