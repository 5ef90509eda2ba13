/* The cheapest login that there is: libssh2, a key that is known to be right, and no question about the host's.
 * usage: login ADDRESS KEY COMMAND      the command, run as root, gets what comes on standard input */
#include <arpa/inet.h>
#include <libssh2.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void require(int is_done, const char *step) {
    if (is_done) return;
    fprintf(stderr, "login: %s failed\n", step);
    exit(1);
}

int main(int count, char **words) {
    require(count == 4, "reading the command line");
    int yes = 1, socket_number = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(22)};
    require(inet_pton(AF_INET, words[1], &address.sin_addr) == 1, "reading the address");
    require(connect(socket_number, (struct sockaddr *)&address, sizeof address) == 0, "connecting");
    setsockopt(socket_number, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);

    libssh2_init(0);
    LIBSSH2_SESSION *session = libssh2_session_init();
    require(libssh2_session_handshake(session, socket_number) == 0, "the handshake");
    require(libssh2_userauth_publickey_fromfile(session, "root", NULL, words[2], NULL) == 0, "the login");
    LIBSSH2_CHANNEL *channel = libssh2_channel_open_session(session);
    require(channel && libssh2_channel_exec(channel, words[3]) == 0, "the command");

    static char bytes[32768];
    for (ssize_t size; (size = read(STDIN_FILENO, bytes, sizeof bytes)) > 0;)
        for (ssize_t sent = 0, more; sent < size; sent += more) {
            more = libssh2_channel_write(channel, bytes + sent, size - sent);
            require(more > 0, "sending");
        }
    libssh2_channel_send_eof(channel);
    while (libssh2_channel_read(channel, bytes, sizeof bytes) > 0) {}
    while (libssh2_channel_read_stderr(channel, bytes, sizeof bytes) > 0) {}
    libssh2_channel_close(channel);
    libssh2_channel_wait_closed(channel);
    require(libssh2_channel_get_exit_status(channel) == 0, words[3]);
    return 0;
}
