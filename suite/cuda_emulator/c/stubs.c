/* Every name of the driver API that is in none of the other files: it exists,
 * because libcufile stops at the first name it does not find, answers "not
 * supported" and is counted. stubs.inc lists all names; each stub is a weak
 * symbol, so that a function of another file takes its place. */
#include <string.h>

#include "driver.h"

enum {
#define NAME(name) NUMBER_OF_##name,
#include "stubs.inc"
#undef NAME
    NAMES
};

static unsigned long long calls[NAMES];

static CUresult called(int number)
{
    __atomic_fetch_add(&calls[number], 1, __ATOMIC_RELAXED);
    return CUDA_ERROR_NOT_SUPPORTED;
}

#define NAME(name)                               \
    API __attribute__((weak)) CUresult name(void) \
    {                                            \
        return called(NUMBER_OF_##name);         \
    }
#include "stubs.inc"
#undef NAME

static const struct {
    const char *name;
    void *function;
} table[] = {
#define NAME(name) {#name, (void *)name},
#include "stubs.inc"
#undef NAME
};

void *function_named(const char *name)
{
    size_t low = 0, high = NAMES;
    while (low < high) { /* the list is sorted */
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, table[middle].name);
        if (order == 0)
            return table[middle].function;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* For suite/cuda_emulator/counters.py. A function that is no stub is never counted. */
API size_t kvgauge_names(void)
{
    return NAMES;
}

API const char *kvgauge_name(size_t number)
{
    return number < NAMES ? table[number].name : NULL;
}

API unsigned long long kvgauge_unsupported_calls(size_t number)
{
    return number < NAMES ? __atomic_load_n(&calls[number], __ATOMIC_RELAXED) : 0;
}
