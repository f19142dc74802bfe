// Who is signed in. The access token lives in memory only; the refresh token is a cookie no script can read.

const SIGNED_IN = "streamgate.signed-in"; // that there is such a cookie: nobody else asks the server to renew

let person = null; // { token, userId, address, roles }
let leavings = 0; // how often somebody has signed out: what was on its way then counts no more
let renewing = null; // a promise, while a renewal is on its way
const listeners = new Set();

export const accessToken = () => person?.token ?? "";
export const whoIsHere = () => person;
export const onPersonChange = (listener) => listeners.add(listener);

export function signedIn(answer) {
  const before = person?.userId;
  person = { token: answer.access_token, userId: answer.user_id, address: answer.address, roles: answer.roles };
  remember(true);
  if (before !== person.userId) tell();
}

// Gone here in any case; whether the server knows, too.
export async function signOut() {
  if (!person) return true;
  leavings += 1;
  forget();
  const response = await post("/api/v1/auth/logout").catch(() => null);
  return Boolean(response?.ok || response?.status === 401);
}

// After a reload: the cookie tells the server who it was.
export async function comeBack() {
  if (isRemembered()) await renew("");
}

// A new access token in place of `old`; false when the person has to sign in again. Tabs share the cookie, which
// changes at each use: they take turns.
export async function renewAccess(old) {
  return person && person.token !== old ? true : renew(old);
}

// All who ask meanwhile wait for the one answer: a refresh token that is sent twice ends the sign-in.
function renew(old) {
  renewing ??= renewInTurn(old).finally(() => (renewing = null));
  return renewing;
}

async function renewInTurn(old) {
  const turn = navigator.locks ? (work) => navigator.locks.request("streamgate.renew", work) : (work) => work();
  return turn(async () => {
    if (person && person.token !== old) return true;
    const before = leavings;
    const response = await post("/api/v1/auth/refresh").catch(() => null);
    if (before !== leavings) return false;
    if (response?.ok) {
      const answer = await response.json();
      if (before !== leavings) return false;
      signedIn(answer);
      return true;
    }
    if (response && response.status < 500) forget();
    return false;
  });
}

function post(path) {
  return fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" });
}

function forget() {
  const was = person;
  person = null;
  remember(false);
  if (was) tell();
}

function tell() {
  for (const listener of listeners) listener(person);
}

function isRemembered() {
  try {
    return localStorage.getItem(SIGNED_IN) !== null;
  } catch {
    return false; // storage is switched off
  }
}

function remember(is) {
  try {
    if (is) localStorage.setItem(SIGNED_IN, "1");
    else localStorage.removeItem(SIGNED_IN);
  } catch {
    return;
  }
}
