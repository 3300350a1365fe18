/** What kmod's programs print for an errno (strerror), and its name. insmod words some differently from modprobe (kernel-facts 4). */
const WORDS: readonly (readonly [words: RegExp, errno: string])[] = [
  [/Operation not permitted/, 'EPERM'],
  [/No such file or directory|Unknown symbol in module/, 'ENOENT'],
  [/Key was rejected by service/, 'EKEYREJECTED'],
  [/Required key not available/, 'ENOKEY'],
  [/Exec format error|Invalid module format/, 'ENOEXEC'],
  [/Invalid argument/, 'EINVAL'],
  [/Numerical result out of range/, 'ERANGE'],
  [/Device or resource busy/, 'EBUSY'],
  [/File exists|Module already in kernel/, 'EEXIST'],
  [/No such device(?! or)/, 'ENODEV'],
  [/No such device or address/, 'ENXIO'],
  [/Cannot allocate memory/, 'ENOMEM'],
  [/Input\/output error/, 'EIO'],
  [/Resource temporarily unavailable|is in use/, 'EAGAIN'],
  [/Function not implemented/, 'ENOSYS'],
  [/Permission denied/, 'EACCES'],
];

/** The errno's name behind a message; empty when none is recognised. */
export function errnoOf(stderr: string): string {
  return WORDS.find(([words]) => words.test(stderr))?.[1] ?? '';
}
