import { Verb } from '@modfleet/proto';
import type { ActionFacts, Question, Step } from './facts.ts';

/**
 * The steps, in order; what is shown is what runs. Dependencies are steps of their own, so that nothing loads unseen. Unloading takes nothing
 * along: `rmmod` knows neither dependencies nor configuration. Pure.
 */
export function planOf(question: Question, facts: ActionFacts): Step[] {
  const steps = stepsOf(question, facts);
  const { confirmWindowSeconds: seconds } = question;
  const last = steps.at(-1);
  if (seconds === 0 || last === undefined) return steps;
  const because = `${last.because}; then the server must confirm within ${seconds} s, or the host puts back what it can`;
  return [...steps.slice(0, -1), { ...last, because }];
}

function stepsOf(question: Question, facts: ActionFacts): Step[] {
  switch (question.verb) {
    case Verb.VERB_LOAD:
      return loadSteps(question, facts, 'asked for');
    case Verb.VERB_UNLOAD:
      return [removal(question.kmod, 'asked for')];
    case Verb.VERB_RELOAD:
      return facts.loaded === undefined
        ? loadSteps(question, facts, 'asked for; it is not loaded, so there is nothing to unload')
        : [
            removal(question.kmod, 'asked for: first half of the reload'),
            ...loadSteps(question, facts, 'second half of the reload'),
          ];
    default:
      return [];
  }
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
