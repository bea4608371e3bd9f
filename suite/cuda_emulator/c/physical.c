/* Physical memory of devices: created, shared with other processes, and let go
 * when no handle and no mapping of it is left. vmm.c maps it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"

#define HANDLE_TYPES ((unsigned)(CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR | CU_MEM_HANDLE_TYPE_FABRIC))

static CUresult check_properties(const CUmemAllocationProp *prop)
{
    CUresult result = check_ready();
    if (result != CUDA_SUCCESS)
        return result;
    if (prop == NULL || prop->type != CU_MEM_ALLOCATION_TYPE_PINNED || prop->win32HandleMetaData != NULL)
        return CUDA_ERROR_INVALID_VALUE;
    if (prop->location.type != CU_MEM_LOCATION_TYPE_DEVICE || (unsigned)prop->requestedHandleTypes & ~HANDLE_TYPES)
        return CUDA_ERROR_NOT_SUPPORTED; /* memory of the host, handles of Windows */
    return is_device(prop->location.id) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

API CUresult cuMemGetAllocationGranularity(size_t *granularity, const CUmemAllocationProp *prop,
                                           CUmemAllocationGranularity_flags option)
{
    READING;
    CUresult result = check_properties(prop);
    if (result != CUDA_SUCCESS)
        return result;
    if (granularity == NULL ||
        (option != CU_MEM_ALLOC_GRANULARITY_MINIMUM && option != CU_MEM_ALLOC_GRANULARITY_RECOMMENDED))
        return CUDA_ERROR_INVALID_VALUE;
    *granularity = GRANULARITY;
    return CUDA_SUCCESS;
}

static CUresult open_physical(CUmemGenericAllocationHandle *handle, struct physical physical)
{
    struct physical *kept = malloc(sizeof *kept);
    *handle = kept != NULL ? handle_open(KIND_PHYSICAL, kept) : 0;
    if (*handle == 0) {
        free(kept);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    *kept = physical;
    kept->references = 1;
    return CUDA_SUCCESS;
}

API CUresult cuMemCreate(CUmemGenericAllocationHandle *handle, size_t size, const CUmemAllocationProp *prop,
                         unsigned long long flags)
{
    WRITING;
    struct physical physical = {0};
    CUresult result = check_properties(prop);
    if (result != CUDA_SUCCESS)
        return result;
    if (handle == NULL || size == 0 || size % GRANULARITY != 0 || flags != 0)
        return CUDA_ERROR_INVALID_VALUE;
    physical.device = prop->location.id;
    physical.handle_types = (int)prop->requestedHandleTypes;
    result = device_take(physical.device, size);
    if (result != CUDA_SUCCESS)
        return result;
    result = backing_make(&physical.backing, size);
    if (result == CUDA_SUCCESS) {
        result = open_physical(handle, physical);
        if (result != CUDA_SUCCESS)
            close(physical.backing.file);
    }
    if (result != CUDA_SUCCESS)
        device_give_back(physical.device, size);
    return result;
}

struct physical *physical_of(uint64_t handle)
{
    struct physical *physical = handle_object(KIND_PHYSICAL, handle);
    return physical != NULL && physical->references > 0 ? physical : NULL;
}

static void let_go(uint64_t handle)
{
    struct physical *physical = handle_object(KIND_PHYSICAL, handle);
    if (physical->references > 0 || physical->mappings > 0)
        return;
    close(physical->backing.file);
    if (!physical->imported)
        device_give_back(physical->device, physical->backing.nbytes);
    handle_close(handle);
    free(physical);
}

void physical_unmapped(uint64_t handle)
{
    ((struct physical *)handle_object(KIND_PHYSICAL, handle))->mappings--;
    let_go(handle);
}

int physical_handle_types(uint64_t handle)
{
    const struct physical *physical = handle_object(KIND_PHYSICAL, handle);
    return physical != NULL ? physical->handle_types : 0;
}

API CUresult cuMemRelease(CUmemGenericAllocationHandle handle)
{
    WRITING;
    struct physical *physical = physical_of(handle);
    CUresult result = check_ready();
    if (result != CUDA_SUCCESS)
        return result;
    if (physical == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    physical->references--;
    let_go(handle);
    return CUDA_SUCCESS;
}

API CUresult cuMemGetAllocationPropertiesFromHandle(CUmemAllocationProp *prop, CUmemGenericAllocationHandle handle)
{
    READING;
    const struct physical *physical = physical_of(handle);
    CUresult result = check_ready();
    if (result != CUDA_SUCCESS)
        return result;
    if (prop == NULL || physical == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    memset(prop, 0, sizeof *prop);
    prop->type = CU_MEM_ALLOCATION_TYPE_PINNED;
    prop->requestedHandleTypes = (CUmemAllocationHandleType)physical->handle_types;
    prop->location.type = CU_MEM_LOCATION_TYPE_DEVICE;
    prop->location.id = physical->device;
    return CUDA_SUCCESS;
}

API CUresult cuMemRetainAllocationHandle(CUmemGenericAllocationHandle *handle, void *addr)
{
    WRITING;
    const struct range *range = range_at((uintptr_t)addr);
    CUresult result = check_ready();
    if (result != CUDA_SUCCESS)
        return result;
    if (handle == NULL || range == NULL || range->memory != MAPPED_MEMORY)
        return CUDA_ERROR_INVALID_VALUE;
    *handle = range->physical;
    ((struct physical *)handle_object(KIND_PHYSICAL, range->physical))->references++;
    return CUDA_SUCCESS;
}

API CUresult cuMemExportToShareableHandle(void *shareableHandle, CUmemGenericAllocationHandle handle,
                                          CUmemAllocationHandleType handleType, unsigned long long flags)
{
    READING;
    const struct physical *physical = physical_of(handle);
    CUresult result = check_ready();
    if (result != CUDA_SUCCESS)
        return result;
    if (shareableHandle == NULL || flags != 0)
        return CUDA_ERROR_INVALID_VALUE;
    if (physical == NULL)
        return CUDA_ERROR_INVALID_HANDLE;
    if (!(physical->handle_types & (int)handleType)) /* not asked for when it was created */
        return CUDA_ERROR_INVALID_VALUE;
    if (handleType == CU_MEM_HANDLE_TYPE_FABRIC) {
        describe_backing(shareableHandle, &physical->backing, physical->backing.nbytes, physical->device);
        return CUDA_SUCCESS;
    }
    *(int *)shareableHandle = dup(physical->backing.file);
    return *(int *)shareableHandle >= 0 ? CUDA_SUCCESS : CUDA_ERROR_OPERATING_SYSTEM;
}

/* A bare descriptor does not say which device it is of: the program's access decides what can be done with it. */
static CUresult adopt(struct physical *physical, int file)
{
    physical->device = 0;
    physical->handle_types = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
    return backing_adopt(&physical->backing, file) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

API CUresult cuMemImportFromShareableHandle(CUmemGenericAllocationHandle *handle, void *osHandle,
                                            CUmemAllocationHandleType shHandleType)
{
    WRITING;
    struct physical physical = {.imported = true, .handle_types = CU_MEM_HANDLE_TYPE_FABRIC};
    size_t nbytes;
    int owner;
    CUresult result = check_ready();
    if (result != CUDA_SUCCESS)
        return result;
    if (handle == NULL || (osHandle == NULL && shHandleType == CU_MEM_HANDLE_TYPE_FABRIC)) /* 0 is a descriptor */
        return CUDA_ERROR_INVALID_VALUE;
    if (shHandleType == CU_MEM_HANDLE_TYPE_FABRIC)
        result = open_described(osHandle, &physical.backing, &nbytes, &physical.device, &owner);
    else if (shHandleType == CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR)
        result = adopt(&physical, (int)(intptr_t)osHandle);
    else
        return CUDA_ERROR_NOT_SUPPORTED;
    if (result != CUDA_SUCCESS)
        return result;
    result = open_physical(handle, physical);
    if (result != CUDA_SUCCESS)
        close(physical.backing.file);
    return result;
}
