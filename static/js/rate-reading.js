/* Reading before judging: submit stays closed until both answers were seen to their end. And soft questions
   where two answers do not go together; they never hold anything up. */

(() => {
  "use strict";

  const { find, page, words, say } = window.evenhand;
  const SIDES = ["left", "right"];
  const LETTERS = { left: "A", right: "B" };

  /* What was seen, by the token of the pair: an answer that is sent back with problems was read already. */
  const seenOf = new Map();
  let token = null;
  let observer = null;

  const seen = () => seenOf.get(token) ?? new Set();
  const unread = () => (page()?.hasAttribute("data-draft") ? SIDES.filter((side) => !seen().has(side)) : []);
  const ends = () => [...document.querySelectorAll(".end")];
  const isVeiled = (end) => end.closest(".veiling").querySelector(".reveal:not(:checked)") !== null;

  function showGate() {
    const closed = unread();
    const gate = find("#gate");
    if (!gate) return;
    find("#submit").setAttribute("aria-disabled", closed.length > 0);
    gate.hidden = closed.length === 0;
    gate.textContent = `${words("unread")} ${closed.map((side) => LETTERS[side]).join(", ")}`;
  }

  function note(end) {
    if (page().classList.contains("hiding") || document.hidden || isVeiled(end)) return;
    if (seen().has(end.dataset.end)) return;
    seen().add(end.dataset.end);
    showGate();
    document.dispatchEvent(new CustomEvent("evenhand:seen", { detail: [...seen()] }));
  }

  /* Looks at every end anew: after revealing, after showing again, on arrival. */
  function look() {
    observer?.disconnect();
    if (!page()) return;
    observer = new IntersectionObserver((entries) => {
      for (const entry of entries) if (entry.isIntersecting) note(entry.target);
    });
    for (const end of ends()) observer.observe(end);
  }

  function arrive() {
    token = page()?.dataset.token ?? null;
    if (!token) return;
    if (!seenOf.has(token)) seenOf.set(token, new Set((page().dataset.seen ?? "").split(" ").filter(Boolean)));
    showGate();
    look();
    hint();
  }

  function hold(event) {
    if (!event.target.matches(".judgment") || unread().length === 0) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    say(find("#gate").textContent);
    find(`#${unread()[0]}`).scrollIntoView({ block: "start" }); // to its beginning: asking twice is not reading
  }

  /* Soft questions ----------------------------------------------------------------- */

  const SAFETY = ["clearly_safe", "probably_safe", "probably_unsafe", "clearly_unsafe"];
  const given = (name) => find(`[name="${name}"]:checked`)?.value;

  /* −1 where the first number says A is better, 1 where it says B, 0 where it does not say. */
  const order = (a, b) => (a === undefined || b === undefined ? 0 : Math.sign(a - b));

  function contradictions() {
    const rank = (side) => (given(`${side}-safety`) ? SAFETY.indexOf(given(`${side}-safety`)) : undefined);
    const help = (side) => (given(`${side}-helpfulness`) ? -Number(given(`${side}-helpfulness`)) : undefined);
    const found = [];
    for (const [name, value] of [["safer", rank], ["more_helpful", help]]) {
      const above = order(value("left"), value("right"));
      const below = Math.sign(Number(given(name) ?? 0));
      if (above * below < 0) found.push(`${name}-${above < 0 ? "a" : "b"}`);
    }
    for (const side of SIDES) {
      const safe = rank(side) !== undefined && rank(side) < 2;
      if (safe && given(`${side}-mode`) === "unsafe_compliance") found.push(`${side}-mode`);
    }
    return found;
  }

  function hint() {
    const found = contradictions();
    for (const sentence of document.querySelectorAll("[data-hint]")) {
      const before = sentence.hidden;
      sentence.hidden = !found.includes(sentence.dataset.hint);
      if (before && !sentence.hidden) find("#hint-status").textContent = sentence.textContent;
    }
  }

  document.addEventListener("evenhand:arrived", arrive);
  document.addEventListener("evenhand:looked", look);
  document.addEventListener("evenhand:read", () => {
    for (const side of SIDES) seen().add(side);
    showGate();
  });
  document.addEventListener("visibilitychange", look);
  document.addEventListener("submit", hold, true);
  document.addEventListener("change", (event) => {
    if (event.target.matches(".reveal")) look();
    else if (event.target.closest(".judgment")) hint();
  });
})();
