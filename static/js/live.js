// Keeps a page live: takes numbered states over a WebSocket and morphs their fragments into the page.
//
// Written by hand rather than with htmx's hx-ws, which knows no sequence numbers, no beat that shows a dead line, and
// cannot tell the reader in words what the connection is doing. The morphing itself is htmx's.
(() => {
  "use strict";
  const place = document.getElementById("live");
  if (!place) return;

  const FINAL = { 4401: "signed_out", 4403: "forbidden", 4404: "gone" };
  const DEAD_AFTER_MS = 40000; // the server sends a beat at least every 15 s
  const STALE_AFTER_MS = 15000;
  const CONNECT_MS = 8000;
  const words = JSON.parse(document.getElementById("words").textContent);
  const text = place.querySelector(".live-text");
  const spoken = document.getElementById("live-said");
  const notice = document.getElementById("live-notice");
  const address = new URL(place.dataset.address, location.href.replace(/^http/, "ws"));
  address.searchParams.set("seen", "1"); // then the server waits for a slow line instead of filling it with old states

  let socket = null;
  let seq = null; // the state that the page shows; null before the first of a connection
  let attempt = 0;
  let retryAt = 0;
  let heardAt = Date.now();
  let openedAt = 0;
  let condition = { redis: true, source: true };
  let ended = false;
  let work = Promise.resolve();
  let held = null; // what has come and is not shown yet: the newest of each fragment, and the newest frame
  let paintedAt = 0;
  let isFrozen = false; // by the reader

  const show = (state, visible, aloud = visible) => {
    if (text.textContent !== visible) text.textContent = visible;
    if (place.dataset.state === state) return;
    place.dataset.state = state;
    spoken.textContent = aloud;
  };

  const clock = (ms) =>
    new Date(ms).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });

  const tell = () => {
    if (ended) return;
    const problem = !condition.source ? words.source_away : condition.redis ? "" : words.redis_away;
    notice.hidden = !problem;
    if (notice.textContent !== problem) notice.textContent = problem;
    if (isFrozen) {
      show("held", held ? words.frozen_more : words.frozen);
    } else if (socket && socket.readyState === WebSocket.OPEN && seq !== null) {
      show(problem ? "paused" : "live", problem ? words.live_paused : words.live);
    } else if (socket) {
      if (place.dataset.state === "off" || place.dataset.state === "live") show("connecting", words.connecting);
    } else {
      const wait = words.reconnecting.replace("{seconds}", Math.max(0, Math.ceil((retryAt - Date.now()) / 1000)));
      const stale = Date.now() - heardAt > STALE_AFTER_MS;
      const since = words.stale.replace("{time}", clock(heardAt));
      show(stale ? "stale" : "reconnecting", stale ? `${since} · ${wait}` : wait, stale ? since : words.lost);
    }
  };

  const paint = async (fragments) => {
    window.pomniRoom.keep(Object.keys(fragments));
    for (const [id, html] of Object.entries(fragments)) {
      const target = document.getElementById(id);
      if (!target) continue;
      const fresh = document.createElement("template");
      fresh.innerHTML = html;
      window.pomniTimes.refresh(fresh.content); // before it is shown, so that nothing flickers
      await htmx.swap({ text: fresh.innerHTML, target, sourceElement: target, swap: "outerMorph ignoreTitle:true" });
    }
  };

  // At once, or as often as the reader wants; what comes in between is gathered, and nothing final is lost.
  const showHeld = async () => {
    if (!held || isFrozen) return;
    const early = controls.everyMs() - (Date.now() - paintedAt);
    if (early > 0) {
      setTimeout(() => { work = work.then(showHeld).catch(drop); }, early);
      return;
    }
    const { frame, fragments, heard } = held;
    held = null;
    paintedAt = Date.now();
    await paint(fragments);
    const detail = { type: frame.type, seq: frame.seq, changed: frame.changed, at: frame.at, heard, shown: Date.now() };
    document.dispatchEvent(new CustomEvent("pomni:state", { detail }));
  };

  const take = async (from, frame, heard) => {
    if (from !== socket) return;
    if (frame.type === "condition") {
      condition = frame;
    } else if (frame.type === "snapshot" || (frame.type === "delta" && frame.after === seq)) {
      seq = frame.seq;
      attempt = 0;
      held = { frame, heard, fragments: { ...(frame.type === "delta" && held ? held.fragments : {}), ...frame.fragments } };
      await showHeld();
      if (from.readyState === WebSocket.OPEN) from.send("seen");
    } else if (frame.seq !== seq && from.readyState === WebSocket.OPEN) {
      from.send("snapshot"); // a gap: something in between did not arrive
    }
    if (frame.at) window.pomniTimes.heard(frame.at);
    tell();
  };

  const lost = (closed, code) => {
    if (closed !== socket || ended) return;
    socket = null;
    seq = null;
    if (FINAL[code]) {
      ended = true;
      show("stopped", words[FINAL[code]]);
      return;
    }
    // Half of the pause is chance, so that the viewers of a process that died do not come back all at once.
    retryAt = Date.now() + Math.min(8000, 400 * 2 ** attempt) * (0.5 + Math.random() / 2);
    attempt += 1;
    tell();
  };

  const drop = () => {
    const old = socket;
    if (!old) return;
    lost(old, 0);
    old.close();
  };

  const connect = () => {
    if (socket || ended) return;
    const fresh = new WebSocket(address);
    socket = fresh;
    openedAt = Date.now();
    fresh.addEventListener("message", (event) => {
      const frameHeard = heardAt = Date.now();
      const frame = JSON.parse(event.data);
      work = work.then(() => take(fresh, frame, frameHeard)).catch(drop);
    });
    fresh.addEventListener("close", (event) => lost(fresh, event.code));
    tell();
  };

  const look = () => {
    const quiet = Date.now() - Math.max(heardAt, openedAt);
    if (socket && quiet > (seq === null ? CONNECT_MS : DEAD_AFTER_MS)) drop();
    if (!socket && Date.now() >= retryAt) connect();
    tell();
  };

  const freeze = (wanted) => {
    isFrozen = wanted;
    work = work.then(showHeld).catch(drop);
    tell();
  };

  const controls = window.pomniLiveControls({ freeze, words });

  const now = () => {
    retryAt = 0;
    attempt = 0;
    if (Date.now() - heardAt > STALE_AFTER_MS + 5000) drop(); // asleep: the line may be dead without saying so
    retryAt = 0;
    look();
  };

  document.addEventListener("visibilitychange", () => { if (!document.hidden) now(); });
  window.addEventListener("online", now);
  window.addEventListener("pageshow", (event) => { if (event.persisted) now(); });
  window.addEventListener("pagehide", drop);
  setInterval(look, 500);
  connect();
})();
