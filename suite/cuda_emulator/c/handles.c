/* Handles of contexts, streams, events and physical memory.
 *
 * A handle is a mark, the kind, a generation and an index. It is never the
 * address of anything: a stale or invented one is recognised by comparing
 * numbers, and a program that reads through it faults at once. */
#include <stdlib.h>

#include "driver.h"

#define MARK 0x4b47ull /* not a canonical x86-64 address, nor a mapped one elsewhere */
#define GENERATIONS (1u << 20)
#define INDICES (1u << 24)

struct slot {
    void *object;
    enum kind kind;
    uint32_t generation;
};

static struct slot *slots;
static uint32_t used, capacity;

static uint64_t handle_of(uint32_t index)
{
    const struct slot *slot = &slots[index];
    return MARK << 48 | (uint64_t)slot->kind << 44 | (uint64_t)slot->generation << 24 | index;
}

static bool grow(void)
{
    uint32_t wanted = capacity ? 2 * capacity : 64;
    struct slot *larger = wanted <= INDICES ? realloc(slots, wanted * sizeof *slots) : NULL;
    if (larger == NULL)
        return false;
    slots = larger;
    capacity = wanted;
    return true;
}

/* A closed slot is taken again only when its generations last: a handle is never valid twice. */
static bool free_slot(uint32_t *index)
{
    for (uint32_t i = 0; i < used; i++)
        if (slots[i].object == NULL && slots[i].generation + 1 < GENERATIONS) {
            slots[i].generation++;
            *index = i;
            return true;
        }
    if (used == capacity && !grow())
        return false;
    slots[used].generation = 0;
    *index = used++;
    return true;
}

uint64_t handle_open(enum kind kind, void *object)
{
    uint32_t index;
    if (!free_slot(&index))
        return 0;
    slots[index].kind = kind;
    slots[index].object = object;
    return handle_of(index);
}

void *handle_object(enum kind kind, uint64_t handle)
{
    uint32_t index = handle & (INDICES - 1);
    if (index >= used || slots[index].kind != kind || handle_of(index) != handle)
        return NULL;
    return slots[index].object;
}

bool handle_was_open(enum kind kind, uint64_t handle)
{
    return handle >> 48 == MARK && (handle >> 44 & 0xf) == (uint64_t)kind && (handle & (INDICES - 1)) < used;
}

void handle_close(uint64_t handle)
{
    slots[handle & (INDICES - 1)].object = NULL;
}

uint64_t handle_next(enum kind kind, uint64_t handle)
{
    for (uint32_t i = handle ? (handle & (INDICES - 1)) + 1 : 0; i < used; i++)
        if (slots[i].object != NULL && slots[i].kind == kind)
            return handle_of(i);
    return 0;
}
