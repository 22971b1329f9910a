// The process between a site and its trainer.
#pragma once

/// Takes the calling process, which has just been forked and is to be no more than this, for a guard: it waits until its
/// child has ended, or the other end of `site` is closed, kills whatever the child has started and was not waited for, and ends.
///
/// From the other end it takes signals' numbers, a byte each, which it sends to the child's process group while there is a child.
/// It says there how the child has ended, as `waitpid` does.
_Noreturn void tessera_guard(int site, int child);
