/* What the driver and NVML both know: how many devices there are, and where. */
#ifndef KVGAUGE_SETTINGS_H
#define KVGAUGE_SETTINGS_H

#include <stdbool.h>

#define MAX_DEVICES 16

/* No real device stands in this PCI domain, so none of them is taken for a neighbour of a real NIC. */
#define PCI_DOMAIN 0xe000
#define PCI_BUS_OF(device) ((unsigned)(device) + 1)

/* Reads a variable that must be a whole number; false where it is not set or is none. */
bool number_from(const char *variable, unsigned long long *value);

/* KVGAUGE_EMULATED_GPUS, 1 to 16; 0 where it is anything else. */
int emulated_devices(void);

#endif
