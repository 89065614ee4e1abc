// Preloaded with the sanitizer's library, for what it does not know of the servers.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

// Redis 8 and Valkey call these of jemalloc beside malloc and free; made of malloc and
// free here, which the sanitizer watches. The flags: in the lowest bits the logarithm
// of the alignment, then "zeroed".
void *mallocx(size_t size, int flags) {
    size_t alignment = (size_t)1 << (flags & 63);
    if (flags & 64) return calloc(1, size);
    if (alignment > 16) return aligned_alloc(alignment, size);
    return malloc(size);
}

void *rallocx(void *memory, size_t size, int flags) { (void)flags; return realloc(memory, size); }
void dallocx(void *memory, int flags) { (void)flags; free(memory); }
void sdallocx(void *memory, size_t size, int flags) { (void)size; (void)flags; free(memory); }
size_t nallocx(size_t size, int flags) { (void)flags; return size; }

// Valkey binds a module's symbols to its own libraries first, past whatever is preloaded.
void *dlopen(const char *path, int flags) {
    void *(*next)(const char *, int) = (void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");
    return next(path, flags & ~RTLD_DEEPBIND);
}
