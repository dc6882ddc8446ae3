// The published package's seller, on stock mppx: a shop that has no chain of its own, only our facilitator.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { charges, request as asks } from './buyer.mjs';
import { method } from './lines.mjs';
import { world } from './world.mjs';

const PRICE = '10000';
const SECRET = 'a secret of this test alone, of more than 32 bytes';
const facilitator = charges(world.facilitator);

/** The published package's seller: a charge is prepared for each challenge, and settled as the challenge says. */
function selling({ core, server }) {
  const { Method } = core;
  return server.Mppx.create({
    realm: 'shop.example',
    secretKey: SECRET,
    methods: [Method.toServer(method(core), {
      async request({ credential, request }) {
        if (credential) return credential.challenge.request;
        return asks(await facilitator.prepare(world.network), { ...request, reference: randomUUID() });
      },
      async verify({ credential }) {
        const { amount, recipient, methodDetails: { splToken: asset, network, feePayerKey: feePayer } } = credential.challenge.request;
        const { transaction } = credential.payload;
        const settled = await facilitator.settle({ transaction, recipient, amount, asset, network });
        if (!settled.success) throw new core.Errors.VerificationFailedError({ reason: settled.errorCode });
        assert.deepEqual(settled.settlement, { recipient, amount, asset, feePayer });
        return core.Receipt.from({
          method: 'dexter', reference: settled.signature, status: 'success', timestamp: new Date().toISOString(),
        });
      },
    })],
  });
}

/** A shop of one route that sells by this line, and its address. */
export async function shop(line) {
  const pay = selling(line);
  const route = pay['dexter/charge']({ amount: PRICE, currency: 'USDC', recipient: world.seller, methodDetails: {} });
  const listener = async (incoming, outgoing) => {
    const { headers, url } = incoming;
    const told = await route(new Request(`http://${headers.host}${url}`, { headers }));
    const answer = told.status === 402 ? told.challenge : told.withReceipt(new Response('sunny'));
    outgoing.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
  };
  const server = http.createServer((incoming, outgoing) => listener(incoming, outgoing).catch((fault) => {
    outgoing.writeHead(500).end(String(fault.stack));
  }));
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return { url: `http://127.0.0.1:${server.address().port}/weather`, end: () => server.close() };
}
