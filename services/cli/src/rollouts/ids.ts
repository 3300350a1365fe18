import { uuid } from '../command-line/values.ts';

export const planId = (text: string) => uuid('a plan', text, 'modfleet rollouts list-plans');
export const rolloutId = (text: string) => uuid('a rollout', text, 'modfleet rollouts list');
