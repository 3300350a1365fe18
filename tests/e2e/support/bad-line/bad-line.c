// SPDX-License-Identifier: MIT
/*
 * A line between this network namespace and another one that loses and delays packets, as `tc netem` does where the kernel has it:
 *
 *     bad-line NETNS NAME SEED
 *
 * makes a TUN device NAME here and one in the namespace NETNS (of `ip netns`), and carries packets between them. Says "ready", then does what it is told,
 * a line each, and says "ok":
 *
 *     there LOSS DELAY     packets from here to there: percent that are lost (100: cut), and how late the others are, ms
 *     here LOSS DELAY      the other way
 *     counts               says "counts PASSED LOST PASSED LOST", there first, instead
 *
 * It ends, and its devices with it, when nobody can tell it anything any more: at the end of its input.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
	PACKET_MAX = 2048, /* a TUN device has an MTU of 1500 */
	/* Packets on their way in one direction; what comes above is lost, as in a full queue. A second of 40 hosts that talk is some hundreds. */
	ON_THE_WAY = 8192,
	LINE_MAX_BYTES = 256,
};

struct packet {
	long long due_ms;
	int length;
	unsigned char bytes[PACKET_MAX];
};

/* One direction: from one device to the other. Packets stay in their order: one that is due never overtakes one before it. */
struct direction {
	int from;
	int to;
	int loss_percent;
	int delay_ms;
	unsigned long passed;
	unsigned long lost;
	int first;
	int count;
	struct packet *queue;
};

static unsigned long long random_state;

static void fail(const char *format, ...)
{
	va_list words;

	va_start(words, format);
	vfprintf(stderr, format, words);
	va_end(words);
	fputc('\n', stderr);
	exit(1);
}

/* xorshift64: between 0 and 99. */
static int random_percent(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (int)(random_state % 100);
}

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* The device goes when its file is closed. */
static int open_device(const char *name)
{
	struct ifreq request;
	int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (device < 0)
		fail("/dev/net/tun: %s", strerror(errno));
	memset(&request, 0, sizeof(request));
	request.ifr_flags = IFF_TUN | IFF_NO_PI;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(device, TUNSETIFF, &request) < 0)
		fail("TUN device %s: %s", name, strerror(errno));
	return device;
}

/* A device belongs to the namespace in which its file was opened. */
static void enter(const char *netns)
{
	char path[256];
	int namespace;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	namespace = open(path, O_RDONLY | O_CLOEXEC);
	if (namespace < 0 || setns(namespace, CLONE_NEWNET) < 0)
		fail("%s: %s", path, strerror(errno));
	close(namespace);
}

static void take(struct direction *way)
{
	for (;;) {
		static unsigned char bytes[PACKET_MAX];
		ssize_t length = read(way->from, bytes, sizeof(bytes));
		struct packet *packet;

		if (length <= 0)
			return;
		if (random_percent() < way->loss_percent || way->count == ON_THE_WAY) {
			way->lost++;
			continue;
		}
		packet = &way->queue[(way->first + way->count) % ON_THE_WAY];
		packet->due_ms = now_ms() + way->delay_ms;
		packet->length = (int)length;
		memcpy(packet->bytes, bytes, (size_t)length);
		way->count++;
	}
}

/* What the other side does not take (its device is down) is lost. */
static void give(struct direction *way)
{
	while (way->count > 0) {
		struct packet *packet = &way->queue[way->first];

		if (packet->due_ms > now_ms())
			return;
		if (write(way->to, packet->bytes, (size_t)packet->length) == packet->length)
			way->passed++;
		else
			way->lost++;
		way->first = (way->first + 1) % ON_THE_WAY;
		way->count--;
	}
}

static void obey(char *line, struct direction *there, struct direction *here)
{
	char which[16];
	int loss, delay;

	if (strcmp(line, "counts") == 0) {
		printf("counts %lu %lu %lu %lu\n", there->passed, there->lost, here->passed, here->lost);
		return;
	}
	if (sscanf(line, "%15s %d %d", which, &loss, &delay) != 3 || loss < 0 || loss > 100 || delay < 0)
		fail("what is \"%s\"?", line);
	if (strcmp(which, "there") == 0) {
		there->loss_percent = loss;
		there->delay_ms = delay;
	} else if (strcmp(which, "here") == 0) {
		here->loss_percent = loss;
		here->delay_ms = delay;
	} else {
		fail("there is no direction \"%s\"", which);
	}
	printf("ok\n");
}

/* Whole lines only; the rest waits for more. */
static void listen_to_input(struct direction *there, struct direction *here)
{
	static char said[LINE_MAX_BYTES];
	static size_t length;
	ssize_t more = read(0, said + length, sizeof(said) - length);
	char *end;

	if (more <= 0)
		exit(0);
	length += (size_t)more;
	while ((end = memchr(said, '\n', length)) != NULL) {
		size_t used = (size_t)(end - said) + 1;

		*end = '\0';
		obey(said, there, here);
		length -= used;
		memmove(said, said + used, length);
	}
	if (length == sizeof(said))
		fail("a line is too long");
	fflush(stdout);
}

static int wait_ms(const struct direction *way)
{
	long long left;

	if (way->count == 0)
		return -1;
	left = way->queue[way->first].due_ms - now_ms();
	return left < 0 ? 0 : (int)left;
}

static int shorter(int one_ms, int other_ms)
{
	if (one_ms < 0 || other_ms < 0)
		return one_ms < 0 ? other_ms : one_ms;
	return one_ms < other_ms ? one_ms : other_ms;
}

static struct direction direction(int from, int to)
{
	struct direction way = { .from = from, .to = to };

	way.queue = calloc(ON_THE_WAY, sizeof(*way.queue));
	if (way.queue == NULL)
		fail("no memory");
	return way;
}

int main(int count, char **args)
{
	int device_here, device_there;
	struct direction there, here;

	if (count != 4)
		fail("bad-line NETNS NAME SEED");
	random_state = strtoull(args[3], NULL, 10) * 2 + 1;
	device_here = open_device(args[2]);
	enter(args[1]);
	device_there = open_device(args[2]);
	there = direction(device_here, device_there);
	here = direction(device_there, device_here);
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		struct pollfd files[] = {
			{ .fd = 0, .events = POLLIN },
			{ .fd = device_here, .events = POLLIN },
			{ .fd = device_there, .events = POLLIN },
		};

		if (poll(files, 3, shorter(wait_ms(&there), wait_ms(&here))) < 0 && errno != EINTR)
			fail("poll: %s", strerror(errno));
		if (files[0].revents)
			listen_to_input(&there, &here);
		take(&there);
		take(&here);
		give(&there);
		give(&here);
	}
}
