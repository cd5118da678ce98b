/* Another day for a process and all that it starts: preloaded, it moves the wall clock by CLOCK_SHIFT seconds.
 *
 * The times of files move with it, so that what was written just now is of now; they stand on disk as ever.
 * With CLOCK_SHIFT_FILES=0 they stay. The 8 bytes of the file CLOCK_JUMP are seconds that move the clock too.
 * Clocks that only measure, such as the monotonic one, stay as they are, and with them every wait.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define REAL(name)                                                                                           \
    ({                                                                                                       \
        static __typeof__(&name) real;                                                                       \
        if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name);                                        \
        real;                                                                                                \
    })

static time_t shift, file_shift;
static const int64_t none, *jump = &none;

__attribute__((constructor)) static void read_shift(void) {
    const char *told = getenv("CLOCK_SHIFT");
    shift = told ? atol(told) : 0;
    const char *files = getenv("CLOCK_SHIFT_FILES"), *path = getenv("CLOCK_JUMP");
    file_shift = files && files[0] == '0' ? 0 : shift;
    int file = path ? open(path, O_RDONLY) : -1;
    if (file < 0) return;
    void *mapped = mmap(NULL, sizeof *jump, PROT_READ, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED) jump = mapped;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = REAL(clock_gettime)(clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += shift + *jump;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int failed = REAL(gettimeofday)(now, zone);
    if (!failed) now->tv_sec += shift + *jump;
    return failed;
}

time_t time(time_t *into) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (into) *into = now.tv_sec;
    return now.tv_sec;
}

#define SHIFTED(call, found)                                                                                 \
    do {                                                                                                     \
        int failed = call;                                                                                   \
        if (!failed) {                                                                                       \
            (found)->st_atim.tv_sec += file_shift;                                                         \
            (found)->st_mtim.tv_sec += file_shift;                                                         \
            (found)->st_ctim.tv_sec += file_shift;                                                         \
        }                                                                                                    \
        return failed;                                                                                       \
    } while (0)

int stat(const char *restrict path, struct stat *restrict found) { SHIFTED(REAL(stat)(path, found), found); }

int lstat(const char *restrict path, struct stat *restrict found) { SHIFTED(REAL(lstat)(path, found), found); }

int fstat(int file, struct stat *found) { SHIFTED(REAL(fstat)(file, found), found); }

int fstatat(int folder, const char *restrict path, struct stat *restrict found, int flags) {
    SHIFTED(REAL(fstatat)(folder, path, found, flags), found);
}

int stat64(const char *restrict path, struct stat64 *restrict found) {
    SHIFTED(REAL(stat64)(path, found), found);
}

int lstat64(const char *restrict path, struct stat64 *restrict found) {
    SHIFTED(REAL(lstat64)(path, found), found);
}

int fstat64(int file, struct stat64 *found) { SHIFTED(REAL(fstat64)(file, found), found); }

int fstatat64(int folder, const char *restrict path, struct stat64 *restrict found, int flags) {
    SHIFTED(REAL(fstatat64)(folder, path, found, flags), found);
}

static const struct timespec *unshifted(const struct timespec *told, struct timespec *kept) {
    if (!told) return told;
    for (int each = 0; each < 2; each++) {
        kept[each] = told[each];
        if (told[each].tv_nsec != UTIME_NOW && told[each].tv_nsec != UTIME_OMIT) kept[each].tv_sec -= file_shift;
    }
    return kept;
}

int utimensat(int folder, const char *path, const struct timespec told[2], int flags) {
    struct timespec kept[2];
    return REAL(utimensat)(folder, path, unshifted(told, kept), flags);
}

int futimens(int file, const struct timespec told[2]) {
    struct timespec kept[2];
    return REAL(futimens)(file, unshifted(told, kept));
}
