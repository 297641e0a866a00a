/* Nothing that was answered is lost. Unfinished answers go to the server as the rater works; what cannot be
   sent stays on this device, by the token of the pair, and goes as soon as there is a connection: with the
   same idempotency key, so that sending it twice makes one judgment. */

(() => {
  "use strict";

  const { find, page, words, say, send } = window.evenhand;
  const DRAFT = "evenhand.draft.";
  const OUTBOX = "evenhand.outbox.";
  const FORGET_AFTER = 14 * 24 * 60 * 60 * 1000; // milliseconds
  const WAIT = 700; // milliseconds without a change before a draft is sent
  const RETRY = [1, 2, 4, 8, 15, 30]; // seconds
  const BEAT = 60; // seconds
  const AWAKE = 5 * 60 * 1000; // milliseconds since the last sign of somebody

  /* A browser may refuse to store; then the answers stay on the page and on the server. */
  const store = {
    get(key) {
      try {
        return JSON.parse(localStorage.getItem(key));
      } catch {
        return null;
      }
    },
    put(key, value) {
      try {
        localStorage.setItem(key, JSON.stringify({ ...value, at: Date.now() }));
      } catch {
        /* see above */
      }
    },
    drop(key) {
      try {
        localStorage.removeItem(key);
      } catch {
        /* see above */
      }
    },
    keys(prefix) {
      try {
        return Object.keys(localStorage).filter((key) => key.startsWith(prefix));
      } catch {
        return [];
      }
    },
  };

  /* The answers as they stand ------------------------------------------------------- */

  const form = () => find(".judgment");
  const apart = ["csrfmiddlewaretoken", "idempotency_key"];

  function answers() {
    const all = {};
    for (const [name, value] of new FormData(form())) {
      if (apart.includes(name) || value === "") continue;
      if (name.endsWith("-categories")) all[name] = [...(all[name] ?? []), value];
      else all[name] = value;
    }
    return all;
  }

  function fillIn(wanted) {
    for (const input of form().querySelectorAll(".question input")) {
      const value = wanted[input.name];
      input.checked = Array.isArray(value) ? value.includes(input.value) : value === input.value;
    }
    find("#q-rationale textarea").value = wanted.rationale ?? "";
    form().dispatchEvent(new Event("change", { bubbles: true }));
  }

  const same = (one, other) => JSON.stringify(one ?? null) === JSON.stringify(other ?? null);

  /* What differs from `base` was answered here and stays; the rest is taken from the other window. */
  function merge(base, here, there) {
    const merged = {};
    for (const name of new Set([...Object.keys(base), ...Object.keys(here), ...Object.keys(there)])) {
      const value = same(here[name], base[name]) ? there[name] : here[name];
      if (value !== undefined) merged[name] = value;
    }
    return merged;
  }

  /* Drafts --------------------------------------------------------------------------- */

  let draft = null; // {token, url, version, base, seen, sending, again}
  let timer = null;

  function begin() {
    clearTimeout(timer);
    draft = null;
    if (!page()?.hasAttribute("data-draft")) return;
    const { token, draft: url, version, seen } = page().dataset;
    const sides = (seen ?? "").split(" ").filter(Boolean);
    draft = { token, url, version: Number(version), base: answers(), seen: sides, sending: false, again: false };
    const here = store.get(DRAFT + token);
    if (here) {
      fillIn(merge(here.base ?? {}, here.answers ?? {}, draft.base));
      later();
    }
  }

  function later() {
    clearTimeout(timer);
    timer = setTimeout(keep, WAIT);
  }

  function tell(name) {
    const line = find("#saved");
    if (line && line.textContent !== words(name)) line.textContent = words(name);
  }

  async function keep() {
    if (!draft || !form()) return;
    if (draft.sending) {
      draft.again = true;
      return;
    }
    const mine = draft;
    const now = answers();
    mine.sending = true;
    store.put(DRAFT + mine.token, { base: mine.base, answers: now });
    try {
      const body = JSON.stringify({ answers: now, seen: mine.seen, version: mine.version });
      await answered(await send("PUT", mine.url, body, "application/json"), mine, now);
    } catch {
      if (draft === mine) {
        tell("keptHere");
        timer = setTimeout(keep, 1000 * RETRY[3]);
      }
    } finally {
      mine.sending = false;
      if (mine.again && draft === mine) {
        mine.again = false;
        later();
      }
    }
  }

  async function answered(reply, mine, now) {
    if (reply.status === 409) {
      const there = await reply.json();
      mine.version = there.version;
      if (draft === mine) adopt(there);
    } else if (reply.ok) {
      mine.version = (await reply.json()).version;
      mine.base = now;
      store.drop(DRAFT + mine.token);
      if (draft === mine) tell("kept");
    } else if (reply.status === 410) store.drop(DRAFT + mine.token);
    else if (reply.status >= 500) throw new Error("the server is away");
  }

  /* Another window of the same rater was faster. */
  function adopt(there) {
    const here = answers();
    const merged = merge(draft.base, here, there.answers);
    draft.base = there.answers;
    draft.seen = [...new Set([...draft.seen, ...there.seen])];
    if (!same(merged, here)) {
      fillIn(merged);
      tell("merged");
    }
    if (!same(merged, there.answers)) later();
  }

  /* Judgments on their way ------------------------------------------------------------ */

  let attempt = 0;
  let retry = null;

  /* Events of the swap come from its target; the form that asked stands in the request. */
  const isJudgment = (event) => (event.detail.requestConfig?.elt ?? event.detail.elt).matches?.(".judgment") ?? false;
  const fieldsOf = (judgment) => [...new FormData(judgment)].filter(([name]) => name !== "csrfmiddlewaretoken");

  function depart(event) {
    if (!isJudgment(event)) return;
    clearTimeout(timer);
    clearTimeout(retry);
    const action = form().getAttribute("action");
    store.put(OUTBOX + page().dataset.token, { action, fields: fieldsOf(form()) });
  }

  function arrived(token) {
    store.drop(OUTBOX + token);
    store.drop(DRAFT + token);
    attempt = 0;
  }

  /* The page that asked is still there while this runs. */
  function replied(event) {
    if (!isJudgment(event)) return;
    const status = event.detail.xhr.status;
    const token = page()?.dataset.token;
    if ((status >= 200 && status < 300) || status === 409) arrived(token);
    else if (status === 422) store.drop(OUTBOX + token);
  }

  function failed(event) {
    if (!isJudgment(event)) {
      say(words("notShown"));
      return;
    }
    const status = event.detail.xhr?.status ?? 0;
    if (status === 401 || status === 403) {
      say(words("loggedOut"));
      return;
    }
    say(words("notSent"));
    retry = setTimeout(sendAgain, 1000 * RETRY[Math.min(attempt, RETRY.length - 1)]);
    attempt += 1;
  }

  function sendAgain() {
    clearTimeout(retry);
    if (form() && store.get(OUTBOX + page().dataset.token)) form().requestSubmit();
  }

  /* Whoever changes an answer while the last ones are on their way sends others: under another key, so that
     the server can tell if the first did arrive. */
  function changed() {
    if (!draft) return;
    const key = OUTBOX + draft.token;
    if (store.get(key)) {
      clearTimeout(retry);
      store.drop(key);
      form().elements.idempotency_key.value = crypto.randomUUID().replaceAll("-", "");
      say("");
    }
    later();
  }

  /* What a page that was closed or reloaded left behind. */
  async function clearOutbox() {
    for (const key of store.keys(OUTBOX)) {
      const entry = store.get(key);
      const token = key.slice(OUTBOX.length);
      if (!entry || Date.now() - entry.at > FORGET_AFTER) store.drop(key);
      else if (token === page()?.dataset.token && form()) restore(entry);
      else await deliver(token, entry);
    }
    for (const key of store.keys(DRAFT)) {
      const entry = store.get(key);
      if (!entry || Date.now() - entry.at > FORGET_AFTER) store.drop(key);
    }
  }

  function restore(entry) {
    if (entry.action !== form().getAttribute("action")) return;
    const wanted = {};
    for (const [name, value] of entry.fields) {
      if (name.endsWith("-categories")) wanted[name] = [...(wanted[name] ?? []), value];
      else wanted[name] = value;
    }
    fillIn(wanted);
    form().elements.idempotency_key.value = wanted.idempotency_key;
    document.dispatchEvent(new Event("evenhand:read")); // they were read when they were sent
    store.put(OUTBOX + page().dataset.token, entry);
    clearTimeout(retry);
    retry = setTimeout(sendAgain, 1000);
  }

  async function deliver(token, entry) {
    let reply;
    try {
      reply = await send("POST", entry.action, new URLSearchParams(entry.fields));
    } catch {
      return; // at the next page or when the connection is back
    }
    if (reply.ok) {
      arrived(token);
      say(words("sentLate"));
    } else if ([409, 410, 422].includes(reply.status)) {
      arrived(token);
      say(words("refusedLate"));
    } // 401, 403, 404: another person's, perhaps, on a shared device; it waits for them
  }

  /* Somebody is there ------------------------------------------------------------------ */

  let lastSign = Date.now();

  function beat() {
    const url = page()?.dataset.beat;
    if (!url || document.hidden || Date.now() - lastSign > AWAKE) return;
    send("POST", url).catch(() => {}); // the lease is the server's; the answers are kept all the same
  }

  for (const sign of ["pointerdown", "pointermove", "keydown", "scroll"]) {
    document.addEventListener(sign, () => (lastSign = Date.now()), { passive: true, capture: true });
  }
  setInterval(beat, 1000 * BEAT);

  document.addEventListener("evenhand:arrived", () => {
    begin();
    clearOutbox();
  });
  document.addEventListener("evenhand:seen", (event) => {
    if (!draft) return;
    draft.seen = event.detail;
    later();
  });
  for (const kind of ["change", "input"]) {
    document.addEventListener(kind, (event) => {
      if (event.target.closest?.(".judgment .question, .judgment .note")) changed();
    });
  }
  document.addEventListener("htmx:beforeRequest", depart);
  document.addEventListener("htmx:beforeSwap", replied);
  for (const failure of ["htmx:responseError", "htmx:sendError", "htmx:timeout", "htmx:swapError"]) {
    document.addEventListener(failure, failed);
  }
  addEventListener("online", sendAgain);
  addEventListener("online", () => draft && later());
  addEventListener("pagehide", () => {
    if (draft && form() && !same(answers(), draft.base)) {
      store.put(DRAFT + draft.token, { base: draft.base, answers: answers() });
    }
  });
})();
