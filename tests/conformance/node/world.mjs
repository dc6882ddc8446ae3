// What the scripts beside this file share: the running `sotto dev` they are told of, offers and payments of it, and steps
// that are run in order. The first failure ends the process with a stack trace and a non-zero status.
import fs from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { payload } from './payer.mjs';

/** `dev` as `sotto dev --json` told it; `signed` and `bare` as `sotto session open` kept them, `bare` without a session key. */
export const world = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
// A server that does not answer is a failure.
setTimeout(() => { throw new Error('this took too long'); }, 180_000).unref();

export const PRICE = '10000';

/** An offer of this facilitator's merchant in version 2; `more` replaces members. */
export const offer = (more = {}) => ({
  scheme: 'session', network: 'solana:localnet', amount: PRICE, asset: world.dev.mint, payTo: world.dev.recipient,
  maxTimeoutSeconds: 60, extra: {}, ...more,
});

/** A payment of an offer in version 2, as a payer's client sends it. */
export async function payment(session, accepted, more = {}) {
  return { x402Version: 2, accepted, payload: await payload(session, accepted), ...more };
}

/** Calls a method of the local network's RPC. */
export async function rpc(method, ...params) {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
  const answer = await fetch(world.dev.rpc, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const { result, error } = await answer.json();
  if (error) throw new Error(`${method}: ${error.message}`);
  return result;
}

/** What the bare session has moved so far, in base units. */
export async function captured() {
  const answer = await fetch(`${world.dev.facilitator}/sessions/${world.bare.sessionId}`);
  return BigInt((await answer.json()).captured);
}

/** Asks until `found` gives something. For what another process does in its own time and tells nobody. */
export async function until(what, found) {
  for (const end = Date.now() + 60_000; Date.now() < end; await delay(10)) {
    const seen = await found();
    if (seen) return seen;
  }
  throw new Error(`in vain: ${what}`);
}

/** Runs `body` while every answer to the package's own fetch is seen as [path, status, body]. */
export async function seeing(body) {
  const [own, seen] = [globalThis.fetch, []];
  globalThis.fetch = async (input, init) => {
    const answer = await own(input, init);
    seen.push([new URL(input.url ?? input).pathname, answer.status, await answer.clone().text()]);
    return answer;
  };
  try {
    await body(seen);
  } finally {
    globalThis.fetch = own;
  }
  return seen;
}

export async function run(steps) {
  for (const [name, step] of Object.entries(steps)) {
    try {
      await step();
    } catch (fault) {
      console.error(`not ok - ${name}`);
      throw fault;
    }
    console.log(`ok - ${name}`);
  }
  process.exit(0); // HTTP clients keep connections open for a while
}
