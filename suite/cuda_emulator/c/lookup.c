/* cuGetProcAddress: from a name of the documentation to the newest form of the function. */
#include <stdio.h>
#include <string.h>

#include "driver.h"

#define LONGEST 96

void *function_named(const char *name); /* stubs.c */

/* Forms with other arguments than the ones before them, by the version that brought them. */
static const struct {
    const char *name;
    const char *suffix;
    int since;
} reshaped[] = {
    {"cuCtxCreate", "_v3", 11040},
    {"cuCtxCreate", "_v4", 12050},
    {"cuGetProcAddress", "_v2", 12000},
    {"cuStreamGetCtx", "_v2", 12050},
};

static void *form(const char *name, const char *suffix, const char *streams)
{
    char full[LONGEST];
    int length = snprintf(full, sizeof full, "%s%s%s", name, suffix, streams);
    return length < (int)sizeof full ? function_named(full) : NULL;
}

static void *form_with_streams(const char *name, const char *suffix, bool per_thread)
{
    void *function = per_thread ? form(name, suffix, "_ptds") : NULL;
    if (function == NULL && per_thread)
        function = form(name, suffix, "_ptsz");
    return function != NULL ? function : form(name, suffix, "");
}

static const char *best_suffix(const char *name, int version)
{
    const char *suffix = NULL;
    for (size_t i = 0; i < sizeof reshaped / sizeof *reshaped; i++)
        if (strcmp(reshaped[i].name, name) == 0) {
            bool known = version >= reshaped[i].since;
            suffix = known ? reshaped[i].suffix : suffix ? suffix : strcmp(name, "cuCtxCreate") == 0 ? "_v2" : "";
        }
    return suffix;
}

static void *look_up(const char *name, int version, bool per_thread)
{
    const char *suffix = best_suffix(name, version);
    void *function;
    if (suffix != NULL)
        return form_with_streams(name, suffix, per_thread);
    function = form_with_streams(name, "_v2", per_thread);
    return function != NULL ? function : form_with_streams(name, "", per_thread);
}

API CUresult cuGetProcAddress_v2(const char *symbol, void **pfn, int cudaVersion, cuuint64_t flags,
                                 CUdriverProcAddressQueryResult *symbolStatus)
{
    const cuuint64_t known = CU_GET_PROC_ADDRESS_LEGACY_STREAM | CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM;
    if (symbol == NULL || pfn == NULL || flags & ~known || flags == known)
        return CUDA_ERROR_INVALID_VALUE;
    *pfn = look_up(symbol, cudaVersion, flags == CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM);
    if (symbolStatus != NULL)
        *symbolStatus = *pfn != NULL ? CU_GET_PROC_ADDRESS_SUCCESS : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
    return *pfn != NULL ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

#undef cuGetProcAddress /* cuda.h gives the name to the second form */
API CUresult cuGetProcAddress(const char *symbol, void **pfn, int cudaVersion, cuuint64_t flags)
{
    return cuGetProcAddress_v2(symbol, pfn, cudaVersion, flags, NULL);
}
