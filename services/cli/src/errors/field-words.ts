/** Fields of request bodies that the command line calls otherwise. */
const OPTIONS: Readonly<Record<string, string>> = {
  routes: '--route',
  maxUses: '--uses',
  expiresIn: '--expires-in',
  answerWithin: '--wait',
  confirmWindow: '--confirm-window',
  overrides: '--override',
  waves: '--waves',
  concurrency: '--concurrency',
  bake: '--bake',
  budget: '--budget',
  onBudget: '--on-budget',
  deadline: '--deadline',
  offline: '--offline',
  order: '--order',
  requireApproval: '--require-approval',
};

/** A field of the API as it was typed: `routes.0` is an option, `labels.@os` a label. What is called alike stays as it is. */
export function fieldWords(path: string): string {
  const [field = '', ...rest] = path.split('.');
  const inner = rest.join('.');
  if (field === 'labels' && inner !== '') return `the label ${JSON.stringify(inner)}`;
  return OPTIONS[field] ?? path;
}

/** A server's sentence that begins with the path of a field. */
export function inWords(detail: string, paths: readonly string[]): string {
  const path = paths.find((each) => detail.startsWith(`${each}: `) || detail.startsWith(`${each} `));
  return path === undefined ? detail : fieldWords(path) + detail.slice(path.length);
}
