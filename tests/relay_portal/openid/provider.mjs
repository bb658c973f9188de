// A real OpenID provider (npm oidc-provider): whoever types a name at its log-in is that person.
// Arguments: the port; the client as JSON; the file of people, {"mika": {"groups": ["mail"]}}, read anew for each answer.
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';

const { default: Provider } = await import(process.env.OIDC_PROVIDER);
const [port, client, people] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const provider = new Provider(issuer, {
  clients: [JSON.parse(client)],
  pkce: { required: () => true },
  claims: { openid: ['sub', 'amr'], profile: ['preferred_username', 'groups'], email: ['email'], acr: null, auth_time: null, sid: null },
  acrValues: ['urn:two'],
  cookies: { keys: ['only for this test'] },
  features: {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: { enabled: true },
  },
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, preferred_username: id, email: `${id}@people.test`, ...JSON.parse(readFileSync(people))[id] }),
  }),
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope('openid profile email');
    await grant.save();
    return grant;
  },
  fetch: (url, { dispatcher, ...options }) => fetch(url, options), // its own refuses addresses of this machine
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
});
provider.on('server_error', (ctx, error) => console.error(error));
provider.on('backchannel.error', (ctx, error) => console.error(error));

const FORM = '<!doctype html><title>Who are you?</title><form method="post"><label>Name <input name="login"></label>'
  + '<input type="hidden" name="amr" value="otp"><button>That is me</button></form>';

createServer(async (request, response) => {
  if (!request.url.startsWith('/interaction/')) return provider.callback()(request, response);
  if (request.method === 'GET') return response.setHeader('Content-Type', 'text/html').end(FORM);
  let body = '';
  for await (const chunk of request) body += chunk;
  const form = new URLSearchParams(body);
  const result = form.get('login')
    ? { login: { accountId: form.get('login'), amr: form.getAll('amr'), acr: form.get('acr') ?? undefined } }
    : { error: 'access_denied', error_description: 'the person said no' };
  return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}).listen(Number(port), '127.0.0.1', () => console.log('ready'));
