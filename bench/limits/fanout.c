/* The fan-out limit: one frame to every socket.
 *
 * fanout FRAME_FILE
 *   prints "PORT CONTROL_PORT" and serves 127.0.0.1. Each connection to PORT is a screen. One byte on a connection
 *   to CONTROL_PORT writes the frame to every screen; then one byte is sent back. Ends when stdin ends.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_FRAME = 1 << 20, MAX_FD = 1 << 20, EVENTS = 512 };

static char frame[MAX_FRAME];
static size_t frame_size;
static int screens[MAX_FD];  /* file descriptors */
static int place[MAX_FD];    /* file descriptor -> index in screens, plus one; 0: not a screen */
static int count;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static int listener(int *port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, size) || listen(fd, 4096)) fail("listen");
    if (getsockname(fd, (struct sockaddr *)&a, &size)) fail("getsockname");
    *port = ntohs(a.sin_port);
    return fd;
}

static void watch(int ep, int fd) {
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e)) fail("epoll_ctl");
}

static void forget(int fd) {
    if (place[fd]) {
        int at = place[fd] - 1, last = screens[--count];
        screens[at] = last;
        place[last] = at + 1;
        place[fd] = 0;
    }
    close(fd);
}

static void write_frame(int fd) {
    size_t done = 0;
    while (done < frame_size) {
        ssize_t n = send(fd, frame + done, frame_size - done, MSG_NOSIGNAL);
        if (n >= 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd p = {.fd = fd, .events = POLLOUT};
            poll(&p, 1, 1000);
        } else {
            return; /* the screen has closed; its end arrives as an event */
        }
    }
}

int main(int argc, char **argv) {
    FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!f) fail("usage: fanout FRAME_FILE");
    frame_size = fread(frame, 1, sizeof frame, f);
    fclose(f);

    int port, control_port, ep = epoll_create1(0), one = 1;
    int door = listener(&port), control_door = listener(&control_port), control = -1;
    watch(ep, door);
    watch(ep, control_door);
    watch(ep, STDIN_FILENO);
    printf("%d %d\n", port, control_port);
    fflush(stdout);

    for (;;) {
        static struct epoll_event events[EVENTS];
        int n = epoll_wait(ep, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            char bytes[4096];
            if (fd == STDIN_FILENO) {
                if (read(fd, bytes, sizeof bytes) <= 0) return 0;
            } else if (fd == door || fd == control_door) {
                int new;
                while ((new = accept4(fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    setsockopt(new, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    watch(ep, new);
                    if (fd == control_door) {
                        control = new;
                    } else {
                        screens[count++] = new;
                        place[new] = count;
                    }
                }
            } else {
                ssize_t got = recv(fd, bytes, sizeof bytes, 0);
                if (got == 0 || (got < 0 && errno != EAGAIN)) {
                    forget(fd);
                } else if (fd == control && got > 0) {
                    for (int k = 0; k < count; k++) write_frame(screens[k]);
                    if (send(control, "!", 1, MSG_NOSIGNAL) < 0) perror("control");
                }
            }
        }
    }
}
