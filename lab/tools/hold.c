// SPDX-License-Identifier: MIT
/*
 * Holds a socket until it is killed: hold FAMILY TYPE PROTOCOL [ALG_TYPE ALG_NAME]
 * Says "held" when it has it, else "failed" and the negative errno. Without a C library, so that a compiler is all that the lab needs.
 * The last two arguments bind an AF_ALG socket (family 38) to an algorithm.
 */
typedef unsigned long word;

static long call(long number, word a, word b, word c)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}

enum { SYS_WRITE = 1, SYS_PAUSE = 34, SYS_SOCKET = 41, SYS_BIND = 49, SYS_EXIT = 60 };

/* struct sockaddr_alg of linux/if_alg.h */
struct alg_address {
	unsigned short family;
	unsigned char type[14];
	unsigned int feat;
	unsigned int mask;
	unsigned char name[64];
};

static word length(const char *text)
{
	word n = 0;

	while (text[n])
		n++;
	return n;
}

static word number(const char *text)
{
	word value = 0;

	for (; *text; text++)
		value = value * 10 + (*text - '0');
	return value;
}

static void copy(unsigned char *to, const char *from, word room)
{
	for (word i = 0; from[i] && i + 1 < room; i++)
		to[i] = from[i];
}

static void say(const char *text)
{
	call(SYS_WRITE, 1, (word)text, length(text));
}

static void fail(long error)
{
	char digits[] = "failed -000\n";

	error = -error;
	digits[8] += error / 100;
	digits[9] += error / 10 % 10;
	digits[10] += error % 10;
	say(digits);
	call(SYS_EXIT, 1, 0, 0);
}

__attribute__((used)) static void run(word *stack)
{
	word count = stack[0];
	char **args = (char **)(stack + 1);
	long fd;

	if (count < 4)
		fail(-22);
	fd = call(SYS_SOCKET, number(args[1]), number(args[2]), number(args[3]));
	if (fd < 0)
		fail(fd);
	if (count >= 6) {
		static struct alg_address address;
		long bound;

		address.family = 38;
		copy(address.type, args[4], sizeof(address.type));
		copy(address.name, args[5], sizeof(address.name));
		bound = call(SYS_BIND, fd, (word)&address, sizeof(address));
		if (bound < 0)
			fail(bound);
	}
	say("held\n");
	for (;;)
		call(SYS_PAUSE, 0, 0, 0);
}

__asm__(".globl _start\n_start:\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall run\n");
