// oidc-provider (npm) as a real OAuth server for grantcheck to judge. See README.md for what is registered.
//
//   node server.mjs [--port N] [--rotation on|off]
//
// Prints "listening on http://127.0.0.1:PORT" when it is ready, and nothing else; ends on SIGTERM.

import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { parse } from 'node:querystring';
import { parseArgs } from 'node:util';

import { jwtVerify } from 'jose';
import { Provider, errors } from 'oidc-provider';

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const DAY = 24 * 60 * 60;

// The assertion grant and the private_key_jwt client both know this one key.
const mainKey = createPublicKey(readFileSync(new URL('../keys/main.crt', import.meta.url)));

// Who may be named as `sub` of an assertion. The login page, on the other hand, takes any login.
const APPROVED_USERS = new Set(['svc@grantcheck.example']);

const CODE_AND_REFRESH = ['authorization_code', 'refresh_token'];

const CLIENTS = [
  {
    client_id: 'grantcheck-main',
    client_secret: 'main-secret-0123456789abcdef0123456789',
    token_endpoint_auth_method: 'client_secret_post',
    redirect_uris: ['https://client.example/callback', 'https://client.example/callback?tenant=a'],
    grant_types: [...CODE_AND_REFRESH, 'client_credentials', JWT_BEARER],
  },
  {
    // The reserved characters are the point: they arrive intact only if the client encodes its
    // credentials before base64, as RFC 6749 section 2.3.1 says.
    client_id: 'grantcheck-basic',
    client_secret: 'basic-secret:0123456789+abcdef/%41&=?',
    token_endpoint_auth_method: 'client_secret_basic',
    redirect_uris: ['https://basic.example/callback'],
    grant_types: [...CODE_AND_REFRESH, 'client_credentials'],
  },
  {
    client_id: 'grantcheck-assertion',
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'RS256',
    jwks: { keys: [{ ...mainKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' }] },
    redirect_uris: ['https://assertion.example/callback'],
    grant_types: [...CODE_AND_REFRESH, 'client_credentials'],
  },
  {
    client_id: 'grantcheck-other',
    client_secret: 'other-secret-0123456789abcdef012345678',
    token_endpoint_auth_method: 'client_secret_post',
    redirect_uris: ['https://other.example/callback'],
    grant_types: CODE_AND_REFRESH,
  },
  {
    client_id: 'grantcheck-public',
    token_endpoint_auth_method: 'none',
    redirect_uris: ['https://public.example/callback'],
    grant_types: CODE_AND_REFRESH,
  },
];

const configuration = ({ rotation }) => ({
  clients: CLIENTS,
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
  responseTypes: ['code'],
  scopes: ['openid', 'profile', 'email', 'offline_access', 'api'],
  claims: {
    openid: ['sub'],
    profile: ['name', 'preferred_username'],
    email: ['email', 'email_verified'],
  },
  // Whatever was typed into the login page is the user, and is the `sub`.
  findAccount: (_ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: id, preferred_username: id, email: id, email_verified: true }),
  }),
  features: {
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    userinfo: { enabled: true },
    // On, as by default; without a default resource every access token stays opaque.
    resourceIndicators: { enabled: true },
  },
  // S256 is the only method this version knows; `plain` is refused.
  pkce: { required: (_ctx, client) => client.clientAuthMethod === 'none' },
  rotateRefreshToken: rotation,
  // By default a refresh token wants scope offline_access and prompt=consent: OpenID Connect's rule, not OAuth's.
  issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
  // For the same reason tokens do not end with the browser session they were born in.
  expiresWithSession: async () => false,
  ttl: {
    AccessToken: 3600,
    ClientCredentials: 3600,
    IdToken: 3600,
    AuthorizationCode: 60,
    RefreshToken: DAY,
    Grant: DAY,
    Session: DAY,
    Interaction: 3600,
  },
  clockTolerance: 5,
  cookies: { keys: ['grantcheck-test-cookie-signing-key'] },
});

/** RFC 7523: an assertion signed by `main` for an approved user becomes an access token, and no refresh token. */
function registerJwtBearer(provider) {
  const issueForAssertion = async (ctx) => {
    const { client, params } = ctx.oidc;
    if (!params.assertion) {
      throw new errors.InvalidRequest("missing required parameter 'assertion'");
    }
    if (params.scope && params.scope !== 'api') {
      throw new errors.InvalidScope('an assertion is good for the scope api only', params.scope);
    }

    let claims;
    try {
      // Checks signature, iss, aud, exp, and nbf where there is one.
      ({ payload: claims } = await jwtVerify(params.assertion, mainKey, {
        algorithms: ['RS256'],
        issuer: client.clientId,
        audience: [provider.issuer, provider.urlFor('token')],
        requiredClaims: ['sub', 'exp'],
        clockTolerance: 60,
      }));
    } catch (cause) {
      throw new errors.InvalidGrant({ cause });
    }
    if (!APPROVED_USERS.has(claims.sub)) {
      throw new errors.InvalidGrant({ detail: 'the user has not approved this client' });
    }

    // A token without a grant would be a stranger to introspection and userinfo.
    const grant = new provider.Grant({ accountId: claims.sub, clientId: client.clientId });
    grant.addOIDCScope('api');
    const accessToken = new provider.AccessToken({
      accountId: claims.sub,
      client,
      grantId: await grant.save(),
      gty: JWT_BEARER,
      scope: 'api',
    });

    ctx.body = {
      access_token: await accessToken.save(),
      expires_in: accessToken.expiration,
      scope: accessToken.scope,
      token_type: accessToken.tokenType,
    };
  };

  provider.registerGrantType(JWT_BEARER, issueForAssertion, ['assertion', 'scope']);
}

/**
 * RFC 7523 section 3.1: with an assertion grant, client authentication is optional; Salesforce has none.
 * oidc-provider authenticates the client before any grant handler runs, so a request that shows no client at
 * all is lent the credentials of `main`, the only client registered for this grant. That gives nothing away:
 * the handler still wants main's signature and main's name as `iss`.
 */
async function lendCredentials(ctx, next) {
  const { req } = ctx;
  if (ctx.method === 'POST' && ctx.path === '/token' && !req.headers.authorization
      && ctx.is('application/x-www-form-urlencoded')) {
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    // The stream is spent: this is where oidc-provider looks next.
    req.body = Buffer.concat(chunks).toString();

    const sent = parse(req.body);
    const showsClient = 'client_id' in sent || 'client_secret' in sent || 'client_assertion' in sent;
    if (sent.grant_type === JWT_BEARER && !showsClient) {
      const { client_id: id, client_secret: secret } = CLIENTS[0];
      req.headers.authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
    }
  }
  await next();
}

/** A resource that any live access token opens, refused as RFC 6750 section 3 says. */
const limits = (provider) => async (ctx, next) => {
  if (ctx.path !== '/api/limits' || !['GET', 'POST'].includes(ctx.method)) {
    await next();
    return;
  }

  const [, sent] = /^Bearer +(\S+)$/i.exec(ctx.get('authorization')) ?? [];
  const found = sent && (await provider.AccessToken.find(sent) ?? await provider.ClientCredentials.find(sent));
  if (found) {
    ctx.body = { ok: true, sub: found.accountId ?? found.clientId };
  } else {
    ctx.status = 401;
    ctx.set('WWW-Authenticate', sent ? 'Bearer error="invalid_token"' : 'Bearer');
    ctx.body = sent ? { error: 'invalid_token' } : {};
  }
};

// Node 20 lacks URL.parse, the only thing from Node 22 that the configured parts of oidc-provider use.
URL.parse ??= (...args) => (URL.canParse(...args) ? new URL(...args) : null);

// oidc-provider tells on the console that in-memory storage, its own pages and its own keys are not for production.
// They are not in production; and standard output is for the one line.
console.info = () => {};
console.warn = () => {};

const { values: options } = parseArgs({
  options: { port: { type: 'string', default: '0' }, rotation: { type: 'string', default: 'on' } },
});
if (!/^\d+$/.test(options.port) || !['on', 'off'].includes(options.rotation)) {
  console.error('usage: node server.mjs [--port N] [--rotation on|off]');
  process.exit(2);
}

// The issuer must be the URL that is really served, so the port comes first and the provider after it.
// Idle connections outlive those of common client pools, so that none is closed under a request.
const server = createServer({ keepAliveTimeout: 120_000 });
server.listen(Number(options.port), '127.0.0.1');
await once(server, 'listening');
const url = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(url, configuration({ rotation: options.rotation === 'on' }));
registerJwtBearer(provider);
provider.use(limits(provider));
provider.use(lendCredentials);
server.on('request', provider.callback());

process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeAllConnections();
});

console.log(`listening on ${url}`);
