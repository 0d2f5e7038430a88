/* A line between two network namespaces, for machines whose kernel has no netem: real TCP over a real round trip.

   link NAMESPACE_A NAMESPACE_B NUMBER DELAY_MS MBIT_S LOSS QUEUE_MS SEED

   In A appears the interface `line<NUMBER>` with the address 10.78.<NUMBER>.1, in B `line` with 10.78.<NUMBER>.2.
   DELAY_MS is one way; MBIT_S (0: no limit), LOSS (0.005: one packet in 200) and QUEUE_MS (what may wait for the rate
   before packets are dropped) hold for each direction. Which packets are lost follows from SEED and from a packet's
   place in the order, so that two runs with one seed meet the same losses. It says "up" and runs until it is ended. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { MTU = 1500, WAITING = 1 << 15, BURST = 64 };
static const int64_t SECOND = 1000000000, IDLE = 20000000;

struct packet {
    int64_t due; /* when it arrives */
    int size;
    unsigned char bytes[MTU];
};

struct direction {
    int from, to;
    struct packet *waiting; /* a ring: first is the oldest, next is where the next one goes */
    unsigned first, next;
    int64_t line_free_at;
    uint64_t seen;
};

struct quality {
    int64_t delay, queue;
    double nanoseconds_per_byte, loss;
    uint64_t seed;
};

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

static int open_end(const char *namespace, const char *interface, const char *address) {
    char path[200], command[400];
    snprintf(path, sizeof path, "/var/run/netns/%s", namespace);
    int place = open(path, O_RDONLY | O_CLOEXEC);
    if (place < 0 || setns(place, CLONE_NEWNET) < 0) fail(path);
    close(place);
    int end = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
    if (end < 0 || ioctl(end, TUNSETIFF, &request) < 0) fail("/dev/net/tun");
    snprintf(command, sizeof command,
             "ip link set lo up && ip address add %s/24 dev %s && ip link set %s mtu %d txqueuelen 10000 up", address,
             interface, interface, MTU);
    if (system(command) != 0) fail(command);
    return end;
}

/* splitmix64: a number for each packet that nothing but the seed and its place decides. */
static double chance(uint64_t seed, uint64_t place) {
    uint64_t mixed = seed * 0x9e3779b97f4a7c15u + place * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return (double)((mixed ^ (mixed >> 31)) >> 11) / (double)(1ull << 53);
}

static void take_in(struct direction *way, const struct quality *line, int64_t time) {
    for (int count = 0; count < BURST; count++) {
        struct packet *packet = &way->waiting[way->next % WAITING];
        if (way->next - way->first >= WAITING) return; /* the kernel's own queue waits */
        packet->size = (int)read(way->from, packet->bytes, MTU);
        if (packet->size <= 0) return;
        way->seen++;
        if (way->line_free_at < time) way->line_free_at = time;
        if (line->nanoseconds_per_byte > 0 && way->line_free_at - time > line->queue) continue;
        way->line_free_at += (int64_t)(packet->size * line->nanoseconds_per_byte);
        if (chance(line->seed, way->seen * 2 + (way->from > way->to)) < line->loss) continue;
        packet->due = way->line_free_at + line->delay;
        way->next++;
    }
}

static int64_t give_out(struct direction *way, int64_t time) {
    while (way->first != way->next) {
        struct packet *packet = &way->waiting[way->first % WAITING];
        if (packet->due > time) return packet->due;
        if (write(way->to, packet->bytes, packet->size) < 0) return time + SECOND / 10000;
        way->first++;
    }
    return time + IDLE;
}

int main(int count, char **word) {
    if (count != 9) {
        fprintf(stderr, "usage: link NAMESPACE_A NAMESPACE_B NUMBER DELAY_MS MBIT_S LOSS QUEUE_MS SEED\n");
        return 2;
    }
    double rate = atof(word[5]);
    struct quality line = {.delay = (int64_t)(atof(word[4]) * 1e6),
                           .queue = (int64_t)(atof(word[7]) * 1e6),
                           .nanoseconds_per_byte = rate > 0 ? 8000 / rate : 0,
                           .loss = atof(word[6]),
                           .seed = strtoull(word[8], NULL, 10)};
    char interface[IFNAMSIZ], near[40], far[40];
    snprintf(interface, sizeof interface, "line%d", atoi(word[3]));
    snprintf(near, sizeof near, "10.78.%d.1", atoi(word[3]));
    snprintf(far, sizeof far, "10.78.%d.2", atoi(word[3]));
    int a = open_end(word[1], interface, near), b = open_end(word[2], "line", far);
    struct direction ways[2] = {{.from = a, .to = b}, {.from = b, .to = a}};
    for (int n = 0; n < 2; n++)
        if (!(ways[n].waiting = malloc(sizeof(struct packet) * WAITING))) fail("memory");
    puts("up");
    fflush(stdout);
    for (;;) {
        int64_t time = now(), wake = time + IDLE;
        for (int n = 0; n < 2; n++) {
            take_in(&ways[n], &line, time);
            int64_t due = give_out(&ways[n], time);
            if (due < wake) wake = due;
        }
        time = now();
        struct timespec pause = {.tv_nsec = wake > time ? wake - time : 0};
        struct pollfd ends[2] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};
        ppoll(ends, 2, &pause, NULL);
    }
}
