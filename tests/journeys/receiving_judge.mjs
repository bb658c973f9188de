// npm's mailauth as the receiver's judge: reads one message as it lies in a mailbox and prints what it thinks of it.
// Client address, EHLO name and return path are those that the receiving host wrote into the message.
import { createRequire } from 'node:module';
import { Resolver } from 'node:dns/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';

const [folder, server] = process.argv.slice(2);
const { authenticate } = createRequire(join(folder, 'package.json'))('mailauth');
const names = new Resolver();
names.setServers([server]);
// As a receiver's resolver does, and no name server: follow a CNAME into another zone.
const resolve = async (name, type) => {
  const own = await names.resolve(name, type).catch((error) => error);
  if (own.length || type === 'CNAME') return own;
  const [target] = await names.resolve(name, 'CNAME').catch(() => []);
  if (target) return resolve(target, type);
  if (own instanceof Error) throw own;
  return own;
};
const found = await authenticate(await buffer(process.stdin), {
  trustReceived: true, disableArc: true, disableBimi: true,
  resolver: resolve,
});
console.log(JSON.stringify({
  spf: found.spf.status.result,
  spf_domain: found.spf.domain,
  dkim: found.dkim.results.map((each) => [each.status.result, each.signingDomain]),
  dmarc: found.dmarc.status.result,
  aligned: { spf: Boolean(found.dmarc.alignment.spf.result), dkim: Boolean(found.dmarc.alignment.dkim.result) },
}));
