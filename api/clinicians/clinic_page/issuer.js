// Signing in at the organisation's own OpenID Connect issuer: authorization code with PKCE
// (RFC 7636, RFC 9700). During the redirect, the tab's session storage has what proves that this tab
// started the sign-in; never a token, and nothing afterwards.

import { Trouble } from "./api.js";

const LEFT = "footing-sign-in";
const HERE = () => location.origin + location.pathname;

const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

async function ask(url, options = {}) {
  try {
    const response = await fetch(url, { credentials: "omit", cache: "no-store", redirect: "error", ...options });
    return [response.ok, await response.json()];
  } catch {
    throw new Trouble("issuer_unreachable", 0);
  }
}

async function discover(way) {
  const [ok, found] = await ask(`${way.issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
  if (!ok || found.issuer !== way.issuer) throw new Trouble("issuer_unreachable", 0);
  return found;
}

// Returns how to sign in at the issuer; null if only keys are accepted.
export async function signInThere() {
  const response = await fetch(new URL("sign-in.json", import.meta.url), { credentials: "omit" }).catch(() => null);
  return response?.ok ? response.json() : null;
}

export async function goThere(way, search) {
  const { authorization_endpoint } = await discover(way);
  const left = { state: random(), verifier: random(), search };
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(left.verifier));
  sessionStorage.setItem(LEFT, JSON.stringify(left));
  const url = new URL(authorization_endpoint);
  const asked = {
    response_type: "code",
    client_id: way.client_id,
    redirect_uri: HERE(),
    scope: way.scope,
    state: left.state,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
  location.assign(url);
}

// Returns whether the issuer redirected the browser here, and removes its parameters from the URL.
export function comeBack() {
  const said = new URLSearchParams(location.search);
  if (!said.has("state") || !(said.has("code") || said.has("error"))) return null;
  const left = JSON.parse(sessionStorage.getItem(LEFT) ?? "{}");
  sessionStorage.removeItem(LEFT);
  history.replaceState(null, "", HERE());

  async function token(way) {
    const elsewhere = said.has("iss") && said.get("iss") !== way.issuer;
    if (!left.state || left.state !== said.get("state") || elsewhere) throw new Trouble("issuer_mismatch", 0);
    if (said.has("error")) throw new Trouble("issuer_refused", 0, said.get("error"));
    const { token_endpoint } = await discover(way);
    const body = new URLSearchParams({
      grant_type: "authorization_code",
      code: said.get("code"),
      redirect_uri: HERE(),
      client_id: way.client_id,
      code_verifier: left.verifier,
    });
    const [ok, answer] = await ask(token_endpoint, { method: "POST", body });
    if (!ok || !answer.access_token) throw new Trouble("issuer_refused", 0, answer.error);
    return answer.access_token;
  }

  return { search: left.search ?? "", token };
}
