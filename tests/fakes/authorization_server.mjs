// oauth2-mock-server with a memory: which tokens it has given, and which of them still hold. It takes a line of JSON on
// stdin (what to do from now on) and answers each with a line.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';

const [folder, port, username] = process.argv.slice(2);
const place = createRequire(join(folder, 'package.json')).resolve('oauth2-mock-server');
const { OAuth2Server } = await import(pathToFileURL(place.replace('.cjs', '.mjs')).href);

const server = new OAuth2Server();
await server.issuer.keys.generate('RS256');
const state = { lifetime: 3600, error: '', refused: false, rotates: false };
const given = [], asked = [];
const revoked = new Set();
let number = 0;

server.service.on('beforeTokenSigning', (token) => { token.payload.jti = String(++number); });
server.service.on('beforeResponse', (answer, request) => {
  asked.push(request.body);
  if (state.error) {
    answer.statusCode = 400;
    answer.body = { error: state.error, error_description: 'as it was told' };
    return;
  }
  answer.body.expires_in = state.lifetime;
  if (!state.rotates) delete answer.body.refresh_token;
  given.push(answer.body.access_token);
});
server.service.on('beforeUserinfo', (answer, request) => {
  const token = (request.headers.authorization ?? '').replace('Bearer ', '');
  const holds = given.includes(token) && !revoked.has(token) && !state.refused;
  answer.body = { active: holds, username, sub: username };
});
await server.start(Number(port), '127.0.0.1');

for await (const line of createInterface({ input: process.stdin })) {
  const { revoke, ...told } = JSON.parse(line);
  if (revoke) given.forEach((token) => revoked.add(token));
  Object.assign(state, told);
  console.log(JSON.stringify({ given: given.length, asked }));
}
await server.stop();
