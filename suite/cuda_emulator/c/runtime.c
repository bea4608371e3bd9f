/* The few calls of the CUDA runtime that NIXL's plug-ins make, on the emulated
 * driver. This is no replacement of NVIDIA's runtime, which checks that the
 * driver is NVIDIA's and is left to do so. */
#include <stdint.h>

#include "driver.h"

typedef CUresult cudaError_t; /* the codes used here have the same numbers in both APIs */

CUresult cuInit(unsigned int Flags);
CUresult cuGetErrorString(CUresult error, const char **pStr);
CUresult cuDevicePrimaryCtxRetain(CUcontext *pctx, CUdevice dev);
CUresult cuDeviceGetByPCIBusId(CUdevice *dev, const char *pciBusId);
CUresult cuDeviceGetPCIBusId(char *pciBusId, int len, CUdevice dev);
CUresult cuCtxSetCurrent(CUcontext ctx);
CUresult cuCtxGetCurrent(CUcontext *pctx);
CUresult cuMemFree_v2(CUdeviceptr dptr);
CUresult cuMemcpy(CUdeviceptr dst, CUdeviceptr src, size_t ByteCount);
CUresult cuMemsetD8_v2(CUdeviceptr dstDevice, unsigned char uc, size_t N);
CUresult cuStreamCreate(CUstream *phStream, unsigned int Flags);
CUresult cuStreamDestroy_v2(CUstream hStream);
CUresult cuStreamSynchronize(CUstream hStream);

static __thread cudaError_t last_error;
static CUcontext primary[MAX_DEVICES];
static pthread_mutex_t primaries = PTHREAD_MUTEX_INITIALIZER;

static cudaError_t keep(CUresult result)
{
    if (result != CUDA_SUCCESS)
        last_error = result;
    return result;
}

/* The runtime holds each device's primary context from its first use to the end of the process. */
static CUresult retain(int device)
{
    CUresult result = CUDA_SUCCESS;
    if (device < 0 || device >= MAX_DEVICES)
        return CUDA_ERROR_INVALID_DEVICE;
    pthread_mutex_lock(&primaries);
    if (primary[device] == NULL)
        result = cuDevicePrimaryCtxRetain(&primary[device], device);
    pthread_mutex_unlock(&primaries);
    return result;
}

static CUresult use(int device)
{
    CUresult result = cuInit(0);
    if (result == CUDA_SUCCESS)
        result = retain(device);
    return result == CUDA_SUCCESS ? cuCtxSetCurrent(primary[device]) : result;
}

static CUresult use_any(void)
{
    CUcontext current = NULL;
    CUresult result = cuInit(0);
    if (result == CUDA_SUCCESS)
        result = cuCtxGetCurrent(&current);
    return result == CUDA_SUCCESS && current == NULL ? use(0) : result;
}

API cudaError_t cudaSetDevice(int device)
{
    return keep(use(device));
}

API cudaError_t cudaGetLastError(void)
{
    cudaError_t error = last_error;
    last_error = CUDA_SUCCESS;
    return error;
}

API const char *cudaGetErrorString(cudaError_t error)
{
    const char *text;
    return cuGetErrorString(error, &text) == CUDA_SUCCESS ? text : "unrecognized error code";
}

API cudaError_t cudaDeviceGetByPCIBusId(int *device, const char *pciBusId)
{
    CUresult result = cuInit(0);
    return keep(result == CUDA_SUCCESS ? cuDeviceGetByPCIBusId(device, pciBusId) : result);
}

API cudaError_t cudaDeviceGetPCIBusId(char *pciBusId, int len, int device)
{
    CUresult result = cuInit(0);
    return keep(result == CUDA_SUCCESS ? cuDeviceGetPCIBusId(pciBusId, len, device) : result);
}

API cudaError_t cudaFree(void *devPtr)
{
    CUresult result = use_any();
    return keep(result == CUDA_SUCCESS ? cuMemFree_v2((uintptr_t)devPtr) : result);
}

API cudaError_t cudaMemcpy(void *dst, const void *src, size_t count, int kind)
{
    CUresult result = use_any();
    (void)kind; /* unified addressing tells the direction */
    return keep(result == CUDA_SUCCESS ? cuMemcpy((uintptr_t)dst, (uintptr_t)src, count) : result);
}

API cudaError_t cudaMemset(void *devPtr, int value, size_t count)
{
    CUresult result = use_any();
    return keep(result == CUDA_SUCCESS ? cuMemsetD8_v2((uintptr_t)devPtr, (unsigned char)value, count) : result);
}

API cudaError_t cudaStreamCreateWithFlags(CUstream *pStream, unsigned int flags)
{
    CUresult result = use_any();
    return keep(result == CUDA_SUCCESS ? cuStreamCreate(pStream, flags) : result);
}

API cudaError_t cudaStreamDestroy(CUstream stream)
{
    return keep(cuStreamDestroy_v2(stream));
}

API cudaError_t cudaStreamSynchronize(CUstream stream)
{
    CUresult result = use_any();
    return keep(result == CUDA_SUCCESS ? cuStreamSynchronize(stream) : result);
}

/* There is nothing that could run a kernel. */
API cudaError_t cudaLaunchKernel(void)
{
    return keep(CUDA_ERROR_NOT_SUPPORTED);
}
