import { defineConfig } from 'prisma/config';

/** For `prisma generate` only: migrations run in-process (src/database/migrate.ts), so no connection is named here. */
export default defineConfig({ schema: 'prisma/schema.prisma', migrations: { path: 'prisma/migrations' } });
