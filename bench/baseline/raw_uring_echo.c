// SPDX-License-Identifier: MIT
// Echo server on bare liburing: the yardstick for completions. Multishot accept and receive on a ring that only its own
// thread touches and that runs completions only when asked, one kernel entry per turn. Bytes land in a few buffers that
// stay hot and are sent at once with send(2), which costs less than a submission entry when one connection is ready and
// no more when many are, and frees the buffer within the turn. Only what the kernel refuses is copied and sent through
// the ring; until it has left, nothing more is read from that connection. One thread, Linux 6.1 or later. usage:
// raw_uring_echo [PORT [BUFFERS BYTES]]
#ifndef _GNU_SOURCE
# define _GNU_SOURCE
#endif
#include <liburing.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { submission_entries = 1024, completion_entries = 8192, most_descriptors = 1 << 20 };

/* The kernel runs some 20 completions per entry (IO_LOCAL_TW_DEFAULT_MAX), each of which takes a buffer: fewer than
   about 24 buffers run dry and end receives, many more leave the cache. A message that does not fit one buffer costs a
   further completion and send. The stagger keeps the first lines of all buffers out of one and the same cache set. */
enum { default_buffers = 32, default_bytes = 16384, stagger = 192 };

enum Kind { kind_accept, kind_receive, kind_send, kind_cancel };

/* Bytes the kernel would not take at once. */
struct Block {
    size_t from, to;
    char bytes[];
};

/*  receiving: a multishot receive is in flight       ended: the peer has sent all it will
    sending:   a send of this block is in flight      failed: nothing can be sent any more
    waiting:   what arrived meanwhile
    A descriptor is closed when it has ended or failed and nothing is in flight. */
struct Connection {
    struct Block *sending, *waiting;
    bool receiving, ended, failed, starved;
};

static struct io_uring ring;
static struct io_uring_buf_ring* buffers;
static char* memory;
static unsigned buffer_count, buffer_bytes, returned;
static struct Connection* connections; /* by descriptor */
static int listen_fd;
static size_t open_connections;
static bool accept_paused;

static void die(const char* what, int error) {
    fprintf(stderr, "raw_uring_echo: %s: %s\n", what, strerror(error));
    exit(1);
}

static uint64_t tag(int fd, enum Kind kind) { return (uint64_t)(unsigned)fd << 8 | kind; }

static struct io_uring_sqe* next_entry(void) {
    struct io_uring_sqe* sqe;
    while ((sqe = io_uring_get_sqe(&ring)) == NULL) io_uring_submit(&ring);
    return sqe;
}

static void start_accept(void) {
    struct io_uring_sqe* sqe = next_entry();
    io_uring_prep_multishot_accept(sqe, listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    io_uring_sqe_set_data64(sqe, tag(listen_fd, kind_accept));
    accept_paused = false;
}

static void start_receive(int fd) {
    struct Connection* c = &connections[fd];
    struct io_uring_sqe* sqe = next_entry();
    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    io_uring_sqe_set_data64(sqe, tag(fd, kind_receive));
    io_uring_sqe_set_flags(sqe, IOSQE_BUFFER_SELECT);
    sqe->buf_group = 0;
    if (c->starved) sqe->ioprio |= IORING_RECVSEND_POLL_FIRST; /* queue behind those that already have a buffer */
    c->starved = false;
    c->receiving = true;
}

static void stop_receive(int fd) {
    if (!connections[fd].receiving) return;
    struct io_uring_sqe* sqe = next_entry();
    io_uring_prep_cancel64(sqe, tag(fd, kind_receive), 0);
    io_uring_sqe_set_data64(sqe, tag(fd, kind_cancel));
}

static void start_send(int fd) {
    struct Block* block = connections[fd].sending;
    struct io_uring_sqe* sqe = next_entry();
    io_uring_prep_send(sqe, fd, block->bytes + block->from, block->to - block->from, MSG_WAITALL | MSG_NOSIGNAL);
    io_uring_sqe_set_data64(sqe, tag(fd, kind_send));
}

static char* buffer_address(unsigned id) { return memory + (size_t)id * (buffer_bytes + stagger); }

static void return_buffer(unsigned id) {
    io_uring_buf_ring_add(buffers, buffer_address(id), buffer_bytes, (unsigned short)id,
                          io_uring_buf_ring_mask(buffer_count), (int)returned++);
}

static void publish_buffers(void) {
    if (returned != 0) io_uring_buf_ring_advance(buffers, (int)returned);
    returned = 0;
}

/* Puts bytes behind those of `block`, which is not in flight. */
static struct Block* append(struct Block* block, const char* bytes, size_t length) {
    const size_t old = block != NULL ? block->to : 0;
    struct Block* grown = realloc(block, sizeof *grown + old + length);
    if (grown == NULL) die("out of memory", ENOMEM);
    if (block == NULL) grown->from = 0;
    memcpy(grown->bytes + old, bytes, length);
    grown->to = old + length;
    return grown;
}

static void fail(int fd) {
    struct Connection* c = &connections[fd];
    free(c->waiting);
    c->waiting = NULL;
    c->failed = true;
    stop_receive(fd);
}

static void echo(int fd, const char* bytes, size_t length) {
    struct Connection* c = &connections[fd];
    if (c->failed) return;
    if (c->sending != NULL) {
        c->waiting = append(c->waiting, bytes, length);
        return;
    }
    while (length > 0) {
        const ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes += sent;
            length -= (size_t)sent;
        } else if (errno == EAGAIN) {
            c->sending = append(NULL, bytes, length);
            start_send(fd);
            stop_receive(fd);
            return;
        } else if (errno != EINTR) {
            fail(fd);
            return;
        }
    }
}

/* After every completion: receives again if nothing stands in the way, closes if all is over. */
static void settle(int fd) {
    struct Connection* c = &connections[fd];
    if (c->receiving || c->sending != NULL) return;
    if (!c->ended && !c->failed) {
        start_receive(fd);
        return;
    }
    close(fd);
    memset(c, 0, sizeof *c);
    open_connections--;
    if (accept_paused) start_accept();
}

static void on_receive(int fd, int result, unsigned flags) {
    struct Connection* c = &connections[fd];
    if ((flags & IORING_CQE_F_MORE) == 0) c->receiving = false;
    if ((flags & IORING_CQE_F_BUFFER) != 0) {
        const unsigned id = flags >> IORING_CQE_BUFFER_SHIFT;
        if (result > 0) echo(fd, buffer_address(id), (size_t)result);
        return_buffer(id);
    }
    if (result == 0)
        c->ended = true;
    else if (result == -ENOBUFS)
        c->starved = true;
    else if (result < 0 && result != -ECANCELED)
        fail(fd);
    settle(fd);
}

static void on_send(int fd, int result) {
    struct Connection* c = &connections[fd];
    if ((result == -EAGAIN || result == -EINTR) && !c->failed) { /* the kernel gave up waiting for room */
        start_send(fd);
        return;
    }
    if (result > 0) c->sending->from += (size_t)result;
    if (result > 0 && c->sending->from < c->sending->to && !c->failed) {
        start_send(fd);
        return;
    }
    free(c->sending);
    c->sending = c->waiting;
    c->waiting = NULL;
    if (result <= 0) {
        free(c->sending);
        c->sending = NULL;
        fail(fd);
    }
    if (c->sending != NULL) start_send(fd);
    settle(fd);
}

static void on_accept(int result, unsigned flags) {
    if (result >= 0) {
        open_connections++; /* TCP_NODELAY is inherited from the listening socket */
        start_receive(result);
    }
    if ((flags & IORING_CQE_F_MORE) != 0) return;
    /* Out of descriptors: newcomers wait in the backlog until a connection has been closed. */
    if ((result == -EMFILE || result == -ENFILE) && open_connections > 0)
        accept_paused = true;
    else
        start_accept();
}

static void on_completion(const struct io_uring_cqe* cqe) {
    const int fd = (int)(cqe->user_data >> 8);
    switch ((enum Kind)(cqe->user_data & 0xff)) {
    case kind_accept: on_accept(cqe->res, cqe->flags); break;
    case kind_receive: on_receive(fd, cqe->res, cqe->flags); break;
    case kind_send: on_send(fd, cqe->res); break;
    case kind_cancel: break; /* the cancelled receive reports for itself */
    }
}

static void set_up_ring(void) {
    struct io_uring_params params = {
        .flags =
            IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE,
        .cq_entries = completion_entries,
    };
    int error = io_uring_queue_init_params(submission_entries, &ring, &params);
    if (error != 0) die("io_uring", -error);
    error = io_uring_register_ring_fd(&ring);
    if (error < 0) die("registering the ring", -error);
}

static void set_up_buffers(unsigned count, unsigned bytes) {
    buffer_count = count;
    buffer_bytes = bytes;
    const size_t ring_length = count * sizeof(struct io_uring_buf);
    const size_t length = (size_t)count * (bytes + stagger);
    buffers = mmap(NULL, ring_length, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE | MAP_POPULATE, -1, 0);
    if (buffers == MAP_FAILED || memory == MAP_FAILED) die("buffers", errno);
    struct io_uring_buf_reg request = {.ring_addr = (uint64_t)(uintptr_t)buffers, .ring_entries = count, .bgid = 0};
    const int error = io_uring_register_buf_ring(&ring, &request, 0);
    if (error != 0) die("registering buffers", -error);
    io_uring_buf_ring_init(buffers);
    for (unsigned id = 0; id < count; id++) return_buffer(id);
    publish_buffers();
}

static void set_up_connections(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < most_descriptors ? limit.rlim_max : most_descriptors;
    setrlimit(RLIMIT_NOFILE, &limit);
    connections = calloc(most_descriptors, sizeof *connections);
    if (connections == NULL) die("connections", ENOMEM);
}

static int listen_on(uint16_t port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    if (fd < 0) die("socket", errno);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(fd, (struct sockaddr*)&at, sizeof at) != 0) die("bind", errno);
    if (listen(fd, 4096) != 0) die("listen", errno);
    getsockname(fd, (struct sockaddr*)&at, &length);
    printf("listening on 127.0.0.1:%d\n", ntohs(at.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char** argv) {
    set_up_connections();
    set_up_ring();
    set_up_buffers(argc > 2 ? (unsigned)atoi(argv[2]) : default_buffers,
                   argc > 3 ? (unsigned)atoi(argv[3]) : default_bytes);
    listen_fd = listen_on(argc > 1 ? (uint16_t)atoi(argv[1]) : 0);
    start_accept();
    for (;;) {
        const int submitted = io_uring_submit_and_wait(&ring, 1);
        if (submitted < 0 && submitted != -EINTR && submitted != -EAGAIN && submitted != -EBUSY)
            die("wait", -submitted);
        struct io_uring_cqe* cqe;
        unsigned head, count = 0;
        io_uring_for_each_cqe(&ring, head, cqe) {
            on_completion(cqe);
            count++;
        }
        io_uring_cq_advance(&ring, count);
        publish_buffers();
    }
}
