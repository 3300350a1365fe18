export * from '../gen/modfleet/types/v1/kmod.ts';
export * from '../gen/modfleet/types/v1/facet.ts';
export * from '../gen/modfleet/types/v1/action.ts';
export * from '../gen/modfleet/types/v1/host.ts';
export * from '../gen/modfleet/agent/v1/identity.ts';
export * from '../gen/modfleet/agent/v1/session.ts';
export * from './kmod-name.ts';
export * from './assert-never.ts';
