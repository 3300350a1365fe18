/** Who may import whom: docs/layout.md. */
const rule = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

module.exports = {
  forbidden: [
    rule(
      'no-cycles',
      'A cycle has no first thing to read.',
      {},
      { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    ),
    rule(
      'proto-stands-alone',
      'The contract imports neither side.',
      { path: '^proto/' },
      { path: '^(agent|services|lab|tests)/' },
    ),
    rule(
      'agent-only-proto',
      'The agent knows the contract, never a service.',
      { path: '^agent/' },
      { path: '^(services|lab|tests|scripts)/', pathNot: '^scripts/lib/newer-node[.]mjs$' },
    ),
    rule(
      'resident-never-acts',
      'The resident program holds nothing that acts or decides about actions: that is the helper (ADR 0015).',
      { path: '^agent/src/resident[.]ts$' },
      {
        path: '^agent/src/(actions/(engine|action-run|host/|steps/|journal/file|findings/verdict)|helper/(?!wire/)|host/host-writes|confirm/(?!confirmer|tls-confirmer))',
        reachable: true,
      },
    ),
    rule(
      'resident-never-makes-requests',
      'The library of certificates would stay in the resident program: a child makes the request (ADR 0023).',
      { path: '^agent/src/resident[.]ts$' },
      { path: '^agent/src/identity/certificate-request[.]ts$', reachable: true },
    ),
    rule(
      'server-never-agent',
      'The server knows the contract, never the agent.',
      { path: '^services/server/src/(?!.*\\.(spec|itest)\\.ts$)' },
      { path: '^(agent|lab|tests)/' },
    ),
    rule(
      'one-place-signs',
      'Commands are signed where actions are accepted, and nowhere else: what forwards them cannot make one (ADR 0026).',
      {
        path: '^services/server/src/(?!.*\\.(spec|itest)\\.ts$)',
        pathNot: '^services/server/src/(signing/|actions/(actions|action-batch)[.]service[.]ts$)',
      },
      { path: '^services/server/src/signing/command-signer[.]ts$', dependencyTypesNot: ['type-only'] },
    ),
    rule(
      'cli-over-http',
      'The command line talks HTTP; of the server it knows types only, of the contract the grammar of kmod names only.',
      { path: '^services/cli/' },
      {
        path: '^(agent|proto|lab|services/server)/',
        pathNot: '^proto/(dist/)?src/kmod-name',
        dependencyTypesNot: ['type-only'],
      },
    ),
    rule(
      'sql-in-its-place',
      'Prisma and SQL belong to *.repository.ts, *.queries.ts and database/.',
      {
        path: '^services/server/src/',
        pathNot: '(repository|queries|itest|spec)\\.ts$|/(database|testing|generated)/',
      },
      { path: 'generated/prisma|^node_modules/pg/|@prisma' },
    ),
    rule(
      'proto-stops-at-the-door',
      'The HTTP side never sees protobuf.',
      { path: '^services/server/src/.*\\.controller\\.ts$' },
      { path: '^proto/gen' },
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules|/dist/' },
    exclude: { path: '(^|/)(dist|gen|generated|testdata)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'default'] },
  },
};
