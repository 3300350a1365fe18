/** Facts that a selector may name with `@`. Multi-valued ones hold several values a host: `=` means has it, `!=` means has it not. */
export const FACTS = {
  name: 'single',
  kernel: 'single',
  os: 'single',
  arch: 'single',
  mode: 'single',
  loaded: 'multi',
  driver: 'multi',
} as const;

export type FactName = keyof typeof FACTS;
export type SetOperator = 'in' | 'notin';
export type GlobOperator = '~' | '!~';
export type OrderOperator = '<' | '<=' | '>' | '>=';

/** One requirement; all of a selector must hold. `=` is `in` with one value, `!=` is `notin` with one. */
export type Requirement =
  | { readonly kind: 'label'; readonly key: string; readonly operator: SetOperator; readonly values: readonly string[] }
  | { readonly kind: 'label_exists'; readonly key: string; readonly exists: boolean }
  | {
      readonly kind: 'fact_set';
      readonly fact: FactName;
      readonly operator: SetOperator;
      readonly values: readonly string[];
    }
  | { readonly kind: 'fact_glob'; readonly fact: FactName; readonly operator: GlobOperator; readonly glob: string }
  | {
      readonly kind: 'fact_order';
      readonly fact: 'kernel';
      readonly operator: OrderOperator;
      readonly version: string;
    };

export type Selector = readonly Requirement[];

/** A selector is wrong at one character. */
export class SelectorError extends Error {
  readonly code = 'selector_invalid';
  /** Character at which it is wrong, from 0; the length of the text for its end. */
  readonly offset: number;
  constructor(offset: number, message: string) {
    super(message);
    this.name = 'SelectorError';
    this.offset = offset;
  }
}
