/* Device memory is a memfd: it has no name to leak after a kill and no limit
 * of /dev/shm, and another process of the same user opens it through
 * /proc/<pid>/fd. Its pages are reserved when it is made, so that running out
 * is an error and not a SIGBUS, and its size is sealed for the same reason. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver.h"

#define PREFIX "kvgauge-gpu-"
#define NAME_BYTES (sizeof PREFIX + 2 * NONCE_BYTES)
#define LINK_BYTES 128
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define SPARE (64ull << 20) /* what the rest of the process may want in the meantime */

size_t whole_pages(size_t nbytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return nbytes > SIZE_MAX - page ? 0 : (nbytes + page - 1) / page * page;
}

static bool number_in(const char *path, const char *key, unsigned long long *value)
{
    char line[256];
    bool found = false;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = strncmp(line, key, strlen(key)) == 0 && sscanf(line + strlen(key), "%llu", value) == 1;
    fclose(file);
    return found;
}

/* The room that one control group (version 2) leaves; droppable page cache is room. */
static unsigned long long room_in(const char *group)
{
    char path[4352];
    unsigned long long limit, used, cache = 0;
    snprintf(path, sizeof path, "%s/memory.max", group);
    if (!number_in(path, "", &limit))
        return ~0ull;
    snprintf(path, sizeof path, "%s/memory.current", group);
    if (!number_in(path, "", &used))
        return ~0ull;
    snprintf(path, sizeof path, "%s/memory.stat", group);
    number_in(path, "inactive_file ", &cache);
    return limit + cache > used ? limit + cache - used : 0;
}

static unsigned long long room_in_groups(void)
{
    char line[4096], group[4200] = "/sys/fs/cgroup";
    unsigned long long least = room_in(group);
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (file == NULL)
        return least;
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "0::/", 4) == 0 && strstr(line, "..") == NULL) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(group, sizeof group, "/sys/fs/cgroup%s", line + 3);
        }
    fclose(file);
    for (char *slash; strlen(group) > strlen("/sys/fs/cgroup"); *slash = '\0') {
        unsigned long long room = room_in(group);
        least = room < least ? room : least;
        slash = strrchr(group, '/');
    }
    return least;
}

/* The kernel kills a process that reserves pages which are not there, so it is asked first. */
bool host_has_room(size_t nbytes)
{
    unsigned long long kilobytes, room = room_in_groups();
    if (number_in("/proc/meminfo", "MemAvailable:", &kilobytes) && kilobytes << 10 < room)
        room = kilobytes << 10;
    return nbytes <= room && room - nbytes >= SPARE;
}

static void name_backing(const unsigned char nonce[NONCE_BYTES], char name[NAME_BYTES])
{
    int at = snprintf(name, NAME_BYTES, "%s", PREFIX);
    for (int i = 0; i < NONCE_BYTES; i++)
        at += snprintf(name + at, NAME_BYTES - (size_t)at, "%02x", nonce[i]);
}

CUresult backing_make(struct backing *backing, size_t nbytes)
{
    char name[NAME_BYTES];
    CUresult result = CUDA_SUCCESS;
    if (!host_has_room(nbytes))
        return CUDA_ERROR_OUT_OF_MEMORY;
    if (getrandom(backing->nonce, NONCE_BYTES, 0) != NONCE_BYTES)
        return CUDA_ERROR_OPERATING_SYSTEM;
    name_backing(backing->nonce, name);
    backing->nbytes = nbytes;
    backing->file = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (backing->file < 0)
        return CUDA_ERROR_OPERATING_SYSTEM;
    if (posix_fallocate(backing->file, 0, (off_t)nbytes) != 0)
        result = CUDA_ERROR_OUT_OF_MEMORY;
    else if (fcntl(backing->file, F_ADD_SEALS, SEALS) != 0)
        result = CUDA_ERROR_OPERATING_SYSTEM;
    if (result != CUDA_SUCCESS)
        close(backing->file);
    return result;
}

/* Is this link one of our memfds? Then its nonce is in the link's text. */
static bool link_is_backing(const char *path, char text[LINK_BYTES])
{
    ssize_t length = readlink(path, text, LINK_BYTES - 1);
    if (length < 0)
        return false;
    text[length] = '\0';
    return strncmp(text, "/memfd:" PREFIX, strlen("/memfd:" PREFIX)) == 0;
}

static bool file_is_backing(int file, char text[LINK_BYTES], struct stat *status)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    return link_is_backing(path, text) && fstat(file, status) == 0 && (fcntl(file, F_GET_SEALS) & SEALS) == SEALS;
}

CUresult backing_open(struct backing *backing, int pid, int file)
{
    char path[64], name[NAME_BYTES], expected[LINK_BYTES], found[LINK_BYTES];
    struct stat status;
    name_backing(backing->nonce, name);
    snprintf(expected, sizeof expected, "/memfd:%s (deleted)", name);
    snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, file);
    /* Looked at before it is opened: a forged handle may name a terminal or a pipe. */
    if (!link_is_backing(path, found) || strcmp(found, expected) != 0)
        return CUDA_ERROR_INVALID_HANDLE;
    backing->file = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (backing->file < 0)
        return errno == EMFILE || errno == ENFILE ? CUDA_ERROR_OPERATING_SYSTEM : CUDA_ERROR_INVALID_HANDLE;
    /* And looked at again: the number may have been given to another file meanwhile. */
    if (!file_is_backing(backing->file, found, &status) || strcmp(found, expected) != 0 ||
        (size_t)status.st_size != backing->nbytes) {
        close(backing->file);
        return CUDA_ERROR_INVALID_HANDLE;
    }
    return CUDA_SUCCESS;
}

bool backing_adopt(struct backing *backing, int file)
{
    char found[LINK_BYTES];
    struct stat status;
    if (!file_is_backing(file, found, &status) || strlen(found) < strlen("/memfd:" PREFIX) + 2 * NONCE_BYTES)
        return false;
    for (int i = 0; i < NONCE_BYTES; i++) {
        unsigned byte;
        if (sscanf(found + strlen("/memfd:" PREFIX) + 2 * i, "%2x", &byte) != 1)
            return false;
        backing->nonce[i] = (unsigned char)byte;
    }
    backing->nbytes = (size_t)status.st_size;
    backing->file = fcntl(file, F_DUPFD_CLOEXEC, 0);
    return backing->file >= 0;
}

char *backing_map(const struct backing *backing, size_t offset, size_t nbytes, int protection, void *at)
{
    int fixed = at != NULL ? MAP_FIXED : 0;
    char *bytes = mmap(at, nbytes, protection, MAP_SHARED | fixed, backing->file, (off_t)offset);
    if (bytes == MAP_FAILED)
        return NULL;
    madvise(bytes, nbytes, MADV_DONTDUMP); /* a crashed program's core file need not hold its GPU */
    return bytes;
}
