#!/bin/sh
# Copies what the agent's facets read of this host into a root tree, for agent/testdata/roots. Run as root on the host:
#   KEEP="dummy failover" sh capture.sh OUT
# KEEP names the kmods whose files are copied; without a file a kmod has no build id, licence or signer in the tree. Works with busybox.
# proc and sysfs say no sizes, so every file is copied by reading it, and what cannot be read is left out.
set -u
out=$1
release=$(uname -r)
mkdir -p "$out"

copy() {
  [ -e "$1" ] || [ -L "$1" ] || return 0
  mkdir -p "$out$(dirname "$1")"
  if [ -L "$1" ]; then
    [ -L "$out$1" ] || ln -s "$(readlink "$1")" "$out$1"
  elif [ -f "$1" ]; then
    cat "$1" > "$out$1" 2> /dev/null || rm -f "$out$1"
  fi
}

copy /lib
for file in modules cmdline version sys/kernel/osrelease sys/kernel/hostname sys/kernel/modules_disabled sys/kernel/tainted; do
  copy "/proc/$file"
done
copy /etc/os-release
copy /etc/modules
for file in /etc/modprobe.d/* /run/modprobe.d/* /usr/local/lib/modprobe.d/* /usr/lib/modprobe.d/* \
  /etc/modules-load.d/* /run/modules-load.d/* /usr/lib/modules-load.d/*; do
  copy "$file"
done

for kmod in $(cut -d' ' -f1 /proc/modules); do
  for file in initstate refcnt srcversion version taint notes/.note.gnu.build-id; do copy "/sys/module/$kmod/$file"; done
  for file in "/sys/module/$kmod/parameters/"* "/sys/module/$kmod/holders/"*; do copy "$file"; done
done
copy /sys/module/module/parameters/sig_enforce
copy /sys/kernel/security/lockdown

for member in /sys/bus/*/devices/*; do
  [ -L "$member" ] || continue
  device=$(readlink -f "$member")
  [ -f "$device/modalias" ] || [ -L "$device/driver" ] || continue
  case $member in /sys/bus/cpu/* | /sys/bus/memory/* | /sys/bus/node/*) continue ;; esac
  copy "$member"
  copy "$device/modalias"
  copy "$device/driver"
  if [ -L "$device/driver" ]; then
    driver=$(readlink -f "$device/driver")
    copy "$driver/module"
    copy "$driver/uevent"
  fi
done
for name in /sys/class/net/* /sys/block/*; do copy "$name"; done

for file in modules.dep modules.alias modules.softdep modules.builtin modules.builtin.modinfo; do
  copy "/lib/modules/$release/$file"
done
for kmod in ${KEEP:-}; do copy "$(modinfo -n "$kmod")"; done
