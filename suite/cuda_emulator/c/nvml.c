/* NVML as far as UCX's CUDA transports ask it. Each device has one NVLink, to a
 * switch: that is how UCX decides that READ can go over cuda_ipc, as it does
 * between the GPUs of a DGX or HGX machine, and not through the host. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "settings.h"

#define API __attribute__((visibility("default")))

enum { NVML_SUCCESS = 0, NVML_ERROR_INVALID_ARGUMENT = 2, NVML_ERROR_NOT_SUPPORTED = 3 };
enum { FIELD_NVLINK_LINK_COUNT = 91, VALUE_UNSIGNED_INT = 1 };
#define SWITCH_BUS 0xff

struct pci_info {
    char legacy_bus_id[16];
    unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
    char bus_id[32];
};

struct field_value {
    uint32_t field, scope;
    int64_t timestamp, latency_us;
    int type, result;
    union {
        double real;
        unsigned whole;
    } value;
};

API int nvmlInit_v2(void)
{
    return NVML_SUCCESS;
}

API int nvmlShutdown(void)
{
    return NVML_SUCCESS;
}

API const char *nvmlErrorString(int result)
{
    switch (result) {
    case NVML_SUCCESS:
        return "no error";
    case NVML_ERROR_INVALID_ARGUMENT:
        return "an argument is outside what is accepted";
    default:
        return "not supported by the emulated driver";
    }
}

API int nvmlDeviceGetCount_v2(unsigned *count)
{
    if (count == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    *count = (unsigned)emulated_devices();
    return NVML_SUCCESS;
}

/* A device's handle is its number plus one. */
static int is_device(uintptr_t device)
{
    return device >= 1 && device <= (uintptr_t)emulated_devices();
}

API int nvmlDeviceGetHandleByIndex_v2(unsigned index, uintptr_t *device)
{
    if (device == NULL || !is_device((uintptr_t)index + 1))
        return NVML_ERROR_INVALID_ARGUMENT;
    *device = (uintptr_t)index + 1;
    return NVML_SUCCESS;
}

static void describe(struct pci_info *pci, unsigned bus)
{
    memset(pci, 0, sizeof *pci);
    pci->domain = PCI_DOMAIN;
    pci->bus = bus;
    snprintf(pci->legacy_bus_id, sizeof pci->legacy_bus_id, "%04X:%02X:00.0", PCI_DOMAIN, bus & 0xff);
    snprintf(pci->bus_id, sizeof pci->bus_id, "%08X:%02X:00.0", PCI_DOMAIN, bus & 0xff);
}

API int nvmlDeviceGetPciInfo_v3(uintptr_t device, struct pci_info *pci)
{
    if (pci == NULL || !is_device(device))
        return NVML_ERROR_INVALID_ARGUMENT;
    describe(pci, PCI_BUS_OF(device - 1));
    return NVML_SUCCESS;
}

API int nvmlDeviceGetFieldValues(uintptr_t device, int count, struct field_value *values)
{
    if (values == NULL || count < 1 || !is_device(device))
        return NVML_ERROR_INVALID_ARGUMENT;
    for (int i = 0; i < count; i++) {
        bool known = values[i].field == FIELD_NVLINK_LINK_COUNT;
        values[i].result = known ? NVML_SUCCESS : NVML_ERROR_NOT_SUPPORTED;
        values[i].type = VALUE_UNSIGNED_INT;
        values[i].value.whole = known;
    }
    return NVML_SUCCESS;
}

API int nvmlDeviceGetNvLinkRemotePciInfo_v2(uintptr_t device, unsigned link, struct pci_info *pci)
{
    if (pci == NULL || link != 0 || !is_device(device))
        return NVML_ERROR_INVALID_ARGUMENT;
    describe(pci, SWITCH_BUS);
    return NVML_SUCCESS;
}

/* No NVLink between machines. */
API int nvmlDeviceGetGpuFabricInfoV(void)
{
    return NVML_ERROR_NOT_SUPPORTED;
}
