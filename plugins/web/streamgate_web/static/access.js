// Who is signed in. The access token lives in memory only; the refresh token is a cookie no script can read.

const SIGNED_IN = "streamgate.signed-in"; // that there is such a cookie: nobody else asks the server to renew

let person = null; // { token, userId, address, roles }
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

export async function signOut() {
  if (!person) return;
  forget();
  await post("/api/v1/auth/logout").catch(() => null); // gone here in any case
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

async function renew(old) {
  const turn = navigator.locks ? (work) => navigator.locks.request("streamgate.renew", work) : (work) => work();
  return turn(async () => {
    if (person && person.token !== old) return true;
    const response = await post("/api/v1/auth/refresh").catch(() => null);
    if (response?.ok) {
      signedIn(await response.json());
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
