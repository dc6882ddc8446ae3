// A shop for each line of stock mppx: their addresses on one line of output, open until the input ends.
import { lines } from './lines.mjs';
import { shop } from './shop.mjs';

const shops = await Promise.all(Object.values(lines).map(shop));
console.log(JSON.stringify(shops.map(({ url }) => url)));
process.stdin.on('end', () => process.exit(0)).resume();
