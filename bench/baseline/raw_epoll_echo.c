// SPDX-License-Identifier: MIT
// Echo server on bare epoll: the yardstick for readiness. Level triggered, one receive per event into one buffer that
// stays hot, the answer sent at once; writability is asked for only after the kernel refused bytes, and until those
// have left nothing more is read from that connection. One thread. usage: raw_epoll_echo [PORT]
#ifndef _GNU_SOURCE
# define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { buffer_bytes = 65536, events_per_wait = 512, most_descriptors = 1 << 20 };

/* Bytes the kernel would not take yet; only connections in that state have one. */
struct Backlog {
    size_t from, to;
    char bytes[];
};

static int epoll_fd, listen_fd, reserve_fd;
static char buffer[buffer_bytes];
static struct Backlog** backlogs; /* by descriptor */

static void die(const char* what) {
    perror(what);
    exit(1);
}

static void watch(int fd, uint32_t events, int operation) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(epoll_fd, operation, fd, &event) != 0) die("epoll_ctl");
}

static void end_connection(int fd) {
    free(backlogs[fd]);
    backlogs[fd] = NULL;
    close(fd);
}

/* Sends what it can; returns the count, or -1 if the connection is dead. */
static ssize_t send_some(int fd, const char* bytes, size_t length) {
    size_t sent = 0;
    while (sent < length) {
        ssize_t n = send(fd, bytes + sent, length - sent, MSG_NOSIGNAL);
        if (n >= 0)
            sent += (size_t)n;
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            return -1;
    }
    return (ssize_t)sent;
}

/* Keeps what could not be sent and asks to be told when it can. */
static bool keep(int fd, const char* bytes, size_t length) {
    struct Backlog* rest = malloc(sizeof *rest + length);
    if (rest == NULL) return false;
    rest->from = 0;
    rest->to = length;
    memcpy(rest->bytes, bytes, length);
    backlogs[fd] = rest;
    watch(fd, EPOLLOUT, EPOLL_CTL_MOD);
    return true;
}

static void on_readable(int fd) {
    const ssize_t got = recv(fd, buffer, sizeof buffer, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    const ssize_t sent = got > 0 ? send_some(fd, buffer, (size_t)got) : -1;
    if (sent < 0 || (sent < got && !keep(fd, buffer + sent, (size_t)(got - sent)))) end_connection(fd);
}

static void on_writable(int fd) {
    struct Backlog* rest = backlogs[fd];
    const ssize_t sent = send_some(fd, rest->bytes + rest->from, rest->to - rest->from);
    if (sent < 0) {
        end_connection(fd);
        return;
    }
    rest->from += (size_t)sent;
    if (rest->from < rest->to) return;
    free(rest);
    backlogs[fd] = NULL;
    watch(fd, EPOLLIN, EPOLL_CTL_MOD);
}

static void on_acceptable(void) {
    for (;;) {
        int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            watch(fd, EPOLLIN, EPOLL_CTL_ADD); /* TCP_NODELAY is inherited from the listening socket */
        } else if (errno == EMFILE || errno == ENFILE) {
            /* Out of descriptors: give up the reserved one to turn the newcomer away, or it would wake us for ever. */
            close(reserve_fd);
            fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
            if (fd >= 0) close(fd);
            reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

static int listen_on(uint16_t port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    if (fd < 0) die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(fd, (struct sockaddr*)&at, sizeof at) != 0) die("bind");
    if (listen(fd, 4096) != 0) die("listen");
    getsockname(fd, (struct sockaddr*)&at, &length);
    printf("listening on 127.0.0.1:%d\n", ntohs(at.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char** argv) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < most_descriptors ? limit.rlim_max : most_descriptors;
    setrlimit(RLIMIT_NOFILE, &limit);
    backlogs = calloc(most_descriptors, sizeof *backlogs);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (backlogs == NULL || epoll_fd < 0) die("set-up");
    listen_fd = listen_on(argc > 1 ? (uint16_t)atoi(argv[1]) : 0);
    watch(listen_fd, EPOLLIN, EPOLL_CTL_ADD);
    for (;;) {
        static struct epoll_event events[events_per_wait];
        int count = epoll_wait(epoll_fd, events, events_per_wait, -1);
        if (count < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listen_fd)
                on_acceptable();
            else if (backlogs[fd] != NULL)
                on_writable(fd);
            else
                on_readable(fd);
        }
    }
}
