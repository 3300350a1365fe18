// SPDX-License-Identifier: MIT
/*
 * Loaded into every program of a lab host (/etc/ld.so.preload): stops the agent at one named point, so that a test can kill it exactly there.
 * The point is the one line of /run/pause-at: "before" or "after" and "intent", "result", "tombstone" (writing that record to the action
 * journal) or "step" (the life of modprobe or rmmod). Whoever reaches it makes /run/paused and waits until /run/pause-at is gone.
 *
 * "before": not a byte is written; modprobe has not begun. "after": the record is synced; modprobe is done and about to exit.
 * No C library, so that a compiler is all that the lab needs; the two functions it takes the place of are only system calls.
 */
typedef unsigned long word;
typedef long ssize;

extern int *__errno_location(void);

static long call(long number, word a, word b, word c, word d)
{
	long result;
	register word r10 __asm__("r10") = d;

	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
	return result;
}

enum { SYS_READ = 0, SYS_OPEN = 2, SYS_CLOSE = 3, SYS_PWRITE = 18, SYS_ACCESS = 21, SYS_NANOSLEEP = 35, SYS_FDATASYNC = 75 };
enum { O_CREAT_WRONLY = 0101 };

static ssize answer(long result)
{
	if (result < 0 && result > -4096) {
		*__errno_location() = (int)-result;
		return -1;
	}
	return result;
}

static int starts(const char *text, const char *with)
{
	while (*with)
		if (*text++ != *with++)
			return 0;
	return 1;
}

static void read_line(const char *path, char *line, word room)
{
	long fd = call(SYS_OPEN, (word)path, 0, 0, 0);
	long got = fd < 0 ? 0 : call(SYS_READ, fd, (word)line, room - 1, 0);

	line[got < 0 ? 0 : got] = 0;
	if (fd >= 0)
		call(SYS_CLOSE, fd, 0, 0, 0);
}

static void pause_at(const char *when, const char *what)
{
	static const long two_ms[2] = { 0, 2000000 };
	char wanted[64];
	word at = 0;

	read_line("/run/pause-at", wanted, sizeof(wanted));
	if (!starts(wanted, when))
		return;
	while (wanted[at] && wanted[at] != ' ')
		at++;
	if (!wanted[at] || !starts(wanted + at + 1, what))
		return;
	call(SYS_CLOSE, call(SYS_OPEN, (word)"/run/paused", O_CREAT_WRONLY, 0600, 0), 0, 0, 0);
	while (call(SYS_ACCESS, (word)"/run/pause-at", 0, 0, 0) == 0)
		call(SYS_NANOSLEEP, (word)two_ms, 0, 0, 0);
}

/* The record that was written last; one thread of Node.js at a time writes the journal. */
static const char *last_record = "";

static const char *record_in(const char *bytes, word length)
{
	static const char *const kinds[] = { "intent", "result", "tombstone" };
	static const char key[] = "{\"kind\":\"";

	/* A record is `CRC ID JSON`: its kind stands within the first bytes. */
	for (word at = 0; at + sizeof(key) + 10 < length && at < 100; at++) {
		if (!starts(bytes + at, key))
			continue;
		for (word kind = 0; kind < 3; kind++)
			if (starts(bytes + at + sizeof(key) - 1, kinds[kind]))
				return kinds[kind];
		return "";
	}
	return "";
}

ssize pwrite64(int fd, const void *bytes, word length, long offset)
{
	last_record = record_in(bytes, length);
	if (*last_record)
		pause_at("before", last_record);
	return answer(call(SYS_PWRITE, fd, (word)bytes, length, offset));
}

int fdatasync(int fd)
{
	int done = (int)answer(call(SYS_FDATASYNC, fd, 0, 0, 0));

	if (done == 0 && *last_record)
		pause_at("after", last_record);
	last_record = "";
	return done;
}

static int is_step(void)
{
	char name[64];

	read_line("/proc/self/comm", name, sizeof(name));
	return starts(name, "modprobe\n") || starts(name, "rmmod\n");
}

__attribute__((constructor)) static void begin(void)
{
	if (is_step())
		pause_at("before", "step");
}

__attribute__((destructor)) static void end(void)
{
	if (is_step())
		pause_at("after", "step");
}
