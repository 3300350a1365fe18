import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { type ActionRequest, complaintAboutSignature } from '@modfleet/proto';
import { AgentGateway } from '../agent-session/agent-gateway.ts';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { DatabaseService } from '../database/database.service.ts';
import { EpochFile } from '../signing/epoch-file.ts';
import { selectActionOfNumber, selectCommandSequence } from './command-stop.queries.ts';
import { CommandStopService } from './command-stop.service.ts';
import { provesRestore } from './restore.rules.ts';

/**
 * Looks at each Hello for a command that this database does not know.
 *
 * INVARIANTS
 * - Only a command that this server's key has signed, for the very host that shows it, stops anything: a host cannot stop a fleet by its word.
 * - Registered before dispatch (module order): a host that proves a restore is sent nothing before it was heard.
 */
@Injectable()
export class RestoreWatch implements OnModuleInit {
  readonly #logger = new Logger('commands');
  readonly #database: DatabaseService;
  readonly #gateway: AgentGateway;
  readonly #authority: CertificateAuthority;
  readonly #epoch: EpochFile;
  readonly #stop: CommandStopService;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(AgentGateway) gateway: AgentGateway,
    @Inject(CertificateAuthority) authority: CertificateAuthority,
    @Inject(EpochFile) epoch: EpochFile,
    @Inject(CommandStopService) stop: CommandStopService,
  ) {
    this.#database = database;
    this.#gateway = gateway;
    this.#authority = authority;
    this.#epoch = epoch;
    this.#stop = stop;
  }

  onModuleInit(): void {
    this.#gateway.register({
      onConnected: async ({ hostId }, hello) => {
        if (hello.newestCommand !== undefined) await this.#look(hostId, hello.newestCommand);
      },
    });
  }

  async #look(hostId: string, taken: ActionRequest): Promise<void> {
    const { epoch, sequence, actionId } = taken;
    // Read before the file: a raise that comes in between leaves the higher epoch here, and that proves nothing.
    const known = await selectCommandSequence(this.#database, hostId);
    if (known === undefined || !isNumber(taken)) return;
    const knownEpoch = this.#epoch.read();
    const actionOfNumber = await selectActionOfNumber(this.#database, hostId, taken);
    if (!provesRestore(taken, { epoch: knownEpoch, sequence: known, actionOfNumber })) return;
    const complaint =
      taken.hostId === hostId
        ? complaintAboutSignature(taken, this.#authority.known)?.message
        : 'it is for another host';
    if (complaint !== undefined) {
      this.#logger.warn({
        message: 'a host shows a command that this server did not give it',
        hostId,
        epoch,
        sequence,
        why: complaint,
      });
      return;
    }
    await this.#stop.stop({ hostId, epoch, sequence, actionId, knownEpoch, knownSequence: known });
  }
}

/** Fit for a bigint column; more is nobody's number. */
function isNumber({ epoch, sequence }: ActionRequest): boolean {
  return Number.isSafeInteger(epoch) && Number.isSafeInteger(sequence) && epoch > 0 && sequence > 0;
}
