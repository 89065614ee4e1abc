/* The wall clock of a server under test, moved while it runs.
 *
 * A library to preload. It adds to the machine's clock what stands in the file that
 * FLASHSALE_TEST_CLOCK names: milliseconds, eight bytes, as the machine writes them.
 * The monotonic clock stays what it is, as it does when a real clock is set.
 *
 * libfaketime would do the same, but a server linked against jemalloc does not start
 * under it: jemalloc asks for the time while libfaketime is still being set up. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *step_ms;

__attribute__((constructor)) static void find_the_step(void) {
  const char *path = getenv("FLASHSALE_TEST_CLOCK");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *page = mmap(NULL, sizeof *step_ms, PROT_READ, MAP_SHARED, file, 0);
  if (page != MAP_FAILED) step_ms = page;
  close(file);
}

int clock_gettime(clockid_t clock, struct timespec *at) {
  int status = (int)syscall(SYS_clock_gettime, clock, at);
  if (status != 0 || !step_ms) return status;
  if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE) return status;
  int64_t ms = *step_ms;
  at->tv_sec += ms / 1000;
  at->tv_nsec += ms % 1000 * 1000000;
  if (at->tv_nsec < 0) {
    at->tv_nsec += 1000000000;
    at->tv_sec -= 1;
  } else if (at->tv_nsec >= 1000000000) {
    at->tv_nsec -= 1000000000;
    at->tv_sec += 1;
  }
  return 0;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  struct timespec now;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *at) {
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}
