// The published coder of Swig writes, from the same parts, the data of every instruction that our encoders have written.
import assert from 'node:assert/strict';
import * as coder from '@swig-wallet/coder';
import { TOKEN_PROGRAM, bytesOf, hex, keyBytes, run, tokenAccount, world } from './world.mjs';

const { AuthorityType, Permission } = coder;
/** Ed25519 asks only for the index of the account that signs. */
const signer = (index) => Uint8Array.of(index);

/** Actions one after the other, each behind a header that says where it ends. */
function actions(parts) {
  let boundary = 0;
  return Buffer.concat(parts.flatMap(([permission, data]) => {
    boundary += coder.ACTION_HEADER_LENGTH + data.length;
    return [coder.getActionHeaderEncoder().encode({ permission, length: data.length, boundary }), data];
  }));
}

async function granted({ mint, limit, seller }) {
  const amount = BigInt(limit);
  const parts = [
    [Permission.Program, keyBytes(TOKEN_PROGRAM)],
    [Permission.TokenLimit, coder.getTokenLimitEncoder().encode({ mint: keyBytes(mint), amount })],
  ];
  if (seller) {
    const destination = keyBytes(await tokenAccount(seller, mint));
    const limited = { mint: keyBytes(mint), destination, amount };
    parts.push([Permission.TokenDestinationLimit, coder.getTokenDestinationLimitEncoder().encode(limited)]);
  }
  return parts;
}

const creation = ({ buyer, delegate, slots }) => coder.getEd25519SessionEncoder().encode({
  publicKey: keyBytes(buyer), sessionKey: keyBytes(delegate), maxSessionLength: BigInt(slots), currentSessionExpiration: 0n,
}).slice(0, 72);

const written = {
  create: ({ id, bump, walletBump, buyer }) => coder.getCreateV1InstructionDataCodec().encoder.encode({
    authorityType: AuthorityType.Ed25519, authorityData: keyBytes(buyer), bump, walletBump, id: bytesOf(id),
    actions: actions([[Permission.All, new Uint8Array()]]),
  }),
  async grant(grant) {
    const [parts, newAuthorityData] = [await granted(grant), creation(grant)];
    return coder.getAddAuthorityV1InstructionCodec(1, newAuthorityData.length).encode({
      actingRoleId: 0, newAuthorityType: AuthorityType.Ed25519Session, noOfActions: parts.length, newAuthorityData,
      actions: actions(parts), authorityPayload: signer(3),
    });
  },
  remove: ({ role }) => coder.getRemoveAuthorityV1InstructionCodec(1).encoder.encode({
    actingRoleId: 0, authorityToRemoveId: role, authorityPayload: signer(3),
  }),
  activate: ({ role, slots, delegate }) => coder.getCreateSessionV1InstructionCodec().encoder.encode({
    roleId: role, sessionDuration: BigInt(slots), sessionKey: keyBytes(delegate), authorityPayload: signer(2),
  }),
  settle({ role, amount, decimals }) {
    const data = Buffer.alloc(10, 12);
    data.writeBigUInt64LE(BigInt(amount), 1);
    data[9] = decimals;
    // Behind configuration, wallet and session key: the program, then source, mint and destination; the wallet signs.
    const compactInstructions = [{ programIdIndex: 3, accounts: [4, 5, 6, 1], data }];
    return coder.getSignV2InstructionCodec(1).encoder.encode({ roleId: role, compactInstructions, authorityPayload: signer(2) });
  },
};

const steps = {};
for (const [at, { parts, data }] of world.cases.entries()) {
  assert.deepEqual(Object.keys(data).sort(), Object.keys(written).sort());
  for (const [name, ours] of Object.entries(data)) {
    steps[`case ${at}: ${name} is the coder's byte for byte`] = async () => assert.equal(ours, hex(await written[name](parts)));
  }
}
assert.ok(world.cases.length >= 4);
await run(steps);
