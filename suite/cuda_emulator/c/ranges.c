/* What the driver knows to lie at which address: an array sorted by address. */
#include <stdlib.h>
#include <string.h>

#include "driver.h"

static struct range **ranges;
static size_t count, capacity;
static unsigned long long last_id;

/* The number of ranges that start at or below `address`. */
static size_t number_below(uintptr_t address)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ranges[middle]->start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct range *range_at(uintptr_t address)
{
    size_t below = number_below(address);
    struct range *range = below > 0 ? ranges[below - 1] : NULL;
    return range != NULL && address - range->start < range->nbytes ? range : NULL;
}

struct range *range_after(uintptr_t address)
{
    size_t below = number_below(address);
    return below < count ? ranges[below] : NULL;
}

bool range_overlaps(uintptr_t start, size_t nbytes)
{
    struct range *next = range_after(start);
    return range_at(start) != NULL || (next != NULL && next->start - start < nbytes);
}

bool range_insert(struct range *range)
{
    size_t at = number_below(range->start);
    if (count == capacity) {
        size_t wanted = capacity ? 2 * capacity : 64;
        struct range **larger = realloc(ranges, wanted * sizeof *ranges);
        if (larger == NULL)
            return false;
        ranges = larger;
        capacity = wanted;
    }
    memmove(&ranges[at + 1], &ranges[at], (count - at) * sizeof *ranges);
    ranges[at] = range;
    count++;
    return true;
}

void range_remove(struct range *range)
{
    size_t at = number_below(range->start) - 1;
    memmove(&ranges[at], &ranges[at + 1], (count - at - 1) * sizeof *ranges);
    count--;
}

size_t range_count(void)
{
    return count;
}

struct range *range_number(size_t index)
{
    return ranges[index];
}

unsigned long long range_new_id(void)
{
    return ++last_id;
}

bool on_device(const struct range *range)
{
    return range->memory != PINNED_MEMORY && range->memory != REGISTERED_MEMORY;
}
