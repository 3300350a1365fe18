import { Module } from '@nestjs/common';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { ServerKeys } from '../keys/server-keys.ts';
import { CommandSigner } from './command-signer.ts';
import { EpochFile } from './epoch-file.ts';

/** What makes commands of accepted actions. */
@Module({
  providers: [
    { provide: EpochFile, inject: [ServerKeys], useFactory: (keys: ServerKeys) => new EpochFile(keys.folder) },
    {
      provide: CommandSigner,
      inject: [ServerKeys, CertificateAuthority],
      useFactory: (keys: ServerKeys, authority: CertificateAuthority) => new CommandSigner(keys, authority),
    },
  ],
  exports: [EpochFile, CommandSigner],
})
export class SigningModule {}
