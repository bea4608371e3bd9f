/* Contexts: one primary per device, others on request, a stack of them per thread. */
#include <stdlib.h>

#include "driver.h"

#define MAX_DEPTH 256
#define API_VERSION 3020

static struct context primaries[MAX_DEVICES];
static uint64_t primary_handles[MAX_DEVICES];
static unsigned long long last_id;

static __thread uint64_t stack[MAX_DEPTH];
static __thread int depth;

static CUresult named_context(CUcontext handle, struct context **context)
{
    CUresult result = check_ready();
    if (result != CUDA_SUCCESS)
        return result;
    *context = handle_object(KIND_CONTEXT, (uint64_t)(uintptr_t)handle);
    if (*context != NULL) /* a primary context keeps its handle while nobody has it */
        return (*context)->primary && (*context)->retained == 0 ? CUDA_ERROR_CONTEXT_IS_DESTROYED : CUDA_SUCCESS;
    return handle_was_open(KIND_CONTEXT, (uint64_t)(uintptr_t)handle) ? CUDA_ERROR_CONTEXT_IS_DESTROYED
                                                                     : CUDA_ERROR_INVALID_CONTEXT;
}

CUresult current_context(uint64_t *handle, struct context **context)
{
    CUresult result = check_ready();
    if (result != CUDA_SUCCESS)
        return result;
    if (depth == 0)
        return CUDA_ERROR_INVALID_CONTEXT;
    *handle = stack[depth - 1];
    return named_context((CUcontext)(uintptr_t)*handle, context);
}

static void release_contents(uint64_t handle)
{
    release_context_memory(handle);
    release_context_streams(handle);
}

static bool open_primary(CUdevice device)
{
    struct context *primary = &primaries[device];
    if (primary_handles[device] == 0)
        primary_handles[device] = handle_open(KIND_CONTEXT, primary);
    if (primary_handles[device] == 0)
        return false;
    *primary = (struct context){.device = device, .primary = true, .flags = primary->flags, .id = ++last_id};
    return true;
}

API CUresult cuDevicePrimaryCtxRetain(CUcontext *pctx, CUdevice dev)
{
    WRITING;
    CUresult result = check_device(dev);
    if (result != CUDA_SUCCESS)
        return result;
    if (pctx == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    if (primaries[dev].retained == 0 && !open_primary(dev))
        return CUDA_ERROR_OUT_OF_MEMORY;
    primaries[dev].retained++;
    *pctx = (CUcontext)(uintptr_t)primary_handles[dev];
    return CUDA_SUCCESS;
}

API CUresult cuDevicePrimaryCtxRelease_v2(CUdevice dev)
{
    WRITING;
    CUresult result = check_device(dev);
    if (result != CUDA_SUCCESS)
        return result;
    if (primaries[dev].retained == 0)
        return CUDA_ERROR_INVALID_CONTEXT;
    if (--primaries[dev].retained == 0)
        release_contents(primary_handles[dev]);
    return CUDA_SUCCESS;
}

API CUresult cuDevicePrimaryCtxReset_v2(CUdevice dev)
{
    WRITING;
    CUresult result = check_device(dev);
    if (result != CUDA_SUCCESS)
        return result;
    if (primaries[dev].retained > 0)
        release_contents(primary_handles[dev]);
    primaries[dev].retained = 0;
    primaries[dev].flags = 0;
    return CUDA_SUCCESS;
}

API CUresult cuDevicePrimaryCtxGetState(CUdevice dev, unsigned int *flags, int *active)
{
    READING;
    CUresult result = check_device(dev);
    if (result != CUDA_SUCCESS)
        return result;
    if (flags == NULL || active == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    *flags = primaries[dev].flags;
    *active = primaries[dev].retained > 0;
    return CUDA_SUCCESS;
}

API CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice dev, unsigned int flags)
{
    WRITING;
    CUresult result = check_device(dev);
    if (result != CUDA_SUCCESS)
        return result;
    if (flags & ~(unsigned)CU_CTX_FLAGS_MASK)
        return CUDA_ERROR_INVALID_VALUE;
    primaries[dev].flags = flags;
    return CUDA_SUCCESS;
}

static CUresult push(uint64_t handle)
{
    if (depth == MAX_DEPTH)
        return CUDA_ERROR_INVALID_VALUE;
    stack[depth++] = handle;
    return CUDA_SUCCESS;
}

API CUresult cuCtxCreate_v2(CUcontext *pctx, unsigned int flags, CUdevice dev)
{
    WRITING;
    struct context *context;
    uint64_t handle;
    CUresult result = check_device(dev);
    if (result != CUDA_SUCCESS)
        return result;
    if (pctx == NULL || flags & ~(unsigned)CU_CTX_FLAGS_MASK || depth == MAX_DEPTH)
        return CUDA_ERROR_INVALID_VALUE;
    context = malloc(sizeof *context);
    handle = context ? handle_open(KIND_CONTEXT, context) : 0;
    if (handle == 0) {
        free(context);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    *context = (struct context){.device = dev, .flags = flags, .id = ++last_id};
    *pctx = (CUcontext)(uintptr_t)handle;
    return push(handle);
}

API CUresult cuCtxDestroy_v2(CUcontext ctx)
{
    WRITING;
    struct context *context;
    CUresult result = named_context(ctx, &context);
    if (result != CUDA_SUCCESS)
        return result;
    if (context->primary)
        return CUDA_ERROR_INVALID_CONTEXT;
    if (depth > 0 && stack[depth - 1] == (uint64_t)(uintptr_t)ctx)
        depth--;
    release_contents((uint64_t)(uintptr_t)ctx);
    handle_close((uint64_t)(uintptr_t)ctx);
    free(context);
    return CUDA_SUCCESS;
}

API CUresult cuCtxPushCurrent_v2(CUcontext ctx)
{
    READING;
    struct context *context;
    CUresult result = named_context(ctx, &context);
    return result != CUDA_SUCCESS ? result : push((uint64_t)(uintptr_t)ctx);
}

API CUresult cuCtxPopCurrent_v2(CUcontext *pctx)
{
    READING;
    CUresult result = check_ready();
    if (result != CUDA_SUCCESS)
        return result;
    if (depth == 0)
        return CUDA_ERROR_INVALID_CONTEXT;
    depth--;
    if (pctx != NULL)
        *pctx = (CUcontext)(uintptr_t)stack[depth];
    return CUDA_SUCCESS;
}

API CUresult cuCtxSetCurrent(CUcontext ctx)
{
    READING;
    struct context *context;
    CUresult result = ctx != NULL ? named_context(ctx, &context) : check_ready();
    if (result != CUDA_SUCCESS)
        return result;
    if (depth > 0)
        depth--;
    return ctx != NULL ? push((uint64_t)(uintptr_t)ctx) : CUDA_SUCCESS;
}

API CUresult cuCtxGetCurrent(CUcontext *pctx)
{
    READING;
    CUresult result = check_ready();
    if (result != CUDA_SUCCESS)
        return result;
    if (pctx == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    *pctx = depth > 0 ? (CUcontext)(uintptr_t)stack[depth - 1] : NULL;
    return CUDA_SUCCESS;
}

API CUresult cuCtxGetDevice(CUdevice *device)
{
    READING;
    uint64_t handle;
    struct context *context;
    CUresult result = current_context(&handle, &context);
    if (result != CUDA_SUCCESS)
        return result;
    if (device == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    *device = context->device;
    return CUDA_SUCCESS;
}

/* The context named, or the thread's own where none is named. */
static CUresult named_or_current(CUcontext ctx, struct context **context)
{
    uint64_t handle;
    return ctx != NULL ? named_context(ctx, context) : current_context(&handle, context);
}

API CUresult cuCtxGetId(CUcontext ctx, unsigned long long *ctxId)
{
    READING;
    struct context *context;
    CUresult result = named_or_current(ctx, &context);
    if (result != CUDA_SUCCESS)
        return result;
    if (ctxId == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    *ctxId = context->id;
    return CUDA_SUCCESS;
}

API CUresult cuCtxGetApiVersion(CUcontext ctx, unsigned int *version)
{
    READING;
    struct context *context;
    CUresult result = named_or_current(ctx, &context);
    if (result != CUDA_SUCCESS)
        return result;
    if (version == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    *version = API_VERSION;
    return CUDA_SUCCESS;
}

API CUresult cuCtxGetFlags(unsigned int *flags)
{
    READING;
    uint64_t handle;
    struct context *context;
    CUresult result = current_context(&handle, &context);
    if (result != CUDA_SUCCESS)
        return result;
    if (flags == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    *flags = context->flags;
    return CUDA_SUCCESS;
}

API CUresult cuCtxSetFlags(unsigned int flags)
{
    WRITING;
    uint64_t handle;
    struct context *context;
    CUresult result = current_context(&handle, &context);
    if (result != CUDA_SUCCESS)
        return result;
    if (flags & ~(unsigned)CU_CTX_FLAGS_MASK)
        return CUDA_ERROR_INVALID_VALUE;
    context->flags = flags;
    return CUDA_SUCCESS;
}

/* Nothing to wait for: every call is done when it returns. */
API CUresult cuCtxSynchronize(void)
{
    READING;
    uint64_t handle;
    struct context *context;
    return current_context(&handle, &context);
}

API CUresult cuCtxGetStreamPriorityRange(int *leastPriority, int *greatestPriority)
{
    READING;
    uint64_t handle;
    struct context *context;
    CUresult result = current_context(&handle, &context);
    if (result != CUDA_SUCCESS)
        return result;
    if (leastPriority != NULL)
        *leastPriority = 0;
    if (greatestPriority != NULL)
        *greatestPriority = 0;
    return CUDA_SUCCESS;
}

static CUresult two_contexts(CUcontext peerContext, struct context **own, struct context **peer)
{
    uint64_t handle;
    CUresult result = current_context(&handle, own);
    return result != CUDA_SUCCESS ? result : named_context(peerContext, peer);
}

API CUresult cuCtxEnablePeerAccess(CUcontext peerContext, unsigned int Flags)
{
    WRITING;
    struct context *own, *peer;
    CUresult result = two_contexts(peerContext, &own, &peer);
    if (result != CUDA_SUCCESS)
        return result;
    if (Flags != 0)
        return CUDA_ERROR_INVALID_VALUE;
    if (own == peer)
        return CUDA_ERROR_INVALID_CONTEXT;
    if (own->device == peer->device)
        return CUDA_ERROR_PEER_ACCESS_UNSUPPORTED;
    if (own->peers >> peer->device & 1)
        return CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED;
    own->peers |= 1u << peer->device;
    return CUDA_SUCCESS;
}

API CUresult cuCtxDisablePeerAccess(CUcontext peerContext)
{
    WRITING;
    struct context *own, *peer;
    CUresult result = two_contexts(peerContext, &own, &peer);
    if (result != CUDA_SUCCESS)
        return result;
    if (!(own->peers >> peer->device & 1))
        return CUDA_ERROR_PEER_ACCESS_NOT_ENABLED;
    own->peers &= ~(1u << peer->device);
    return CUDA_SUCCESS;
}
