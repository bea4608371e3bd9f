/* Copies and fills. All are done when they return, so asynchronous ones too. */
#include <string.h>

#include "driver.h"

enum side { HOST_SIDE, DEVICE_SIDE, EITHER_SIDE };

/* The bytes at `address` as the driver sees them; `length` shrinks to what lies in one piece. */
static char *piece(uintptr_t address, size_t *length, const struct range **found)
{
    const struct range *range = range_at(address), *next = range_after(address);
    size_t left = range ? range->start + range->nbytes - address : next ? next->start - address : SIZE_MAX;
    if (*length > left)
        *length = left;
    *found = range;
    return range != NULL ? range->bytes + (address - range->start) : (char *)address;
}

static bool allowed(const struct range *range, enum side side, int device, bool writing)
{
    unsigned devices;
    if (range == NULL)
        return side != DEVICE_SIDE;
    if (side == HOST_SIDE)
        return !on_device(range) || range->memory == MANAGED_MEMORY;
    devices = writing ? range->writes : range->reads;
    return range->memory != MAPPED_MEMORY || devices >> device & 1;
}

/* May a copy that began in `range` run on into what follows it? Pieces of mapped
 * memory and of host memory join up; an allocation ends where it ends. */
static bool may_run_on(const struct range *range, const struct range *into)
{
    if (range == NULL || !on_device(range))
        return into == NULL || !on_device(into);
    return range->memory == MAPPED_MEMORY && into != NULL && into->memory == MAPPED_MEMORY;
}

/* Checked as a whole before any byte moves: a refused copy has done nothing. */
static bool covers(uintptr_t address, size_t length, enum side side, int device, bool writing)
{
    const struct range *range, *first = range_at(address);
    if (address == 0 || length > UINTPTR_MAX - address)
        return false;
    while (length > 0) {
        size_t step = length;
        bool begins = range_at(address) == first;
        piece(address, &step, &range);
        if (!allowed(range, side, device, writing) || (!begins && !may_run_on(first, range)))
            return false;
        address += step;
        length -= step;
    }
    return true;
}

static void move(uintptr_t to, uintptr_t from, size_t length)
{
    while (length > 0) {
        size_t step = length;
        const struct range *range;
        char *source = piece(from, &step, &range);
        char *target = piece(to, &step, &range);
        memmove(target, source, step);
        to += step;
        from += step;
        length -= step;
    }
}

static CUresult copy_in(int device, uintptr_t to, enum side to_side, uintptr_t from, enum side from_side, size_t length)
{
    if (length == 0)
        return CUDA_SUCCESS;
    if (!covers(to, length, to_side, device, true) || !covers(from, length, from_side, device, false))
        return CUDA_ERROR_INVALID_VALUE;
    move(to, from, length);
    return CUDA_SUCCESS;
}

static CUresult copy(uintptr_t to, enum side to_side, uintptr_t from, enum side from_side, size_t length, CUstream stream)
{
    READING;
    uint64_t handle;
    struct context *context;
    CUresult result = current_context(&handle, &context);
    if (result == CUDA_SUCCESS)
        result = check_stream(stream);
    return result != CUDA_SUCCESS ? result : copy_in(context->device, to, to_side, from, from_side, length);
}

API CUresult cuMemcpy(CUdeviceptr dst, CUdeviceptr src, size_t ByteCount)
{
    return copy(dst, EITHER_SIDE, src, EITHER_SIDE, ByteCount, NULL);
}
ALSO(cuMemcpy, cuMemcpy_ptds);

API CUresult cuMemcpyAsync(CUdeviceptr dst, CUdeviceptr src, size_t ByteCount, CUstream hStream)
{
    return copy(dst, EITHER_SIDE, src, EITHER_SIDE, ByteCount, hStream);
}
ALSO(cuMemcpyAsync, cuMemcpyAsync_ptsz);

API CUresult cuMemcpyHtoD_v2(CUdeviceptr dstDevice, const void *srcHost, size_t ByteCount)
{
    return copy(dstDevice, DEVICE_SIDE, (uintptr_t)srcHost, HOST_SIDE, ByteCount, NULL);
}
ALSO(cuMemcpyHtoD_v2, cuMemcpyHtoD_v2_ptds);

API CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr dstDevice, const void *srcHost, size_t ByteCount, CUstream hStream)
{
    return copy(dstDevice, DEVICE_SIDE, (uintptr_t)srcHost, HOST_SIDE, ByteCount, hStream);
}
ALSO(cuMemcpyHtoDAsync_v2, cuMemcpyHtoDAsync_v2_ptsz);

API CUresult cuMemcpyDtoH_v2(void *dstHost, CUdeviceptr srcDevice, size_t ByteCount)
{
    return copy((uintptr_t)dstHost, HOST_SIDE, srcDevice, DEVICE_SIDE, ByteCount, NULL);
}
ALSO(cuMemcpyDtoH_v2, cuMemcpyDtoH_v2_ptds);

API CUresult cuMemcpyDtoHAsync_v2(void *dstHost, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream)
{
    return copy((uintptr_t)dstHost, HOST_SIDE, srcDevice, DEVICE_SIDE, ByteCount, hStream);
}
ALSO(cuMemcpyDtoHAsync_v2, cuMemcpyDtoHAsync_v2_ptsz);

API CUresult cuMemcpyDtoD_v2(CUdeviceptr dstDevice, CUdeviceptr srcDevice, size_t ByteCount)
{
    return copy(dstDevice, DEVICE_SIDE, srcDevice, DEVICE_SIDE, ByteCount, NULL);
}
ALSO(cuMemcpyDtoD_v2, cuMemcpyDtoD_v2_ptds);

API CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr dstDevice, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream)
{
    return copy(dstDevice, DEVICE_SIDE, srcDevice, DEVICE_SIDE, ByteCount, hStream);
}
ALSO(cuMemcpyDtoDAsync_v2, cuMemcpyDtoDAsync_v2_ptsz);

static CUresult copy_between(CUdeviceptr to, CUcontext to_context, CUdeviceptr from, CUcontext from_context, size_t length,
                             CUstream stream)
{
    READING;
    CUresult result = check_ready();
    const struct context *target, *source;
    if (result != CUDA_SUCCESS)
        return result;
    target = handle_object(KIND_CONTEXT, (uint64_t)(uintptr_t)to_context);
    source = handle_object(KIND_CONTEXT, (uint64_t)(uintptr_t)from_context);
    if (target == NULL || source == NULL)
        return CUDA_ERROR_INVALID_CONTEXT;
    result = check_stream(stream);
    if (result != CUDA_SUCCESS || length == 0)
        return result;
    if (!covers(to, length, DEVICE_SIDE, target->device, true) ||
        !covers(from, length, DEVICE_SIDE, source->device, false))
        return CUDA_ERROR_INVALID_VALUE;
    move(to, from, length);
    return CUDA_SUCCESS;
}

API CUresult cuMemcpyPeer(CUdeviceptr dstDevice, CUcontext dstContext, CUdeviceptr srcDevice, CUcontext srcContext,
                          size_t ByteCount)
{
    return copy_between(dstDevice, dstContext, srcDevice, srcContext, ByteCount, NULL);
}
ALSO(cuMemcpyPeer, cuMemcpyPeer_ptds);

API CUresult cuMemcpyPeerAsync(CUdeviceptr dstDevice, CUcontext dstContext, CUdeviceptr srcDevice, CUcontext srcContext,
                               size_t ByteCount, CUstream hStream)
{
    return copy_between(dstDevice, dstContext, srcDevice, srcContext, ByteCount, hStream);
}
ALSO(cuMemcpyPeerAsync, cuMemcpyPeerAsync_ptsz);

static void fill_piece(char *target, size_t length, const void *value, size_t width)
{
    for (size_t at = 0; at < length; at += width)
        memcpy(target + at, value, width);
}

static CUresult fill(uintptr_t to, const void *value, size_t width, size_t count, CUstream stream)
{
    READING;
    uint64_t handle;
    struct context *context;
    CUresult result = current_context(&handle, &context);
    if (result == CUDA_SUCCESS)
        result = check_stream(stream);
    if (result != CUDA_SUCCESS || count == 0)
        return result;
    if (to % width != 0 || count > SIZE_MAX / width || !covers(to, count * width, DEVICE_SIDE, context->device, true))
        return CUDA_ERROR_INVALID_VALUE;
    for (size_t left = count * width, step; left > 0; left -= step, to += step) {
        const struct range *range;
        char *target;
        step = left;
        target = piece(to, &step, &range);
        if (width == 1)
            memset(target, *(const unsigned char *)value, step);
        else
            fill_piece(target, step, value, width);
    }
    return CUDA_SUCCESS;
}

API CUresult cuMemsetD8_v2(CUdeviceptr dstDevice, unsigned char uc, size_t N)
{
    return fill(dstDevice, &uc, sizeof uc, N, NULL);
}
ALSO(cuMemsetD8_v2, cuMemsetD8_v2_ptds);

API CUresult cuMemsetD8Async(CUdeviceptr dstDevice, unsigned char uc, size_t N, CUstream hStream)
{
    return fill(dstDevice, &uc, sizeof uc, N, hStream);
}
ALSO(cuMemsetD8Async, cuMemsetD8Async_ptsz);

API CUresult cuMemsetD16_v2(CUdeviceptr dstDevice, unsigned short us, size_t N)
{
    return fill(dstDevice, &us, sizeof us, N, NULL);
}
ALSO(cuMemsetD16_v2, cuMemsetD16_v2_ptds);

API CUresult cuMemsetD16Async(CUdeviceptr dstDevice, unsigned short us, size_t N, CUstream hStream)
{
    return fill(dstDevice, &us, sizeof us, N, hStream);
}
ALSO(cuMemsetD16Async, cuMemsetD16Async_ptsz);

API CUresult cuMemsetD32_v2(CUdeviceptr dstDevice, unsigned int ui, size_t N)
{
    return fill(dstDevice, &ui, sizeof ui, N, NULL);
}
ALSO(cuMemsetD32_v2, cuMemsetD32_v2_ptds);

API CUresult cuMemsetD32Async(CUdeviceptr dstDevice, unsigned int ui, size_t N, CUstream hStream)
{
    return fill(dstDevice, &ui, sizeof ui, N, hStream);
}
ALSO(cuMemsetD32Async, cuMemsetD32Async_ptsz);
