// What the page of browser.mjs can do: buy with fetch from a merchant of another origin, and ask the facilitator about it.
import { base58, payload, signingKey } from './payer.mjs';

const decode = (header) => JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(header), (letter) => letter.charCodeAt(0))));

/** Asks for the price, pays it, and gives what a script of this page can see of both answers. */
async function buy(session, url) {
  const asked = await fetch(url);
  const price = decode(asked.headers.get('payment-required'));
  const [accepted] = price.accepts;
  const paid = { x402Version: 2, accepted, payload: await payload(session, accepted, { url: price.resource.url }), resource: price.resource };
  const answer = await fetch(url, { headers: { 'PAYMENT-SIGNATURE': btoa(JSON.stringify(paid)) } });
  const receipt = answer.headers.get('payment-response');
  return { asked: asked.status, accepted, status: answer.status, body: await answer.json(), receipt: receipt && decode(receipt) };
}

/** The headers of a read that the session key signs. */
async function signedRead(session) {
  const at = String(Math.floor(Date.now() / 1000));
  const text = new TextEncoder().encode(`x402-session-read:1:${session.sessionId}:${at}`);
  const signature = new Uint8Array(await crypto.subtle.sign('Ed25519', await signingKey(session), text));
  return { 'session-read-at': at, 'session-read-signature': base58(signature) };
}

/** The session as its payer may see it, amounts included. */
async function show(session) {
  const answer = await fetch(`${session.facilitator}/sessions/${session.sessionId}`, { headers: await signedRead(session) });
  return { status: answer.status, requestId: answer.headers.get('x-request-id'), body: await answer.json() };
}

/** The first event of a kind in the session's stream, from its beginning. */
async function firstEvent(session, kind) {
  const headers = { ...(await signedRead(session)), 'last-event-id': '0-0' };
  const { body } = await fetch(`${session.facilitator}/sessions/${session.sessionId}/events`, { headers });
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let seen = ''; ; ) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`the stream ended without ${kind}: ${seen}`);
    seen += value;
    if (seen.includes(`event: ${kind}\n`) || seen.includes(`event:${kind}\n`)) return reader.cancel().then(() => kind);
  }
}

const supported = async (facilitator) => (await fetch(`${facilitator}/supported`)).json();

globalThis.sotto = { buy, show, firstEvent, supported };
