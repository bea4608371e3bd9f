/* Two files that libcufile cannot do without and that some machines lack. Only
 * where a file is missing is another opened in its place:
 *
 * /proc/modules, on a kernel without modules: libcufile reads it in a loop that
 * does not end. It gets an empty file.
 *
 * /run/udev/data/b<major>:<minor>, without a udev daemon: libcufile refuses a
 * file of a volume whose type udev does not tell. It gets the type that
 * /proc/self/mountinfo names. libcufile and libudev open both with fopen. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define API __attribute__((visibility("default")))
#define MODULES "/proc/modules"
#define UDEV "/run/udev/data/b"

typedef FILE *(*fopen_function)(const char *, const char *);

static FILE *real_fopen(const char *path, const char *mode)
{
    static fopen_function function;
    if (function == NULL)
        function = (fopen_function)dlsym(RTLD_NEXT, "fopen");
    return function(path, mode);
}

/* The file system of the block device `number` ("254:0"), as the kernel names it. */
static bool file_system_of(const char *number, char *type, size_t type_bytes)
{
    char line[4096], device[32], found[64];
    bool known = false;
    FILE *mounts = real_fopen("/proc/self/mountinfo", "re");
    if (mounts == NULL)
        return false;
    while (!known && fgets(line, sizeof line, mounts) != NULL) {
        const char *separator = strstr(line, " - ");
        if (sscanf(line, "%*d %*d %31s", device) == 1 && strcmp(device, number) == 0 && separator != NULL &&
            sscanf(separator, " - %63s", found) == 1)
            known = snprintf(type, type_bytes, "%s", found) > 0;
    }
    fclose(mounts);
    return known;
}

/* What stands in for `path`; -1: nothing does. */
static int replacement_of(const char *path)
{
    char type[64], text[256] = "";
    int file, length = 0;
    if (strncmp(path, UDEV, strlen(UDEV)) == 0) {
        if (!file_system_of(path + strlen(UDEV), type, sizeof type))
            return -1;
        length = snprintf(text, sizeof text, "E:ID_FS_TYPE=%s\nE:ID_FS_USAGE=filesystem\n", type);
    } else if (strcmp(path, MODULES) != 0) {
        return -1;
    }
    file = memfd_create("kvgauge-redirect", MFD_CLOEXEC);
    if (file >= 0 && (write(file, text, (size_t)length) != length || lseek(file, 0, SEEK_SET) != 0)) {
        close(file);
        return -1;
    }
    return file;
}

static FILE *open_stream(const char *path, const char *mode)
{
    FILE *stream = real_fopen(path, mode);
    int file;
    if (stream != NULL || errno != ENOENT || *mode != 'r' || strchr(mode, '+') != NULL)
        return stream;
    file = replacement_of(path);
    errno = ENOENT;
    return file >= 0 ? fdopen(file, "r") : NULL;
}

API FILE *fopen(const char *path, const char *mode)
{
    return open_stream(path, mode);
}

API FILE *fopen64(const char *path, const char *mode)
{
    return open_stream(path, mode);
}
