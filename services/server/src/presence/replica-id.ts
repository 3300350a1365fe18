/** Injection token of this process's replica id (a UUID, new at each start). */
export const REPLICA_ID = Symbol('REPLICA_ID');
