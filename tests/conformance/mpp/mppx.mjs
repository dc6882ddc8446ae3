// Stock mppx: its two lines read and write the golden bytes, and each sells, to clients of each, over our facilitator.
import assert from 'node:assert/strict';
import { buying, lines } from './lines.mjs';
import { shop } from './shop.mjs';
import { bytesOf, golden, run, wallet, world } from './world.mjs';

const buyer = await wallet(bytesOf(world.buyer));

function reading(name, { Challenge, Credential, PaymentRequest, Receipt }) {
  // The late line keeps it as it was sent.
  const correlation = ({ opaque }) => (typeof opaque === 'string' ? PaymentRequest.deserialize(opaque) : opaque);
  return {
    async [`${name} reads, verifies and writes our challenges`]() {
      for (const { challenge, secret: secretKey, www_authenticate: header } of golden.challenges) {
        const response = new Response(null, { status: 402, headers: { 'WWW-Authenticate': header } });
        const read = Challenge.fromResponse(response);
        const [{ opaque: _, ...members }, { opaque, ...expected }] = [read, challenge];
        assert.deepEqual([members, correlation(read)], [expected, opaque]);
        assert.equal(Challenge.verify(read, { secretKey }), true);
        assert.equal(Challenge.verify({ ...read, realm: 'elsewhere.example' }, { secretKey }), false);
        assert.equal(Challenge.serialize(read), header);
        assert.deepEqual(Challenge.fromResponseList(response), [read]);
      }
    },

    async [`${name} reads and writes our credential`]() {
      const { authorization, decoded } = golden.credential;
      const [{ challenge, secret: secretKey }] = golden.challenges;
      const read = Credential.fromRequest(new Request('http://localhost', { headers: { authorization } }));
      assert.deepEqual([read.challenge, read.payload], [challenge, decoded.payload]);
      assert.equal(Challenge.verify(read.challenge, { secretKey }), true);
      assert.deepEqual(Credential.deserialize(Credential.serialize(read)), read);
    },

    async [`${name} reads and writes our receipt`]() {
      const { receipt, payment_receipt: header } = golden.receipt;
      assert.deepEqual(Receipt.fromResponse(new Response(null, { headers: { 'Payment-Receipt': header } })), receipt);
      assert.equal(Receipt.serialize(receipt), header);
    },
  };
}

function trading(seller, buyerLine) {
  return {
    async [`${seller} sells to a client of ${buyerLine}, once for each payment`]() {
      const place = await shop(lines[seller]);
      const { sent, pay } = buying(lines[buyerLine], buyer);
      const answer = await pay.fetch(place.url);
      const text = await answer.text();
      assert.deepEqual([answer.status, text], [200, 'sunny']);
      const receipt = lines[buyerLine].core.Receipt.fromResponse(answer);
      assert.deepEqual([receipt.method, receipt.status, sent.length], ['dexter', 'success', 1]);
      const again = await fetch(place.url, { headers: { authorization: sent[0] } });
      assert.equal(again.status, 402);
      assert.match(await again.text(), /verification/i);
      place.end();
    },
  };
}

const names = Object.keys(lines);
const read = names.map((name) => reading(name, lines[name].core));
const traded = names.flatMap((seller) => names.map((buyerLine) => trading(seller, buyerLine)));
await run(Object.assign({}, ...read, ...traded));
