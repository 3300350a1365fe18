/** Runs `work` and says on stderr what goes on, at least every two seconds. */
export declare function withProgress<T>(title: string, work: () => Promise<T>): Promise<T>;
