import { randomUUID } from 'node:crypto';
import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { Bus, replicaChannel } from '../bus/bus.ts';
import { REPLICA_ID } from '../presence/replica-id.ts';
import { MailAssembler, splitMail } from './mail-parts.ts';
import {
  replicaMessage,
  type MessageOf,
  type ReplicaMessage,
  type ReplicaMessageKind,
} from './replica-mail.messages.ts';

type Handler = (message: ReplicaMessage) => void;

/** Messages that may wait for one replica; more means that the bus is gone, and then they are worth nothing. */
const QUEUE_LIMIT = 10_000;

/**
 * Messages between server processes, over the bus channel of each replica.
 *
 * INVARIANTS
 * - Messages may be lost, never changed: whoever sends one has a slower way to the same end (the sweep, a time limit).
 * - One publication a replica is under way at a time; what comes meanwhile goes together in the next.
 */
@Injectable()
export class ReplicaMail implements OnModuleInit {
  readonly #bus: Bus;
  /** Id of this process. */
  readonly self: string;
  readonly #logger = new Logger('replica-mail');
  readonly #handlers = new Map<ReplicaMessageKind, Handler>();
  readonly #queues = new Map<string, ReplicaMessage[]>();
  readonly #assembler = new MailAssembler();
  #count = 0;
  readonly #prefix = randomUUID();

  constructor(@Inject(Bus) bus: Bus, @Inject(REPLICA_ID) self: string) {
    this.#bus = bus;
    this.self = self;
  }

  onModuleInit(): void {
    this.#bus.subscribe(replicaChannel(this.self), (payload) => this.#receive(payload));
  }

  /** One handler a kind. */
  on<K extends ReplicaMessageKind>(kind: K, handler: (message: MessageOf<K>) => void): void {
    this.#handlers.set(kind, (message) => {
      if (isKind(message, kind)) handler(message);
    });
  }

  /** Hands the message to the other replica's handler, soon; to this one's at once. */
  send(replicaId: string, message: ReplicaMessage): void {
    if (replicaId === this.self) return this.#deliver(message);
    const waiting = this.#queues.get(replicaId);
    if (waiting === undefined) {
      this.#queues.set(replicaId, [message]);
      void this.#drain(replicaId);
    } else if (waiting.length < QUEUE_LIMIT) waiting.push(message);
  }

  async #drain(replicaId: string): Promise<void> {
    for (let batch = this.#take(replicaId); batch.length > 0; batch = this.#take(replicaId)) {
      this.#count += 1;
      try {
        for (const part of splitMail(`${this.#prefix}-${this.#count}`, batch))
          await this.#bus.publish(replicaChannel(replicaId), part);
      } catch (error) {
        this.#logger.warn({
          message: 'messages to another replica were lost; the sweep makes up for them',
          replicaId,
          lost: batch.length,
          err: error,
        });
      }
    }
    this.#queues.delete(replicaId);
  }

  #take(replicaId: string): ReplicaMessage[] {
    return this.#queues.get(replicaId)?.splice(0) ?? [];
  }

  #receive(payload: string): void {
    try {
      const mail = this.#assembler.add(payload);
      if (mail !== undefined) for (const message of replicaMessage.array().parse(mail)) this.#deliver(message);
    } catch (error) {
      this.#logger.warn({ message: 'a message of another replica was not understood and is ignored', err: error });
    }
  }

  #deliver(message: ReplicaMessage): void {
    this.#handlers.get(message.kind)?.(message);
  }
}

function isKind<K extends ReplicaMessageKind>(message: ReplicaMessage, kind: K): message is MessageOf<K> {
  return message.kind === kind;
}
