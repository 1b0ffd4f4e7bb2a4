// The reader's say over a live page: stop it while reading, and how often it may change. The rate is remembered.
(() => {
  "use strict";
  const KEY = "pomni_every_ms";

  window.pomniLiveControls = ({ pause, words }) => {
    const place = document.getElementById("live-controls");
    const button = document.getElementById("live-pause");
    const rates = [...place.querySelectorAll("input[type=radio]")];
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

    const chosen = () => rates.find((rate) => rate.checked).value;

    for (const rate of rates) if (rate.value === remembered()) rate.checked = true;
    place.addEventListener("change", () => {
      try { localStorage.setItem(KEY, chosen()); } catch { /* for this page only, then */ }
      pause(isPaused); // shows at once what the new rate allows
    });
    button.addEventListener("click", turn);
    place.hidden = false;
    return { everyMs: () => Number(chosen()) };
  };
})();
