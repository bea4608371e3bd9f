/* Content on the device: fill a region's words, and check every one of them.
 *
 * Content is what suite/kv/stamp.py defines. It consists of runs: run r covers
 * the words from starts[r] up to starts[r + 1], its first word has the identity
 * identities[r], the next ones follow by one, and a word is its identity times
 * ODD, modulo 2^64. `starts` has runs + 1 entries and no run is empty.
 *
 * Needs no header. Compiled as plain C, with the caller setting thread and
 * threads, it is the same arithmetic, which the tests compare with numpy's.
 */
typedef unsigned long long word_t; /* 64 bits: CUDA's, and every 64-bit Linux's */
typedef long long index_t;

#ifdef __CUDACC__
#define KERNEL extern "C" __global__ void
#define DEVICE static __device__
#define THREAD ((index_t)blockIdx.x * blockDim.x + threadIdx.x)
#define THREADS ((index_t)gridDim.x * blockDim.x)
#define ATOMIC_MIN(place, value) atomicMin(place, value)
#define ATOMIC_ADD(place, value) atomicAdd(place, value)
#else
long long thread = 0, threads = 1;
#define KERNEL void
#define DEVICE static
#define THREAD thread
#define THREADS threads
#define ATOMIC_MIN(place, value) (*(place) = (value) < *(place) ? (value) : *(place))
#define ATOMIC_ADD(place, value) (*(place) += (value))
#endif

#define ODD 0x9E3779B97F4A7C15ULL /* stamp.py's _ODD */

/* Return what word `at` must be: find the last run that starts at or before it. */
DEVICE word_t expected(index_t at, const index_t *starts, const word_t *identities, index_t runs)
{
    index_t low = 0, high = runs;
    while (high - low > 1) {
        index_t middle = low + (high - low) / 2;
        if (starts[middle] <= at)
            low = middle;
        else
            high = middle;
    }
    return (identities[low] + (word_t)(at - starts[low])) * ODD;
}

/* Write the content into `words`, which has starts[runs] of them. */
KERNEL content_fill(word_t *words, const index_t *starts, const word_t *identities, index_t runs)
{
    index_t at, size = starts[runs], step = THREADS;
    for (at = THREAD; at < size; at += step)
        words[at] = expected(at, starts, identities, runs);
}

/* Lower found[0] to the index of the first word that differs, add to found[1] how many do. */
KERNEL content_check(const word_t *words, const index_t *starts, const word_t *identities, index_t runs,
                     word_t *found)
{
    index_t at, size = starts[runs], step = THREADS, first = -1;
    word_t count = 0;
    for (at = THREAD; at < size; at += step)
        if (words[at] != expected(at, starts, identities, runs)) {
            if (!count)
                first = at;
            count++;
        }
    if (count) {
        ATOMIC_MIN(&found[0], (word_t)first);
        ATOMIC_ADD(&found[1], count);
    }
}
