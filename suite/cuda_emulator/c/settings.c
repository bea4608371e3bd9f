/* The variables that say what is emulated. */
#include "settings.h"

#include <errno.h>
#include <stdlib.h>

bool number_from(const char *variable, unsigned long long *value)
{
    const char *text = getenv(variable);
    char *end;
    if (text == NULL || *text < '0' || *text > '9') /* strtoull would take blanks and signs */
        return false;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}

int emulated_devices(void)
{
    unsigned long long count;
    if (!number_from("KVGAUGE_EMULATED_GPUS", &count) || count > MAX_DEVICES)
        return 0;
    return (int)count;
}
