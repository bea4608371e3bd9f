/* Names of errors, and what they mean here. */
#include "driver.h"

#define CASE(code, text) \
    case code:           \
        *name = #code;   \
        *string = text;  \
        break

static void look_up(CUresult error, const char **name, const char **string)
{
    switch ((int)error) {
        CASE(CUDA_SUCCESS, "no error");
        CASE(CUDA_ERROR_INVALID_VALUE, "an argument is outside what is accepted");
        CASE(CUDA_ERROR_OUT_OF_MEMORY, "out of memory");
        CASE(CUDA_ERROR_NOT_INITIALIZED, "cuInit has not been called");
        CASE(CUDA_ERROR_NO_DEVICE, "no device: KVGAUGE_EMULATED_GPUS is not 1 to 16");
        CASE(CUDA_ERROR_INVALID_DEVICE, "no such device");
        CASE(CUDA_ERROR_INVALID_CONTEXT, "no context is current, or it is not a context");
        CASE(CUDA_ERROR_MAP_FAILED, "mapping failed");
        CASE(CUDA_ERROR_PEER_ACCESS_UNSUPPORTED, "no peer access between these devices");
        CASE(CUDA_ERROR_OPERATING_SYSTEM, "a call of the operating system failed (too many open files?)");
        CASE(CUDA_ERROR_INVALID_HANDLE, "not a valid handle");
        CASE(CUDA_ERROR_NOT_FOUND, "not found");
        CASE(CUDA_ERROR_NOT_READY, "not ready");
        CASE(CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED, "peer access is enabled already");
        CASE(CUDA_ERROR_PEER_ACCESS_NOT_ENABLED, "peer access is not enabled");
        CASE(CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE, "the primary context is active");
        CASE(CUDA_ERROR_CONTEXT_IS_DESTROYED, "the context has been destroyed");
        CASE(CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED, "host memory is registered already");
        CASE(CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED, "host memory is not registered");
        CASE(CUDA_ERROR_NOT_PERMITTED, "not permitted");
        CASE(CUDA_ERROR_NOT_SUPPORTED, "not supported by the emulated driver");
        CASE(CUDA_ERROR_UNKNOWN, "unknown error");
    default:
        *name = *string = NULL;
    }
}

API CUresult cuGetErrorName(CUresult error, const char **pStr)
{
    const char *name, *string;
    if (pStr == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    look_up(error, &name, &string);
    *pStr = name;
    return name != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

API CUresult cuGetErrorString(CUresult error, const char **pStr)
{
    const char *name, *string;
    if (pStr == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    look_up(error, &name, &string);
    *pStr = string;
    return string != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
