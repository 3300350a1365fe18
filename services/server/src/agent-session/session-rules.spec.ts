import { describe, expect, it } from 'vitest';
import { decideAdmission } from './session-rules.ts';

const older = { sessionNo: 7, replicaId: 'r', bootId: 'boot-a', address: '192.0.2.1:1', live: true };

describe('decideAdmission', () => {
  it('admits a host that has no live session', () => {
    expect(decideAdmission(undefined, 'boot-a', undefined)).toEqual({ kind: 'admit' });
    expect(decideAdmission({ ...older, live: false }, 'boot-b', undefined)).toEqual({ kind: 'admit' });
  });
  it('lets the newer win on the same boot id', () => {
    expect(decideAdmission(older, 'boot-a', undefined)).toEqual({ kind: 'admit' });
  });
  it('asks the older one on another boot id', () => {
    expect(decideAdmission(older, 'boot-b', undefined)).toEqual({ kind: 'probe', older });
  });
  it('lets the newer win when the older one does not answer', () => {
    expect(decideAdmission(older, 'boot-b', { sessionNo: 7, answered: false })).toEqual({ kind: 'admit' });
  });
  it('calls it a clone when the older one answers', () => {
    expect(decideAdmission(older, 'boot-b', { sessionNo: 7, answered: true })).toEqual({ kind: 'clone', older });
  });
  it('asks again when yet another session came meanwhile', () => {
    expect(decideAdmission(older, 'boot-b', { sessionNo: 6, answered: false })).toEqual({ kind: 'probe', older });
  });
});
