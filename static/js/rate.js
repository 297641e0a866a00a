/* The keyboard and the manners of the rating page. Everything here is a convenience: links, radio groups
   and forms work without it. Listeners hang on the document, so that they outlive a swap of the page.
   rate-reading.js and rate-keeping.js share the object `evenhand` made here. */

(() => {
  "use strict";

  const find = (selector) => document.querySelector(selector);
  const page = () => find("#pair");
  const words = (name) => find("#words").dataset[name];
  const keysOn = () => page()?.hasAttribute("data-single-keys") ?? false;
  const isShown = (element) => element.getClientRects().length > 0;
  const questions = () => [...document.querySelectorAll(".question")].filter(isShown);
  const isAnswered = (question) => question.querySelector(":checked") !== null;

  function say(sentence) {
    const status = find("#send-status");
    if (status) status.textContent = sentence;
  }

  const csrfCookie = () => document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1];

  /* A request beside the page's own; htmx's header makes a log-in that ended a 401 instead of a page. */
  function send(method, url, body, type) {
    const headers = { "X-CSRFToken": csrfCookie() ?? "", "HX-Request": "true" };
    if (type) headers["Content-Type"] = type;
    return fetch(url, { method, headers, body, credentials: "same-origin" });
  }

  window.evenhand = { find, page, words, say, send, isShown };

  /* The marked question ------------------------------------------------------- */

  const marked = () => questions().find((question) => question.hasAttribute("data-current"));

  function mark(question) {
    for (const other of document.querySelectorAll("[data-current]")) other.removeAttribute("data-current");
    if (question) question.setAttribute("data-current", "");
  }

  function goTo(question) {
    mark(question);
    (question.querySelector(":checked") || question.querySelector("input")).focus();
  }

  function step(by) {
    const all = questions();
    const next = all.indexOf(marked()) + by;
    if (next >= all.length) find("#submit").focus();
    else goTo(all[Math.max(next, 0)]);
  }

  function nextBlock() {
    const blocks = [...document.querySelectorAll(".questions, .shared")];
    const here = blocks.findIndex((block) => block.contains(marked() ?? null));
    goTo([...blocks[(here + 1) % blocks.length].querySelectorAll(".question")].find(isShown));
  }

  function choose(input) {
    if (!input) return false;
    const question = input.closest(".question");
    mark(question);
    input.checked = input.type === "checkbox" ? !input.checked : true;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    return true;
  }

  function chooseNumber(number) {
    const input = marked()?.querySelectorAll("input")[number - 1];
    if (choose(input) && input.type === "radio") step(1);
  }

  function chooseBalance(value) {
    if (choose(find(`#q-balance input[value="${value}"]`))) step(1);
  }

  /* What keys and buttons do --------------------------------------------------- */

  function skip() {
    if (!find("#skip")) return;
    if (questions().some(isAnswered)) {
      find('[data-do="skip"]').focus();
      say(words("skipAgain"));
    } else find("#skip").requestSubmit();
  }

  function open(details) {
    if (!details) return;
    details.open = true;
    details.querySelector("summary").focus();
    details.scrollIntoView({ block: "nearest" });
  }

  /* Escape closes the panel that somebody is in, or that stands open while they write nowhere. */
  function shutPanel(target) {
    const open = ".ways-out details[open]";
    const panel = target.closest?.(open) ?? (isTyping(target) ? null : find(open));
    if (!panel) return false;
    panel.open = false;
    panel.querySelector("summary").focus();
    return true;
  }

  /* A sheet opens at its beginning: its button, which would get the focus, stands at its end. */
  function show(sheet) {
    sheet?.showModal();
    sheet?.querySelector("h2").focus();
  }

  function hide() {
    const hidden = page().classList.toggle("hiding");
    find('[data-do="hide"]').setAttribute("aria-pressed", hidden);
    document.dispatchEvent(new Event("evenhand:looked"));
  }

  function reveal() {
    const here = document.activeElement?.closest(".veiling")?.querySelector(".reveal:not(:checked)");
    const veil = here || find(".reveal:not(:checked)");
    if (!veil) return;
    veil.checked = true;
    veil.closest(".veiling").scrollIntoView({ block: "nearest" });
    veil.dispatchEvent(new Event("change", { bubbles: true }));
  }

  const ACTIONS = {
    prefer_a: (much) => chooseBalance(much ? -3 : -2),
    prefer_b: (much) => chooseBalance(much ? 3 : 2),
    equal: (much) => chooseBalance(much ? "both_bad" : 0),
    next: () => step(1),
    previous: () => step(-1),
    block: nextBlock,
    undo: () => find('[data-do="undo"]')?.click(),
    skip,
    decline: () => open(find("#decline")),
    flag: () => open(find("#flag")),
    hide,
    reveal,
    guideline: () => show(find("#guideline-sheet")),
    note: () => find("#q-rationale textarea").focus(),
    help: () => show(find("#keys")),
  };

  /* The sign that was typed, or the place of the key where the layout writes another script. */
  function signOf(event) {
    const place = /^Key([A-Z])$/.exec(event.code)?.[1];
    const foreign = event.key.length === 1 && event.key > "\u007f";
    return (foreign && place ? place : event.key).toLowerCase();
  }

  /* The Shift key counts, Caps Lock does not; digits and "?" are what they are, since layouts differ. */
  function actionOf(event) {
    if (/^[1-8]$/.test(event.key)) return () => chooseNumber(Number(event.key));
    if (event.key === "0") return () => chooseBalance(0);
    const keys = JSON.parse(page().dataset.keys);
    const name = Object.keys(keys).find((action) => keys[action] === signOf(event));
    const withShift = ["prefer_a", "prefer_b", "equal"].includes(name);
    const letter = /^\p{L}$/u.test(event.key);
    if (!name || (event.shiftKey && letter && !withShift)) return undefined;
    return () => ACTIONS[name](event.shiftKey);
  }

  function isTyping(target) {
    const typed = 'textarea, select, input:not([type="radio"], [type="checkbox"])';
    return target.matches?.(typed) || target.isContentEditable;
  }

  function onKey(event) {
    const form = find(".judgment");
    if (!form || find(".htmx-request") || event.repeat || event.isComposing || find("dialog[open]")) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.altKey) {
      event.preventDefault();
      if (!find("#submit").disabled) form.requestSubmit();
    } else if (event.key === "Escape" && shutPanel(event.target)) {
      event.preventDefault();
    } else if (isTyping(event.target)) {
      if (event.key === "Escape") event.target.blur();
    } else if (keysOn() && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const act = actionOf(event);
      if (!act) return;
      event.preventDefault();
      act();
    }
  }

  /* Arriving ---------------------------------------------------------------------- */

  function settle(question) {
    find(`#missing [data-for="${question.id}"]`)?.remove();
    const missing = find("#missing");
    if (missing && !missing.querySelector("li")) missing.remove();
  }

  function localTimes() {
    for (const time of document.querySelectorAll("time[datetime]")) {
      const form = { hour: "2-digit", minute: "2-digit" };
      if (time.hasAttribute("data-with-day")) Object.assign(form, { weekday: "long" });
      const language = document.documentElement.lang;
      time.textContent = new Date(time.dateTime).toLocaleString(language, form);
    }
  }

  function showKeys() {
    document.documentElement.classList.toggle("keys-on", keysOn());
    if (!page()) return;
    const keys = JSON.parse(page().dataset.keys);
    for (const hint of document.querySelectorAll("[data-key]")) {
      const key = keys[hint.dataset.key];
      hint.textContent = (hint.hasAttribute("data-shift") && key ? "⇧" : "") + key.toUpperCase();
      hint.hidden = !key;
    }
  }

  /* The guideline opens over the page, so that nobody loses their place; without script it unfolds. */
  function liftGuideline() {
    const folded = find("#guideline");
    if (!folded) return;
    find("#guideline-heading").after(folded.querySelector(".prose"));
    folded.hidden = true;
  }

  function settleIn() {
    for (const element of document.querySelectorAll(".needs-js")) element.hidden = false;
    showKeys();
    localTimes();
    liftGuideline();
    mark(questions().find((question) => !isAnswered(question)));
    document.dispatchEvent(new Event("evenhand:arrived"));
  }

  function arrive() {
    settleIn();
    const missing = find("#missing");
    if (missing) {
      missing.focus();
      return;
    }
    if (find("#again")) return; // the waiting page looks again by itself and must not pull the focus
    scrollTo(0, 0);
    find("[data-page-heading]")?.focus({ preventScroll: true });
    const main = find("#main");
    main.classList.remove("arriving");
    void main.offsetWidth; // lets the fade start anew
    main.classList.add("arriving");
  }

  function switchKeys(box) {
    page().toggleAttribute("data-single-keys", box.checked);
    showKeys();
    const body = new URLSearchParams({ on: box.checked ? "1" : "0" });
    send("POST", box.dataset.url, body).catch(() => {}); // holds for this page; the next one asks the server
  }

  document.addEventListener("keydown", onKey);
  document.addEventListener("focusin", (event) => {
    const question = event.target.closest?.(".question");
    if (question) mark(question);
  });
  document.addEventListener("change", (event) => {
    const question = event.target.closest(".question");
    if (question) settle(question);
    if (event.target.id === "single-keys") switchKeys(event.target);
  });
  document.addEventListener("click", (event) => {
    const action = event.target.closest("button[data-do]")?.dataset.do;
    if (["help", "hide", "guideline"].includes(action)) ACTIONS[action]();
  });
  document.addEventListener("htmx:configRequest", (event) => {
    // A log-in in another window renews the token; the cookie has the one that holds now.
    const token = csrfCookie();
    if (token && event.detail.verb === "post") event.detail.parameters.csrfmiddlewaretoken = token;
    say("");
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target.id === "main") arrive();
  });

  document.addEventListener("DOMContentLoaded", () => {
    settleIn();
    find("#missing")?.focus();
  });
})();
