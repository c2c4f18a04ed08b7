/* Of the pages after buying: the button that prints, and the ticket that opens without a network once it was seen. */

"use strict";

(() => {
  for (const button of document.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => print());
  }

  async function keep(worker) {
    await navigator.serviceWorker.register(worker);
    await navigator.serviceWorker.ready;
    // This very page came before there was a service worker.
    const cache = await caches.open("tickets");
    if (!(await cache.match(location.href))) await cache.add(location.href);
    const word = document.querySelector("[data-kept]");
    word.textContent = word.dataset.kept;
  }

  const { worker } = document.currentScript.dataset;
  if (worker && "serviceWorker" in navigator) keep(worker).catch(() => {}); // No network: kept already, or the next time.
})();
