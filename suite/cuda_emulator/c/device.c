/* The devices: how many, what they are called, what they say they can do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

#define NAME "Emulated GPU (host memory)"
#define DEFAULT_BYTES (8ull << 30)

static bool ready, strict;
static int devices;
static size_t memory_bytes;
static size_t taken[MAX_DEVICES];

API CUresult cuInit(unsigned int Flags)
{
    WRITING;
    unsigned long long nbytes = DEFAULT_BYTES;
    const char *wants_strict = getenv("KVGAUGE_EMULATED_GPU_STRICT");
    if (Flags != 0)
        return CUDA_ERROR_INVALID_VALUE;
    if (ready)
        return CUDA_SUCCESS;
    devices = emulated_devices();
    if (devices == 0)
        return CUDA_ERROR_NO_DEVICE;
    if (getenv("KVGAUGE_EMULATED_GPU_BYTES") != NULL && !number_from("KVGAUGE_EMULATED_GPU_BYTES", &nbytes))
        return CUDA_ERROR_NO_DEVICE;
    memory_bytes = (size_t)nbytes;
    strict = wants_strict == NULL || strcmp(wants_strict, "0") != 0;
    ready = true;
    return CUDA_SUCCESS;
}

API CUresult cuDriverGetVersion(int *driverVersion)
{
    if (driverVersion == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    *driverVersion = DRIVER_VERSION;
    return CUDA_SUCCESS;
}

CUresult check_ready(void)
{
    return ready ? CUDA_SUCCESS : CUDA_ERROR_NOT_INITIALIZED;
}

bool is_device(CUdevice device)
{
    return device >= 0 && device < devices;
}

CUresult check_device(CUdevice device)
{
    if (!ready)
        return CUDA_ERROR_NOT_INITIALIZED;
    return is_device(device) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

bool is_strict(void)
{
    return strict;
}

CUresult device_take(int device, size_t nbytes)
{
    if (nbytes == 0 || nbytes > memory_bytes - taken[device])
        return CUDA_ERROR_OUT_OF_MEMORY;
    taken[device] += nbytes;
    return CUDA_SUCCESS;
}

void device_give_back(int device, size_t nbytes)
{
    taken[device] -= nbytes;
}

void device_memory(int device, size_t *available, size_t *total)
{
    *available = memory_bytes - taken[device];
    *total = memory_bytes;
}

API CUresult cuDeviceGetCount(int *count)
{
    READING;
    CUresult result = check_ready();
    if (result != CUDA_SUCCESS)
        return result;
    if (count == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    *count = devices;
    return CUDA_SUCCESS;
}

API CUresult cuDeviceGet(CUdevice *device, int ordinal)
{
    READING;
    CUresult result = check_device(ordinal);
    if (result != CUDA_SUCCESS)
        return result;
    if (device == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    *device = ordinal;
    return CUDA_SUCCESS;
}

API CUresult cuDeviceGetName(char *name, int len, CUdevice dev)
{
    READING;
    CUresult result = check_device(dev);
    if (result != CUDA_SUCCESS)
        return result;
    if (name == NULL || len < 1)
        return CUDA_ERROR_INVALID_VALUE;
    snprintf(name, (size_t)len, "%s", NAME);
    return CUDA_SUCCESS;
}

/* The same in every process of this machine: UCX finds a peer's device by it. */
API CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice dev)
{
    READING;
    CUresult result = check_device(dev);
    if (result != CUDA_SUCCESS)
        return result;
    if (uuid == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    memcpy(uuid->bytes, "kvgauge-emulate", 15);
    uuid->bytes[15] = (char)dev;
    return CUDA_SUCCESS;
}
ALSO(cuDeviceGetUuid_v2, cuDeviceGetUuid);

API CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice dev)
{
    READING;
    CUresult result = check_device(dev);
    if (result != CUDA_SUCCESS)
        return result;
    if (bytes == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    *bytes = memory_bytes;
    return CUDA_SUCCESS;
}

/* What is not named is 0: no GPUDirect RDMA, no DMA-BUF, no memory pools, no stream memory operations. */
static int attribute_of(CUdevice device, CUdevice_attribute attribute)
{
    switch ((int)attribute) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
        return 9;
    case CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID:
        return PCI_DOMAIN;
    case CU_DEVICE_ATTRIBUTE_PCI_BUS_ID:
        return (int)PCI_BUS_OF(device);
    case CU_DEVICE_ATTRIBUTE_WARP_SIZE:
        return 32;
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X:
        return 1024;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X:
        return 0x7fffffff;
    case CU_DEVICE_ATTRIBUTE_NUMA_ID:
    case CU_DEVICE_ATTRIBUTE_HOST_NUMA_ID:
        return -1; /* unknown */
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
    case CU_DEVICE_ATTRIBUTE_GPU_OVERLAP:
    case CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY:
    case CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT:
    case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING:
    case CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY:
    case CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS:
    case CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM:
    case CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED:
    case CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED:
    case CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED:
    case CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_FABRIC_SUPPORTED:
        return 1;
    default:
        return 0;
    }
}

API CUresult cuDeviceGetAttribute(int *pi, CUdevice_attribute attrib, CUdevice dev)
{
    READING;
    CUresult result = check_device(dev);
    if (result != CUDA_SUCCESS)
        return result;
    if (pi == NULL || (int)attrib < 1 || (int)attrib >= (int)CU_DEVICE_ATTRIBUTE_MAX)
        return CUDA_ERROR_INVALID_VALUE;
    *pi = attribute_of(dev, attrib);
    return CUDA_SUCCESS;
}

API CUresult cuDeviceComputeCapability(int *major, int *minor, CUdevice dev)
{
    READING;
    CUresult result = check_device(dev);
    if (result != CUDA_SUCCESS)
        return result;
    if (major == NULL || minor == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    *major = attribute_of(dev, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
    *minor = attribute_of(dev, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
    return CUDA_SUCCESS;
}

API CUresult cuDeviceGetPCIBusId(char *pciBusId, int len, CUdevice dev)
{
    READING;
    CUresult result = check_device(dev);
    if (result != CUDA_SUCCESS)
        return result;
    if (pciBusId == NULL || len < 1)
        return CUDA_ERROR_INVALID_VALUE;
    snprintf(pciBusId, (size_t)len, "%04x:%02x:00.0", PCI_DOMAIN, PCI_BUS_OF(dev));
    return CUDA_SUCCESS;
}

API CUresult cuDeviceGetByPCIBusId(CUdevice *dev, const char *pciBusId)
{
    READING;
    unsigned domain, bus, slot, function = 0;
    CUresult result = check_ready();
    if (result != CUDA_SUCCESS)
        return result;
    if (dev == NULL || pciBusId == NULL || sscanf(pciBusId, "%x:%x:%x.%x", &domain, &bus, &slot, &function) < 3)
        return CUDA_ERROR_INVALID_VALUE;
    if (domain != PCI_DOMAIN || slot != 0 || function != 0 || bus < 1 || bus > (unsigned)devices)
        return CUDA_ERROR_INVALID_DEVICE;
    *dev = (CUdevice)bus - 1;
    return CUDA_SUCCESS;
}

API CUresult cuDeviceCanAccessPeer(int *canAccessPeer, CUdevice dev, CUdevice peerDev)
{
    READING;
    CUresult result = check_device(dev);
    if (result == CUDA_SUCCESS)
        result = check_device(peerDev);
    if (result != CUDA_SUCCESS)
        return result;
    if (canAccessPeer == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    *canAccessPeer = dev != peerDev;
    return CUDA_SUCCESS;
}

API CUresult cuDeviceGetP2PAttribute(int *value, CUdevice_P2PAttribute attrib, CUdevice srcDevice, CUdevice dstDevice)
{
    READING;
    CUresult result = check_device(srcDevice);
    if (result == CUDA_SUCCESS)
        result = check_device(dstDevice);
    if (result != CUDA_SUCCESS)
        return result;
    if (srcDevice == dstDevice)
        return CUDA_ERROR_INVALID_DEVICE;
    if (value == NULL || (int)attrib < (int)CU_DEVICE_P2P_ATTRIBUTE_PERFORMANCE_RANK ||
        (int)attrib > (int)CU_DEVICE_P2P_ATTRIBUTE_CUDA_ARRAY_ACCESS_SUPPORTED)
        return CUDA_ERROR_INVALID_VALUE;
    *value = attrib == CU_DEVICE_P2P_ATTRIBUTE_ACCESS_SUPPORTED;
    return CUDA_SUCCESS;
}
