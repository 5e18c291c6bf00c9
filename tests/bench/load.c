/* What the benchmarks run below an init: small, static, and the same for every init. What it measures goes to the FIFO,
 * as numbers of 64 bits.
 *
 *   load "ready FIFO"     tells when its first instruction ran, then waits and ends with 0 on TERM
 *   load "burst N FIFO"   N orphans that all end at once; tells the nanoseconds until none was left, and init's CPU time
 *   load "stream N FIFO"  N orphans, each ended as soon as it is made; tells the same
 *   load "crowd N FIFO"   N children that sleep; tells N when all are there
 *   load "quit"           ends with 0
 *
 * All words come in one argument, because an interpreter line ("#!") can give no more. */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct shared {
    int waiting;
    pid_t orphans[];
};

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Time on a processor, proc_pid_schedstat(5). */
static uint64_t cpu_of_init(void) {
    char text[64] = "";
    int file = open("/proc/1/schedstat", O_RDONLY);
    if (file < 0 || read(file, text, sizeof text - 1) < 0) exit(2);
    close(file);
    return strtoull(text, NULL, 10);
}

static void tell(const char *fifo, const uint64_t *numbers, size_t count) {
    int file = open(fifo, O_WRONLY);
    if (file < 0 || write(file, numbers, count * sizeof *numbers) < 0) exit(2);
    close(file);
}

static pid_t must_fork(void) {
    pid_t pid;
    while ((pid = fork()) < 0) usleep(1000);
    return pid;
}

static void wait_until_reaped(const struct shared *shared, int count) {
    for (int i = count - 1; i >= 0; i--)
        while (kill(shared->orphans[i], 0) == 0) usleep(100);
}

/* Orphans that wait at a gate, below a parent that has ended already. */
static void make_waiting(struct shared *shared, int count, int gate[2]) {
    pid_t maker = must_fork();
    if (maker == 0) {
        close(gate[1]);
        for (int i = 0; i < count; i++) {
            pid_t orphan = must_fork();
            if (orphan == 0) {
                char byte;
                __atomic_add_fetch(&shared->waiting, 1, __ATOMIC_SEQ_CST);
                _exit(read(gate[0], &byte, 1) == 0 ? 0 : 2);
            }
            shared->orphans[i] = orphan;
        }
        _exit(0);
    }
    waitpid(maker, NULL, 0);
    while (__atomic_load_n(&shared->waiting, __ATOMIC_SEQ_CST) < count) usleep(1000);
}

static void make_and_leave(struct shared *shared, int count) {
    for (int i = 0; i < count; i++) {
        pid_t parent = must_fork();
        if (parent == 0) {
            pid_t orphan = must_fork();
            if (orphan == 0) _exit(0);
            shared->orphans[i] = orphan;
            _exit(0);
        }
        waitpid(parent, NULL, 0);
    }
}

static int orphans(const char *how, int count, const char *fifo) {
    struct shared *shared = mmap(NULL, sizeof *shared + count * sizeof(pid_t), PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int gate[2];
    if (shared == MAP_FAILED || pipe(gate) < 0) return 2;
    if (strcmp(how, "burst") == 0) make_waiting(shared, count, gate);
    uint64_t cpu = cpu_of_init(), start = now();
    if (strcmp(how, "stream") == 0) make_and_leave(shared, count);
    close(gate[1]);
    wait_until_reaped(shared, count);
    uint64_t told[] = {now() - start, cpu_of_init() - cpu};
    tell(fifo, told, 2);
    return 0;
}

static int crowd(int count, const char *fifo) {
    for (int i = 0; i < count; i++)
        if (must_fork() == 0) {
            pause();
            _exit(0);
        }
    uint64_t told = count;
    tell(fifo, &told, 1);
    pause();
    return 0;
}

static void leave(int signal) {
    (void)signal;
    _exit(0);
}

int main(int argc, char **argv) {
    uint64_t began = now();
    char how[16] = "", fifo[256] = "";
    int count = 0;
    if (argc < 2) return 2;
    if (sscanf(argv[1], "%15s %d %255s", how, &count, fifo) < 3) sscanf(argv[1], "%15s %255s", how, fifo);
    if (strcmp(how, "ready") == 0) {
        signal(SIGTERM, leave);
        tell(fifo, &began, 1);
        for (;;) pause();
    }
    if (strcmp(how, "crowd") == 0) return crowd(count, fifo);
    if (strcmp(how, "quit") == 0) return 0;
    return orphans(how, count, fifo);
}
