// The reader's say over a live page: stop it while reading, and how often it may change. The rate is remembered.
(() => {
  "use strict";
  const KEY = "pomni_every_ms";

  window.pomniLiveControls = ({ pause, words }) => {
    const place = document.getElementById("live-controls");
    const button = document.getElementById("live-pause");
    const rate = document.getElementById("live-rate");
    let isPaused = false;

    const remembered = () => {
      try { return localStorage.getItem(KEY) || "0"; } catch { return "0"; } // storage may be forbidden
    };

    const turn = () => {
      isPaused = !isPaused;
      button.setAttribute("aria-pressed", String(isPaused));
      button.querySelector("span").textContent = isPaused ? words.go_on : words.pause;
      pause(isPaused);
    };

    if ([...rate.options].some((option) => option.value === remembered())) rate.value = remembered();
    rate.addEventListener("change", () => {
      try { localStorage.setItem(KEY, rate.value); } catch { /* for this page only, then */ }
      pause(isPaused); // shows at once what the new rate allows
    });
    button.addEventListener("click", turn);
    place.hidden = false;
    return { everyMs: () => Number(rate.value) };
  };
})();
