/* The first screen's refresh: it pauses while nobody looks, and says when its figures are old. */

const board = document.getElementById("board");
const stale = document.getElementById("stale");

document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden) event.preventDefault();
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && board) htmx.trigger(board, "again");
});

document.addEventListener("htmx:afterRequest", (event) => {
  stale.hidden = Boolean(event.detail.successful);
});
