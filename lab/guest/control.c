// SPDX-License-Identifier: MIT
/*
 * The harness's own door to a lab host, on the second serial port; the product never uses it.
 * In:  RUN ID LENGTH BASE64(command)                        (LENGTH of what follows it)
 *      READ ID LENGTH BASE64(path)                          (as `cat path`, and no program starts)
 * Out: READY BOOT_ID
 *      GOT ID
 *      DONE ID EXIT_CODE BASE64(stdout) BASE64(stderr)      ("-" stands for empty)
 * The port has no flow control: a line can lose bytes while this is slow to read it. Such a line is passed over, and the harness sends again
 * what was not got; what was got is run once.
 * Each command has a shell of its own, so one that hangs in the kernel does not block the next. It has ended when its shell has: what that left
 * running may go on writing, and nobody reads it.
 *
 * Not a script: on an emulated CPU each program that starts costs a tenth of the time that a test has for a look. Without a C library, so that a
 * compiler is all that the lab needs.
 */
typedef unsigned long word;

enum {
	SYS_READ = 0, SYS_WRITE = 1, SYS_OPEN = 2, SYS_CLOSE = 3, SYS_POLL = 7, SYS_IOCTL = 16, SYS_PREAD = 17, SYS_DUP2 = 33, SYS_FORK = 57,
	SYS_EXECVE = 59, SYS_WAIT4 = 61, SYS_FCNTL = 72, SYS_MKDIR = 83, SYS_UNLINK = 87, SYS_EXIT_GROUP = 231, SYS_MEMFD_CREATE = 319,
	SYS_PIDFD_OPEN = 434,
};
enum { O_RDWR = 2, O_WRONLY = 1, O_CREAT = 0100, O_NOCTTY = 0400, O_TRUNC = 01000, O_NONBLOCK = 04000, O_CLOEXEC = 02000000 };
enum { F_SETFL = 4, POLLIN = 1, MFD_CLOEXEC = 1, TCGETS = 0x5401, TCSETS = 0x5402, EINTR = 4 };

/* Commands at once, ids remembered, and the longest line: each several times what the harness uses. */
enum { COMMANDS = 64, REMEMBERED = 256, LINE_ROOM = 96 * 1024 };

static long call(long number, word a, word b, word c, word d)
{
	register word r10 __asm__("r10") = d;
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
	return result;
}

struct termios {
	unsigned int iflag, oflag, cflag, lflag;
	unsigned char line, cc[19];
};
enum { CLOCAL = 04000, CREAD = 0200, HUPCL = 02000, VTIME = 5, VMIN = 6 };

struct pollfd {
	int fd;
	short events, revents;
};

struct command {
	word id;
	int pid, pidfd, out, err;
};

static int tty;
static struct command running[COMMANDS];
static int count;
static word taken[REMEMBERED];
static word took;
static char line[LINE_ROOM + 1];
static char text[LINE_ROOM + 1];
static char *const environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", 0};

static word length(const char *words)
{
	word n = 0;

	while (words[n])
		n++;
	return n;
}

static void put(const char *bytes, word n)
{
	while (n > 0) {
		long done = call(SYS_WRITE, tty, (word)bytes, n, 0);

		if (done < 0 && done != -EINTR)
			return;
		if (done > 0) {
			bytes += done;
			n -= done;
		}
	}
}

static void say(const char *words)
{
	put(words, length(words));
}

/* Decimal digits of a number, with what follows it. */
static void say_number(word value, const char *after)
{
	char digits[24];
	word at = sizeof(digits);

	do {
		digits[--at] = '0' + value % 10;
		value /= 10;
	} while (value > 0);
	put(digits + at, sizeof(digits) - at);
	say(after);
}

static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* All that was written to a file so far, in base64. */
static void say_file(int file)
{
	static unsigned char plain[3072];
	static char coded[4096];
	word at = 0;

	for (;;) {
		word have = 0, made = 0;
		long got = 1;

		while (have < sizeof(plain) && got > 0) {
			got = call(SYS_PREAD, file, (word)(plain + have), sizeof(plain) - have, at + have);
			if (got > 0)
				have += got;
		}
		if (have == 0)
			break;
		at += have;
		for (word i = 0; i < have; i += 3) {
			unsigned int three = plain[i] << 16 | (i + 1 < have ? plain[i + 1] << 8 : 0) | (i + 2 < have ? plain[i + 2] : 0);

			coded[made++] = LETTERS[three >> 18];
			coded[made++] = LETTERS[three >> 12 & 63];
			coded[made++] = i + 1 < have ? LETTERS[three >> 6 & 63] : '=';
			coded[made++] = i + 2 < have ? LETTERS[three & 63] : '=';
		}
		put(coded, made);
	}
	if (at == 0)
		say("-");
}

static int value_of(char letter)
{
	for (int i = 0; i < 64; i++)
		if (LETTERS[i] == letter)
			return i;
	return -1;
}

/* Gives how many bytes `coded` stands for; -1 when it is no base64. */
static long decode(const char *coded, word n, char *plain)
{
	word made = 0;

	if (n % 4 != 0)
		return -1;
	for (word i = 0; i < n; i += 4) {
		int padding = i + 4 < n || coded[i + 3] != '=' ? 0 : coded[i + 2] == '=' ? 2 : 1;
		unsigned int three = 0;

		for (int j = 0; j < 4; j++) {
			int value = j >= 4 - padding ? 0 : value_of(coded[i + j]);

			if (value < 0)
				return -1;
			three = three << 6 | value;
		}
		for (int j = 0; j < 3 - padding; j++)
			plain[made++] = three >> (16 - 8 * j);
	}
	return made;
}

static void got(word id)
{
	say("GOT ");
	say_number(id, "\n");
}

static void done(const struct command *ended, int status)
{
	say("DONE ");
	say_number(ended->id, " ");
	say_number(status & 127 ? 128 + (status & 127) : status >> 8 & 255, " ");
	say_file(ended->out);
	say(" ");
	say_file(ended->err);
	say("\n");
}

/* The command as a file of its own: a script is what people would run, and no process list has its text. */
static void script_path(char *path, word id)
{
	static const char folder[] = "/run/modfleet-lab/";
	word at = 0, start;

	for (; folder[at]; at++)
		path[at] = folder[at];
	start = at;
	do {
		path[at++] = '0' + id % 10;
		id /= 10;
	} while (id > 0);
	for (word i = start, j = at - 1; i < j; i++, j--) {
		char digit = path[i];

		path[i] = path[j];
		path[j] = digit;
	}
	for (const char *end = ".cmd"; *end; end++)
		path[at++] = *end;
	path[at] = 0;
}

static void start(word id, word size)
{
	struct command *one = &running[count];
	char path[64];
	long script;

	script_path(path, id);
	call(SYS_MKDIR, (word)"/run/modfleet-lab", 0755, 0, 0);
	script = call(SYS_OPEN, (word)path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600, 0);
	for (word at = 0; at < size;) {
		long written = call(SYS_WRITE, script, (word)(text + at), size - at, 0);

		if (written <= 0)
			break;
		at += written;
	}
	call(SYS_CLOSE, script, 0, 0, 0);
	one->id = id;
	one->out = call(SYS_MEMFD_CREATE, (word)"stdout", MFD_CLOEXEC, 0, 0);
	one->err = call(SYS_MEMFD_CREATE, (word)"stderr", MFD_CLOEXEC, 0, 0);
	one->pid = call(SYS_FORK, 0, 0, 0, 0);
	if (one->pid == 0) {
		char *arguments[] = {"/bin/sh", path, 0};

		call(SYS_DUP2, call(SYS_OPEN, (word)"/dev/null", O_RDWR | O_CLOEXEC, 0, 0), 0, 0, 0);
		call(SYS_DUP2, one->out, 1, 0, 0);
		call(SYS_DUP2, one->err, 2, 0, 0);
		call(SYS_EXECVE, (word)arguments[0], (word)arguments, (word)environment, 0);
		call(SYS_EXIT_GROUP, 127, 0, 0, 0);
	}
	one->pidfd = one->pid < 0 ? -1 : call(SYS_PIDFD_OPEN, one->pid, 0, 0, 0);
	if (one->pidfd < 0) {
		done(one, 126 << 8);
		call(SYS_CLOSE, one->out, 0, 0, 0);
		call(SYS_CLOSE, one->err, 0, 0, 0);
		return;
	}
	count++;
}

static void end(int index)
{
	struct command *one = &running[index];
	char path[64];
	int status = 0;

	call(SYS_WAIT4, one->pid, (word)&status, 0, 0);
	done(one, status);
	call(SYS_CLOSE, one->pidfd, 0, 0, 0);
	call(SYS_CLOSE, one->out, 0, 0, 0);
	call(SYS_CLOSE, one->err, 0, 0, 0);
	script_path(path, one->id);
	call(SYS_UNLINK, (word)path, 0, 0, 0);
	*one = running[--count];
}

/* A number and the space after it; -1 when there is none. */
static long take_number(char **at)
{
	word value = 0;
	char *from = *at;

	while (**at >= '0' && **at <= '9')
		value = value * 10 + *(*at)++ - '0';
	return *at == from || *(*at)++ != ' ' ? -1 : (long)value;
}

/* Whether a text begins with a word and a space; `at` is then behind them. */
static int take_word(char **at, const char *expected)
{
	char *from = *at;

	while (*expected)
		if (*from++ != *expected++)
			return 0;
	if (*from++ != ' ')
		return 0;
	*at = from;
	return 1;
}

/* Answers with a file; of a device or a pipe, with what it has at once. */
static void read_out(word id, word size)
{
	static char piece[4096];
	struct command one = {.id = id};
	long file, n = 0;

	text[size] = 0;
	one.out = call(SYS_MEMFD_CREATE, (word)"stdout", MFD_CLOEXEC, 0, 0);
	one.err = call(SYS_MEMFD_CREATE, (word)"stderr", MFD_CLOEXEC, 0, 0);
	file = call(SYS_OPEN, (word)text, O_CLOEXEC | O_NONBLOCK, 0, 0);
	while (file >= 0 && (n = call(SYS_READ, file, (word)piece, sizeof(piece), 0)) > 0)
		call(SYS_WRITE, one.out, (word)piece, n, 0);
	done(&one, file < 0 || n < 0 ? 1 << 8 : 0);
	call(SYS_CLOSE, file, 0, 0, 0);
	call(SYS_CLOSE, one.out, 0, 0, 0);
	call(SYS_CLOSE, one.err, 0, 0, 0);
}

static void take_line(char *from, word n)
{
	char *at = from;
	long id, announced, size;
	int reads;

	from[n] = 0;
	reads = take_word(&at, "READ");
	if (!reads && !take_word(&at, "RUN"))
		return;
	id = take_number(&at);
	announced = id < 0 ? -1 : take_number(&at);
	if (announced < 0 || announced != (long)n - (at - from))
		return;
	size = decode(at, announced, text);
	/* Not got while there is no room: the harness sends it again. */
	if (size < 0 || count == COMMANDS)
		return;
	got(id);
	for (word i = 0; i < REMEMBERED; i++)
		if (taken[i] == (word)id + 1)
			return;
	taken[took++ % REMEMBERED] = id + 1;
	if (reads)
		read_out(id, size);
	else
		start(id, size);
}

/* What a terminal does to text, off; no carrier is waited for. */
static void open_port(void)
{
	struct termios settings;

	tty = call(SYS_OPEN, (word)"/dev/ttyS1", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0, 0);
	if (tty < 0)
		call(SYS_EXIT_GROUP, 1, 0, 0, 0);
	call(SYS_IOCTL, tty, TCGETS, (word)&settings, 0);
	settings.iflag = settings.oflag = settings.lflag = 0;
	settings.cflag = (settings.cflag | CLOCAL | CREAD) & ~HUPCL;
	settings.cc[VMIN] = 1;
	settings.cc[VTIME] = 0;
	call(SYS_IOCTL, tty, TCSETS, (word)&settings, 0);
	call(SYS_FCNTL, tty, F_SETFL, O_RDWR, 0);
}

static void ready(void)
{
	char id[64];
	long file = call(SYS_OPEN, (word)"/proc/sys/kernel/random/boot_id", O_CLOEXEC, 0, 0);
	long n = call(SYS_READ, file, (word)id, sizeof(id), 0);

	call(SYS_CLOSE, file, 0, 0, 0);
	say("\nREADY ");
	if (n > 0)
		put(id, n);
}

__attribute__((used)) static void run(void)
{
	static struct pollfd polled[COMMANDS + 1];
	word have = 0;
	int overlong = 0;

	open_port();
	ready();
	for (;;) {
		int watched = count;

		polled[0].fd = tty;
		polled[0].events = POLLIN;
		for (int i = 0; i < watched; i++) {
			polled[i + 1].fd = running[i].pidfd;
			polled[i + 1].events = POLLIN;
		}
		if (call(SYS_POLL, (word)polled, watched + 1, -1, 0) < 0)
			continue;
		/* From the last on: what ends gives its place to the last one. */
		for (int i = watched - 1; i >= 0; i--)
			if (polled[i + 1].revents)
				end(i);
		if (polled[0].revents) {
			long n = call(SYS_READ, tty, (word)(line + have), LINE_ROOM - have, 0);
			word from = 0, at = have;

			if (n == -EINTR)
				continue;
			/* Hung up: whoever started this starts it again. */
			if (n <= 0)
				call(SYS_EXIT_GROUP, 1, 0, 0, 0);
			have += n;
			for (; at < have; at++) {
				if (line[at] != '\n')
					continue;
				if (!overlong)
					take_line(line + from, at - from);
				overlong = 0;
				from = at + 1;
			}
			have -= from;
			for (word i = 0; i < have; i++)
				line[i] = line[from + i];
			if (have == LINE_ROOM) {
				overlong = 1;
				have = 0;
			}
		}
	}
}

__asm__(".globl _start\n_start:\n\tand $-16, %rsp\n\tcall run\n");
