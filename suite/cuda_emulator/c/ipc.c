/* Memory between processes. The 64 bytes of a handle say which descriptor of
 * which process the memory is, and repeat the nonce in that memfd's name: a
 * handle that is stale, cut off or made up opens nothing. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "driver.h"

#define MAGIC 0x6b76676175676531ull

struct description {
    uint64_t magic;
    int32_t owner;
    int32_t file;
    uint64_t mapped_nbytes;
    uint64_t nbytes; /* as the program asked for it */
    unsigned char nonce[NONCE_BYTES];
    int32_t device;
    char unused[12];
};
_Static_assert(sizeof(struct description) == CU_IPC_HANDLE_SIZE, "a handle has 64 bytes");

void describe_backing(unsigned char handle[CU_IPC_HANDLE_SIZE], const struct backing *backing, size_t nbytes, int device)
{
    struct description description = {
        .magic = MAGIC,
        .owner = getpid(),
        .file = backing->file,
        .mapped_nbytes = backing->nbytes,
        .nbytes = nbytes,
        .device = device,
    };
    memcpy(description.nonce, backing->nonce, NONCE_BYTES);
    memcpy(handle, &description, sizeof description);
}

CUresult open_described(const unsigned char handle[CU_IPC_HANDLE_SIZE], struct backing *backing, size_t *nbytes, int *device,
                        int *owner)
{
    static const char zeros[sizeof(((struct description *)0)->unused)];
    struct description description;
    memcpy(&description, handle, sizeof description);
    if (description.magic != MAGIC || description.owner <= 0 || description.file < 0 || description.nbytes == 0 ||
        description.nbytes > description.mapped_nbytes || memcmp(description.unused, zeros, sizeof zeros) != 0)
        return CUDA_ERROR_INVALID_HANDLE;
    if (!is_device(description.device))
        return CUDA_ERROR_INVALID_DEVICE;
    backing->nbytes = description.mapped_nbytes;
    memcpy(backing->nonce, description.nonce, NONCE_BYTES);
    *nbytes = description.nbytes;
    *device = description.device;
    *owner = description.owner;
    return backing_open(backing, description.owner, description.file);
}

API CUresult cuIpcGetMemHandle(CUipcMemHandle *pHandle, CUdeviceptr dptr)
{
    READING;
    uint64_t handle;
    struct context *context;
    const struct range *range = range_at(dptr);
    CUresult result = current_context(&handle, &context);
    if (result != CUDA_SUCCESS)
        return result;
    if (pHandle == NULL || range == NULL || range->memory != DEVICE_MEMORY)
        return CUDA_ERROR_INVALID_VALUE;
    describe_backing((unsigned char *)pHandle->reserved, &range->backing, range->nbytes, range->device);
    return CUDA_SUCCESS;
}

static struct range *already_open(uint64_t context, const unsigned char nonce[NONCE_BYTES])
{
    for (size_t i = 0; i < range_count(); i++) {
        struct range *range = range_number(i);
        if (range->memory == IMPORTED_MEMORY && range->context == context &&
            memcmp(range->backing.nonce, nonce, NONCE_BYTES) == 0)
            return range;
    }
    return NULL;
}

static CUresult add_import(CUdeviceptr *pdptr, struct range range)
{
    struct range *kept = malloc(sizeof *kept);
    CUresult result = kept ? map_twice(&range.backing, &range.start, &range.bytes,
                                       is_strict() ? PROT_NONE : PROT_READ | PROT_WRITE)
                           : CUDA_ERROR_OUT_OF_MEMORY;
    if (result != CUDA_SUCCESS) {
        free(kept);
        return CUDA_ERROR_MAP_FAILED;
    }
    range.id = range_new_id();
    *kept = range;
    if (!range_insert(kept)) {
        munmap(range.bytes, range.mapped_nbytes);
        free(kept);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    *pdptr = kept->start;
    return CUDA_SUCCESS;
}

/* A handle that the same context has open already gives the same pointer once more. */
API CUresult cuIpcOpenMemHandle_v2(CUdeviceptr *pdptr, CUipcMemHandle handle, unsigned int Flags)
{
    WRITING;
    struct context *context;
    struct range *same, range = {.memory = IMPORTED_MEMORY, .references = 1};
    int owner;
    CUresult result = current_context(&range.context, &context);
    if (result != CUDA_SUCCESS)
        return result;
    if (pdptr == NULL || Flags != CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS)
        return CUDA_ERROR_INVALID_VALUE;
    result = open_described((unsigned char *)handle.reserved, &range.backing, &range.nbytes, &range.device, &owner);
    if (result != CUDA_SUCCESS)
        return result;
    range.mapped_nbytes = range.backing.nbytes;
    same = already_open(range.context, range.backing.nonce);
    if (owner == getpid()) {
        result = CUDA_ERROR_INVALID_CONTEXT; /* only in another process */
    } else if (same == NULL) {
        result = add_import(pdptr, range);
    } else {
        same->references++;
        *pdptr = same->start;
    }
    close(range.backing.file); /* the mapping holds the memory */
    return result;
}

API CUresult cuIpcCloseMemHandle(CUdeviceptr dptr)
{
    WRITING;
    uint64_t handle;
    struct context *context;
    struct range *range = range_at(dptr);
    CUresult result = current_context(&handle, &context);
    if (result != CUDA_SUCCESS)
        return result;
    if (range == NULL || range->memory != IMPORTED_MEMORY || range->start != dptr)
        return CUDA_ERROR_INVALID_VALUE;
    if (--range->references == 0)
        release_range(range);
    return CUDA_SUCCESS;
}
