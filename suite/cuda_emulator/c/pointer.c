/* What a pointer is: the questions by which UCX and NIXL tell device memory from host memory. */
#include <string.h>

#include "driver.h"

#define PUT(type, value) (*(type *)data = (type)(value), CUDA_SUCCESS)

static unsigned access_flags(const struct range *range)
{
    if (range->memory != MAPPED_MEMORY)
        return CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
    return range->writes >> range->device & 1  ? CU_MEM_ACCESS_FLAGS_PROT_READWRITE
           : range->reads >> range->device & 1 ? CU_MEM_ACCESS_FLAGS_PROT_READ
                                               : CU_MEM_ACCESS_FLAGS_PROT_NONE;
}

static CUresult describe(void *data, CUpointer_attribute attribute, CUdeviceptr pointer, const struct range *range)
{
    switch ((int)attribute) {
    case CU_POINTER_ATTRIBUTE_CONTEXT:
        return PUT(CUcontext, (uintptr_t)range->context);
    case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
        return PUT(unsigned, on_device(range) ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST);
    case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
        return PUT(CUdeviceptr, pointer);
    case CU_POINTER_ATTRIBUTE_HOST_POINTER:
        if (on_device(range) && range->memory != MANAGED_MEMORY)
            return CUDA_ERROR_INVALID_VALUE;
        return PUT(void *, (uintptr_t)pointer);
    case CU_POINTER_ATTRIBUTE_SYNC_MEMOPS:
        return PUT(unsigned, range->sync_memops);
    case CU_POINTER_ATTRIBUTE_BUFFER_ID:
        return PUT(unsigned long long, range->id);
    case CU_POINTER_ATTRIBUTE_IS_MANAGED:
        return PUT(unsigned, range->memory == MANAGED_MEMORY);
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
        return PUT(int, range->device);
    case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
        return PUT(unsigned, range->memory == DEVICE_MEMORY);
    case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
    case CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR:
        return PUT(CUdeviceptr, range->start);
    case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
    case CU_POINTER_ATTRIBUTE_MAPPING_SIZE:
        return PUT(size_t, range->nbytes);
    case CU_POINTER_ATTRIBUTE_MAPPED:
        return PUT(unsigned, 1);
    case CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES:
        return PUT(unsigned long long, range->memory == MAPPED_MEMORY ? physical_handle_types(range->physical) : 0);
    case CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE:
        return PUT(unsigned, 0);
    case CU_POINTER_ATTRIBUTE_ACCESS_FLAGS:
        return PUT(unsigned, access_flags(range));
    case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE:
        return PUT(void *, (uintptr_t)0);
    default:
        return CUDA_ERROR_INVALID_VALUE;
    }
}

API CUresult cuPointerGetAttribute(void *data, CUpointer_attribute attribute, CUdeviceptr ptr)
{
    READING;
    const struct range *range = range_at(ptr);
    CUresult result = check_ready();
    if (result != CUDA_SUCCESS)
        return result;
    if (data == NULL || range == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    return describe(data, attribute, ptr, range);
}

/* What the plural form says of a pointer that CUDA does not know, or that has no such attribute. */
static CUresult describe_nothing(void *data, CUpointer_attribute attribute)
{
    switch ((int)attribute) {
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
        return PUT(int, CU_DEVICE_INVALID);
    case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
    case CU_POINTER_ATTRIBUTE_SYNC_MEMOPS:
    case CU_POINTER_ATTRIBUTE_IS_MANAGED:
    case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
    case CU_POINTER_ATTRIBUTE_MAPPED:
    case CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE:
    case CU_POINTER_ATTRIBUTE_ACCESS_FLAGS:
        return PUT(unsigned, 0);
    case CU_POINTER_ATTRIBUTE_CONTEXT:
    case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
    case CU_POINTER_ATTRIBUTE_HOST_POINTER:
    case CU_POINTER_ATTRIBUTE_BUFFER_ID:
    case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
    case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
    case CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES:
    case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE:
    case CU_POINTER_ATTRIBUTE_MAPPING_SIZE:
    case CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR:
        return PUT(unsigned long long, 0);
    default:
        return CUDA_ERROR_INVALID_VALUE;
    }
}

API CUresult cuPointerGetAttributes(unsigned int numAttributes, CUpointer_attribute *attributes, void **data, CUdeviceptr ptr)
{
    READING;
    const struct range *range = range_at(ptr);
    CUresult result = check_ready();
    if (result != CUDA_SUCCESS)
        return result;
    if (numAttributes == 0 || attributes == NULL || data == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    for (unsigned i = 0; i < numAttributes; i++) {
        result = range != NULL ? describe(data[i], attributes[i], ptr, range) : CUDA_ERROR_INVALID_VALUE;
        if (result != CUDA_SUCCESS)
            result = describe_nothing(data[i], attributes[i]);
        if (result != CUDA_SUCCESS)
            return result;
    }
    return CUDA_SUCCESS;
}

API CUresult cuPointerSetAttribute(const void *value, CUpointer_attribute attribute, CUdeviceptr ptr)
{
    WRITING;
    struct range *range = range_at(ptr);
    CUresult result = check_ready();
    if (result != CUDA_SUCCESS)
        return result;
    if (value == NULL || attribute != CU_POINTER_ATTRIBUTE_SYNC_MEMOPS || range == NULL || !on_device(range))
        return CUDA_ERROR_INVALID_VALUE;
    range->sync_memops = *(const unsigned *)value != 0;
    return CUDA_SUCCESS;
}
