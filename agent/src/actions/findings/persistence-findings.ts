import { evidence, type ActionFacts, type Persistence, type Question, type RawFinding } from './facts.ts';

/** What stands against writing, or removing, the file that loads a kmod at boot. Pure. */
export function persistenceFindings(question: Question, { persistence, tree }: ActionFacts): RawFinding[] {
  const { verb, kmod } = question;
  if (persistence === undefined) return [];
  const { path, state, detail } = persistence;
  const shown = [evidence('path', path)];
  switch (state) {
    case 'ours':
      return verb === 'persist' ? [note(`${path} loads ${kmod} at boot`, persistence)] : [];
    case 'absent':
      if (verb === 'unpersist') return [note(`no file of modfleet loads ${kmod} at boot`, persistence)];
      return tree.builtin
        ? [note(`${kmod} is built into the kernel: it needs no file to be there at boot`, persistence)]
        : [];
    case 'no_folder': {
      if (verb === 'unpersist') return [note(`no file of modfleet loads ${kmod} at boot`, persistence)];
      const message = `this host has no folder for lists of kmods that load at boot: ${path} cannot be written`;
      return [{ code: 'unsupported', refuses: true, message, evidence: shown }];
    }
    case 'foreign': {
      const message = `${path} is not as modfleet writes it, so it is not touched`;
      return [foreign(message, [...shown, evidence('config', `${path}:1: ${detail}`)])];
    }
    case 'unreadable': {
      const message = `whether ${path} is as modfleet writes it cannot be told: ${detail}`;
      return [foreign(message, [...shown, evidence('unseen', detail)])];
    }
  }
}

function foreign(message: string, shown: RawFinding['evidence']): RawFinding {
  return { code: 'persistence_foreign', refuses: true, message, evidence: shown };
}

function note(message: string, { path }: Persistence): RawFinding {
  return { code: 'already', refuses: false, message, evidence: [evidence('path', path)] };
}
