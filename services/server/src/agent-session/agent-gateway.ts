import { Injectable, Logger } from '@nestjs/common';
import type { ActionProgress, ActionResult, Hello, QueryAnswer, SessionResponse } from '@modfleet/proto';
import type { ConfirmDecision, ConfirmGiver } from './confirm-port.ts';

/** What the server may say to a host. */
export type ServerMessage = NonNullable<SessionResponse['message']>;

/** A host whose session this replica holds. */
export interface ConnectedHost {
  readonly hostId: string;
  readonly sessionNo: number;
  readonly quarantined: boolean;
}

/**
 * What features do with what hosts say. Called in the order in which the host spoke, one at a time a host: the next message waits for the
 * promise. An error is logged and does not end the session; the host says again at its next Hello what was not acknowledged.
 */
export interface AgentHandlers {
  /** After Welcome was sent and presence is written. */
  onConnected?(host: ConnectedHost, hello: Hello): void | Promise<void>;
  onDisconnected?(host: ConnectedHost): void | Promise<void>;
  onActionProgress?(host: ConnectedHost, progress: ActionProgress): void | Promise<void>;
  onActionResult?(host: ConnectedHost, result: ActionResult): void | Promise<void>;
  onQueryAnswer?(host: ConnectedHost, answer: QueryAnswer): void | Promise<void>;
}

/** How the gateway reaches a live connection. */
export interface GatewayConnection extends ConnectedHost {
  /** False when the outbox is full or closed. */
  send(message: ServerMessage): boolean;
}

/**
 * The port between hosts' sessions and the features that talk to hosts. `sent` means handed to the connection's outbox, nothing more: sent is
 * not received, received is not done.
 */
@Injectable()
export class AgentGateway {
  readonly #log = new Logger('AgentGateway');
  readonly #connections = new Map<string, GatewayConnection>();
  readonly #handlers = new Set<AgentHandlers>();
  #confirms: ConfirmGiver | undefined;

  isConnectedHere(hostId: string): boolean {
    return this.#connections.has(hostId);
  }

  /** Undefined when another replica, or nobody, holds the host's session. */
  connectedHost(hostId: string): ConnectedHost | undefined {
    return this.#connections.get(hostId);
  }

  connectedHostIds(): string[] {
    return [...this.#connections.keys()];
  }

  send(hostId: string, message: ServerMessage): 'sent' | 'not_here' {
    return this.#connections.get(hostId)?.send(message) === true ? 'sent' : 'not_here';
  }

  /** Returns what ends the registration. */
  register(handlers: AgentHandlers): () => void {
    this.#handlers.add(handlers);
    return () => void this.#handlers.delete(handlers);
  }

  /** Names the one feature that gives confirms. */
  giveConfirmsBy(giver: ConfirmGiver): void {
    this.#confirms = giver;
  }

  /** For the confirm service only: a host asks, over a connection of its own. */
  async confirm(...asked: Parameters<ConfirmGiver['confirm']>): Promise<ConfirmDecision> {
    return this.#confirms === undefined ? { kind: 'unavailable' } : this.#confirms.confirm(...asked);
  }

  /** For the session loop only. */
  attach(connection: GatewayConnection): void {
    this.#connections.set(connection.hostId, connection);
  }

  /** For the session loop only: a late end of an older connection changes nothing. */
  detach(connection: GatewayConnection): void {
    if (this.#connections.get(connection.hostId) === connection) this.#connections.delete(connection.hostId);
  }

  /** For the session loop only: tells every feature, one after the other. */
  async dispatch<K extends keyof AgentHandlers>(
    name: K,
    ...args: Parameters<NonNullable<AgentHandlers[K]>>
  ): Promise<void> {
    for (const handlers of this.#handlers) {
      try {
        await (handlers[name] as ((...all: unknown[]) => unknown) | undefined)?.apply(handlers, args);
      } catch (error) {
        this.#log.error(`${name} of host ${(args[0] as ConnectedHost).hostId} failed`, error as Error);
      }
    }
  }
}
