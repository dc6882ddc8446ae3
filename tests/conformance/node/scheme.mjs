// The two plug-ins with which @x402/core's server and client speak the `session` scheme, as small as they can be.
import { payload } from './payer.mjs';

/** For a resource server: prices are in whole tokens, terms are the facilitator's own. `flow` is x402's word for when to settle. */
export class SessionServer {
  scheme = 'session';
  defaultAssetTransferMethod = 'default';
  #terms;

  constructor(facilitator, flow = 'authorization') {
    this.#terms = async (network) => {
      const { kinds } = await facilitator.getSupported();
      return kinds.find((kind) => kind.x402Version === 2 && kind.network === network).extra;
    };
    this.paymentFlows = { default: { supported: ['authorization', 'upfront'], default: flow } };
  }

  async parsePrice(price, network) {
    const { asset, decimals } = await this.#terms(network);
    const [whole, part = ''] = String(price).split('.');
    return { asset, amount: BigInt(whole + part.padEnd(decimals, '0')).toString(), extra: {} };
  }

  async enhancePaymentRequirements(requirements, kind) {
    const { facilitatorAddress, decimals } = kind.extra;
    return { ...requirements, extra: { ...requirements.extra, facilitatorAddress, decimals } };
  }
}

/** For a payer: pays from one open session. */
export class SessionClient {
  scheme = 'session';

  constructor(session) {
    this.session = session;
  }

  async createPaymentPayload(x402Version, offer) {
    // A client of version 1 puts scheme and network beside the payload by itself, and so does one of version 2 with its copy.
    const paid = { x402Version, payload: await payload(this.session, offer) };
    return x402Version === 1 ? { ...paid, scheme: offer.scheme, network: offer.network } : paid;
  }
}
