import { IdentityStoreError } from './host-identity.ts';
import type { HostIdentity, IdentityStore } from './host-identity.ts';

/** Identity in memory, for tests and simulated hosts. */
export class MemoryIdentityStore implements IdentityStore {
  #identity: HostIdentity | undefined;
  #key: string | undefined;

  load(): Promise<HostIdentity | undefined> {
    return Promise.resolve(this.#identity);
  }
  save(identity: HostIdentity): Promise<void> {
    this.#identity = identity;
    return Promise.resolve();
  }
  loadKey(): Promise<string | undefined> {
    return Promise.resolve(this.#key);
  }
  saveKey(pem: string): Promise<void> {
    this.#key = pem;
    return Promise.resolve();
  }
  setAside(): Promise<void> {
    this.#identity = undefined;
    this.#key = undefined;
    return Promise.resolve();
  }
}

/** Identity on a disk that always fails, for tests. */
export class FailingIdentityStore implements IdentityStore {
  load(): Promise<HostIdentity | undefined> {
    return Promise.reject(this.#error());
  }
  save(): Promise<void> {
    return Promise.reject(this.#error());
  }
  loadKey(): Promise<string | undefined> {
    return Promise.reject(this.#error());
  }
  saveKey(): Promise<void> {
    return Promise.reject(this.#error());
  }
  setAside(): Promise<void> {
    return Promise.reject(this.#error());
  }
  #error(): IdentityStoreError {
    return new IdentityStoreError('the disk fails');
  }
}
