import { evidence, type FileFacts, type RawFinding } from './facts.ts';

/**
 * Whether the files would fit the running kernel. Pure.
 *
 * A kernel with symbol versions takes a kmod of another release where all versions happen to be the same; we do not: nobody built it for this one.
 */
export function unfitFiles(files: readonly FileFacts[], release: string): RawFinding[] {
  const others = files.filter(({ builtFor }) => builtFor !== undefined && builtFor !== release);
  const lacking = files.filter((file) => (file.lacking ?? []).length > 0);
  return [
    ...others.map((file) => ({
      code: 'wrong_release' as const,
      refuses: true,
      message: `${file.name} was built for kernel ${file.builtFor ?? ''}, and this is ${release} (ENOEXEC)`,
      evidence: [evidence('path', file.path)],
    })),
    ...lacking.map((file) => ({
      code: 'symbol_missing' as const,
      refuses: true,
      message: `${file.name} uses symbols of ${(file.lacking ?? []).join(', ')}, which is neither loaded nor found by depmod (ENOENT, "Unknown symbol")`,
      evidence: [evidence('path', file.path), ...(file.lacking ?? []).map((name) => evidence('kmod', name))],
    })),
  ];
}

/** Files that are there, and in which nobody can see whether they would load. Pure. */
export function unreadFiles(files: readonly FileFacts[]): RawFinding[] {
  return files.flatMap(({ name, path, unread }) =>
    unread === undefined
      ? []
      : [
          {
            code: 'release_files_missing' as const,
            refuses: true,
            message: `whether ${name} would load again cannot be told: ${unread}`,
            evidence: [evidence('path', path), evidence('unseen', unread)],
          },
        ],
  );
}
