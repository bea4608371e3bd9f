/* Allocation: device, managed and pinned memory, and host memory made known. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "driver.h"

/* One view for the driver; in strict mode another, without access, for the program. */
CUresult map_twice(const struct backing *backing, uintptr_t *start, char **bytes, int program_protection)
{
    *bytes = backing_map(backing, 0, backing->nbytes, PROT_READ | PROT_WRITE, NULL);
    if (*bytes == NULL)
        return CUDA_ERROR_OUT_OF_MEMORY;
    *start = (uintptr_t)*bytes;
    if (program_protection == (PROT_READ | PROT_WRITE))
        return CUDA_SUCCESS;
    *start = (uintptr_t)backing_map(backing, 0, backing->nbytes, program_protection, NULL);
    if (*start != 0)
        return CUDA_SUCCESS;
    munmap(*bytes, backing->nbytes);
    return CUDA_ERROR_OUT_OF_MEMORY;
}

static CUresult add_range(struct range range)
{
    struct range *kept = malloc(sizeof *kept);
    if (kept == NULL)
        return CUDA_ERROR_OUT_OF_MEMORY;
    *kept = range;
    kept->id = range_new_id();
    if (range_insert(kept))
        return CUDA_SUCCESS;
    free(kept);
    return CUDA_ERROR_OUT_OF_MEMORY;
}

static void unmap_views(const struct range *range)
{
    munmap(range->bytes, range->mapped_nbytes);
    if ((uintptr_t)range->bytes != range->start)
        munmap((void *)range->start, range->mapped_nbytes);
}

static void give_back(const struct range *range)
{
    unmap_views(range);
    close(range->backing.file);
    device_give_back(range->device, range->mapped_nbytes);
}

static CUresult make_device_memory(struct range *range)
{
    bool hidden = range->memory == DEVICE_MEMORY && is_strict();
    CUresult result = device_take(range->device, range->mapped_nbytes);
    if (result != CUDA_SUCCESS)
        return result;
    result = backing_make(&range->backing, range->mapped_nbytes);
    if (result == CUDA_SUCCESS) {
        result = map_twice(&range->backing, &range->start, &range->bytes, hidden ? PROT_NONE : PROT_READ | PROT_WRITE);
        if (result != CUDA_SUCCESS)
            close(range->backing.file);
    }
    if (result != CUDA_SUCCESS)
        device_give_back(range->device, range->mapped_nbytes);
    return result;
}

static CUresult allocate(CUdeviceptr *pointer, size_t nbytes, enum memory memory)
{
    struct context *context;
    struct range range = {.nbytes = nbytes, .mapped_nbytes = whole_pages(nbytes), .memory = memory};
    CUresult result = current_context(&range.context, &context);
    if (result != CUDA_SUCCESS)
        return result;
    if (pointer == NULL || nbytes == 0)
        return CUDA_ERROR_INVALID_VALUE;
    range.device = context->device;
    range.sync_memops = context->flags & CU_CTX_SYNC_MEMOPS;
    result = make_device_memory(&range);
    if (result != CUDA_SUCCESS)
        return result;
    result = add_range(range);
    if (result != CUDA_SUCCESS)
        give_back(&range);
    else
        *pointer = range.start;
    return result;
}

API CUresult cuMemAlloc_v2(CUdeviceptr *dptr, size_t bytesize)
{
    WRITING;
    return allocate(dptr, bytesize, DEVICE_MEMORY);
}

API CUresult cuMemAllocManaged(CUdeviceptr *dptr, size_t bytesize, unsigned int flags)
{
    WRITING;
    CUresult result = check_ready();
    if (result != CUDA_SUCCESS)
        return result;
    if (flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST)
        return CUDA_ERROR_INVALID_VALUE;
    return allocate(dptr, bytesize, MANAGED_MEMORY);
}

void release_range(struct range *range)
{
    range_remove(range);
    switch (range->memory) {
    case DEVICE_MEMORY:
    case MANAGED_MEMORY:
        give_back(range);
        break;
    case PINNED_MEMORY:
    case IMPORTED_MEMORY:
        unmap_views(range);
        break;
    case REGISTERED_MEMORY: /* the program's own */
    case MAPPED_MEMORY:     /* vmm.c takes it out of its reservation */
        break;
    }
    free(range);
}

/* A context takes its memory with it. Mapped physical memory belongs to none. */
void release_context_memory(uint64_t context)
{
    for (size_t i = range_count(); i-- > 0;)
        if (range_number(i)->context == context && range_number(i)->memory != MAPPED_MEMORY)
            release_range(range_number(i));
}

static CUresult ready_in_context(void)
{
    uint64_t handle;
    struct context *context;
    return current_context(&handle, &context);
}

API CUresult cuMemFree_v2(CUdeviceptr dptr)
{
    WRITING;
    struct range *range = range_at(dptr);
    CUresult result = ready_in_context();
    if (result != CUDA_SUCCESS || dptr == 0) /* freeing nothing is allowed */
        return result;
    if (range == NULL || range->start != dptr || (range->memory != DEVICE_MEMORY && range->memory != MANAGED_MEMORY))
        return CUDA_ERROR_INVALID_VALUE;
    release_range(range);
    return CUDA_SUCCESS;
}

API CUresult cuMemGetInfo_v2(size_t *available, size_t *total)
{
    READING;
    uint64_t handle;
    struct context *context;
    CUresult result = current_context(&handle, &context);
    if (result != CUDA_SUCCESS)
        return result;
    if (available == NULL || total == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    device_memory(context->device, available, total);
    return CUDA_SUCCESS;
}

API CUresult cuMemGetAddressRange_v2(CUdeviceptr *pbase, size_t *psize, CUdeviceptr dptr)
{
    READING;
    const struct range *range = range_at(dptr);
    CUresult result = ready_in_context();
    if (result != CUDA_SUCCESS)
        return result;
    if (range == NULL || !on_device(range))
        return CUDA_ERROR_NOT_FOUND;
    if (pbase != NULL)
        *pbase = range->start;
    if (psize != NULL)
        *psize = range->nbytes;
    return CUDA_SUCCESS;
}

API CUresult cuMemHostAlloc(void **pp, size_t bytesize, unsigned int Flags)
{
    WRITING;
    struct context *context;
    struct range range = {.nbytes = bytesize, .mapped_nbytes = whole_pages(bytesize), .memory = PINNED_MEMORY, .flags = Flags};
    CUresult result = current_context(&range.context, &context);
    if (result != CUDA_SUCCESS)
        return result;
    if (pp == NULL || bytesize == 0 || Flags > 7)
        return CUDA_ERROR_INVALID_VALUE;
    if (range.mapped_nbytes == 0 || !host_has_room(range.mapped_nbytes))
        return CUDA_ERROR_OUT_OF_MEMORY;
    range.bytes = mmap(NULL, range.mapped_nbytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (range.bytes == MAP_FAILED)
        return CUDA_ERROR_OUT_OF_MEMORY;
    range.start = (uintptr_t)range.bytes;
    range.device = context->device;
    result = add_range(range);
    if (result != CUDA_SUCCESS)
        munmap(range.bytes, range.mapped_nbytes);
    else
        *pp = range.bytes;
    return result;
}

API CUresult cuMemAllocHost_v2(void **pp, size_t bytesize)
{
    return cuMemHostAlloc(pp, bytesize, CU_MEMHOSTALLOC_DEVICEMAP);
}

API CUresult cuMemFreeHost(void *p)
{
    WRITING;
    struct range *range = range_at((uintptr_t)p);
    CUresult result = ready_in_context();
    if (result != CUDA_SUCCESS)
        return result;
    if (range == NULL || range->memory != PINNED_MEMORY || range->start != (uintptr_t)p)
        return CUDA_ERROR_INVALID_VALUE;
    release_range(range);
    return CUDA_SUCCESS;
}

API CUresult cuMemHostRegister_v2(void *p, size_t bytesize, unsigned int Flags)
{
    WRITING;
    struct context *context;
    struct range range = {.start = (uintptr_t)p, .nbytes = bytesize, .bytes = p, .memory = REGISTERED_MEMORY, .flags = Flags};
    CUresult result = current_context(&range.context, &context);
    if (result != CUDA_SUCCESS)
        return result;
    if (p == NULL || bytesize == 0 || bytesize > UINTPTR_MAX - (uintptr_t)p || Flags > 15)
        return CUDA_ERROR_INVALID_VALUE;
    if (range_overlaps(range.start, bytesize))
        return CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
    range.device = context->device;
    return add_range(range);
}

API CUresult cuMemHostUnregister(void *p)
{
    WRITING;
    struct range *range = range_at((uintptr_t)p);
    CUresult result = ready_in_context();
    if (result != CUDA_SUCCESS)
        return result;
    if (p == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    if (range == NULL || range->memory != REGISTERED_MEMORY || range->start != (uintptr_t)p)
        return CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
    release_range(range);
    return CUDA_SUCCESS;
}

API CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr *pdptr, void *p, unsigned int Flags)
{
    READING;
    const struct range *range = range_at((uintptr_t)p);
    CUresult result = ready_in_context();
    if (result != CUDA_SUCCESS)
        return result;
    if (pdptr == NULL || Flags != 0 || range == NULL || on_device(range))
        return CUDA_ERROR_INVALID_VALUE;
    *pdptr = (uintptr_t)p; /* unified addressing */
    return CUDA_SUCCESS;
}

API CUresult cuMemHostGetFlags(unsigned int *pFlags, void *p)
{
    READING;
    const struct range *range = range_at((uintptr_t)p);
    CUresult result = ready_in_context();
    if (result != CUDA_SUCCESS)
        return result;
    if (pFlags == NULL || range == NULL || range->memory != PINNED_MEMORY)
        return CUDA_ERROR_INVALID_VALUE;
    *pFlags = range->flags;
    return CUDA_SUCCESS;
}
