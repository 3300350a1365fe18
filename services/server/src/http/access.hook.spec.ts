import { describe, expect, it } from 'vitest';
import { refuseUnruledRoute } from './access.hook.ts';

describe('refuseUnruledRoute', () => {
  it('takes routes with a row, HEAD as GET', () => {
    expect(() => refuseUnruledRoute({ method: ['GET', 'HEAD'], url: '/api/v1/hosts' })).not.toThrow();
  });

  it.each([
    { method: 'GET', url: '/api/v1/secrets' },
    { method: ['GET', 'PUT'], url: '/api/v1/hosts' },
    { method: 'GET', url: '/api/v1/hosts/' },
  ])('stops the start over $method $url', (route) => {
    expect(() => refuseUnruledRoute(route)).toThrow('has no row in access/route-table.ts');
  });
});
