import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { z } from 'zod';
import { EXPORT_TYPES } from '../exports/export-format.ts';
import { problemSchema } from '../http/common.schema.ts';
import { EXPORT_EXTENSION, STREAM_EXTENSION } from './api-decorators.ts';

/** The OpenAPI document of the running app: every route, schema and error, from the same zod schemas that validate. */
export function openApiDocument(app: INestApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('modfleet')
    .setDescription('Which hosts run this driver? The answer for a whole fleet, and safe changes to it.')
    .setVersion('1')
    .addBearerAuth({
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'opaque',
      description: 'API token: mfl_ and 43 characters.',
    })
    .addSecurityRequirements('bearer')
    .build();
  const document = SwaggerModule.createDocument(app, config, { standardSchemaConverter: convert });
  for (const path of Object.values(document.paths)) {
    documentExport(path.get);
    for (const operation of [path.get, path.post]) documentStream(operation);
  }
  document.components ??= {};
  document.components.schemas = { ...document.components.schemas, ...components('output', problemSchema) };
  return document;
}

/** The other types that a list is given in. */
function documentExport(operation: OpenAPIObject['paths'][string]['get']): void {
  if (operation === undefined || !(EXPORT_EXTENSION in operation)) return;
  const answer = operation.responses['200'];
  if (answer === undefined || !('content' in answer) || answer.content === undefined) return;
  for (const type of Object.values(EXPORT_TYPES)) answer.content[type] = { schema: { type: 'string' } };
}

/** A stream is given as events or as lines, and never as one JSON value. */
function documentStream(operation: OpenAPIObject['paths'][string]['get']): void {
  if (operation === undefined || !(STREAM_EXTENSION in operation)) return;
  const answer = operation.responses['200'];
  if (answer === undefined || !('content' in answer) || answer.content === undefined) return;
  const line = answer.content['application/json'];
  if (line === undefined) return;
  answer.content = { 'text/event-stream': line, 'application/x-ndjson': line };
}

type Converted = { schema: Record<string, unknown>; components: Record<string, Record<string, unknown>> };

/** zod's own conversion, with the named schemas taken out as components. */
function convert(schema: unknown, { schemaType }: { schemaType: 'input' | 'output' }): Converted | undefined {
  if (!(schema instanceof z.ZodType)) return undefined;
  const converted = z.toJSONSchema(schema, { io: schemaType, target: 'openapi-3.0', unrepresentable: 'throw' });
  const { $schema: _schema, definitions, $defs, ...rest } = converted;
  const named: Converted['components'] = {};
  for (const [name, each] of Object.entries({ ...asObject(definitions), ...asObject($defs) }))
    named[name] = withoutId(asObject(each));
  const id = typeof rest.id === 'string' ? rest.id : undefined;
  if (id === undefined) return { schema: rest, components: named };
  return { schema: { $ref: `#/components/schemas/${id}` }, components: { ...named, [id]: withoutId(rest) } };
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

/** `id` is how zod names a schema; OpenAPI has no such keyword. */
function withoutId(schema: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(schema).filter(([key]) => key !== 'id'));
}

function components(io: 'input' | 'output', schema: z.ZodType): Converted['components'] {
  return convert(schema, { schemaType: io })?.components ?? {};
}
