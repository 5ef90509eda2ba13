#pragma once
#include <errno.h>
#include <libssh2.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

// What the callbacks below note about a session; its "abstract" pointer points to one.
typedef struct {
    uint64_t received;          // bytes taken from the socket so far
    int quick_ack;              // 1: acknowledge at once, which spares a login the peer's wait for a delayed ACK
    char disconnect_text[256];  // what the server said when it ended the connection
    void *responder;            // for keyboard-interactive: the Swift object that answers
} shim_notes;

static ssize_t shim_recv(libssh2_socket_t socket, void *buffer, size_t length, int flags, void **abstract) {
    shim_notes *notes = (shim_notes *)*abstract;
    ssize_t count = recv(socket, buffer, length, flags);
    if (count < 0) return errno == EWOULDBLOCK || errno == EINTR ? -EAGAIN : -errno;
    notes->received += (uint64_t)count;
#ifdef TCP_QUICKACK
    if (notes->quick_ack) {
        int one = 1;
        // Fails on a socket pair, where there is nothing to acknowledge.
        (void)setsockopt(socket, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
    }
#endif
    return count;
}

static void shim_disconnected(
    LIBSSH2_SESSION *session, int reason, const char *message, int length, const char *language, int language_length,
    void **abstract) {
    shim_notes *notes = (shim_notes *)*abstract;
    size_t count = length < 0 ? 0 : (size_t)length;
    if (count >= sizeof notes->disconnect_text) count = sizeof notes->disconnect_text - 1;
    memcpy(notes->disconnect_text, message, count);
    notes->disconnect_text[count] = 0;
}

// A non-blocking session that keeps notes. The setter changed its name and type in 1.11.1, where the old one is deprecated.
static inline LIBSSH2_SESSION *shim_session(shim_notes *notes) {
    LIBSSH2_SESSION *session = libssh2_session_init_ex(NULL, NULL, NULL, notes);
    if (!session) return NULL;
    libssh2_session_set_blocking(session, 0);
#if LIBSSH2_VERSION_NUM >= 0x010b01
    libssh2_session_callback_set2(session, LIBSSH2_CALLBACK_RECV, (libssh2_cb_generic *)shim_recv);
    libssh2_session_callback_set2(session, LIBSSH2_CALLBACK_DISCONNECT, (libssh2_cb_generic *)shim_disconnected);
#else
    libssh2_session_callback_set(session, LIBSSH2_CALLBACK_RECV, (void *)shim_recv);
    libssh2_session_callback_set(session, LIBSSH2_CALLBACK_DISCONNECT, (void *)shim_disconnected);
#endif
    return session;
}
