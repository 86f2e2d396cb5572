// Runs a program that uses libusb against the devices of a USB/IP server, without a USB bus, a kernel module or root.
//
//     usbip-testbed [--host 127.0.0.1] [--port 3240] [--forbid BUSID]... [--driver NAME] -- PROGRAM ARGUMENTS
//
// Every device the server offers becomes a node of a umockdev testbed; what the program's libusb asks of the node by
// USBDEVFS ioctls goes to the server as USB/IP requests and comes back. So the program is the real one, libusb is the
// real one, and the devices are the emulator's. When the server closes a device's connection the device is unplugged;
// when the server offers it again it is plugged in with a new address.
//
// Limits: a node is always ready for poll, so rates and latencies mean nothing here; kernel drivers are not there
// (`--driver powerz` makes GETDRIVER name one until it is disconnected).

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <umockdev.h>
#include <unistd.h>

enum { MAX_DEVICES = 64, RECORD = 312, HEADER = 48 };

static const char *host = "127.0.0.1";
static int port = 3240;
static const char *kernel_driver = NULL;
static const char *forbidden[MAX_DEVICES];
static int forbidden_count = 0;
static UMockdevTestbed *testbed = NULL;

static void die(const char *text) {
    fprintf(stderr, "usbip-testbed: %s\n", text);
    exit(3);
}

// ---- bytes on the socket ----

static bool read_full(int fd, void *into, size_t count) {
    uint8_t *at = into;
    while (count > 0) {
        ssize_t got = read(fd, at, count);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        at += got;
        count -= (size_t)got;
    }
    return true;
}

static bool write_full(int fd, const void *from, size_t count) {
    const uint8_t *at = from;
    while (count > 0) {
        ssize_t put = send(fd, at, count, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return false;
        at += put;
        count -= (size_t)put;
    }
    return true;
}

static void put32(uint8_t *at, uint32_t value) {
    value = htonl(value);
    memcpy(at, &value, 4);
}

static uint32_t get32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, 4);
    return ntohl(value);
}

static uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

static int dial(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) die("--host wants an IPv4 address");
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

// ---- one device ----

typedef struct Urb {
    struct Urb *next;
    uint32_t seq;
    bool is_in, is_control, discarded;
    UMockdevIoctlData *urb, *buffer;
    // Set when it came home.
    int32_t status, actual;
    uint8_t *data;
} Urb;

typedef struct {
    char busid[33];
    char path[64];         // sysfs path below /sys
    char node[64];         // /dev/bus/usb/BBB/DDD
    int index, address;
    int fd;
    bool plugged, claimed, driver_bound;
    uint32_t devid, seq;
    pthread_mutex_t lock;
    pthread_cond_t answered;
    Urb *flying, *home;
    UMockdevIoctlBase *handler;
} Device;

static Device devices[MAX_DEVICES];
static int device_count = 0;

/// Sends one CMD_SUBMIT. `lock` held.
static bool submit(Device *device, uint32_t seq, bool is_in, uint32_t endpoint, const uint8_t *setup,
                   const uint8_t *data, uint32_t length) {
    uint8_t header[HEADER] = {0};
    put32(header + 0, 1);
    put32(header + 4, seq);
    put32(header + 8, device->devid);
    put32(header + 12, is_in);
    put32(header + 16, endpoint);
    put32(header + 24, length);
    if (setup) memcpy(header + 40, setup, 8);
    if (!write_full(device->fd, header, HEADER)) return false;
    return is_in || length == 0 || write_full(device->fd, data, length);
}

static Urb *unlink_urb(Urb **list, uint32_t seq) {
    for (Urb **at = list; *at; at = &(*at)->next)
        if ((*at)->seq == seq) {
            Urb *found = *at;
            *at = found->next;
            found->next = NULL;
            return found;
        }
    return NULL;
}

static void append(Urb **list, Urb *urb) {
    while (*list) list = &(*list)->next;
    *list = urb;
}

static void unplug(Device *device);
static bool plug(Device *device);

/// Reads the server's answers of one device until the connection ends, then waits for it to be offered again.
static void *listen_to(void *argument) {
    Device *device = argument;
    while (true) {
        uint8_t header[HEADER];
        while (read_full(device->fd, header, HEADER)) {
            uint32_t command = get32(header), seq = get32(header + 4);
            int32_t status = (int32_t)get32(header + 20), actual = (int32_t)get32(header + 24);
            pthread_mutex_lock(&device->lock);
            Urb *urb = NULL;
            if (command == 3) {
                urb = unlink_urb(&device->flying, seq);
                uint8_t *data = NULL;
                if (urb && urb->is_in && actual > 0) {
                    data = malloc((size_t)actual);
                    if (!read_full(device->fd, data, (size_t)actual)) actual = 0;
                }
                if (urb) {
                    urb->status = urb->discarded ? -ENOENT : status;
                    urb->actual = actual;
                    urb->data = data;
                }
            } else if (command == 4) {
                // Sequence numbers of unlinks are those of their victims with the top bit set.
                urb = unlink_urb(&device->flying, seq & 0x7fffffff);
                if (urb) urb->status = -ENOENT;
            }
            if (urb) append(&device->home, urb);
            pthread_cond_broadcast(&device->answered);
            pthread_mutex_unlock(&device->lock);
        }
        unplug(device);
        do usleep(100000);
        while (!plug(device));
    }
    return NULL;
}

/// A request on endpoint 0 before anybody listens; used to read descriptors.
static int ask(Device *device, uint16_t value, uint16_t index, uint8_t *into, uint16_t length) {
    uint8_t setup[8] = {0x80, 6, value & 0xff, value >> 8, index & 0xff, index >> 8, length & 0xff, length >> 8};
    if (!submit(device, ++device->seq, true, 0, setup, NULL, length)) return -1;
    uint8_t header[HEADER];
    if (!read_full(device->fd, header, HEADER)) return -1;
    int32_t status = (int32_t)get32(header + 20);
    uint32_t actual = get32(header + 24);
    if (status != 0 || actual > length) return -1;
    return read_full(device->fd, into, actual) ? (int)actual : -1;
}

static void read_string(Device *device, uint8_t index, char *into, size_t size) {
    uint8_t raw[255];
    into[0] = 0;
    int count = index ? ask(device, (uint16_t)(0x0300 | index), 0x0409, raw, sizeof raw) : 0;
    size_t at = 0;
    for (int i = 2; i + 1 < count && at + 1 < size; i += 2) into[at++] = raw[i + 1] ? '?' : (char)raw[i];
    into[at] = 0;
}

// ---- USBDEVFS ----

static G_DEFINE_QUARK(device, device_slot)

static bool is_forbidden(const char *busid) {
    for (int i = 0; i < forbidden_count; i++)
        if (strcmp(forbidden[i], busid) == 0) return true;
    return false;
}

static void submit_urb(Device *device, UMockdevIoctlClient *client) {
    UMockdevIoctlData *argument = umockdev_ioctl_client_get_arg(client);
    UMockdevIoctlData *data = umockdev_ioctl_data_resolve(argument, 0, sizeof(struct usbdevfs_urb), NULL);
    struct usbdevfs_urb *raw = (struct usbdevfs_urb *)data->data;
    Urb *urb = calloc(1, sizeof *urb);
    urb->urb = data;
    urb->is_control = raw->type == USBDEVFS_URB_TYPE_CONTROL;
    uint32_t length = (uint32_t)raw->buffer_length;
    if (raw->buffer_length > 0)
        urb->buffer = umockdev_ioctl_data_resolve(data, G_STRUCT_OFFSET(struct usbdevfs_urb, buffer), length, NULL);
    const uint8_t *bytes = urb->buffer ? urb->buffer->data : NULL, *setup = NULL;
    urb->is_in = raw->endpoint & 0x80;
    if (urb->is_control) {
        setup = bytes;
        urb->is_in = setup[0] & 0x80;
        bytes += 8;
        length -= 8;
    }
    pthread_mutex_lock(&device->lock);
    bool sent = false;
    if (device->plugged) {
        urb->seq = ++device->seq;
        append(&device->flying, urb);
        sent = submit(device, urb->seq, urb->is_in, raw->endpoint & 0x0f, setup, bytes, length);
        if (!sent) unlink_urb(&device->flying, urb->seq);
    }
    pthread_mutex_unlock(&device->lock);
    if (sent)
        umockdev_ioctl_client_complete(client, 0, 0);
    else
        umockdev_ioctl_client_complete(client, -1, ENODEV);
}

static void reap_urb(Device *device, UMockdevIoctlClient *client) {
    pthread_mutex_lock(&device->lock);
    Urb *urb = device->home;
    if (urb) device->home = urb->next;
    bool plugged = device->plugged;
    pthread_mutex_unlock(&device->lock);
    if (!urb) {
        umockdev_ioctl_client_complete(client, -1, plugged ? EAGAIN : ENODEV);
        return;
    }
    int32_t words[2] = {urb->status, urb->actual};
    umockdev_ioctl_data_update(urb->urb, G_STRUCT_OFFSET(struct usbdevfs_urb, status), (guint8 *)&words[0], 4);
    umockdev_ioctl_data_update(urb->urb, G_STRUCT_OFFSET(struct usbdevfs_urb, actual_length), (guint8 *)&words[1], 4);
    if (urb->data)
        umockdev_ioctl_data_update(urb->buffer, urb->is_control ? 8 : 0, urb->data, urb->actual);
    UMockdevIoctlData *argument = umockdev_ioctl_client_get_arg(client);
    UMockdevIoctlData *slot = umockdev_ioctl_data_resolve(argument, 0, sizeof(void *), NULL);
    umockdev_ioctl_data_set_ptr(slot, 0, urb->urb);
    umockdev_ioctl_client_complete(client, 0, 0);
    free(urb->data);
    free(urb);
}

static void discard_urb(Device *device, UMockdevIoctlClient *client) {
    gulong address = *(gulong *)umockdev_ioctl_client_get_arg(client)->data;
    int result = EINVAL;
    pthread_mutex_lock(&device->lock);
    for (Urb *urb = device->flying; urb; urb = urb->next)
        if (urb->urb->client_addr == address && !urb->discarded) {
            urb->discarded = true;
            uint8_t header[HEADER] = {0};
            put32(header + 0, 2);
            put32(header + 4, urb->seq | 0x80000000);
            put32(header + 8, device->devid);
            put32(header + 20, urb->seq);
            result = write_full(device->fd, header, HEADER) ? 0 : ENODEV;
            break;
        }
    pthread_mutex_unlock(&device->lock);
    umockdev_ioctl_client_complete(client, result ? -1 : 0, result);
}

/// CLEAR_FEATURE(ENDPOINT_HALT), waited for.
static void clear_halt(Device *device, UMockdevIoctlClient *client) {
    UMockdevIoctlData *data =
        umockdev_ioctl_data_resolve(umockdev_ioctl_client_get_arg(client), 0, sizeof(unsigned), NULL);
    unsigned endpoint = *(unsigned *)data->data;
    uint8_t setup[8] = {0x02, 1, 0, 0, endpoint & 0xff, 0, 0, 0};
    Urb *urb = calloc(1, sizeof *urb);
    pthread_mutex_lock(&device->lock);
    urb->seq = ++device->seq;
    append(&device->flying, urb);
    uint32_t seq = urb->seq;
    bool ok = device->plugged && submit(device, seq, false, 0, setup, NULL, 0);
    Urb *done = ok ? NULL : unlink_urb(&device->flying, seq);
    while (!done) {
        pthread_cond_wait(&device->answered, &device->lock);
        done = unlink_urb(&device->home, seq);
    }
    ok = ok && done->status == 0;
    pthread_mutex_unlock(&device->lock);
    free(done);
    umockdev_ioctl_client_complete(client, ok ? 0 : -1, ok ? 0 : EIO);
}

static gboolean handle(UMockdevIoctlBase *base, UMockdevIoctlClient *client) {
    Device *device = g_object_get_qdata(G_OBJECT(base), device_slot_quark());
    if (!device->plugged) {
        gulong request = umockdev_ioctl_client_get_request(client);
        if (request != USBDEVFS_REAPURBNDELAY && request != USBDEVFS_REAPURB) {
            umockdev_ioctl_client_complete(client, -1, ENODEV);
            return TRUE;
        }
    }
    switch (umockdev_ioctl_client_get_request(client)) {
        case USBDEVFS_GET_CAPABILITIES: {
            UMockdevIoctlData *data =
                umockdev_ioctl_data_resolve(umockdev_ioctl_client_get_arg(client), 0, sizeof(uint32_t), NULL);
            uint32_t capabilities = USBDEVFS_CAP_BULK_CONTINUATION | USBDEVFS_CAP_NO_PACKET_SIZE_LIM;
            umockdev_ioctl_data_update(data, 0, (guint8 *)&capabilities, sizeof capabilities);
            umockdev_ioctl_client_complete(client, 0, 0);
            return TRUE;
        }
        case USBDEVFS_CLAIMINTERFACE:
        case USBDEVFS_DISCONNECT_CLAIM:
            device->driver_bound = false;
            umockdev_ioctl_client_complete(client, 0, 0);
            return TRUE;
        case USBDEVFS_RELEASEINTERFACE:
        case USBDEVFS_RESET:
            umockdev_ioctl_client_complete(client, 0, 0);
            return TRUE;
        case USBDEVFS_IOCTL:  // connecting and disconnecting kernel drivers
            device->driver_bound = kernel_driver != NULL;
            umockdev_ioctl_client_complete(client, kernel_driver ? 1 : -1, kernel_driver ? 0 : ENODATA);
            return TRUE;
        case USBDEVFS_GETDRIVER: {
            if (!device->driver_bound) {
                umockdev_ioctl_client_complete(client, -1, ENODATA);
                return TRUE;
            }
            UMockdevIoctlData *data = umockdev_ioctl_data_resolve(
                umockdev_ioctl_client_get_arg(client), 0, sizeof(struct usbdevfs_getdriver), NULL);
            umockdev_ioctl_data_update(data, G_STRUCT_OFFSET(struct usbdevfs_getdriver, driver),
                                       (guint8 *)kernel_driver, (gint)strlen(kernel_driver) + 1);
            umockdev_ioctl_client_complete(client, 0, 0);
            return TRUE;
        }
        case USBDEVFS_GET_SPEED:
            umockdev_ioctl_client_complete(client, 2, 0);
            return TRUE;
        case USBDEVFS_SUBMITURB: submit_urb(device, client); return TRUE;
        case USBDEVFS_REAPURB:
        case USBDEVFS_REAPURBNDELAY: reap_urb(device, client); return TRUE;
        case USBDEVFS_DISCARDURB: discard_urb(device, client); return TRUE;
        case USBDEVFS_CLEAR_HALT: clear_halt(device, client); return TRUE;
        default: return FALSE;
    }
}

typedef struct {
    UMockdevIoctlBase parent;
} Handler;
typedef struct {
    UMockdevIoctlBaseClass parent;
} HandlerClass;
static GType handler_get_type(void);
G_DEFINE_TYPE(Handler, handler, UMOCKDEV_TYPE_IOCTL_BASE)
static void handler_class_init(HandlerClass *class) { UMOCKDEV_IOCTL_BASE_CLASS(class)->handle_ioctl = handle; }
static void handler_init(Handler *self) { (void)self; }

// ---- plugging and unplugging ----

/// Imports the device from the server and puts it into the testbed. False when the server does not offer it now.
static bool plug(Device *device) {
    int fd = dial();
    if (fd < 0) return false;
    uint8_t request[40] = {0x01, 0x11, 0x80, 0x03}, reply[8], record[RECORD];
    memcpy(request + 8, device->busid, strlen(device->busid));
    if (!write_full(fd, request, sizeof request) || !read_full(fd, reply, sizeof reply) || get32(reply + 4) != 0 ||
        !read_full(fd, record, sizeof record)) {
        close(fd);
        return false;
    }
    device->fd = fd;
    device->devid = get32(record + 288) << 16 | get32(record + 292);
    uint8_t descriptors[18 + 1024];
    uint8_t *configuration = descriptors + 18;
    int total;
    char serial[128], product[128];
    if (ask(device, 0x0100, 0, descriptors, 18) != 18 || ask(device, 0x0200, 0, configuration, 9) != 9 ||
        (total = configuration[2] | configuration[3] << 8) > 1024 ||
        ask(device, 0x0200, 0, configuration, (uint16_t)total) != total) {
        close(fd);
        return false;
    }
    read_string(device, descriptors[16], serial, sizeof serial);
    read_string(device, descriptors[15], product, sizeof product);

    device->address++;
    snprintf(device->path, sizeof device->path, "/devices/pci0000:00/0000:00:14.0/usb1/1-%d", device->index + 1);
    // Addresses are per bus: leave room for later plugs of every device.
    int devnum = 2 + device->index + MAX_DEVICES * (device->address % 2);
    snprintf(device->node, sizeof device->node, "/dev/bus/usb/001/%03d", devnum);
    GString *hex = g_string_new(NULL);
    for (int i = 0; i < 18 + total; i++) g_string_append_printf(hex, "%02X", descriptors[i]);
    GString *text = g_string_new(NULL);
    g_string_append_printf(text, "P: %s\nN: bus/usb/001/%03d=%s\n", device->path, devnum, hex->str);
    g_string_append_printf(text,
                           "E: DEVNAME=%s\nE: DEVTYPE=usb_device\nE: DRIVER=usb\nE: BUSNUM=001\nE: DEVNUM=%03d\n"
                           "E: MAJOR=189\nE: MINOR=%d\nE: SUBSYSTEM=usb\n",
                           device->node, devnum, devnum - 1);
    g_string_append_printf(text, "A: busnum=1\\n\nA: devnum=%d\\n\nA: speed=12\\n\nA: bConfigurationValue=%d\\n\n", devnum,
                           configuration[5]);
    g_string_append_printf(text, "A: idVendor=%02x%02x\\n\nA: idProduct=%02x%02x\\n\n", descriptors[9], descriptors[8],
                           descriptors[11], descriptors[10]);
    if (serial[0]) g_string_append_printf(text, "A: serial=%s\\n\n", serial);
    if (product[0]) g_string_append_printf(text, "A: product=%s\\n\n", product);
    g_string_append_printf(text, "H: descriptors=%s\n", hex->str);

    GError *error = NULL;
    if (!umockdev_testbed_add_from_string(testbed, text->str, &error)) die(error->message);
    g_string_free(text, TRUE);
    g_string_free(hex, TRUE);
    device->handler = g_object_new(handler_get_type(), NULL);
    g_object_set_qdata(G_OBJECT(device->handler), device_slot_quark(), device);
    if (!umockdev_testbed_attach_ioctl(testbed, device->node, device->handler, &error)) die(error->message);
    if (is_forbidden(device->busid)) {
        char *root = umockdev_testbed_get_root_dir(testbed);
        char *node = g_build_filename(root, device->node, NULL);
        chmod(node, 0);
        g_free(node);
        g_free(root);
    }
    pthread_mutex_lock(&device->lock);
    device->driver_bound = kernel_driver != NULL;
    device->plugged = true;
    pthread_mutex_unlock(&device->lock);
    return true;
}

static void unplug(Device *device) {
    pthread_mutex_lock(&device->lock);
    device->plugged = false;
    close(device->fd);
    while (device->flying) {
        Urb *urb = device->flying;
        device->flying = urb->next;
        urb->next = NULL;
        urb->status = -ESHUTDOWN;
        append(&device->home, urb);
    }
    pthread_cond_broadcast(&device->answered);
    pthread_mutex_unlock(&device->lock);
    char *syspath = g_strdup_printf("/sys%s", device->path);
    umockdev_testbed_uevent(testbed, syspath, "remove");
    umockdev_testbed_remove_device(testbed, syspath);
    g_free(syspath);
}

static void list_devices(void) {
    int fd = dial();
    if (fd < 0) die("no USB/IP server answers: start 'wattbench emulate' first");
    uint8_t request[8] = {0x01, 0x11, 0x80, 0x05}, reply[12], record[RECORD], interface[4];
    if (!write_full(fd, request, sizeof request) || !read_full(fd, reply, sizeof reply)) die("no answer to DEVLIST");
    uint32_t count = get32(reply + 8);
    for (uint32_t i = 0; i < count; i++) {
        if (!read_full(fd, record, sizeof record)) die("the device list ends early");
        for (int k = 0; k < record[RECORD - 1]; k++)
            if (!read_full(fd, interface, sizeof interface)) die("the device list ends early");
        if (device_count == MAX_DEVICES) continue;
        Device *device = &devices[device_count];
        memcpy(device->busid, record + 256, 32);
        device->index = device_count++;
        pthread_mutex_init(&device->lock, NULL);
        pthread_cond_init(&device->answered, NULL);
        (void)get16;
    }
    close(fd);
}

int main(int argc, char **argv) {
    int at = 1;
    for (; at < argc && strcmp(argv[at], "--") != 0; at++) {
        if (strcmp(argv[at], "--host") == 0 && at + 1 < argc) host = argv[++at];
        else if (strcmp(argv[at], "--port") == 0 && at + 1 < argc) port = atoi(argv[++at]);
        else if (strcmp(argv[at], "--driver") == 0 && at + 1 < argc) kernel_driver = argv[++at];
        else if (strcmp(argv[at], "--forbid") == 0 && at + 1 < argc) forbidden[forbidden_count++] = argv[++at];
        else die("usage: usbip-testbed [--host H] [--port N] [--forbid BUSID] [--driver NAME] -- PROGRAM ARGUMENTS");
    }
    if (at + 1 >= argc) die("no program given after --");
    testbed = umockdev_testbed_new();
    list_devices();
    for (int i = 0; i < device_count; i++) {
        if (!plug(&devices[i])) die("the server offered a device and then refused it");
        pthread_t thread;
        pthread_create(&thread, NULL, listen_to, &devices[i]);
        pthread_detach(thread);
    }
    char **child = calloc((size_t)(argc - at + 2), sizeof *child);
    child[0] = "umockdev-wrapper";
    for (int i = at + 1; i < argc; i++) child[i - at] = argv[i];
    pid_t pid = fork();
    if (pid == 0) {
        execvp(child[0], child);
        fprintf(stderr, "usbip-testbed: %s: %s\n", child[0], strerror(errno));
        _exit(127);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    fflush(NULL);
    // Threads of the testbed are still serving; leave without tearing them down under their feet.
    char *root = umockdev_testbed_get_root_dir(testbed);
    char *command = g_strdup_printf("rm -rf '%s'", root);
    if (system(command) != 0) fprintf(stderr, "usbip-testbed: %s stays behind\n", root);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}
