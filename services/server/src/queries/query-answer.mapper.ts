import { KmodPresence, type KmodAnswer, type KmodBlock, type LoadedKmod } from '@modfleet/proto';
import type { z } from 'zod';
import { kmodStateWord, knownRungWord, orNull } from '../http/facet-words.ts';
import { kmodAnswerSchema } from './queries.schema.ts';

type KmodAnswerJson = z.output<typeof kmodAnswerSchema>;

/** What comes from another replica is checked as what comes from anywhere. */
export const kmodAnswers = kmodAnswerSchema.array();

const PRESENCE_WORDS: Partial<Record<KmodPresence, NonNullable<KmodAnswerJson['presence']>>> = {
  [KmodPresence.KMOD_PRESENCE_LOADED]: 'loaded',
  [KmodPresence.KMOD_PRESENCE_BUILTIN]: 'builtin',
  [KmodPresence.KMOD_PRESENCE_ON_DISK]: 'on_disk',
  [KmodPresence.KMOD_PRESENCE_ABSENT]: 'absent',
};

/** From an agent that does not tell why, or a word that this version does not know. */
const UNSAID = 'the agent did not say why; is it older than the server?';

/** What a host said of a kmod, as the API says it. What the host did not say is null, never a guess. */
export function toKmodAnswer(answer: KmodAnswer): KmodAnswerJson {
  const presence = PRESENCE_WORDS[answer.presence] ?? null;
  return {
    name: answer.name,
    presence,
    reason: presence === null ? (orNull(answer.reason) ?? UNSAID) : null,
    refcount: answer.refcount ?? null,
    holders: answer.holders,
    loaded: answer.loaded === undefined ? null : toLoaded(answer.loaded),
    blocks: answer.blocks.flatMap(toBlock),
  };
}

function toLoaded(loaded: LoadedKmod): NonNullable<KmodAnswerJson['loaded']> {
  return {
    buildId: orNull(loaded.buildId),
    size: loaded.size,
    taint: loaded.taint,
    version: orNull(loaded.version),
    srcversion: orNull(loaded.srcversion),
    state: kmodStateWord(loaded.state),
  };
}

/** A rung that this version does not know is left out: there is no word for it. */
function toBlock(block: KmodBlock): KmodAnswerJson['blocks'] {
  const rung = knownRungWord(block.rung);
  return rung === undefined ? [] : [{ rung, file: block.file, line: block.line, detail: block.detail }];
}
