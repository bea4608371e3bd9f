/* Streams and events. Work is done when it is posted, so all of them are always
 * ready; what is left is what their handles, times and callbacks must do. */
#include <stdlib.h>
#include <time.h>

#include "driver.h"

struct stream {
    uint64_t context;
    unsigned flags;
    int device;
    unsigned long long id;
};

struct event {
    uint64_t context;
    unsigned flags;
    bool recorded;
    struct timespec at;
};

static unsigned long long last_id = 2; /* below are the ids of the two default streams */

static bool is_default(CUstream stream)
{
    return stream == NULL || stream == CU_STREAM_LEGACY || stream == CU_STREAM_PER_THREAD;
}

static struct stream *stream_of(CUstream stream)
{
    return handle_object(KIND_STREAM, (uint64_t)(uintptr_t)stream);
}

static struct event *event_of(CUevent event)
{
    return handle_object(KIND_EVENT, (uint64_t)(uintptr_t)event);
}

CUresult check_stream(CUstream stream)
{
    return is_default(stream) || stream_of(stream) != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

static CUresult ready_stream(CUstream stream)
{
    uint64_t handle;
    struct context *context;
    CUresult result = current_context(&handle, &context);
    return result != CUDA_SUCCESS ? result : check_stream(stream);
}

API CUresult cuStreamCreate(CUstream *phStream, unsigned int Flags)
{
    WRITING;
    uint64_t handle, owner;
    struct stream *stream;
    struct context *context;
    CUresult result = current_context(&owner, &context);
    if (result != CUDA_SUCCESS)
        return result;
    if (phStream == NULL || Flags & ~(unsigned)CU_STREAM_NON_BLOCKING)
        return CUDA_ERROR_INVALID_VALUE;
    stream = malloc(sizeof *stream);
    handle = stream ? handle_open(KIND_STREAM, stream) : 0;
    if (handle == 0) {
        free(stream);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    *stream = (struct stream){owner, Flags, context->device, ++last_id};
    *phStream = (CUstream)(uintptr_t)handle;
    return CUDA_SUCCESS;
}

/* Any priority is allowed and is brought into the range, which is one value here. */
API CUresult cuStreamCreateWithPriority(CUstream *phStream, unsigned int flags, int priority)
{
    (void)priority;
    return cuStreamCreate(phStream, flags);
}

API CUresult cuStreamDestroy_v2(CUstream hStream)
{
    WRITING;
    struct stream *stream = stream_of(hStream);
    CUresult result = check_ready();
    if (result != CUDA_SUCCESS)
        return result;
    if (stream == NULL)
        return CUDA_ERROR_INVALID_HANDLE;
    handle_close((uint64_t)(uintptr_t)hStream);
    free(stream);
    return CUDA_SUCCESS;
}

API CUresult cuStreamSynchronize(CUstream hStream)
{
    READING;
    return ready_stream(hStream);
}
ALSO(cuStreamSynchronize, cuStreamSynchronize_ptsz);

API CUresult cuStreamQuery(CUstream hStream)
{
    READING;
    return ready_stream(hStream);
}
ALSO(cuStreamQuery, cuStreamQuery_ptsz);

API CUresult cuStreamGetPriority(CUstream hStream, int *priority)
{
    READING;
    CUresult result = ready_stream(hStream);
    if (result != CUDA_SUCCESS)
        return result;
    if (priority == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    *priority = 0;
    return CUDA_SUCCESS;
}
ALSO(cuStreamGetPriority, cuStreamGetPriority_ptsz);

API CUresult cuStreamGetFlags(CUstream hStream, unsigned int *flags)
{
    READING;
    CUresult result = ready_stream(hStream);
    if (result != CUDA_SUCCESS)
        return result;
    if (flags == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    *flags = is_default(hStream) ? 0 : stream_of(hStream)->flags;
    return CUDA_SUCCESS;
}
ALSO(cuStreamGetFlags, cuStreamGetFlags_ptsz);

API CUresult cuStreamGetId(CUstream hStream, unsigned long long *streamId)
{
    READING;
    CUresult result = ready_stream(hStream);
    if (result != CUDA_SUCCESS)
        return result;
    if (streamId == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    *streamId = is_default(hStream) ? (hStream == CU_STREAM_PER_THREAD ? 2 : 1) : stream_of(hStream)->id;
    return CUDA_SUCCESS;
}
ALSO(cuStreamGetId, cuStreamGetId_ptsz);

API CUresult cuStreamGetCtx(CUstream hStream, CUcontext *pctx)
{
    READING;
    uint64_t owner;
    struct context *context;
    CUresult result = current_context(&owner, &context);
    if (result == CUDA_SUCCESS)
        result = check_stream(hStream);
    if (result != CUDA_SUCCESS)
        return result;
    if (pctx == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    *pctx = (CUcontext)(uintptr_t)(is_default(hStream) ? owner : stream_of(hStream)->context);
    return CUDA_SUCCESS;
}
ALSO(cuStreamGetCtx, cuStreamGetCtx_ptsz);

API CUresult cuStreamWaitEvent(CUstream hStream, CUevent hEvent, unsigned int Flags)
{
    READING;
    CUresult result = ready_stream(hStream);
    if (result != CUDA_SUCCESS)
        return result;
    if (Flags > 1)
        return CUDA_ERROR_INVALID_VALUE;
    return event_of(hEvent) != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}
ALSO(cuStreamWaitEvent, cuStreamWaitEvent_ptsz);

static CUresult checked_stream(CUstream stream)
{
    READING;
    return ready_stream(stream);
}

/* Called with the lock let go: a callback may take locks of its own. */
API CUresult cuStreamAddCallback(CUstream hStream, CUstreamCallback callback, void *userData, unsigned int flags)
{
    CUresult result = checked_stream(hStream);
    if (result != CUDA_SUCCESS)
        return result;
    if (callback == NULL || flags != 0)
        return CUDA_ERROR_INVALID_VALUE;
    callback(hStream, CUDA_SUCCESS, userData);
    return CUDA_SUCCESS;
}
ALSO(cuStreamAddCallback, cuStreamAddCallback_ptsz);

API CUresult cuLaunchHostFunc(CUstream hStream, CUhostFn fn, void *userData)
{
    CUresult result = checked_stream(hStream);
    if (result != CUDA_SUCCESS)
        return result;
    if (fn == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    fn(userData);
    return CUDA_SUCCESS;
}
ALSO(cuLaunchHostFunc, cuLaunchHostFunc_ptsz);

API CUresult cuEventCreate(CUevent *phEvent, unsigned int Flags)
{
    WRITING;
    uint64_t handle, owner;
    struct event *event;
    struct context *context;
    CUresult result = current_context(&owner, &context);
    if (result != CUDA_SUCCESS)
        return result;
    if (phEvent == NULL || Flags > 7 || (Flags & CU_EVENT_INTERPROCESS && !(Flags & CU_EVENT_DISABLE_TIMING)))
        return CUDA_ERROR_INVALID_VALUE;
    event = malloc(sizeof *event);
    handle = event ? handle_open(KIND_EVENT, event) : 0;
    if (handle == 0) {
        free(event);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    *event = (struct event){.context = owner, .flags = Flags};
    *phEvent = (CUevent)(uintptr_t)handle;
    return CUDA_SUCCESS;
}

static CUresult ready_event(CUevent handle, struct event **event)
{
    CUresult result = check_ready();
    if (result != CUDA_SUCCESS)
        return result;
    *event = event_of(handle);
    return *event != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

API CUresult cuEventDestroy_v2(CUevent hEvent)
{
    WRITING;
    struct event *event;
    CUresult result = ready_event(hEvent, &event);
    if (result != CUDA_SUCCESS)
        return result;
    handle_close((uint64_t)(uintptr_t)hEvent);
    free(event);
    return CUDA_SUCCESS;
}

API CUresult cuEventRecord(CUevent hEvent, CUstream hStream)
{
    WRITING;
    struct event *event;
    CUresult result = ready_event(hEvent, &event);
    if (result == CUDA_SUCCESS)
        result = ready_stream(hStream);
    if (result != CUDA_SUCCESS)
        return result;
    event->recorded = true;
    clock_gettime(CLOCK_MONOTONIC, &event->at);
    return CUDA_SUCCESS;
}
ALSO(cuEventRecord, cuEventRecord_ptsz);

API CUresult cuEventRecordWithFlags(CUevent hEvent, CUstream hStream, unsigned int flags)
{
    return flags > 1 ? CUDA_ERROR_INVALID_VALUE : cuEventRecord(hEvent, hStream);
}
ALSO(cuEventRecordWithFlags, cuEventRecordWithFlags_ptsz);

API CUresult cuEventQuery(CUevent hEvent)
{
    READING;
    struct event *event;
    return ready_event(hEvent, &event);
}

API CUresult cuEventSynchronize(CUevent hEvent)
{
    READING;
    struct event *event;
    return ready_event(hEvent, &event);
}

API CUresult cuEventElapsedTime_v2(float *pMilliseconds, CUevent hStart, CUevent hEnd)
{
    READING;
    struct event *start, *end;
    CUresult result = ready_event(hStart, &start);
    if (result == CUDA_SUCCESS)
        result = ready_event(hEnd, &end);
    if (result != CUDA_SUCCESS)
        return result;
    if (pMilliseconds == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    if (!start->recorded || !end->recorded || (start->flags | end->flags) & CU_EVENT_DISABLE_TIMING)
        return CUDA_ERROR_INVALID_HANDLE;
    *pMilliseconds = (float)((double)(end->at.tv_sec - start->at.tv_sec) * 1e3 +
                             (double)(end->at.tv_nsec - start->at.tv_nsec) / 1e6);
    return CUDA_SUCCESS;
}
ALSO(cuEventElapsedTime_v2, cuEventElapsedTime);

void release_context_streams(uint64_t context)
{
    for (uint64_t handle = 0; (handle = handle_next(KIND_STREAM, handle)) != 0;) {
        struct stream *stream = handle_object(KIND_STREAM, handle);
        if (stream->context == context) {
            handle_close(handle);
            free(stream);
        }
    }
    for (uint64_t handle = 0; (handle = handle_next(KIND_EVENT, handle)) != 0;) {
        struct event *event = handle_object(KIND_EVENT, handle);
        if (event->context == context) {
            handle_close(handle);
            free(event);
        }
    }
}
