#pragma once
#include <errno.h>
#include <libssh2.h>
#ifdef __APPLE__
#include <malloc/malloc.h>
#define shim_size malloc_size
#else
#include <malloc.h>
#define shim_size malloc_usable_size
#endif
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

// What the callbacks below note about a session; its "abstract" pointer points to one.
typedef struct {
    uint64_t received;          // bytes taken from the socket so far
    uint64_t sealed;            // encrypted packets sent so far
    size_t unsent;              // bytes of the packet under way that the socket has not yet taken
    int sends_new_keys;         // 1: that packet is SSH_MSG_NEWKEYS
    int has_new_keys;           // 1: it was sent, which libssh2 does once the server has proven its host key
    int quick_ack;              // 1: acknowledge at once, which spares a login the peer's wait for a delayed ACK
    char disconnect_text[256];  // what the server said when it ended the connection
    void *responder;            // for keyboard-interactive: the Swift object that answers
    int opening;                // 1: a channel is being opened; 2: the server has confirmed it
    uint32_t opened;            // libssh2's number for that channel
    uint8_t has_status[4096];   // 1 at a channel's number, modulo: its exit status has come
} shim_notes;

static inline uint32_t shim_number(const unsigned char *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static inline int shim_has_status(const shim_notes *notes, uint32_t channel) {
    return notes->has_status[channel % sizeof notes->has_status];
}

// Looks at a message of the server's that libssh2 is done with (RFC 4254, 5.1 and 6.10).
static inline void shim_look(shim_notes *notes, const unsigned char *message, size_t size) {
    static const unsigned char status[] = "\0\0\0\013exit-status";
    if (size < 17) return;
    uint32_t channel = shim_number(message + 1);
    if (message[0] == 91 && notes->opening) {  // SSH_MSG_CHANNEL_OPEN_CONFIRMATION
        notes->opening = 2;
        notes->opened = channel;
        notes->has_status[channel % sizeof notes->has_status] = 0;
    } else if (message[0] == 98 && size >= 25 && !memcmp(message + 5, status, sizeof status - 1)) {
        notes->has_status[channel % sizeof notes->has_status] = 1;
    }
}

// Frees memory of libssh2's. Without an exit status it reports 0, success; only the message itself tells, and this is
// where a message can be seen.
static void shim_free(void *block, void **abstract) {
    shim_notes *notes = (shim_notes *)*abstract;
    if (block && notes) {
        shim_look(notes, (const unsigned char *)block, shim_size(block));
        *(unsigned char *)block = 0;  // what comes to lie here later is not that message
    }
    free(block);
}

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

// libssh2 hands over a packet at a time, its type in the clear up to SSH_MSG_NEWKEYS (RFC 4253, 6 and 7.3), and then the rest
// of what was not taken.
static ssize_t shim_send(libssh2_socket_t socket, const void *buffer, size_t length, int flags, void **abstract) {
    shim_notes *notes = (shim_notes *)*abstract;
    if (!notes->unsent) {
        notes->unsent = length;
        notes->sends_new_keys = length > 5 && ((const unsigned char *)buffer)[5] == 21;
    }
    ssize_t count = send(socket, buffer, length, flags);
    if (count < 0) return errno == EWOULDBLOCK || errno == EINTR ? -EAGAIN : -errno;
    notes->unsent -= (size_t)count < notes->unsent ? (size_t)count : notes->unsent;
    if (notes->unsent) return count;
    if (notes->has_new_keys) {
        notes->sealed++;
    } else {
        notes->has_new_keys = notes->sends_new_keys;
    }
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
    LIBSSH2_SESSION *session = libssh2_session_init_ex(NULL, shim_free, NULL, notes);
    if (!session) return NULL;
    libssh2_session_set_blocking(session, 0);
#if LIBSSH2_VERSION_NUM >= 0x010b01
    libssh2_session_callback_set2(session, LIBSSH2_CALLBACK_RECV, (libssh2_cb_generic *)shim_recv);
    libssh2_session_callback_set2(session, LIBSSH2_CALLBACK_SEND, (libssh2_cb_generic *)shim_send);
    libssh2_session_callback_set2(session, LIBSSH2_CALLBACK_DISCONNECT, (libssh2_cb_generic *)shim_disconnected);
#else
    libssh2_session_callback_set(session, LIBSSH2_CALLBACK_RECV, (void *)shim_recv);
    libssh2_session_callback_set(session, LIBSSH2_CALLBACK_SEND, (void *)shim_send);
    libssh2_session_callback_set(session, LIBSSH2_CALLBACK_DISCONNECT, (void *)shim_disconnected);
#endif
    return session;
}
