/* Threads of a scenario: starting many with small stacks, and joining them. */
#ifndef THREADS_H
#define THREADS_H

#include <pthread.h>

#include "scenario.h"

static inline pthread_t start_thread(void *(*body)(void *), void *argument, size_t stack_bytes,
                                     int is_detached) {
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack_bytes);
    pthread_attr_setdetachstate(&attributes, is_detached ? PTHREAD_CREATE_DETACHED : PTHREAD_CREATE_JOINABLE);
    int error = pthread_create(&thread, &attributes, body, argument);
    REQUIRE_SAYING(error == 0, "pthread_create: %s", strerror(error));
    pthread_attr_destroy(&attributes);
    return thread;
}

static inline pthread_t start(void *(*body)(void *), void *argument) {
    return start_thread(body, argument, 256 * KIB, 0);
}

static inline void *join(pthread_t thread) {
    void *result;
    int error = pthread_join(thread, &result);
    REQUIRE_SAYING(error == 0, "pthread_join: %s", strerror(error));
    return result;
}

#endif
