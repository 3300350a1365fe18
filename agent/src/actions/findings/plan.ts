import { assertNever, Verb } from '@modfleet/proto';
import { type ActionFacts, isPersistent, type Question, type Step } from './facts.ts';
import { settable } from './set-parameter-findings.ts';

/**
 * The steps of one question, in order. Dependencies are steps of their own, so that nothing loads unseen. Unloading takes nothing along: `rmmod` knows
 * neither dependencies nor configuration. Pure.
 */
export function stepsOf(question: Question, facts: ActionFacts): Step[] {
  const { verb, kmod } = question;
  switch (verb) {
    case Verb.VERB_LOAD:
      return loadSteps(question, facts, 'asked for');
    case Verb.VERB_UNLOAD:
      return [removal(kmod, 'asked for')];
    case Verb.VERB_RELOAD:
      return facts.loaded === undefined
        ? loadSteps(question, facts, 'asked for; it is not loaded, so there is nothing to unload')
        : [
            removal(kmod, 'asked for: first half of the reload'),
            ...loadSteps(question, facts, 'second half of the reload'),
          ];
    case Verb.VERB_SET_PARAMETERS: {
      const because = 'asked for; written at run time, and read back';
      return [{ kind: 'set_parameters', kmod, parameters: settable(question, facts), because }];
    }
    case 'persist':
      return [
        { kind: verb, kmod, parameters: [], because: `at boot it is loaded by ${facts.persistence?.path ?? ''}` },
      ];
    case 'unpersist':
      return [{ kind: verb, kmod, parameters: [], because: `${facts.persistence?.path ?? ''} loads it at boot` }];
    default:
      return assertNever(verb);
  }
}

/** The same steps, with what a confirm window means for them. Pure. */
export function withWindowWords(steps: readonly Step[], seconds: number): Step[] {
  const last = steps.findLastIndex((step) => !isPersistent(step));
  if (seconds === 0 || steps.length === 0) return [...steps];
  const after = `then the server must confirm within ${seconds} s, or the host puts back what it can`;
  return steps.map((step, index) => {
    if (index === last) return { ...step, because: `${step.because}; ${after}` };
    return isPersistent(step) ? { ...step, because: `${step.because}; only after the server has confirmed` } : step;
  });
}

function removal(kmod: string, because: string): Step {
  return { kind: 'rmmod', kmod, parameters: [], because };
}

function loadSteps({ kmod, parameters }: Question, { tree }: ActionFacts, because: string): Step[] {
  const soft =
    tree.softDependencies.length === 0
      ? ''
      : `; modprobe also tries its soft dependencies: ${tree.softDependencies.join(', ')}`;
  return [
    ...tree.dependencies.map((file): Step => ({
      kind: 'modprobe',
      kmod: file.name,
      parameters: [],
      because: `dependency of ${kmod}`,
    })),
    { kind: 'modprobe', kmod, parameters: [...parameters], because: `${because}${soft}` },
  ];
}
