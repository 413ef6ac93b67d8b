// oauth2-mock-server (npm) as it comes: made for the tests of clients, it refuses next to nothing. See README.md.
//
//   node server.mjs [--port N]
//
// Prints "listening on http://127.0.0.1:PORT" when it is ready, and nothing else; ends on SIGTERM.

import { parseArgs } from 'node:util';

import { OAuth2Server } from 'oauth2-mock-server';

const { values: options } = parseArgs({ options: { port: { type: 'string', default: '0' } } });
if (!/^\d+$/.test(options.port)) {
  console.error('usage: node server.mjs [--port N]');
  process.exit(2);
}

const server = new OAuth2Server();
// It signs with a key of its user, and issues nothing without one.
await server.issuer.keys.generate('RS256');
await server.start(Number(options.port), '127.0.0.1');

// By itself it says that its issuer is localhost, which need not be the address that it listens on.
const url = `http://127.0.0.1:${server.address().port}`;
server.issuer.url = url;

// Its own stop() waits for connections that clients keep alive.
process.on('SIGTERM', () => process.exit(0));

console.log(`listening on ${url}`);
