/* The search as one types: where its answer doesn't come, it says so. */

"use strict";

// Not by afterRequest, which tells of a search that the next letter has replaced, too.
for (const trouble of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) {
  document.addEventListener(trouble, () => {
    const found = document.getElementById("found");
    found.textContent = found.dataset.lost;
  });
}
