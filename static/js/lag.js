// Measures how long an update takes from the event to this screen, without trusting that two clocks agree:
// in the server by its own clock, in this browser by this one, and on the way by half of a round trip.
(() => {
  "use strict";
  const card = document.getElementById("health-lag");
  if (!card) return;
  const MOST = 100; // the newest so many
  const PROBE_MS = 15000;
  const samples = [];
  let way = null; // ms, one way; null before the first probe

  const place = (name) => card.querySelector(`[data-lag="${name}"]`);
  const unit = card.querySelector("#lag-words") ? JSON.parse(card.querySelector("#lag-words").textContent) : null;
  const ms = (value) => (value === null ? "–" : unit.ms.replace("{count}", Math.round(value)));
  const quantile = (values, share) => {
    const sorted = [...values].sort((a, b) => a - b);
    return sorted[Math.max(Math.ceil(share * sorted.length) - 1, 0)];
  };
  const put = (name, text) => {
    const element = place(name);
    if (element.textContent !== text) element.textContent = text;
  };

  const show = () => {
    if (!samples.length) return;
    const total = samples.map((one) => one.server + one.browser + (way ?? 0));
    put("p50", ms(quantile(total, 0.5)));
    put("p95", ms(quantile(total, 0.95)));
    put("count", String(samples.length));
    put("server", ms(quantile(samples.map((one) => one.server), 0.5)));
    put("way", ms(way));
    put("browser", ms(quantile(samples.map((one) => one.browser), 0.5)));
    const tag = document.getElementById("lag-tag");
    if (tag.textContent !== unit.measuring) tag.textContent = unit.measuring;
  };

  const probe = async () => {
    if (document.hidden) return;
    const began = performance.now();
    try {
      await fetch(card.dataset.probe, { method: "HEAD", cache: "no-store", credentials: "omit" });
      const half = (performance.now() - began) / 2;
      way = way === null ? half : Math.min(half, 0.7 * way + 0.3 * half);
      show();
    } catch {
      // The connection is away; the line at the top of the page says so.
    }
  };

  document.addEventListener("pomni:state", ({ detail }) => {
    if (detail.type !== "delta" || document.hidden) return;
    samples.push({ server: Math.max(detail.at - detail.changed, 0), browser: Math.max(detail.shown - detail.heard, 0) });
    if (samples.length > MOST) samples.shift();
    show();
  });
  probe();
  setInterval(probe, PROBE_MS);
})();
