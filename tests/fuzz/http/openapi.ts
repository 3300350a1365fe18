/** The parts of an OpenAPI 3.0 document that the fuzzer reads. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: 'string' | 'integer' | 'number' | 'boolean' | 'array' | 'object';
  readonly nullable?: boolean;
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly allOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

type Content = Readonly<Record<string, { readonly schema?: Schema }>>;

interface DocumentParameter {
  readonly in: 'query' | 'path' | 'header' | 'cookie';
  readonly name: string;
  readonly required?: boolean;
  readonly schema?: Schema;
}

interface DocumentOperation {
  readonly parameters?: readonly DocumentParameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly description?: string; readonly content?: Content }>>;
}

export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DocumentOperation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** What an operation may answer with one status. */
export interface Answers {
  /** Of application/json; undefined where the answer is something else. */
  readonly schema: Schema | undefined;
  readonly types: readonly string[];
  /** Codes of errors that the document names for it. */
  readonly codes: readonly string[];
}

/** One method of one path. */
export interface Operation {
  readonly method: string;
  /** As in the document: /api/v1/hosts/{host}. */
  readonly path: string;
  readonly parameters: readonly DocumentParameter[];
  /** Undefined: takes no body. */
  readonly body: Schema | undefined;
  readonly answers: ReadonlyMap<number, Answers>;
}

export function operationsOf(document: OpenApi): Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      parameters: operation.parameters ?? [],
      body: operation.requestBody?.content['application/json']?.schema,
      answers: new Map(
        Object.entries(operation.responses).map(([status, answer]) => [Number(status), answers(answer)]),
      ),
    })),
  );
}

function answers(answer: DocumentOperation['responses'][string]): Answers {
  return {
    schema: answer.content?.['application/json']?.schema,
    types: Object.keys(answer.content ?? {}),
    codes: [...(answer.description ?? '').matchAll(/`([a-z_]+)`:/g)].map(([, code = '']) => code),
  };
}
