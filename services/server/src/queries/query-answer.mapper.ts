import { BlockRung, KmodPresence, KmodState, type KmodAnswer, type KmodBlock, type LoadedKmod } from '@modfleet/proto';
import type { z } from 'zod';
import type { BlockRungWord } from '../api-types.ts';
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
const STATE_WORDS: Partial<Record<KmodState, 'live' | 'loading' | 'unloading'>> = {
  [KmodState.KMOD_STATE_LIVE]: 'live',
  [KmodState.KMOD_STATE_LOADING]: 'loading',
  [KmodState.KMOD_STATE_UNLOADING]: 'unloading',
};
const RUNG_WORDS: Partial<Record<BlockRung, BlockRungWord>> = {
  [BlockRung.BLOCK_RUNG_BLACKLIST]: 'blacklist',
  [BlockRung.BLOCK_RUNG_INSTALL]: 'install',
  [BlockRung.BLOCK_RUNG_INSTALL_INEFFECTIVE]: 'install_ineffective',
  [BlockRung.BLOCK_RUNG_CMDLINE_BLACKLIST]: 'cmdline_blacklist',
  [BlockRung.BLOCK_RUNG_CMDLINE_KERNEL]: 'cmdline_kernel',
  [BlockRung.BLOCK_RUNG_CMDLINE_INITCALL]: 'cmdline_initcall',
  [BlockRung.BLOCK_RUNG_MODULES_DISABLED]: 'modules_disabled',
  [BlockRung.BLOCK_RUNG_INITRAMFS]: 'initramfs',
};

/** What a host said of a kmod, as the API says it. What the host did not say is null, never a guess. */
export function toKmodAnswer(answer: KmodAnswer): KmodAnswerJson {
  return {
    name: answer.name,
    presence: PRESENCE_WORDS[answer.presence] ?? null,
    refcount: answer.refcount ?? null,
    holders: answer.holders,
    loaded: answer.loaded === undefined ? null : toLoaded(answer.loaded),
    blocks: answer.blocks.flatMap(toBlock),
  };
}

function toLoaded(loaded: LoadedKmod): NonNullable<KmodAnswerJson['loaded']> {
  return {
    buildId: loaded.buildId || null,
    size: loaded.size,
    taint: loaded.taint,
    version: loaded.version || null,
    srcversion: loaded.srcversion || null,
    state: STATE_WORDS[loaded.state] ?? null,
  };
}

/** A rung that this version does not know is left out: there is no word for it. */
function toBlock(block: KmodBlock): KmodAnswerJson['blocks'] {
  const rung = RUNG_WORDS[block.rung];
  return rung === undefined ? [] : [{ rung, file: block.file, line: block.line, detail: block.detail }];
}
