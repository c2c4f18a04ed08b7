{% load static %}/* Keeps tickets that were seen on this device, and what their page needs, for when there is no network. Its scope is
   /tickets/ alone: the shop itself is never served from here. */

"use strict";

const TICKETS = "tickets";
const NEEDED = [
  "{% static 'tickets/shop.css' %}",
  "{% static 'tickets/purchase.css' %}",
  "{% static 'tickets/ticket.css' %}",
  "{% static 'tickets/ticket.js' %}",
  "{% static 'tickets/favicon.svg' %}",
  "{% static 'tickets/fonts/league-gothic.woff2' %}",
];
const PATIENCE = 4000; // milliseconds that a ticket may take to come; at a full venue it never does

addEventListener("install", (event) => {
  skipWaiting();
  event.waitUntil(caches.open(TICKETS).then((cache) => cache.addAll(NEEDED)));
});

addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || new URL(request.url).origin !== location.origin) return;
  if (request.mode === "navigate") {
    event.respondWith(ticket(request));
    event.waitUntil(forgetPast());
  } else event.respondWith(caches.match(request).then((kept) => kept || fetch(request)));
});

// The newest where there is a network: a ticket may have been replaced or cancelled. Then the old one is forgotten.
async function ticket(request) {
  const cache = await caches.open(TICKETS);
  const kept = await cache.match(request.url);
  try {
    const answer = await fetch(request, kept && { signal: AbortSignal.timeout(PATIENCE) });
    if (answer.ok && !isPast(answer)) await cache.put(request.url, answer.clone());
    if (answer.status === 404 || answer.status === 410) await cache.delete(request.url);
    return answer.status >= 500 && kept ? kept : answer;
  } catch (error) {
    if (kept) return kept;
    throw error;
  }
}

// A ticket's time is in its header; a file has none.
const isPast = (answer) => Date.parse(answer.headers.get("Kept-Until")) < Date.now();

// All tickets whose gig has departed, for nobody opens them again.
async function forgetPast() {
  const cache = await caches.open(TICKETS);
  for (const request of await cache.keys()) {
    if (isPast(await cache.match(request))) await cache.delete(request);
  }
}
