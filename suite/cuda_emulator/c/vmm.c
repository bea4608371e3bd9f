/* Virtual memory management: addresses are reserved, physical memory is mapped
 * at them and opened to devices. A reservation has a twin of the same size for
 * the driver's own view, so both move in step. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>

#include "driver.h"

struct reservation {
    struct reservation *next;
    uintptr_t start;
    size_t nbytes;
    char *twin;
};

static struct reservation *reservations;

static struct reservation *reservation_around(uintptr_t start, size_t nbytes)
{
    for (struct reservation *r = reservations; r != NULL; r = r->next)
        if (start >= r->start && start - r->start < r->nbytes && nbytes <= r->nbytes - (start - r->start))
            return r;
    return NULL;
}

/* `nbytes` of addresses that start at a multiple of `alignment`, without access. */
static char *reserve(size_t nbytes, size_t alignment)
{
    size_t head;
    char *bytes;
    if (nbytes > SIZE_MAX - alignment)
        return NULL;
    bytes = mmap(NULL, nbytes + alignment, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bytes == MAP_FAILED)
        return NULL;
    head = (alignment - (uintptr_t)bytes % alignment) % alignment;
    if (head > 0)
        munmap(bytes, head);
    munmap(bytes + head + nbytes, alignment - head);
    return bytes + head;
}

/* The wished address `addr` is a hint that may be passed over, as documented. */
API CUresult cuMemAddressReserve(CUdeviceptr *ptr, size_t size, size_t alignment, CUdeviceptr addr, unsigned long long flags)
{
    WRITING;
    struct reservation *reservation;
    char *start = NULL;
    CUresult result = check_ready();
    (void)addr;
    if (result != CUDA_SUCCESS)
        return result;
    if (ptr == NULL || size == 0 || size % GRANULARITY != 0 || alignment & (alignment - 1) || flags != 0)
        return CUDA_ERROR_INVALID_VALUE;
    reservation = malloc(sizeof *reservation);
    if (reservation != NULL)
        start = reserve(size, alignment > GRANULARITY ? alignment : GRANULARITY);
    if (start != NULL && (reservation->twin = reserve(size, GRANULARITY)) != NULL) {
        reservation->start = (uintptr_t)start;
        reservation->nbytes = size;
        reservation->next = reservations;
        reservations = reservation;
        *ptr = reservation->start;
        return CUDA_SUCCESS;
    }
    if (start != NULL)
        munmap(start, size);
    free(reservation);
    return CUDA_ERROR_OUT_OF_MEMORY;
}

API CUresult cuMemAddressFree(CUdeviceptr ptr, size_t size)
{
    WRITING;
    CUresult result = check_ready();
    if (result != CUDA_SUCCESS)
        return result;
    for (struct reservation **at = &reservations; *at != NULL; at = &(*at)->next) {
        struct reservation *reservation = *at;
        if (reservation->start != ptr || reservation->nbytes != size)
            continue;
        if (range_overlaps(ptr, size)) /* something is still mapped in it */
            return CUDA_ERROR_INVALID_VALUE;
        munmap((void *)reservation->start, size);
        munmap(reservation->twin, size);
        *at = reservation->next;
        free(reservation);
        return CUDA_SUCCESS;
    }
    return CUDA_ERROR_INVALID_VALUE;
}

/* Back to reserved addresses without memory, on both sides. */
static void clear(const struct reservation *reservation, uintptr_t start, size_t nbytes)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    mmap((void *)start, nbytes, PROT_NONE, flags, -1, 0);
    mmap(reservation->twin + (start - reservation->start), nbytes, PROT_NONE, flags, -1, 0);
}

static CUresult map_into(const struct reservation *reservation, struct range range, size_t offset)
{
    struct range *kept = malloc(sizeof *kept);
    if (kept == NULL)
        return CUDA_ERROR_OUT_OF_MEMORY;
    range.bytes = reservation->twin + (range.start - reservation->start);
    range.id = range_new_id();
    *kept = range;
    /* The program gets access, outside strict mode, only by cuMemSetAccess. */
    if (backing_map(&range.backing, offset, range.nbytes, PROT_READ | PROT_WRITE, range.bytes) == NULL ||
        backing_map(&range.backing, offset, range.nbytes, PROT_NONE, (void *)range.start) == NULL || !range_insert(kept)) {
        clear(reservation, range.start, range.nbytes);
        free(kept);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    return CUDA_SUCCESS;
}

API CUresult cuMemMap(CUdeviceptr ptr, size_t size, size_t offset, CUmemGenericAllocationHandle handle,
                      unsigned long long flags)
{
    WRITING;
    struct physical *physical = physical_of(handle);
    const struct reservation *reservation = reservation_around(ptr, size);
    struct range range = {.start = ptr, .nbytes = size, .mapped_nbytes = size, .memory = MAPPED_MEMORY, .physical = handle};
    CUresult result = check_ready();
    if (result != CUDA_SUCCESS)
        return result;
    if (physical == NULL || reservation == NULL || flags != 0 || offset != 0 || size == 0 ||
        (ptr | size) % GRANULARITY != 0 || size > physical->backing.nbytes)
        return CUDA_ERROR_INVALID_VALUE;
    if (range_overlaps(ptr, size))
        return CUDA_ERROR_INVALID_VALUE;
    range.device = physical->device;
    range.backing = physical->backing;
    result = map_into(reservation, range, offset);
    if (result == CUDA_SUCCESS)
        physical->mappings++;
    return result;
}

/* Do whole mappings fill [start, start + nbytes)? */
static bool is_wholly_mapped(uintptr_t start, size_t nbytes)
{
    while (nbytes > 0) {
        const struct range *range = range_at(start);
        if (range == NULL || range->memory != MAPPED_MEMORY || range->start != start || range->nbytes > nbytes)
            return false;
        start += range->nbytes;
        nbytes -= range->nbytes;
    }
    return true;
}

API CUresult cuMemUnmap(CUdeviceptr ptr, size_t size)
{
    WRITING;
    const struct reservation *reservation = reservation_around(ptr, size);
    CUresult result = check_ready();
    if (result != CUDA_SUCCESS)
        return result;
    if (reservation == NULL || size == 0 || !is_wholly_mapped(ptr, size))
        return CUDA_ERROR_INVALID_VALUE;
    clear(reservation, ptr, size);
    for (uintptr_t at = ptr; at < ptr + size;) {
        struct range *range = range_at(at);
        uint64_t handle = range->physical;
        at += range->nbytes;
        release_range(range);
        physical_unmapped(handle);
    }
    return CUDA_SUCCESS;
}

static bool is_description(const CUmemAccessDesc *description)
{
    return description->location.type == CU_MEM_LOCATION_TYPE_DEVICE && is_device(description->location.id) &&
           (description->flags == CU_MEM_ACCESS_FLAGS_PROT_NONE || description->flags == CU_MEM_ACCESS_FLAGS_PROT_READ ||
            description->flags == CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
}

static void set_access(struct range *range, const CUmemAccessDesc *description)
{
    unsigned bit = 1u << description->location.id;
    range->reads &= ~bit;
    range->writes &= ~bit;
    if (description->flags & CU_MEM_ACCESS_FLAGS_PROT_READ)
        range->reads |= bit;
    if (description->flags == CU_MEM_ACCESS_FLAGS_PROT_READWRITE)
        range->writes |= bit;
    if (!is_strict())
        mprotect((void *)range->start, range->nbytes,
                 (range->reads ? PROT_READ : 0) | (range->writes ? PROT_READ | PROT_WRITE : 0));
}

API CUresult cuMemSetAccess(CUdeviceptr ptr, size_t size, const CUmemAccessDesc *desc, size_t count)
{
    WRITING;
    CUresult result = check_ready();
    if (result != CUDA_SUCCESS)
        return result;
    if (desc == NULL || count == 0 || size == 0 || !is_wholly_mapped(ptr, size))
        return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < count; i++)
        if (!is_description(&desc[i]))
            return CUDA_ERROR_INVALID_VALUE;
    for (uintptr_t at = ptr; at < ptr + size;) {
        struct range *range = range_at(at);
        for (size_t i = 0; i < count; i++)
            set_access(range, &desc[i]);
        at += range->nbytes;
    }
    return CUDA_SUCCESS;
}

API CUresult cuMemGetAccess(unsigned long long *flags, const CUmemLocation *location, CUdeviceptr ptr)
{
    READING;
    const struct range *range = range_at(ptr);
    CUresult result = check_ready();
    if (result != CUDA_SUCCESS)
        return result;
    if (flags == NULL || location == NULL || location->type != CU_MEM_LOCATION_TYPE_DEVICE || !is_device(location->id) ||
        range == NULL || range->memory != MAPPED_MEMORY)
        return CUDA_ERROR_INVALID_VALUE;
    *flags = range->writes >> location->id & 1  ? CU_MEM_ACCESS_FLAGS_PROT_READWRITE
             : range->reads >> location->id & 1 ? CU_MEM_ACCESS_FLAGS_PROT_READ
                                                : CU_MEM_ACCESS_FLAGS_PROT_NONE;
    return CUDA_SUCCESS;
}
