/** Progress for people: no silent wait over two seconds. Talk goes to stderr, so that a pipe gets data only. */

const TICK_MS = 2000;

/**
 * Runs `work` and says what goes on: one line that is rewritten on a terminal, a dot every two seconds elsewhere.
 *
 * @template T
 * @param {string} title
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withProgress(title, work) {
  const terminal = process.stderr.isTTY === true;
  const began = Date.now();
  const seconds = () => `${Math.round((Date.now() - began) / 1000)} s`;
  process.stderr.write(`· ${title}${terminal ? '' : ' '}`);
  const timer = setInterval(
    () => process.stderr.write(terminal ? `\r· ${title} … ${seconds()}` : '.'),
    terminal ? 500 : TICK_MS,
  );
  try {
    const result = await work();
    clearInterval(timer);
    process.stderr.write(terminal ? `\r✓ ${title} (${seconds()})        \n` : ` done (${seconds()})\n`);
    return result;
  } catch (error) {
    clearInterval(timer);
    process.stderr.write(terminal ? `\r✗ ${title}\n` : ' failed\n');
    throw error;
  }
}
