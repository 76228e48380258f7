// oidc-provider as the issuer of tests: provider.mjs DIRECTORY, where its package is installed. Listens on a free port of this
// computer, of which it writes the line "issuer http://127.0.0.1:PORT".
//
// Beside what an issuer has, it takes forms (all answer 200):
//   /test/sign     algorithm=ES256     signs access tokens with a new key from now on, and publishes it beside those before
//   /test/approve  user_code=…         confirms a device's login, as anna would do it in a browser
//   /test/refuse   user_code=…         refuses it
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const library = join(process.argv[2], 'node_modules/oidc-provider/lib/index.js');
const { default: Provider, errors } = await import(pathToFileURL(library));

const RESOURCE = 'urn:kantoku';
const SCOPE = 'inputs:spawn inputs:read';
const KINDS = {
  RS256: ['rsa', { modulusLength: 2048 }],
  PS256: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  EdDSA: ['ed25519', {}],
};
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';

let keys = [];
let provider;
let callback;
let issuer;

function makeKey(alg) {
  const pair = generateKeyPairSync(...KINDS[alg]);
  return { ...pair.privateKey.export({ format: 'jwk' }), alg, kid: `${alg}-${keys.length}-${process.pid}`, use: 'sig' };
}

// Keys are fixed for the life of a Provider; what it keeps is the process's.
function publish(newKeys) {
  keys = newKeys;
  provider = new Provider(issuer, {
    jwks: { keys },
    cookies: { keys: ['of no worth'] },
    scopes: ['openid', 'offline_access', ...SCOPE.split(' ')],
    clients: [
      { client_id: 'lab:1', client_secret: 'a+b%:c d/', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
      { client_id: 'poster', client_secret: 's3cret', token_endpoint_auth_method: 'client_secret_post',
        grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
      { client_id: 'cli', token_endpoint_auth_method: 'none', application_type: 'native',
        grant_types: [DEVICE, 'refresh_token'], redirect_uris: [], response_types: [] },
    ],
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    rotateRefreshToken: true,
    ttl: { ClientCredentials: 60, AccessToken: 60, RefreshToken: 3600, DeviceCode: 600, Grant: 3600, Session: 3600, Interaction: 3600 },
    features: {
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => RESOURCE,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => {
          if (resource !== RESOURCE) throw new errors.InvalidTarget();
          const { alg, kid } = keys.at(-1);
          return { scope: SCOPE, audience: 'kantoku', accessTokenFormat: 'jwt', accessTokenTTL: 60, jwt: { sign: { alg, kid } } };
        },
      },
    },
  });
  callback = provider.callback();
}

// What the pages of a login write in the end.
async function decide(userCode, decision) {
  const code = await provider.DeviceCode.findByUserCode(userCode.replace(/\W/g, ''));
  if (decision === 'refuse') {
    code.error = 'access_denied';
    code.errorDescription = 'anna does not want it';
  } else {
    const grant = new provider.Grant({ accountId: 'anna', clientId: code.clientId });
    grant.addOIDCScope('openid offline_access');
    grant.addResourceScope(RESOURCE, SCOPE);
    code.grantId = await grant.save();
    code.accountId = 'anna';
    code.authTime = Math.floor(Date.now() / 1000);
    code.claims = {};
    code.scope = code.params.scope;
    code.resource = RESOURCE;
  }
  await code.save();
}

async function command(name, form) {
  if (name === 'sign') publish([...keys, makeKey(form.get('algorithm'))]);
  else await decide(form.get('user_code'), name);
}

const server = createServer(async (request, response) => {
  const name = request.url.match(/^\/test\/(sign|approve|refuse)$/)?.[1];
  if (name === undefined) return callback(request, response);
  try {
    let body = '';
    for await (const part of request) body += part;
    await command(name, new URLSearchParams(body));
    response.writeHead(200).end('{}');
  } catch (error) {
    response.writeHead(500).end(String(error));
  }
});
server.listen(0, '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  publish([makeKey('RS256')]);
  console.log(`issuer ${issuer}`);
});
