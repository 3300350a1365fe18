/** What `npm run lab -- --help` prints. */
export const USAGE = `Usage: npm run lab -- COMMAND [OPTIONS]

Real Linux hosts for tests: Debian kernels under QEMU, with modfleet's agent.

Commands
  check                      say whether this machine can build and boot lab hosts, and what is missing
  build [--update]           fetch packages and build every image (--update: ask apt for newer ones)
  boot                       boot hosts and keep them until Ctrl-C
  oracle                     hold the agent's verdicts against what kernels really do; exit status 0 when all agree. Whole runs are kept
                             in bench/results/oracle.json (two hours on an emulated CPU; narrow it)
  list                       hosts that run now
  shell NAME                 a root shell on a host that \`boot\` (or a test) runs; leave with Ctrl-]
  clean [--all]              remove what dead hosts left and old images (--all: every image and package)

Options
  --kind fast|full           fast: busybox, about 5 s; full: systemd (build, boot, oracle; default: boot fast, else both)
  --series 6.1|6.12          kernel series (build, boot, oracle; default: boot alternates, else both)
  --network networkd|ifupdown|vlan-bond
                             networkd: one card, DHCP; ifupdown: one card, a static address; vlan-bond: VLAN 9 over a bond of two cards
                             (boot, oracle; full hosts)
  --root-disk plain|dm-linear
                             dm-linear: the root lies on a device-mapper volume (boot; full hosts)
  --packages A,B             further Debian packages; the first time an image is built for each list (boot; full hosts)
  --only A,B                 only these kmods, or only the part "unload", "load" or "evidence" (oracle)
  --sample N                 load every Nth kmod of the broad list only (oracle; default 1: all of it)
  --count N                  how many hosts, 1 to 16 (boot; default 1)
  --config FILE              agent configuration for the hosts (boot)
  --join-file FILE           file with one join string that admits them all (boot)
  --help                     this text
`;
