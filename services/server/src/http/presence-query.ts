import { AppError } from '../errors/app-error.ts';

/**
 * The words of a comma-separated `presence` parameter; `any` stands for all of them.
 *
 * @throws AppError query_invalid naming the words that there are.
 */
export function presenceWords<Word extends string>(
  text: string | undefined,
  known: readonly Word[],
  standard: readonly Word[],
): readonly Word[] {
  if (text === undefined) return standard;
  const words = text.split(',').map((word) => word.trim());
  if (words.includes('any')) return known;
  const chosen = known.filter((word) => words.includes(word));
  const wrong = words.find((word) => !known.some((each) => each === word));
  if (wrong !== undefined)
    throw new AppError(
      'query_invalid',
      `presence: ${JSON.stringify(wrong.slice(0, 40))} is none of ${known.join(', ')}, any`,
    );
  return chosen;
}
