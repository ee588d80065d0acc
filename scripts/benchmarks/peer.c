/* The other end of riskd's sockets, as fast as libzmq allows. What each mode does is said in
 * peer.py, which does the same in Python where there is no compiler.
 *
 * libzmq's functions are declared here, so that its headers need not be installed: the library
 * that is linked is the one of the pyzmq wheel, the same that riskd runs on. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <time.h>
#ifdef __linux__
#include <dirent.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

typedef union {
    unsigned char bytes[64];
    void *pointer;
} zmq_msg_t;
void *zmq_ctx_new(void);
void *zmq_socket(void *, int);
int zmq_bind(void *, const char *);
int zmq_connect(void *, const char *);
int zmq_setsockopt(void *, int, const void *, size_t);
int zmq_getsockopt(void *, int, void *, size_t *);
int zmq_send(void *, const void *, size_t, int);
int zmq_recv(void *, void *, size_t, int);
int zmq_msg_init(zmq_msg_t *);
int zmq_msg_recv(zmq_msg_t *, void *, int);
int zmq_msg_send(zmq_msg_t *, void *, int);
int zmq_msg_more(const zmq_msg_t *);
int zmq_errno(void);
const char *zmq_strerror(int);

enum { REQ = 3, DEALER = 5, ROUTER = 6, PUSH = 8 };
enum { FD = 14, EVENTS = 15, POLLIN = 1, RCVTIMEO = 27, NOBLOCK = 1, SNDMORE = 2 };
#define NEVER UINT64_MAX
enum { ANSWER_BYTES_MAX = 65536, HANG_MS = 20000, BEFORE_MS = 100 };
enum { TICKS_GAP_NS = 200000, TURN_NS = 100000 };

typedef struct {
    char *bytes;
    uint64_t count;
    uint32_t *lengths;
    char **frames;
} frames_t;

typedef struct {
    char *bytes;
    uint64_t used, room;
} answers_t;

static void die(const char *what) {
    fprintf(stderr, "peer: %s: %s\n", what, zmq_strerror(zmq_errno()));
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void *socket_of(void *context, int kind, const char *address, int binds) {
    int hang_ms = HANG_MS;
    void *socket = zmq_socket(context, kind);
    if (!socket) die("socket");
    if (!binds) zmq_setsockopt(socket, RCVTIMEO, &hang_ms, sizeof hang_ms);
    if ((binds ? zmq_bind : zmq_connect)(socket, address)) die(address);
    return socket;
}

/* A file of frames: length u32, bytes, and so on. */
static frames_t read_frames(const char *path) {
    frames_t found = {0};
    FILE *file = fopen(path, "rb");
    if (!file) die(path);
    fseek(file, 0, SEEK_END);
    uint64_t size = (uint64_t)ftell(file);
    rewind(file);
    found.bytes = malloc(size + 1);
    if (fread(found.bytes, 1, size, file) != size) die(path);
    fclose(file);
    for (uint64_t at = 0; at < size; found.count++) {
        uint32_t length;
        memcpy(&length, found.bytes + at, 4);
        at += 4 + length;
    }
    found.lengths = malloc(found.count * sizeof *found.lengths + 1);
    found.frames = malloc(found.count * sizeof *found.frames + 1);
    uint64_t at = 0;
    for (uint64_t index = 0; index < found.count; index++) {
        memcpy(&found.lengths[index], found.bytes + at, 4);
        found.frames[index] = found.bytes + at + 4;
        at += 4 + found.lengths[index];
    }
    return found;
}

static void keep(answers_t *answers, uint64_t span_ns, const char *bytes, uint32_t length) {
    if (answers->used + 12 + length > answers->room) {
        answers->room = 2 * answers->room + 12 + length;
        answers->bytes = realloc(answers->bytes, answers->room);
    }
    memcpy(answers->bytes + answers->used, &span_ns, 8);
    memcpy(answers->bytes + answers->used + 8, &length, 4);
    memcpy(answers->bytes + answers->used + 12, bytes, length);
    answers->used += 12 + length;
}

static void write_answers(const char *path, answers_t *answers, uint64_t span_ns, uint64_t ticks) {
    FILE *file = fopen(path, "wb");
    if (!file) die(path);
    fwrite(&span_ns, 8, 1, file);
    fwrite(&ticks, 8, 1, file);
    fwrite(answers->bytes, 1, answers->used, file);
    if (fclose(file)) die(path);
}

static void echo(void *context, const char *address) {
    void *router = socket_of(context, ROUTER, address, 1);
    zmq_msg_t frame;
    printf("ready\n");
    fflush(stdout);
    zmq_msg_init(&frame);
    for (;;) {
        if (zmq_msg_recv(&frame, router, 0) < 0) die("receive");
        int more = zmq_msg_more(&frame);
        if (zmq_msg_send(&frame, router, more ? SNDMORE : 0) < 0) die("send");
    }
}

static void ask(void *context, char **arguments) {
    static char answer[ANSWER_BYTES_MAX];
    void *req = socket_of(context, REQ, arguments[0], 0);
    frames_t requests = read_frames(arguments[1]);
    answers_t answers = {malloc(requests.count * 512), 0, requests.count * 512};
    uint64_t start_ns = now_ns();
    for (uint64_t index = 0; index < requests.count; index++) {
        uint64_t begun_ns = now_ns();
        if (zmq_send(req, requests.frames[index], requests.lengths[index], 0) < 0) die("send");
        int length = zmq_recv(req, answer, sizeof answer, 0);
        uint64_t span_ns = now_ns() - begun_ns;
        if (length < 0) die("receive");
        keep(&answers, span_ns, answer, (uint32_t)length);
    }
    write_answers(arguments[2], &answers, now_ns() - start_ns, 0);
}

static void pipeline(void *context, char **arguments) {
    static char answer[ANSWER_BYTES_MAX];
    void *dealer = socket_of(context, DEALER, arguments[0], 0);
    frames_t requests = read_frames(arguments[1]);
    uint64_t window = strtoull(arguments[3], NULL, 10), sent = 0, taken = 0;
    answers_t answers = {malloc(requests.count * 512), 0, requests.count * 512};
    uint64_t *begun_ns = malloc(requests.count * sizeof *begun_ns + 1);
    uint64_t start_ns = now_ns();
    while (taken < requests.count) {
        while (sent < requests.count && sent - taken < window) {
            begun_ns[sent] = now_ns();
            if (zmq_send(dealer, requests.frames[sent], requests.lengths[sent], 0) < 0) die("send");
            sent++;
        }
        int length = zmq_recv(dealer, answer, sizeof answer, 0);
        if (length < 0) die("receive");
        keep(&answers, now_ns() - begun_ns[taken++], answer, (uint32_t)length);
    }
    write_answers(arguments[2], &answers, now_ns() - start_ns, 0);
}

/* Return when a message waits, or at an instant. EVENTS is read first: it takes the edge of the
 * descriptor back, without which no sleep would last, and libzmq's own thread, on the same core,
 * would bring each answer a tick of the scheduler too late. */
static void sleep_until(void *socket, uint64_t due_ns) {
    int descriptor, events;
    size_t size = sizeof descriptor;
    zmq_getsockopt(socket, EVENTS, &events, &size);
    uint64_t now = now_ns();
    if (events & POLLIN || due_ns <= now) return;
    struct timeval span = {0, (due_ns - now) / 1000 > 1000 ? 1000 : (long)(due_ns - now) / 1000};
    fd_set ready;
    zmq_getsockopt(socket, FD, &descriptor, &size);
    FD_ZERO(&ready);
    FD_SET(descriptor, &ready);
    select(descriptor + 1, &ready, NULL, NULL, &span);
}

/* Ask Linux for short turns of every thread that there is: who wakes up then goes before who is at
 * work, instead of waiting for the scheduler's next tick, which comes every 4 ms. What is measured
 * is how long riskd takes, not how long this process makes itself wait. */
static void take_short_turns(void) {
#ifdef SYS_sched_setattr
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } told = {48, 0, 0, getpriority(PRIO_PROCESS, 0), 0, TURN_NS, 0, 0};
    DIR *threads = opendir("/proc/self/task");
    struct dirent *thread;
    while (threads && (thread = readdir(threads)))
        if (atoi(thread->d_name)) syscall(SYS_sched_setattr, atoi(thread->d_name), &told, 0);
    if (threads) closedir(threads);
#endif
}

static void paced(void *context, char **arguments) {
    static char answer[ANSWER_BYTES_MAX];
    void *dealer = socket_of(context, DEALER, arguments[0], 0);
    frames_t requests = read_frames(arguments[1]);
    double gap_ns = 1e9 / strtod(arguments[3], NULL);
    void *push = socket_of(zmq_ctx_new(), PUSH, arguments[4], 0); /* By a thread of its own. */
    take_short_turns();
    frames_t ticks = read_frames(arguments[5]);
    double ticks_per_s = strtod(arguments[6], NULL);
    double tick_gap_ns = ticks_per_s > 0 ? 1e9 / ticks_per_s : 0;
    answers_t answers = {malloc(requests.count * 512), 0, requests.count * 512};
    uint64_t sent = 0, taken = 0, due = 0, delivered = 0;
    uint64_t start_ns = now_ns() + BEFORE_MS * 1000000u;
    while (taken < requests.count) {
        int idle = 1;
        uint64_t order_ns = start_ns + (uint64_t)((double)sent * gap_ns);
        uint64_t tick_ns = ticks_per_s > 0 ? start_ns + (uint64_t)((double)due * tick_gap_ns) : NEVER;
        int length = taken < sent ? zmq_recv(dealer, answer, sizeof answer, NOBLOCK) : -1;
        uint64_t now = now_ns();
        if (length >= 0) {
            uint64_t intended_ns = start_ns + (uint64_t)((double)taken++ * gap_ns);
            keep(&answers, now - intended_ns, answer, (uint32_t)length);
            idle = 0;
        }
        if (sent < requests.count && now >= order_ns) {
            if (zmq_send(dealer, requests.frames[sent], requests.lengths[sent], 0) < 0) die("send");
            sent++;
            idle = 0;
        }
        if (now >= tick_ns) {
            uint64_t upto = (uint64_t)((double)(now + TICKS_GAP_NS - start_ns) / tick_gap_ns);
            for (; due < upto; due++) {
                uint64_t at = due % ticks.count;
                delivered += zmq_send(push, ticks.frames[at], ticks.lengths[at], NOBLOCK) >= 0;
            }
            idle = 0;
        }
        if (now > start_ns && now - start_ns > (uint64_t)((double)requests.count * gap_ns) +
                                                   HANG_MS * 1000000ull) {
            fprintf(stderr, "peer: only %llu of %llu answers came\n", (unsigned long long)taken,
                    (unsigned long long)requests.count);
            exit(1);
        }
        if (sent == requests.count) order_ns = NEVER;
        uint64_t next_ns = order_ns < tick_ns ? order_ns : tick_ns;
        if (idle) sleep_until(dealer, next_ns);
    }
    write_answers(arguments[2], &answers, now_ns() - start_ns, delivered);
}

int main(int count, char **arguments) {
    void *context = zmq_ctx_new();
#ifdef __linux__
    prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0); /* The default wakes a sleeper 50 us late. */
#endif
    if (count == 3 && !strcmp(arguments[1], "echo")) echo(context, arguments[2]);
    else if (count == 5 && !strcmp(arguments[1], "ask")) ask(context, arguments + 2);
    else if (count == 6 && !strcmp(arguments[1], "pipeline")) pipeline(context, arguments + 2);
    else if (count == 9 && !strcmp(arguments[1], "paced")) paced(context, arguments + 2);
    else {
        fprintf(stderr, "peer: see peer.py for the arguments\n");
        return 2;
    }
    fflush(stdout);
    _Exit(0); /* Nothing is left unsent: every request has its answer. */
}
