/* The one lock. */
#include "driver.h"

static pthread_rwlock_t everything = PTHREAD_RWLOCK_INITIALIZER;

pthread_rwlock_t *lock_for_reading(void)
{
    pthread_rwlock_rdlock(&everything);
    return &everything;
}

pthread_rwlock_t *lock_for_writing(void)
{
    pthread_rwlock_wrlock(&everything);
    return &everything;
}

void unlock(pthread_rwlock_t **held)
{
    pthread_rwlock_unlock(*held);
}
