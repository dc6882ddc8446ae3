// mppx in two lines, the one that the published package asks for and a late one, with a method of the published package's name.
import * as late from 'mppx';
import * as lateClient from 'mppx/client';
import * as lateServer from 'mppx/server';
import * as early from 'mppx-0.3';
import * as earlyClient from 'mppx-0.3/client';
import * as earlyServer from 'mppx-0.3/server';
import { charge, wire } from './buyer.mjs';

export const lines = {
  'mppx 0.3': { core: early, client: earlyClient, server: earlyServer },
  'mppx 0.11': { core: late, client: lateClient, server: lateServer },
};

/** The published package's method. */
export const method = ({ Method, z }) => Method.from({
  name: 'dexter',
  intent: 'charge',
  schema: {
    credential: { payload: z.object({ type: z.literal('transaction'), transaction: z.string() }) },
    request: z.object({
      amount: z.string(), currency: z.string(), recipient: z.string(), methodDetails: z.record(z.string(), z.unknown()),
    }),
  },
});

/** A wallet that buys by a line, and the credentials that were sent. */
export function buying({ core, client }, buyer) {
  const sent = [];
  const pays = core.Method.toClient(method(core), {
    async createCredential({ challenge }) {
      const transaction = wire(await charge(buyer, challenge.request));
      const credential = core.Credential.serialize({ challenge, payload: { type: 'transaction', transaction } });
      sent.push(credential);
      return credential;
    },
  });
  return { sent, pay: client.Mppx.create({ methods: [pays], polyfill: false }) };
}
