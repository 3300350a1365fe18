/** What a cell may hold; null and undefined are empty. */
export type CsvValue = string | number | boolean | null | undefined;

/**
 * A text that a spreadsheet would take for a formula begins with one of these (OWASP, "CSV Injection"), the full-width forms included; white space in front of it
 * does not help.
 */
const FORMULA = /^\s*[=+\-@\uFF0B\uFF0D\uFF1D\uFF20]|^[\t\r\n]/;
const NEEDS_QUOTES = /[",\r\n]|^\s|\s$/;

/**
 * One record as RFC 4180 has it, its CRLF included. Hosts and people write names, labels and reasons: a text that begins as a formula gets an apostrophe in front,
 * which spreadsheets show as text and do not run. Numbers stay numbers.
 */
export function csvRecord(cells: readonly CsvValue[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`;
}

function csvCell(value: CsvValue): string {
  if (value === null || value === undefined) return '';
  if (typeof value !== 'string') return String(value);
  // Postgres stores no NUL, and half a surrogate pair is no UTF-8.
  const text = value.toWellFormed();
  const isFormula = FORMULA.test(text);
  const safe = isFormula ? `'${text}` : text;
  return isFormula || NEEDS_QUOTES.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
