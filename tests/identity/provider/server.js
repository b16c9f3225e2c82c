// An OpenID Connect provider for the tests: `oidc-provider`, which the OpenID Foundation certified, with its own pages
// for signing in. `node server.js '{"port":…, "client":…, "accounts":…, "keys":[…]}'` prints "ready" once it listens.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const given = JSON.parse(process.argv[2]);
const issuer = `http://127.0.0.1:${given.port}`;
// One key pair for each name: a rotation is another name, known under another key id.
const keys = given.keys.map((name) => ({
  ...generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" }),
  kid: name,
  use: "sig",
  alg: "RS256",
}));

const provider = new Provider(issuer, {
  jwks: { keys },
  clients: [
    { token_endpoint_auth_method: "client_secret_basic", id_token_signed_response_alg: "RS256", ...given.client },
  ],
  claims: {
    openid: ["sub"],
    profile: ["name", "given_name", "usual_name", "groups", "siret"],
    email: ["email", "email_verified"],
  },
  acrValues: ["eidas1", "eidas2"],
  cookies: { keys: ["tests only"] },
  features: {
    devInteractions: { enabled: true },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    jwtUserinfo: { enabled: true },
  },
  // the town of the tests is on the loopback, where the provider would not call anybody by itself
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
  pkce: { required: () => given.pkce ?? true },
  findAccount: (_context, id) =>
    given.accounts[id] && { accountId: id, claims: () => ({ sub: id, ...given.accounts[id] }) },
});
provider.on("server_error", (_context, error) => console.error(error));
createServer(provider.callback()).listen(given.port, "127.0.0.1", () => console.log("ready"));
