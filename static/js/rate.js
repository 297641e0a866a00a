/* The keyboard and the manners of the rating page. Everything here is a convenience: links, radio groups
   and forms work without it. Listeners hang on the document, so that they outlive a swap of the page. */

(() => {
  "use strict";

  const KEYS_OFF = "evenhand.single-keys-off";
  const LOGGED_OUT = "You are logged out. Your answers are still on this page: log in in another window, then submit again.";
  const NOT_SENT = "The answers could not be sent. They are still on this page: check the connection and submit again; sending twice is harmless.";

  const find = (selector) => document.querySelector(selector);
  const keysOn = () => localStorage.getItem(KEYS_OFF) === null;
  const isShown = (element) => element.getClientRects().length > 0;
  const questions = () => [...document.querySelectorAll(".question")].filter(isShown);
  const isAnswered = (question) => question.querySelector(":checked") !== null;

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

  function choose(input) {
    if (!input) return false;
    const question = input.closest(".question");
    mark(question);
    input.checked = true;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    return true;
  }

  const chooseNumber = (number) => {
    const question = marked();
    if (question && choose(question.querySelectorAll("input")[number - 1])) step(1);
  };

  const chooseBalance = (value) => {
    if (choose(find(`#q-balance input[value="${value}"]`))) step(1);
  };

  /* What keys and buttons do --------------------------------------------------- */

  function skip() {
    if (questions().some(isAnswered)) {
      find('[data-do="skip"]').focus();
      say("Press Enter to skip this pair; the answers you gave to it are dropped.");
    } else find("#skip").requestSubmit();
  }

  function hide() {
    const hidden = find("#pair").classList.toggle("hiding");
    find('[data-do="hide"]').setAttribute("aria-pressed", hidden);
  }

  function guideline() {
    const panel = find("#guideline");
    if (!panel) return;
    panel.open = !panel.open;
    if (panel.open) panel.querySelector("summary").focus();
  }

  const help = () => find("#keys").showModal();

  const BY_KEY = {
    j: () => step(1),
    k: () => step(-1),
    a: () => chooseBalance(-2),
    "shift a": () => chooseBalance(-3),
    b: () => chooseBalance(2),
    "shift b": () => chooseBalance(3),
    e: () => chooseBalance(0),
    "shift e": () => chooseBalance("both_bad"),
    s: () => find("#skip") && skip(),
    h: hide,
    g: guideline,
  };

  /* The Shift key counts, Caps Lock does not; digits and "?" are what they are, since layouts differ. */
  function actionOf(event) {
    if (/^[1-7]$/.test(event.key)) return () => chooseNumber(Number(event.key));
    if (event.key === "?") return help;
    return BY_KEY[(event.shiftKey ? "shift " : "") + event.key.toLowerCase()];
  }

  function isTyping(target) {
    return target.matches?.('textarea, select, input:not([type="radio"], [type="checkbox"])') || target.isContentEditable;
  }

  function onKey(event) {
    const form = find(".judgment");
    if (!form || find(".htmx-request") || event.repeat || event.isComposing || find("dialog[open]")) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.altKey) {
      event.preventDefault();
      if (!find("#submit").disabled) form.requestSubmit();
    } else if (isTyping(event.target)) {
      if (event.key === "Escape") event.target.blur();
    } else if (keysOn() && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const act = actionOf(event);
      if (!act) return;
      event.preventDefault();
      act();
    }
  }

  /* Telling ---------------------------------------------------------------------- */

  function say(words) {
    const status = find("#send-status");
    if (status) status.textContent = words;
  }

  function settle(question) {
    find(`#missing [data-for="${question.id}"]`)?.remove();
    const missing = find("#missing");
    if (missing && !missing.querySelector("li")) missing.remove();
  }

  function localTimes() {
    for (const time of document.querySelectorAll("time[datetime]")) {
      time.textContent = new Date(time.dateTime).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    }
  }

  function showKeys() {
    document.documentElement.classList.toggle("keys-on", keysOn());
    const box = find("#single-keys");
    if (box) box.checked = keysOn();
  }

  function settleIn() {
    for (const element of document.querySelectorAll(".needs-js")) element.hidden = false;
    showKeys();
    localTimes();
    mark(questions().find((question) => !isAnswered(question)));
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
    const page = find("#main");
    page.classList.remove("arriving");
    void page.offsetWidth; // lets the fade start anew
    page.classList.add("arriving");
  }

  const csrfCookie = () => document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1];

  document.addEventListener("keydown", onKey);
  document.addEventListener("focusin", (event) => {
    const question = event.target.closest?.(".question");
    if (question) mark(question);
  });
  document.addEventListener("change", (event) => {
    const question = event.target.closest(".question");
    if (question) settle(question);
    if (event.target.id === "single-keys") {
      if (event.target.checked) localStorage.removeItem(KEYS_OFF);
      else localStorage.setItem(KEYS_OFF, "1");
      showKeys();
    }
  });
  document.addEventListener("click", (event) => {
    const action = event.target.closest("[data-do]")?.dataset.do;
    if (action === "help") help();
    if (action === "hide") hide();
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
  document.addEventListener("htmx:responseError", (event) => {
    say([401, 403].includes(event.detail.xhr.status) ? LOGGED_OUT : NOT_SENT);
  });
  for (const failure of ["htmx:sendError", "htmx:timeout", "htmx:swapError"]) {
    document.addEventListener(failure, () => say(NOT_SENT));
  }

  settleIn();
  find("#missing")?.focus();
})();
