// Scan, ask, show. Without this the form still works: it asks for a whole page.
"use strict";

const form = document.getElementById("typed");
const words = form.dataset;
const shown = document.getElementById("answer");
const field = form.elements.code;
const state = document.getElementById("state");
const again = document.getElementById("again");
const start = document.getElementById("start");
const video = document.getElementById("video");

const PATIENCE = 5000; // ms for one try; three of them make a lost network
const TRIES = 3;
const LOOK = 150; // ms between two looks of the camera
const GONE = 1500; // ms out of sight after which the same code is another scan

state.hidden = false; // and in its place from now on, so that nothing moves when there is something to say

// --- Ask -----------------------------------------------------------------------------------------

let asking = false;

// The number of the scan stays the same in every try, so that one whose answer got lost is not "already in".
async function ask(code, scan) {
  asking = true;
  again.hidden = true;
  state.textContent = words.checking;
  // It was about somebody else. The element itself stays: a screen reader tells what changes in one that it knows.
  shown.replaceChildren();
  delete shown.dataset.verdict;
  const body = new FormData(form);
  body.set("code", code);
  body.set("scan", scan);
  try {
    for (let i = 0; i < TRIES; i++) {
      try {
        const response = await fetch(form.action, { method: "POST", body, signal: AbortSignal.timeout(PATIENCE) });
        if (response.ok || response.status === 403) {
          show(new DOMParser().parseFromString(await response.text(), "text/html"), code);
          return;
        }
      } catch {
        // No network, or too slow: the next try.
      }
      state.textContent = words.slow;
    }
    state.textContent = words.lost;
    again.hidden = false;
    again.onclick = () => ask(code, scan);
    signal("refused");
  } finally {
    asking = false;
  }
}

function show(page, code) {
  const answer = page.getElementById("answer");
  if (!answer) {
    state.textContent = words.signedOut;
    return;
  }
  state.textContent = "";
  shown.replaceChildren(...answer.childNodes);
  shown.dataset.verdict = answer.dataset.verdict;
  document.getElementById("count").replaceChildren(...page.getElementById("count").childNodes);
  // What was refused is there to be mended, anything else is done with; what was typed meanwhile stays.
  if (field.value === code) {
    field.value = page.getElementById("code").value;
    typeOver();
  }
  signal(answer.dataset.verdict);
}

// Let the next code replace the one that stands there. Not where the field has no focus: a phone's keyboard would open.
function typeOver() {
  if (document.activeElement === field) field.select();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  sounds();
  typeOver();
  if (asking) {
    state.textContent = words.busy;
    return;
  }
  ask(field.value, uuid());
});

// crypto.randomUUID() is for HTTPS alone, and a rehearsal may be without.
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// --- Show ----------------------------------------------------------------------------------------

const SIGNALS = {
  welcome: { tones: [660, 990], vibration: [120] },
  already: { tones: [440, 440], vibration: [120, 80, 120] },
  refused: { tones: [160, 160, 160], vibration: [500] },
};
let audio;

// A browser lets a page sound only after a touch.
function sounds() {
  audio ??= new AudioContext();
  audio.resume();
}

function signal(verdict) {
  const { tones, vibration } = SIGNALS[verdict] ?? SIGNALS.refused;
  navigator.vibrate?.(vibration);
  if (!audio) return;
  tones.forEach((frequency, i) => {
    const oscillator = new OscillatorNode(audio, { frequency, type: "triangle" });
    oscillator.connect(audio.destination);
    oscillator.start(audio.currentTime + i * 0.16);
    oscillator.stop(audio.currentTime + i * 0.16 + 0.13);
  });
}

// --- Scan ----------------------------------------------------------------------------------------

async function detector() {
  const formats = ["qr_code"];
  if ("BarcodeDetector" in window && (await BarcodeDetector.getSupportedFormats()).includes("qr_code")) {
    return new BarcodeDetector({ formats });
  }
  await new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = words.polyfill;
    script.onload = resolve;
    script.onerror = reject;
    document.head.append(script);
  });
  const { BarcodeDetector: Polyfill, prepareZXingModule } = BarcodeDetectionAPI;
  prepareZXingModule({ overrides: { locateFile: () => words.wasm } });
  return new Polyfill({ formats });
}

async function scan() {
  sounds();
  start.hidden = true;
  let eye;
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    eye = await detector();
  } catch {
    state.textContent = words.noCamera;
    start.hidden = false;
    return;
  }
  document.getElementById("view").hidden = false;
  await video.play();
  state.textContent = words.looking;
  keepAwake();
  let last = "";
  let seenAt = 0;
  for (;;) {
    // A look that fails (the phone was asleep, say) is followed by the next.
    const [found] = video.readyState < 2 ? [] : await eye.detect(video).catch(() => []);
    if (found) {
      // What stays in sight is one scan. Who shows the same code again, or a copy of it, makes another.
      const isNew = found.rawValue !== last || performance.now() - seenAt > GONE;
      if (isNew && !asking && again.hidden) {
        last = found.rawValue;
        await ask(last, uuid());
      }
      seenAt = performance.now();
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
}

function keepAwake() {
  navigator.wakeLock?.request("screen").catch(() => {});
}
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && video.srcObject) keepAwake();
});

if (navigator.mediaDevices) {
  start.hidden = false;
  start.addEventListener("click", scan);
}
