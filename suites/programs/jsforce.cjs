// jsforce as it is: a login in each way, then calls.
const http = require("node:http"), { randomBytes, createSign } = require("node:crypto");
const { readFileSync } = require("node:fs");
const { Connection, OAuth2 } = require("jsforce");

const given = (name, otherwise) => process.env[`GRANTCHECK_${name}`] ?? otherwise;
const [org, clientId, flow] = ["ORG_URL", "CLIENT_ID", "FLOW"].map((name) => given(name));
if (!given("CLIENT_SECRET") && given("KEY")) process.exit(89); // It authenticates by secret, or not at all.
const secrets = { clientSecret: given("CLIENT_SECRET"), redirectUri: given("REDIRECT_URI"), useVerifier: flow === "web-server" };
const oauth2 = new OAuth2({ loginUrl: org, clientId, ...secrets });
const conn = new Connection({ oauth2, instanceUrl: org, accessToken: given("ACCESS_TOKEN"), refreshToken: given("REFRESH_TOKEN") });

function callback(state) {
  const url = new URL(given("REDIRECT_URI"));
  return new Promise((resolve, reject) => {
    const server = http.createServer((request, response) => {
      const params = new URL(request.url, url).searchParams;
      response.end("done", () => server.close());
      const once = ["code", "state"].every((name) => params.getAll(name).length === 1);
      const right = once && params.get("state") === state && !params.has("error");
      right ? resolve(params.get("code")) : reject(new Error("no code"));
    });
    server.listen(url.port, url.hostname, () => console.log(oauth2.getAuthorizationUrl({ scope: "api refresh_token", state })));
  });
}

function assertion() {
  const text = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = `${text({ alg: "RS256" })}.${text({ iss: clientId, sub: given("USERNAME"), aud: org, exp: Math.floor(Date.now() / 1000) + 120 })}`;
  return `${body}.${createSign("RSA-SHA256").update(body).sign(readFileSync(given("KEY")), "base64url")}`;
}
async function work() {
  if (flow === "web-server") await conn.authorize(await callback(randomBytes(16).toString("hex")));
  if (flow === "client-credentials") await conn.authorize({ grant_type: "client_credentials" });
  if (flow === "jwt-bearer") await conn.authorize({ grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion: assertion() });
  let next = 0;
  const caller = async () => { while (next < Number(given("CALLS", 1))) await conn.request(`/services/data/v62.0/limits?call=${next++}`); };
  await Promise.all(Array.from({ length: Number(given("CONCURRENCY", 1)) }, caller));
}
work().then(() => process.exit(0), (why) => { console.error(`${why.name}: ${why.message}`); process.exit(1); });
