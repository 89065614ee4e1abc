#!/bin/sh
# Starts the server under AddressSanitizer. scripts/asan.sh gives it to the tests as
# FLASHSALE_SERVER, and says in the environment where things are.

# Before the libraries that a test preloads: the one that replaces malloc has to be first,
# but for the shim, which it would take amiss (verify_asan_link_order).
LD_PRELOAD="$ASAN_PRELOAD${LD_PRELOAD:+:$LD_PRELOAD}"

# Signals of a crash or a panic (=2) are not for the server: its own crash report would
# go through all memory first, terabytes of the sanitizer's tables among it.
ASAN_OPTIONS="log_path=$ASAN_REPORTS/report:verify_asan_link_order=0\
:handle_segv=2:handle_sigbus=2:handle_abort=2:handle_sigill=2:handle_sigfpe=2"
# Lengths in damaged payloads ask for more than there is; the server expects null then.
ASAN_OPTIONS="$ASAN_OPTIONS:allocator_may_return_null=1"
# The server has no frame pointers; without the slow way a stack would end in its malloc.
ASAN_OPTIONS="$ASAN_OPTIONS:fast_unwind_on_malloc=0:malloc_context_size=10"
ASAN_OPTIONS="$ASAN_OPTIONS:detect_stack_use_after_return=1:detect_leaks=1"
LSAN_OPTIONS="print_suppressions=0:suppressions=$ASAN_SUPPRESSIONS"
export LD_PRELOAD ASAN_OPTIONS LSAN_OPTIONS
exec "$ASAN_SERVER" "$@"
