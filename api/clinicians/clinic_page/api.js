// Requests to this server. The key is kept in this module's memory and nowhere else: session storage
// comes back when someone reopens a closed tab on a shared computer.

const ROOT = new URL("../v1/", import.meta.url);
const PATIENCE_MILLISECONDS = 30_000;

let token = "";

export class Trouble extends Error {
  // code: the problem's, or "offline"; status: 0 without a response.
  constructor(code, status, detail, retryAfter, requestId) {
    super(detail || code);
    Object.assign(this, { code, status, detail, retryAfter, requestId });
  }
}

export function useToken(text) {
  token = text;
}

async function troubleOf(response) {
  let problem = {};
  try {
    problem = await response.json();
  } catch {
    // The response may be from a proxy.
  }
  const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  return new Trouble(
    problem.code ?? "unknown",
    response.status,
    problem.detail ?? "",
    Number.isNaN(seconds) ? null : seconds,
    problem.request_id ?? response.headers.get("X-Request-ID"),
  );
}

async function ask(path, parameters, accept) {
  const url = new URL(path, ROOT);
  for (const [name, value] of Object.entries(parameters)) {
    if (value) url.searchParams.set(name, value);
  }
  let response;
  try {
    response = await fetch(url, {
      headers: {
        Accept: accept,
        "Accept-Language": document.documentElement.lang,
        Authorization: `Bearer ${token}`,
      },
      credentials: "omit",
      // Nothing is stored on the disk of a shared computer.
      cache: "no-store",
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE_MILLISECONDS),
    });
  } catch {
    throw new Trouble("offline", 0);
  }
  if (!response.ok) throw await troubleOf(response);
  return response;
}

export async function read(path, parameters = {}) {
  const response = await ask(path, parameters, "application/json");
  try {
    return await response.json();
  } catch {
    throw new Trouble("offline", 0);
  }
}

export async function download(path, parameters, accept, name) {
  const response = await ask(path, parameters, accept);
  const address = URL.createObjectURL(await response.blob());
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
