import { createApp } from '../app.ts';
import type { ServerConfig } from '../config/server-config.ts';
import { openApiDocument } from '../openapi/openapi-document.ts';

/** The OpenAPI document as text; needs no database. */
export async function openapi(config: ServerConfig): Promise<string> {
  const app = await createApp({ ...config, logLevel: 'error', httpTls: null }, { preview: true });
  return JSON.stringify(openApiDocument(app), null, 2);
}
