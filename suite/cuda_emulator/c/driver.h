/* What the files of the emulated driver share.
 *
 * Everything that several threads may see stands under one lock. Copies hold it
 * for reading while they move bytes, so no memory can be freed under a copy. */
#ifndef KVGAUGE_DRIVER_H
#define KVGAUGE_DRIVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cuda_api.h"
#include "settings.h"

#define API __attribute__((visibility("default")))

/* `also` is one more exported name of `function`: the forms for per-thread
 * default streams do the same here, as every call is done when it returns. */
#ifdef KVGAUGE_CHECK_AGAINST_CUDA_H
#define ALSO(function, also) extern int kvgauge_no_alias
#else
#define ALSO(function, also) extern __typeof__(function) also __attribute__((alias(#function), visibility("default")))
#endif

#define NONCE_BYTES 16
#define DRIVER_VERSION 12090

/* lock.c: `READING;` or `WRITING;` holds the lock to the end of the block. */
pthread_rwlock_t *lock_for_reading(void);
pthread_rwlock_t *lock_for_writing(void);
void unlock(pthread_rwlock_t **held);
#define READING __attribute__((cleanup(unlock), unused)) pthread_rwlock_t *held = lock_for_reading()
#define WRITING __attribute__((cleanup(unlock), unused)) pthread_rwlock_t *held = lock_for_writing()

/* handles.c: handles are numbers, not addresses, so a wrong one is an error and no crash. */
enum kind { KIND_CONTEXT = 1, KIND_STREAM, KIND_EVENT, KIND_PHYSICAL };
uint64_t handle_open(enum kind kind, void *object); /* 0: no memory */
void *handle_object(enum kind kind, uint64_t handle); /* NULL: not open, or of another kind */
bool handle_was_open(enum kind kind, uint64_t handle);
void handle_close(uint64_t handle);
/* The next open handle of `kind` after `handle` (0: the first), 0 at the end. */
uint64_t handle_next(enum kind kind, uint64_t handle);

/* device.c */
CUresult check_ready(void);
CUresult check_device(CUdevice device);
bool is_device(CUdevice device);
bool is_strict(void);
CUresult device_take(int device, size_t nbytes); /* CUDA_ERROR_OUT_OF_MEMORY above the device's limit */
void device_give_back(int device, size_t nbytes);
void device_memory(int device, size_t *available, size_t *total);

/* context.c */
struct context {
    int device;
    bool primary;
    unsigned flags;
    unsigned retained; /* a primary context's users */
    unsigned peers;    /* bit i: access to device i is enabled */
    unsigned long long id;
};
CUresult current_context(uint64_t *handle, struct context **context);

/* backing.c: the memory itself, a sealed memfd named after a nonce. */
struct backing {
    int file;
    size_t nbytes;
    unsigned char nonce[NONCE_BYTES];
};
size_t whole_pages(size_t nbytes); /* 0: too large to be rounded */
bool host_has_room(size_t nbytes);
CUresult backing_make(struct backing *backing, size_t nbytes);
CUresult backing_open(struct backing *backing, int pid, int file); /* another process's; nbytes and nonce are what it must be */
bool backing_adopt(struct backing *backing, int file); /* a descriptor that was handed over; kept as a duplicate */
char *backing_map(const struct backing *backing, size_t offset, size_t nbytes, int protection, void *at);

/* ranges.c: what lies at which address, sorted. */
enum memory { DEVICE_MEMORY, MANAGED_MEMORY, PINNED_MEMORY, REGISTERED_MEMORY, IMPORTED_MEMORY, MAPPED_MEMORY };
struct range {
    uintptr_t start;
    size_t nbytes;
    size_t mapped_nbytes;
    char *bytes; /* the driver's own view; the program's, at `start`, has no access in strict mode */
    enum memory memory;
    int device;
    uint64_t context;
    uint64_t physical; /* of MAPPED_MEMORY */
    struct backing backing;
    unsigned long long id;
    unsigned references; /* of IMPORTED_MEMORY */
    unsigned flags;
    unsigned reads, writes; /* of MAPPED_MEMORY: bit i: device i may */
    bool sync_memops;
};
struct range *range_at(uintptr_t address);
struct range *range_after(uintptr_t address); /* the first that starts above it */
bool range_overlaps(uintptr_t start, size_t nbytes);
bool range_insert(struct range *range); /* false: no memory for the table */
void range_remove(struct range *range);
size_t range_count(void);
struct range *range_number(size_t index);
unsigned long long range_new_id(void);
bool on_device(const struct range *range);

/* memory.c */
void release_range(struct range *range);
void release_context_memory(uint64_t context);
CUresult map_twice(const struct backing *backing, uintptr_t *start, char **bytes, int program_protection);

/* stream.c */
void release_context_streams(uint64_t context);
CUresult check_stream(CUstream stream);

/* ipc.c: the 64 bytes by which another process finds memory. */
void describe_backing(unsigned char handle[CU_IPC_HANDLE_SIZE], const struct backing *backing, size_t nbytes, int device);
CUresult open_described(const unsigned char handle[CU_IPC_HANDLE_SIZE], struct backing *backing, size_t *nbytes, int *device,
                        int *owner);

/* physical.c */
#define GRANULARITY (2ull << 20)
struct physical {
    struct backing backing;
    int device;
    int handle_types;
    unsigned references; /* the program's handles */
    unsigned mappings;
    bool imported;
};
struct physical *physical_of(uint64_t handle); /* NULL: the program has no such handle */
void physical_unmapped(uint64_t handle);
int physical_handle_types(uint64_t handle);

#endif
