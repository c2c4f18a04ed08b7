/* The purchase form with JavaScript. htmx sends it; here is what only the page can do: look at the card, which nothing
   but the purchase itself ever sends, and find out what became of a purchase whose answer was lost on the way. */

"use strict";

(() => {
  const PENDING = "pending purchase"; // in localStorage: the token of a form that was sent and not answered yet
  const KEPT_FOR = 60 * 60 * 1000; // milliseconds; whoever comes later than that has looked into the inbox
  const PAUSES = [500, 1000, 2000, 4000, 8000]; // milliseconds between two tries to reach the shop; then the last again
  const byId = (id) => document.getElementById(id);
  const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));

  // --- The card -------------------------------------------------------------------------------------

  // By the first digits, as ISO/IEC 7812 numbers are given out. The first that fits wins.
  const BRANDS = [
    ["Visa", /^4/],
    ["Mastercard", /^(5[1-5]|2(22[1-9]|2[3-9]|[3-6]|7[01]|720))/],
    ["American Express", /^3[47]/],
    ["Discover", /^(6011|64[4-9]|65)/],
    ["Diners Club", /^3(0[0-5]|[68])/],
    ["JCB", /^35(2[89]|[3-8])/],
    ["UnionPay", /^62/],
    ["Maestro", /^(50|5[6-9]|6)/],
  ];
  const digitsOf = (field) => field.value.replace(/[ -]/g, "");

  function luhn(digits) {
    const sum = [...digits].reverse().reduce((sum, digit, place) => {
      const value = place % 2 ? digit * 2 : +digit;
      return sum + (value > 9 ? value - 9 : value);
    }, 0);
    return sum % 10 === 0;
  }

  const isRight = {
    card_number: (field) => /^\d{12,19}$/.test(digitsOf(field)) && luhn(digitsOf(field)),
    card_cvc: (field) => /^\d{3,4}$/.test(field.value),
  };

  function showBrand(field) {
    const [name] = BRANDS.find(([, prefix]) => prefix.test(digitsOf(field))) || [""];
    byId("card-brand").textContent = name;
  }

  function tidy(field) {
    if (field.name === "card_number") {
      const digits = digitsOf(field);
      const groups = /^3[47]/.test(digits) ? /^(\d{4})(\d{1,6})?(\d{1,5})?/ : /\d{1,4}/g;
      const parts = /^3[47]/.test(digits) ? digits.match(groups).slice(1) : digits.match(groups);
      if (/^\d+$/.test(digits)) field.value = parts.filter(Boolean).join(" ");
    } else if (field.name === "card_expiry") {
      field.value = field.value.replace(/^(\d\d)(\d\d|\d{4})$/, "$1/$2");
    }
  }

  document.addEventListener("input", ({ target }) => target.name === "card_number" && showBrand(target));
  document.addEventListener(
    "change",
    ({ target }) => {
      tidy(target);
      if (target.type === "checkbox" && target.checked) say(target, "");
      if (target.name in isRight) say(target, target.value && !isRight[target.name](target) ? target.dataset.wrong : "");
    },
    true, // ahead of htmx, which sends what stands there
  );

  // --- Errors beside the fields ---------------------------------------------------------------------

  function say(field, error) {
    const list = document.createElement("ul");
    list.className = "errorlist";
    list.append(Object.assign(document.createElement("li"), { textContent: error }));
    byId(`${field.id}_errors`).replaceChildren(...(error ? [list] : []));
    mark(field);
  }

  function mark(field) {
    const errors = byId(`${field.id}_errors`);
    const wrong = errors.childElementCount > 0;
    field.toggleAttribute("aria-invalid", wrong);
    if (wrong) field.setAttribute("aria-invalid", "true");
    const described = [byId(`${field.id}_helptext`), wrong && errors].filter(Boolean).map((element) => element.id);
    described.length ? field.setAttribute("aria-describedby", described.join(" ")) : field.removeAttribute("aria-describedby");
  }

  document.addEventListener("htmx:afterSettle", ({ detail: { elt } }) => {
    if (elt.classList.contains("errors")) return mark(byId(elt.id.replace(/_errors$/, "")));
    if (elt.id !== "main" || !byId("purchase-form")) return;
    // Number and security code stayed as they were, so what the server says of them is not marked yet.
    for (const field of document.querySelectorAll(".field :is(input, select)")) mark(field);
    showBrand(byId("id_card_number"));
    document.querySelector('.field [aria-invalid="true"]')?.focus();
  });

  // --- Buying: never in doubt -----------------------------------------------------------------------

  const isPurchase = ({ requestConfig }) => requestConfig.elt.id === "purchase-form"; // A row more or less is a button's own request.

  function tell(word, working) {
    const form = byId("purchase-form");
    const doubt = byId("doubt");
    doubt.textContent = word ? doubt.dataset[word] : "";
    form.classList.toggle("working", working);
    for (const button of form.querySelectorAll("button")) button.disabled = working;
  }

  async function find(token) {
    const address = byId("purchase-form").dataset.byToken.replace(/[0-]{36}/, token);
    for (let tries = 0; ; tries += 1) {
      try {
        const answer = await fetch(address, { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(10_000) });
        if (answer.ok) return answer.url;
        if (answer.status === 404) return null;
      } catch {
        // Still no network: go on.
      }
      await pause(PAUSES[Math.min(tries, PAUSES.length - 1)]);
    }
  }

  // The language's switch sends the form, too, but for a whole page: htmx mustn't hear of it.
  document.addEventListener("submit", (event) => event.submitter?.name === "language" && event.stopPropagation(), true);

  document.addEventListener("htmx:beforeRequest", ({ detail }) => {
    if (!isPurchase(detail)) return;
    remember(byId("purchase-form").elements.token.value);
    tell("working", true);
  });

  // What was refused stands in the answer's page.
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    if (!isPurchase(detail) || detail.xhr.status >= 500) return;
    detail.shouldSwap = true;
    detail.isError = false;
  });

  document.addEventListener("htmx:afterRequest", async ({ detail }) => {
    if (!isPurchase(detail)) return;
    const { status } = detail.xhr;
    if (status && status < 500) return forget(); // An answer: it says itself what was bought.
    tell("lost", true);
    const found = await find(byId("purchase-form").elements.token.value);
    forget();
    if (found) {
      tell("found", true);
      location.assign(found);
    } else {
      tell("nothing", false);
      byId("buy-button").focus();
    }
  });

  // --- Whoever closed the page meanwhile, and comes back ---------------------------------------------

  const remember = (token) => attempt(() => localStorage.setItem(PENDING, JSON.stringify({ token, at: Date.now() })));
  const forget = () => attempt(() => localStorage.removeItem(PENDING));

  function attempt(deed) {
    try {
      return deed();
    } catch {
      return null; // A browser may forbid storage; then only this page knows.
    }
  }

  async function comeBack({ persisted }) {
    if (persisted) return location.reload(); // A form that was sent, out of the browser's history.
    const pending = attempt(() => JSON.parse(localStorage.getItem(PENDING)));
    if (!pending || !byId("purchase-form")) return;
    if (Date.now() - pending.at < KEPT_FOR) {
      const found = await find(pending.token);
      if (found) {
        byId("came-through").hidden = false;
        byId("came-through").querySelector("a").href = found;
      }
    }
    forget();
  }

  addEventListener("pageshow", comeBack);
})();
